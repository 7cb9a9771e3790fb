/* Reading, refusing, printing and comparing settings. Every hostile text has a defect of its own.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "config/keys.h"
#include "config/scan.h"
#include "config/settings.h"
#include "support/check.h"

#define MODEL "model: { path = \"m.gguf\"; };\n"
#define NEEDED MODEL "output: { dir = \"out\"; };\n"

static ft_status parse(struct settings **s, const char *text, int n, char **overrides)
{
    return settings_parse(s, text, strlen(text), "run.cfg", "/here/configs", n, overrides);
}

static ft_status parse_only(const char *text, int n, char **overrides)
{
    struct settings *s = NULL;
    const ft_status status = parse(&s, text, n, overrides);
    CHECK((status == FT_OK) == (s != NULL));
    settings_destroy(&s);
    return status;
}

static void test_defaults(void)
{
    struct settings *s = NULL;
    CHECK_STATUS(parse(&s, NEEDED, 0, NULL), FT_OK);
    if (!s)
        return;
    CHECK(s->seed == 42 && s->mode == RUN_MODE_FINETUNE && s->task == RUN_TASK_CAUSAL_LM);
    CHECK(strcmp(s->model.path, "/here/configs/m.gguf") == 0);
    CHECK(strcmp(s->output.dir, "/here/configs/out") == 0);
    CHECK(strcmp(s->data.text_field, "text") == 0 && strcmp(s->data.cache, "") == 0);
    CHECK(s->data.train.n == 0 && s->data.validation.n == 0 && s->data.test.n == 0);
    CHECK(s->data.seq_len == 512 && s->data.shuffle && !s->data.isolate_documents);
    CHECK(s->training.lr == 2e-5 && s->training.eps == 1e-8 && s->training.beta2 == 0.95);
    CHECK(s->training.schedule == SCHEDULE_COSINE && s->training.warmup == 0.03);
    CHECK(s->training.micro_batch == 4 && s->training.global_batch == 32);
    CHECK(s->checkpoint.keep == 2 && s->checkpoint.every_minutes == 30.0);
    CHECK(s->distributed.zero == 1 && s->distributed.bucket_mb == 32);
    CHECK(s->distributed.overlap && s->distributed.wire == WIRE_FP32);
    CHECK_FAILS(settings_require_training(s), FT_ERR_USAGE, "data.train is missing");
    settings_destroy(&s);
    CHECK(s == NULL);
    settings_destroy(&s);
}

static void test_values(void)
{
    struct settings *s = NULL;
    CHECK_STATUS(parse(&s,
                       "seed = 5000000000L; // comment with 5000000000 and @include\n"
                       "/* 010 \n \" */ model = { path = \"../models/a \\\"b\\\" \\\\c\"; };\n"
                       "data: { train = [\"./a.jsonl\", \"/abs/b.csv\"]; test = \"../../t\"; cache "
                       "= \"../..\";\n"
                       "  validation = (\"v1\", \"v2\", \"v3\"); shuffle = FALSE;\n"
                       "  seq_len = 0x100; max_windows = 7L; };\n"
                       "training: { lr = 1; min_lr = .5; schedule = \"wsd\"; warmup = 10; };\n"
                       "output: { dir = \"../../../../top\" }",
                       0, NULL),
                 FT_OK);
    if (!s)
        return;
    CHECK(s->seed == 5000000000);
    CHECK(strcmp(s->model.path, "/here/models/a \"b\" \\c") == 0);
    CHECK(s->data.train.n == 2 && strcmp(s->data.train.items[0], "/here/configs/a.jsonl") == 0);
    CHECK(s->data.train.n == 2 && strcmp(s->data.train.items[1], "/abs/b.csv") == 0);
    CHECK(s->data.test.n == 1 && strcmp(s->data.test.items[0], "/t") == 0);
    CHECK(s->data.validation.n == 3 &&
          strcmp(s->data.validation.items[2], "/here/configs/v3") == 0);
    CHECK(!s->data.shuffle && s->data.seq_len == 256 && s->data.max_windows == 7);
    CHECK(s->training.lr == 1.0 && s->training.min_lr == 0.5);
    CHECK(s->training.schedule == SCHEDULE_WSD && s->training.warmup == 10);
    CHECK(strcmp(s->output.dir, "/top") == 0 && strcmp(s->data.cache, "/") == 0);
    CHECK_STATUS(settings_require_training(s), FT_OK);
    settings_destroy(&s);
}

static void test_overrides(void)
{
    char here[FILE_PATH_MAX], expected[FILE_PATH_MAX + 16];
    char *overrides[] = {"seed=9000000000",
                         "training.lr=1e-3",
                         "training.lr=2",
                         "data.train=[\"a\", \"/b\" ]",
                         "data.test=(\"x,y\")",
                         "data.validation=plain name.txt",
                         "output.dir=\"quo\\\"ted\"",
                         "data.cache=",
                         "data.shuffle=false",
                         "training.schedule=linear",
                         "data.text_field=a=b"};
    struct settings *s = NULL;
    CHECK(getcwd(here, sizeof here) != NULL);
    CHECK_STATUS(parse(&s, NEEDED "data: { cache = \"c\"; train = \"gone\"; };",
                       (int)(sizeof overrides / sizeof *overrides), overrides),
                 FT_OK);
    if (!s)
        return;
    CHECK(s->seed == 9000000000 && s->training.lr == 2.0 && !s->data.shuffle);
    (void)snprintf(expected, sizeof expected, "%s/a", here);
    CHECK(s->data.train.n == 2 && strcmp(s->data.train.items[0], expected) == 0);
    CHECK(s->data.train.n == 2 && strcmp(s->data.train.items[1], "/b") == 0);
    (void)snprintf(expected, sizeof expected, "%s/x,y", here);
    CHECK(s->data.test.n == 1 && strcmp(s->data.test.items[0], expected) == 0);
    (void)snprintf(expected, sizeof expected, "%s/plain name.txt", here);
    CHECK(s->data.validation.n == 1 && strcmp(s->data.validation.items[0], expected) == 0);
    (void)snprintf(expected, sizeof expected, "%s/quo\"ted", here);
    CHECK(strcmp(s->output.dir, expected) == 0 && strcmp(s->data.cache, "") == 0);
    CHECK(s->training.schedule == SCHEDULE_LINEAR && strcmp(s->data.text_field, "a=b") == 0);
    settings_destroy(&s);
}

static const struct {
    const char *override, *part;
} bad_overrides[] = {
    {"training.lr=1e400", "training.lr = 1e400"},
    {"training.lr=nan", "training.lr = nan"},
    {"training.lr=1e-5x", "training.lr = 1e-5x"},
    {"training.lr= 1e-5", "training.lr =  1e-5"},
    {"training.lr=", "training.lr = \"\""},
    {"training.max_steps=1.0", "training.max_steps = 1.0"},
    {"training.max_steps=010", "training.max_steps = 010"},
    {"training.max_steps=0x10", "training.max_steps = 0x10"},
    {"training.max_steps=99999999999999999999", "training.max_steps = 9999"},
    {"training.micro_batch=4294967297", "training.micro_batch = 4294967297"},
    {"training.micro_batch=true", "training.micro_batch = true"},
    {"data.shuffle=1", "data.shuffle = 1 is not valid; it takes: true or false"},
    {"data.train=[\"a\" \"b\"]", "data.train = [\"a\" \"b\"]"},
    {"data.train=[\"a\",]", "data.train = [\"a\",]"},
    {"data.train=[\"a\")", "data.train = [\"a\")"},
    {"data.train=[\"a", "data.train = \"a is not valid"},
    {"data.train=[\"\"]", "empty path"},
    {"model.path=\"a\" b", "model.path = \"a\" b"},
    {"model.path=", "model.path = \"\""},
    {"training.schedule=cos", "one of: constant linear cosine wsd"},
    {"training.lrr=1", "nearest known one is training.lr "},
    {"lr=1", "nearest known one is training.lr "},
    {"training=1", "training is a group of keys"},
    {"training.lr", "write section.key=value"},
    {"=1", "write section.key=value"},
};

static void test_bad_overrides(void)
{
    for (size_t i = 0; i < sizeof bad_overrides / sizeof *bad_overrides; i++) {
        char *copy = mem_copy_text(bad_overrides[i].override);
        check_hostile("setting", bad_overrides[i].override);
        CHECK_FAILS(parse_only(NEEDED, 1, &copy), FT_ERR_USAGE, bad_overrides[i].part);
        mem_free(copy);
    }
}

/* configuration texts that must be refused with 64, and part of the message */
static const struct {
    const char *name, *text, *part;
} hostile[] = {
    {"int_beyond_32_bits", NEEDED "training: {\n max_steps = 5000000000; };",
     "run.cfg:4: 5000000000 does not fit 32 bits; append L"},
    {"int_wraps_to_one", NEEDED "training: { micro_batch = 4294967297; };", "does not fit 32 bits"},
    {"negative_beyond_32_bits", NEEDED "seed = -3000000000;", "-3000000000 does not fit 32 bits"},
    {"int_beyond_64_bits", NEEDED "seed = 99999999999999999999L;", "does not fit 64 bits"},
    {"hex_sign_bit", NEEDED "seed = 0xFFFFFFFF;", "0xFFFFFFFF does not fit 32 bits"},
    {"hex_beyond_64_bits", NEEDED "seed = 0x10000000000000000L;", "does not fit 64 bits"},
    {"float_overflow", NEEDED "training: { lr = 1e400; };", "1e400 does not fit a double"},
    {"float_underflow", NEEDED "training: { eps = 1e-400; };", "1e-400 does not fit a double"},
    {"octal_looking", NEEDED "seed = 010;", "run.cfg:3: 010 has a leading zero"},
    {"octal_looking_float", NEEDED "training: { lr = 00.1; };", "00.1 is not a number"},
    {"lone_dot", NEEDED "training: { clip = .; };", ". is not a number"},
    {"digits_run_into_name", NEEDED "seed = 5mode = \"finetune\";", "5mode is not a number"},
    {"include", NEEDED "@include \"/etc/passwd\"\n", "run.cfg:3: @include is not supported"},
    {"null_escape", "model: { path = \"a\\x00b\"; };", "run.cfg:1: \\x00 would end the string"},
    {"joined_strings", NEEDED "data: { train = [\"a\"\n \"b\"]; };",
     "run.cfg:4: two strings side by side"},
    {"open_string", NEEDED "data: { train = \"abc;\n };\n", "run.cfg:3: string without a closing"},
    {"open_comment", NEEDED "/* data: { };\n", "run.cfg:3: comment without a closing"},
    {"duplicate_key", NEEDED "seed = 1;\nseed = 2;", "run.cfg:4: duplicate setting name"},
    {"duplicate_group", NEEDED "model: { precision = \"fp32\"; };", "duplicate setting name"},
    {"syntax", NEEDED "training: { lr 2e-5; };", "run.cfg:3: syntax error"},
    {"group_not_closed", NEEDED "training: { lr = 2e-5;", "syntax error"},
    {"unknown_key", NEEDED "training: {\n\n  learning_rate = 1.0; lr_min = 0.1; };",
     "run.cfg:5: unknown key training.learning_rate"},
    {"misspelt_key", NEEDED "training: { micro_bach = 1; };",
     "nearest known one is training.micro_batch"},
    {"wrong_section", NEEDED "data: { global_batch = 1; };",
     "nearest known one is training.global_batch"},
    {"case_differs", NEEDED "Seed = 1;", "unknown key Seed; the nearest known one is seed"},
    {"key_outside_group", NEEDED "seq_len = 5;", "nearest known one is data.seq_len"},
    {"unknown_group", NEEDED "trainning: { lr = 1.0; };", "unknown key trainning"},
    {"group_as_value", NEEDED "training = 5;", "training is a group of keys: write training: {"},
    {"group_in_list", NEEDED "training = ( { lr = 1.0; } );", "training is a group of keys"},
    {"value_as_group", NEEDED "seed: { a = 1; };", "seed = a group is not valid"},
    {"float_for_int", NEEDED "training: { micro_batch = 4.0; };",
     "run.cfg:3: training.micro_batch = 4.0"},
    {"float_for_long", NEEDED "training: { max_steps = 1e3; };", "training.max_steps = 1000.0"},
    {"text_for_int", NEEDED "seed = \"1\";", "seed = \"1\" is not valid; it takes: integer"},
    {"bool_for_int", NEEDED "seed = true;", "seed = true is not valid"},
    {"int_for_bool", NEEDED "data: { shuffle = 1; };", "data.shuffle = 1 is not valid"},
    {"int_for_text", NEEDED "data: { text_field = 5; };", "data.text_field = 5 is not valid"},
    {"list_for_text", NEEDED "data: { text_field = [\"a\"]; };", "data.text_field = a list"},
    {"int_in_list", NEEDED "data: { train = (\"a\", 1); };", "an entry that is not a text"},
    {"empty_in_list", NEEDED "data: { train = [\"a\", \"\"]; };", "a list with an empty path"},
    {"line_break_in_path", NEEDED "data: { train = \"a\\nb\"; };", "line break or control"},
    {"empty_text_field", NEEDED "data: { text_field = \"\"; };", "data.text_field = \"\""},
    {"unknown_word", NEEDED "training: { schedule = \"cosin\"; };",
     "\"cosin\" is not valid; it takes: one of: constant linear cosine wsd"},
    {"two_words", NEEDED "training: { schedule = \"constant linear\"; };", "is not valid"},
    {"empty_word", NEEDED "mode = \"\";", "mode = \"\" is not valid"},
    {"below_range", NEEDED "checkpoint: { keep = 1; };", "checkpoint.keep = 1 is not valid"},
    {"above_range", NEEDED "data: { seq_len = 1048577; };", "integer, 1 to 1048576"},
    {"negative", NEEDED "training: { max_steps = -1; };", "training.max_steps = -1"},
    {"zero_lr", NEEDED "training: { lr = 0; };", "number, above 0 to 10"},
    {"whole_fraction", NEEDED "data: { validation_fraction = 1; };", "number, 0 to below 1"},
    {"long_into_int", NEEDED "training: { patience = 4294967297L; };", "training.patience"},
    {"min_lr_above_lr", NEEDED "training: { lr = 1e-5; min_lr = 1e-4; };",
     "training.min_lr = 0.0001 is above training.lr = 1e-05"},
    {"two_validations", NEEDED "data: { validation = \"v\"; validation_fraction = 0.1; };",
     "are both set"},
    {"broken_warmup", NEEDED "training: { warmup = 1.5; };", "write a whole number"},
    {"patience_alone", NEEDED "training: { patience = 3; };", "training.patience needs"},
    {"evaluate_what", NEEDED "training: { eval_every = 3; };", "training.eval_every needs"},
    {"no_model", "output: { dir = \"o\"; };", "model.path is missing"},
    {"no_output", MODEL, "output.dir is missing"},
    {"empty", "", "model.path is missing"},
};

static void test_hostile(void)
{
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        const int before = check_failures;
        check_hostile("RUN.cfg", hostile[i].name);
        CHECK_FAILS(parse_only(hostile[i].text, 0, NULL), FT_ERR_USAGE, hostile[i].part);
        if (check_failures != before)
            (void)fprintf(stderr, "  in %s\n", hostile[i].name);
    }
}

/* Values that no key of a type takes. */
static const struct {
    enum key_type type;
    const char *values[8];
} impossible[] = {
    {KEY_BOOL, {"0", "1", "\"true\"", "1.5", "[true]", "yes"}},
    {KEY_INT, {"true", "1.5", "[1]", "\"no such word\"", "-2147483648", "2147483647"}},
    {KEY_LONG, {"true", "1.5", "[1]", "\"1\"", "9223372036854775807L"}},
    {KEY_REAL, {"true", "[1.0]", "\"no such word\"", "-1e300", "1e300"}},
    {KEY_TEXT, {"5", "true", "[\"a\"]", "\"a\\nb\"", "\"\\x01\""}},
    {KEY_PATH, {"5", "true", "[\"a\"]", "\"a\\nb\"", "\"\\x01\""}},
    {KEY_PATHS, {"5", "true", "[1]", "\"a\\nb\"", "[\"\"]", "[[\"a\"]]"}},
    {KEY_WORD, {"5", "true", "\"\"", "\"no such word\"", "[\"a\"]"}},
};

static void try_value(const struct key *key, const char *value)
{
    const size_t n = key_section_length(key);
    char text[256], name[160];
    const int before = check_failures;
    (void)snprintf(text, sizeof text, n ? "%.*s: { %s = %s; };\n" : "%.*s%s = %s;\n", (int)n,
                   key->name, key->name + (n ? n + 1 : 0), value);
    (void)snprintf(name, sizeof name, "%s = %s", key->name, value);
    check_hostile("RUN.cfg", name);
    CHECK_STATUS(parse_only(text, 0, NULL), FT_ERR_USAGE);
    CHECK(strstr(ft_error_text(), key->name) || strstr(ft_error_text(), "run.cfg:1: "));
    CHECK(!strstr(ft_error_text(), "is missing"));
    if (check_failures != before)
        (void)fprintf(stderr, "  in %s: %s\n", name, ft_error_text());
}

/* Every key with every kind of value that it does not take; seed takes all whole numbers. */
static void test_every_key(void)
{
    for (const struct key *key = config_keys; key->name; key++)
        for (size_t i = 0; i < sizeof impossible / sizeof *impossible; i++)
            for (int v = 0; impossible[i].type == key->type && impossible[i].values[v]; v++)
                if (strcmp(key->name, "seed") != 0 || v < 4)
                    try_value(key, impossible[i].values[v]);
}

static void test_hostile_bytes(void)
{
    struct settings *s = NULL;
    const char zero[] = NEEDED "seed = 1;\0 bad";
    char *large = mem_alloc(SETTINGS_TEXT_MAX + 2, 1), *deep = mem_alloc(60001, 1);
    CHECK_FAILS(settings_parse(&s, zero, sizeof zero - 1, "run.cfg", "/", 0, NULL), FT_ERR_USAGE,
                "is zero: not a text file");
    memset(large, ' ', SETTINGS_TEXT_MAX + 1);
    CHECK_FAILS(parse_only(large, 0, NULL), FT_ERR_USAGE, "a configuration has at most");
    for (size_t i = 0; i < 60000; i++)
        deep[i] = "a:{"[i % 3];
    CHECK_STATUS(parse_only(deep, 0, NULL), FT_ERR_USAGE);
    mem_free(large);
    mem_free(deep);
}

static void write_file(const char *path, size_t bytes)
{
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    if (!file)
        return;
    (void)fputs(NEEDED, file);
    for (size_t i = strlen(NEEDED); i < bytes; i++)
        (void)fputc('\n', file);
    CHECK(fclose(file) == 0);
}

static void test_load(void)
{
    char folder[] = "/tmp/test_settings.XXXXXX", path[64], expected[64];
    struct settings *s = NULL;
    CHECK(mkdtemp(folder) != NULL);
    (void)snprintf(path, sizeof path, "%s/run.cfg", folder);
    (void)snprintf(expected, sizeof expected, "%s/m.gguf", folder);
    write_file(path, SETTINGS_FILE_MAX);
    CHECK_STATUS(settings_load(&s, path, 0, NULL), FT_OK);
    CHECK(s && strcmp(s->model.path, expected) == 0);
    settings_destroy(&s);
    CHECK(chdir(folder) == 0);
    CHECK_STATUS(settings_load(&s, "run.cfg", 0, NULL), FT_OK);
    CHECK(s && strcmp(s->model.path, expected) == 0);
    settings_destroy(&s);
    write_file(path, SETTINGS_FILE_MAX + 1);
    CHECK_FAILS(settings_load(&s, path, 0, NULL), FT_ERR_USAGE, "has 65537 bytes, at most 65536");
    CHECK_FAILS(settings_load(&s, folder, 0, NULL), FT_ERR_USAGE, "is not a regular file");
    CHECK(chdir("/") == 0);
    CHECK_STATUS(file_remove_folder(folder), FT_OK);
    CHECK_FAILS(settings_load(&s, path, 0, NULL), FT_ERR_USAGE, "No such file");
    CHECK(s == NULL);
}

static void test_round_trip(void)
{
    struct buffer first = {0}, second = {0};
    struct settings *s = NULL;
    char *overrides[] = {
        "training.lr=0.1234567890123456789", "seed=9223372036854775807",
        "training.weight_decay=3",           "data.train=[\"/a \\\"b\\\\\",\"/c\"]",
        "checkpoint.every_minutes=1e-300",   "training.max_steps=1000000000"};
    CHECK_STATUS(parse(&s, NEEDED, 6, overrides), FT_OK);
    if (!s)
        return;
    const double lr = s->training.lr;
    CHECK_STATUS(settings_format(s, &first), FT_OK);
    settings_destroy(&s);
    CHECK_STATUS(settings_parse(&s, first.data, first.used, "resolved.cfg", "/elsewhere", 0, NULL),
                 FT_OK);
    if (!s)
        return;
    CHECK(s->training.lr == lr && s->seed == INT64_MAX && s->training.weight_decay == 3);
    CHECK(s->checkpoint.every_minutes == 1e-300 && s->training.max_steps == 1000000000);
    CHECK(s->data.train.n == 2 && strcmp(s->data.train.items[0], "/a \"b\\") == 0);
    CHECK_STATUS(settings_format(s, &second), FT_OK);
    CHECK(strcmp(first.data, second.data) == 0);
    settings_destroy(&s);
    buffer_clear(&first);
    buffer_clear(&second);
}

static void test_resume(void)
{
    static char *may[] = {"training.max_steps=7",
                          "training.epochs=3",
                          "training.micro_batch=1",
                          "data.test=/t",
                          "distributed.zero=0",
                          "distributed.bucket_mb=5",
                          "distributed.overlap=false",
                          "distributed.wire=bf16",
                          "checkpoint.keep=9",
                          "checkpoint.every_steps=3",
                          "output.dir=/o",
                          "data.cache=/c",
                          "checkpoint.every_minutes=2"};
    static char *must_not[] = {"training.lr=1e-3",   "seed=1",
                               "data.seq_len=64",    "data.train=/other",
                               "model.path=/other",  "training.global_batch=8",
                               "data.max_windows=5", "data.validation_fraction=0.1",
                               "training.warmup=5",  "data.shuffle=false"};
    struct buffer then = {0};
    struct settings *s = NULL;
    CHECK_STATUS(parse(&s, NEEDED, 0, NULL), FT_OK);
    CHECK_STATUS(settings_format(s, &then), FT_OK);
    CHECK_STATUS(settings_compare_resume(s, then.data), FT_OK);
    settings_destroy(&s);
    for (size_t i = 0; i < sizeof may / sizeof *may; i++) {
        CHECK_STATUS(parse(&s, NEEDED, 1, &may[i]), FT_OK);
        CHECK_STATUS(settings_compare_resume(s, then.data), FT_OK);
        settings_destroy(&s);
    }
    for (size_t i = 0; i < sizeof must_not / sizeof *must_not; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "%.*s = ", (int)strcspn(must_not[i], "="), must_not[i]);
        CHECK_STATUS(parse(&s, NEEDED, 1, &must_not[i]), FT_OK);
        CHECK_FAILS(settings_compare_resume(s, then.data), FT_ERR_USAGE, name);
        settings_destroy(&s);
    }
    CHECK_STATUS(parse(&s, NEEDED, 1, must_not), FT_OK);
    CHECK_FAILS(settings_compare_resume(s, then.data), FT_ERR_USAGE,
                "training.lr = 0.001, but the checkpoint was made with 2e-05");
    CHECK_FAILS(settings_compare_resume(s, "seed = ;"), FT_ERR_INPUT,
                "in the checkpoint:1: syntax");
    settings_destroy(&s);
    buffer_clear(&then);
}

static void test_help(void)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    CHECK(to != NULL);
    CHECK_STATUS(settings_print_help(to), FT_OK);
    CHECK(fclose(to) == 0);
    for (const struct key *key = config_keys; key->name; key++) {
        char line[80];
        (void)snprintf(line, sizeof line, "\n%s%s", key->name,
                       key->flags & KEY_REQUIRED && !*key->default_text ? "  (no default)" : " = ");
        CHECK(strstr(text, line) != NULL);
    }
    CHECK(strstr(text, "training.lr = 2e-05\n    number, above 0 to 10\n    learning rate") !=
          NULL);
    free(text);
}

/* every allocation of a load fails in turn: an error each time, and nothing leaks */
static void test_memory(void)
{
    char *overrides[] = {"data.train=[\"a\",\"b\"]"};
    ft_status status = FT_ERR_INTERNAL;
    for (int nth = 1; status != FT_OK && nth < 1000; nth++) {
        mem_fail_nth(nth, 0);
        status = parse_only(NEEDED, 1, overrides);
        CHECK(status == FT_OK || status == FT_ERR_INTERNAL);
        CHECK(mem_live_bytes() == 0);
    }
    mem_fail_nth(0, 0);
    CHECK(status == FT_OK);
}

int main(void)
{
    test_defaults();
    test_values();
    test_overrides();
    test_bad_overrides();
    test_hostile();
    test_every_key();
    test_hostile_bytes();
    test_load();
    test_round_trip();
    test_resume();
    test_help();
    test_memory();
    return check_end();
}
