/*
 * The groups compare.METHOD, keys that take a word or a number, and what contradicts itself in the
 * settings of classification.
 */
#include "config/keys.h"
#include "config/settings.h"
#include "support/check.h"

#define NEEDED "model: { path = \"/m\"; };\noutput: { dir = \"/out\"; };\n"
#define CLASSES NEEDED "task = \"classification\";\n"
#define COUNT(array) (int)(sizeof(array) / sizeof *(array))

static ft_status parse(struct settings **s, const char *text, int n, char **overrides)
{
    return settings_parse(s, text, strlen(text), "run.cfg", "/here", n, overrides);
}

/* Settings of a text that must be valid, with at most one override. */
static struct settings *settings_of(const char *text, char *override)
{
    struct settings *s = NULL;
    CHECK_STATUS(parse(&s, text, override ? 1 : 0, &override), FT_OK);
    return s;
}

static void check_refused(const char *text, char *override, const char *part)
{
    struct settings *s = NULL;
    CHECK_FAILS(parse(&s, text, override ? 1 : 0, &override), FT_ERR_USAGE, part);
    CHECK(s == NULL);
    settings_destroy(&s);
}

static const char groups[] =
    CLASSES "training: { lr = 1e-3; dropout = 0.25; };\n"
            "data: { cache = \"/cache\"; };\n"
            "compare: {\n"
            "  finetune: { training: { epochs = 2; lr = 5e-5; }; model: { path = \"other\"; }; };\n"
            "  last-layers: { training: { lr = 1e-4; dropout = \"auto\"; };\n"
            "                 model: { trainable_layers = 3; }; seed = 7; };\n"
            "  transfer: { transfer: { layer = \"last4\"; l2 = 1; head = \"mlp\"; }; };\n"
            "};\n";

/* What each method runs with: its group where it has one, else the file. */
static void test_methods(void)
{
    struct settings *s = settings_of(groups, NULL), *m = NULL;
    CHECK(s && s->training.lr == 1e-3 && s->mode == RUN_MODE_FINETUNE && s->seed == 42);
    if (!s)
        return;
    CHECK_STATUS(settings_for_method(&m, s, "finetune", "/out/compare/finetune"), FT_OK);
    CHECK(m && m->mode == RUN_MODE_FINETUNE && m->training.lr == 5e-5 && m->training.epochs == 2);
    CHECK(m && m->training.dropout == 0.25 && strcmp(m->model.path, "/here/other") == 0);
    CHECK(m && strcmp(m->output.dir, "/out/compare/finetune") == 0 && m->compare.n == 0);
    CHECK(m && strcmp(m->data.cache, "") == 0 && m->task == RUN_TASK_CLASSIFICATION);
    settings_destroy(&m);
    CHECK_STATUS(settings_for_method(&m, s, "last-layers", "/o"), FT_OK);
    CHECK(m && m->mode == RUN_MODE_LAST_LAYERS && m->training.lr == 1e-4 && m->seed == 7);
    CHECK(m && m->training.dropout == DROPOUT_AUTO && m->model.trainable_layers == 3);
    CHECK(m && strcmp(m->model.path, "/m") == 0 && m->training.epochs == 1);
    settings_destroy(&m);
    CHECK_STATUS(settings_for_method(&m, s, "transfer", "/o"), FT_OK);
    CHECK(m && m->mode == RUN_MODE_TRANSFER && m->training.lr == 1e-3 && m->seed == 42);
    CHECK(m && m->transfer.layer == LAYER_LAST4 && m->transfer.l2 == 1.0);
    CHECK(m && m->transfer.head == HEAD_MLP && m->transfer.pooling == POOLING_AUTO);
    settings_destroy(&m);
    settings_destroy(&s);
}

/* resolved.cfg gives the groups back, and the same text again. */
static void test_round_trip(void)
{
    struct buffer first = {0}, second = {0};
    struct settings *s = settings_of(groups, "compare.transfer.seed=5000000000");
    CHECK(s && s->compare.n == 11);
    CHECK_STATUS(settings_format(s, &first), FT_OK);
    settings_destroy(&s);
    s = settings_of(first.data, NULL);
    CHECK(s && s->compare.n == 11);
    CHECK_STATUS(settings_format(s, &second), FT_OK);
    CHECK(strcmp(first.data, second.data) == 0);
    CHECK(strstr(first.data, "  transfer: {\n    seed = 5000000000L;\n    transfer: {\n"
                             "      layer = \"last4\";\n") != NULL);
    settings_destroy(&s);
    buffer_clear(&first);
    buffer_clear(&second);
}

/* The last one of a key wins: file, then command line; a key of another method is another key. */
static void test_replaced(void)
{
    struct settings *s = NULL, *m = NULL;
    char *overrides[] = {"compare.finetune.training.lr=0.5", "compare.finetune.training.lr=0.25",
                         "compare.finetune.training.lr_=1"};
    CHECK_STATUS(parse(&s, groups, 2, overrides), FT_OK);
    CHECK(s && s->compare.n == 10);
    CHECK_STATUS(settings_for_method(&m, s, "finetune", "/o"), FT_OK);
    CHECK(m && m->training.lr == 0.25 && m->training.epochs == 2);
    settings_destroy(&m);
    CHECK_STATUS(settings_for_method(&m, s, "last-layers", "/o"), FT_OK);
    CHECK(m && m->training.lr == 1e-4);
    settings_destroy(&m);
    settings_destroy(&s);
    CHECK_FAILS(parse(&s, groups, 3, overrides), FT_ERR_USAGE, "nearest known one is training.lr");
    /* what contradicts the rest shows when the method's settings are made */
    s = settings_of(groups, "compare.finetune.training.min_lr=0.01");
    CHECK_FAILS(settings_for_method(&m, s, "finetune", "/o"), FT_ERR_USAGE,
                "compare.finetune: training.min_lr = 0.01 is above training.lr = 5e-05");
    CHECK(m == NULL);
    CHECK_STATUS(settings_for_method(&m, s, "transfer", "/o"), FT_OK);
    settings_destroy(&m);
    settings_destroy(&s);
}

static const struct {
    const char *text, *part;
} bad_groups[] = {
    {"compare: {\n\n full: { training: { lr = 1e-4; }; }; };",
     "run.cfg:5: compare.full is no method; the groups of compare are transfer, last-layers and "
     "finetune"},
    {"compare: { bag-of-words: { seed = 1; }; };", "compare.bag-of-words is no method"},
    {"compare: { transfers: { seed = 1; }; };", "compare.transfers is no method"},
    {"compare: { fine: { seed = 1; }; };", "compare.fine is no method"},
    {"compare: { finetune: { training: {\n  lrr = 1e-4; }; }; };",
     "run.cfg:4: compare.finetune.training.lrr is no key; the nearest known one is training.lr"},
    {"compare: { finetune: { lr = 1e-4; }; };",
     "compare.finetune.lr is no key; the nearest known one is training.lr"},
    {"compare: { finetune: { training: { lr = 100.0; }; }; };",
     "run.cfg:3: training.lr = 100 is not valid; it takes: number, above 0 to 10"},
    {"compare: { finetune: { training: { lr = \"auto\"; }; }; };", "training.lr = \"auto\""},
    {"compare: { finetune: { data: { train = \"x\"; }; }; };",
     "run.cfg:3: compare.finetune.data.train: data.train is the same for all methods"},
    {"compare: { transfer: { mode = \"finetune\"; }; };", "mode is the same for all methods"},
    {"compare: { transfer: { data: { max_windows = 3; }; }; };", "data.max_windows is the same"},
    {"compare: { transfer: { output: { dir = \"x\"; }; }; };", "output.dir is the same"},
    {"compare: { transfer = 5; };", "compare.transfer: write compare.METHOD.section.key"},
    {"compare: { finetune: { training = 5; }; };", "compare.finetune.training is no key"},
    {"compare: { finetune: { training: { lr: { a = 1; }; }; }; };",
     "training.lr = a group is not valid"},
    {"compare: { finetune: { training: { lr: { a: { b = 1; }; }; }; }; };",
     "training.lr = a group is not valid"},
    {"compare: { finetune: { a: { b: { c = 1; }; }; }; };", "compare.finetune.a.b is no key"},
    {"compare = 5;", "unknown key compare"},
    {"compare: { finetune: { seed = 1; seed = 2; }; };", "duplicate setting name"},
};

static void test_bad_groups(void)
{
    for (int i = 0; i < COUNT(bad_groups); i++) {
        char text[512];
        (void)snprintf(text, sizeof text, "%s%s", NEEDED, bad_groups[i].text);
        check_refused(text, NULL, bad_groups[i].part);
    }
    check_refused(NEEDED, "compare.full.seed=1", "override: compare.full is no method");
    check_refused(NEEDED, "compare.finetune=1", "override: compare.finetune: write compare.METHOD");
    check_refused(NEEDED, "compare.finetune.data.test=x", "data.test is the same for all methods");
    check_refused(NEEDED, "compare.finetune.training.lr=x", "training.lr = x is not valid");
    check_refused(NEEDED, "compare.=1", "write compare.METHOD.section.key");
    check_refused(NEEDED, "compare=1", "unknown key compare");
    struct settings *s = settings_of(NEEDED "compare: { };", NULL); /* nothing in it is fine */
    CHECK(s && s->compare.n == 0);
    settings_destroy(&s);
    s = settings_of(NEEDED "compare: { finetune: { training: { }; }; };", NULL);
    CHECK(s && s->compare.n == 0);
    settings_destroy(&s);
}

static void check_number_words(char *override, double dropout, int layer, double l2)
{
    struct buffer text = {0};
    struct settings *s = settings_of(CLASSES, override);
    for (int pass = 0; pass < 2 && s; pass++) { /* as given, and from resolved.cfg */
        CHECK(s->training.dropout == dropout && s->transfer.layer == layer && s->transfer.l2 == l2);
        CHECK_STATUS(settings_format(s, &text), FT_OK);
        settings_destroy(&s);
        s = settings_of(text.data, NULL);
        buffer_clear(&text);
    }
    settings_destroy(&s);
}

/* Keys that take a word or a number. */
static void test_number_words(void)
{
    check_number_words("seed=1", DROPOUT_AUTO, LAYER_AUTO, L2_AUTO);
    check_number_words("training.dropout=0", 0.0, LAYER_AUTO, L2_AUTO);
    check_number_words("training.dropout=0.125", 0.125, LAYER_AUTO, L2_AUTO);
    check_number_words("training.dropout=\"auto\"", DROPOUT_AUTO, LAYER_AUTO, L2_AUTO);
    check_number_words("transfer.layer=-1", DROPOUT_AUTO, -1, L2_AUTO);
    check_number_words("transfer.layer=12", DROPOUT_AUTO, 12, L2_AUTO);
    check_number_words("transfer.layer=last4", DROPOUT_AUTO, LAYER_LAST4, L2_AUTO);
    check_number_words("transfer.l2=1e-3", DROPOUT_AUTO, LAYER_AUTO, 1e-3);
    check_number_words("transfer.l2=0", DROPOUT_AUTO, LAYER_AUTO, 0.0);
    check_refused(CLASSES, "training.dropout=1", "it takes: auto, or number, 0 to below 1");
    check_refused(CLASSES, "training.dropout=-1", "training.dropout = -1 is not valid");
    check_refused(CLASSES, "training.dropout=none", "training.dropout = \"none\" is not valid");
    check_refused(CLASSES, "transfer.layer=last", "it takes: one of auto last4, or integer, -1024");
    check_refused(CLASSES, "transfer.layer=1.5", "transfer.layer = \"1.5\" is not valid");
    check_refused(CLASSES, "transfer.layer=-2147483648", "transfer.layer = -2147483648 is not");
    check_refused(CLASSES, "transfer.l2=-1.0", "transfer.l2 = -1 is not valid");
    check_refused(CLASSES, "transfer.l2=last4", "transfer.l2 = \"last4\" is not valid");
    check_refused(CLASSES "training: { dropout = true; };", NULL, "training.dropout = true");
    check_refused(CLASSES "training: { dropout = \"0.1\"; };", NULL, "\"0.1\" is not valid");
    check_refused(CLASSES "transfer: { layer = 2.0; };", NULL, "transfer.layer = 2.0");
}

/* What needs classification, and what is wrong in it. */
static void test_contradictions(void)
{
    static char *only_there[] = {"mode=transfer",
                                 "mode=transfer-then-finetune",
                                 "training.best_metric=accuracy",
                                 "training.best_metric=macro_f1",
                                 "training.label_smoothing=0.1",
                                 "training.class_weights=balanced",
                                 "training.head_lr=1e-3"};
    for (int i = 0; i < COUNT(only_there); i++) {
        check_refused(NEEDED, only_there[i], "needs task = \"classification\"");
        struct settings *s = settings_of(CLASSES, only_there[i]);
        settings_destroy(&s);
    }
    struct settings *s = settings_of(NEEDED, "mode=last-layers");
    CHECK(s && s->mode == RUN_MODE_LAST_LAYERS && s->task == RUN_TASK_CAUSAL_LM);
    settings_destroy(&s);
    check_refused(CLASSES, "transfer.layer=0", "layers count from 1, or from -1 backwards");
    check_refused(NEEDED, "transfer.layer=0", "layers count from 1");
    check_refused(CLASSES, "training.label_smoothing=1", "number, 0 to below 1");
    check_refused(CLASSES, "data.label_field=", "data.label_field = \"\"");
    check_refused(CLASSES, "model.trainable_layers=0", "integer, 1 to 1024");
}

/* Settings of a method must not leak or crash where memory runs out. */
static void test_memory(void)
{
    ft_status status = FT_ERR_INTERNAL;
    for (int nth = 1; status != FT_OK && nth < 3000; nth++) {
        struct settings *s = NULL, *m = NULL;
        mem_fail_nth(nth, 0);
        status = parse(&s, groups, 0, NULL);
        if (status == FT_OK)
            status = settings_for_method(&m, s, "last-layers", "/o");
        CHECK(status == FT_OK || (status == FT_ERR_INTERNAL && !m));
        settings_destroy(&m);
        settings_destroy(&s);
        CHECK(mem_live_bytes() == 0);
    }
    mem_fail_nth(0, 0);
    CHECK(status == FT_OK);
}

int main(void)
{
    test_methods();
    test_round_trip();
    test_replaced();
    test_bad_groups();
    test_number_words();
    test_contradictions();
    test_memory();
    return check_end();
}
