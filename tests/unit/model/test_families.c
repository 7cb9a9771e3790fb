/*
 * Every family against transformers: a tiny random model (tests/golden/make_families.py), its
 * logits, loss and all gradients within 1e-4 of the largest element; the same bits with every kind
 * of recomputation; and what is written of it is the model again.
 */
#include <stdlib.h>

#include "base/file.h"
#include "model/convert.h"
#include "model/generate.h"
#include "model/model.h"
#include "support/golden.h"

#define FAMILIES TESTS_DIR "/golden/families/"

enum { K = 3, T = 24, MOST = 64, MOST_SEGMENTS = 5 };

struct family_case {
    const char *name;
    struct head_config head; /* of encoders: as in the reference */
};

static const struct family_case cases[] = {{"llama-linear", {0}},
                                           {"llama-dynamic", {0}},
                                           {"llama-yarn", {0}},
                                           {"mistral", {0}},
                                           {"qwen2", {0}},
                                           {"qwen3", {0}},
                                           {"gemma2", {0}},
                                           {"gemma3", {0}},
                                           {"phi3", {0}},
                                           {"olmo2", {0}},
                                           {"gpt2", {0}},
                                           {"gpt_neox", {0}},
                                           {"gpt_neox-serial", {0}},
                                           {"roberta", {K, POOLING_CLS, HEAD_MLP, true}},
                                           {"distilbert", {K, POOLING_CLS, HEAD_MLP, true}},
                                           {"electra", {K, POOLING_CLS, HEAD_MLP, true}},
                                           {"albert", {K, POOLING_CLS, HEAD_LINEAR, true}},
                                           {"modernbert", {K, POOLING_MEAN, HEAD_LINEAR, true}}};
enum { N_CASES = sizeof cases / sizeof cases[0] };

struct world {
    const struct family_case *c;
    char folder[256];
    struct weights *file;
    struct model *model;
    struct batch batch;
    int32_t tokens[MOST], targets[MOST], positions[MOST], starts[MOST_SEGMENTS + 1];
    int32_t *labels;
    int64_t segment_ids[MOST_SEGMENTS];
};

static void set_positions(struct world *w)
{
    for (int s = 0; s < w->batch.n_segments; s++)
        for (int t = w->starts[s]; t < w->starts[s + 1]; t++)
            w->positions[t] = t - w->starts[s];
}

/* Two windows of T + 1 tokens. */
static void open_windows(struct world *w)
{
    int32_t *tokens = golden_read(w->file, "tokens", true);
    for (int b = 0; b < 2; b++) {
        w->starts[b + 1] = (b + 1) * T;
        memcpy(w->tokens + b * T, tokens + b * (T + 1), T * sizeof *tokens);
        memcpy(w->targets + b * T, tokens + b * (T + 1) + 1, T * sizeof *tokens);
    }
    mem_free(tokens);
    w->batch.n_segments = 2;
    w->batch.n_supervised = 2 * (int64_t)T;
}

static void open_documents(struct world *w)
{
    int32_t *tokens = golden_read(w->file, "tokens", true);
    int32_t *starts = golden_read(w->file, "starts", true);
    memcpy(w->starts, starts, sizeof w->starts);
    memcpy(w->tokens, tokens, (size_t)starts[MOST_SEGMENTS] * sizeof *tokens);
    w->labels = golden_read(w->file, "labels", true);
    mem_free(starts);
    mem_free(tokens);
    w->batch.n_segments = MOST_SEGMENTS;
    w->batch.n_supervised = 1; /* the loss is a sum */
}

static void open_batch(struct world *w)
{
    if (w->c->head.n_labels > 0)
        open_documents(w);
    else
        open_windows(w);
    w->batch.n_tokens = w->starts[w->batch.n_segments];
    w->batch.tokens = w->tokens;
    w->batch.targets = w->targets;
    w->batch.positions = w->positions;
    w->batch.segment_start = w->starts;
    w->batch.segment_ids = w->segment_ids;
    w->batch.labels = w->labels;
    set_positions(w);
}

/* The head's parameters are not read from the folder. */
static void read_head(struct world *w)
{
    for (int i = 0; i < w->model->layout->n_tensors; i++) {
        const struct tensor_spec *t = &w->model->layout->tensors[i];
        char name[160];
        (void)snprintf(name, sizeof name, "init/%s", t->name);
        float *values = t->role < ROLE_HEAD_DENSE ? NULL : golden_read(w->file, name, false);
        if (values)
            memcpy(w->model->params + t->offset, values, (size_t)t->n * sizeof *values);
        mem_free(values);
    }
}

static void open_model(struct world *w, enum elem elem, enum recompute recompute,
                       int trainable_layers)
{
    struct model_config config;
    const struct model_shape shape = {.max_tokens = MOST,
                                      .max_length = T,
                                      .max_segments = MOST_SEGMENTS,
                                      .trains = true,
                                      .elem = elem,
                                      .trainable_layers = trainable_layers,
                                      .recompute = recompute};
    CHECK_STATUS(model_config_read(&config, w->folder), FT_OK);
    config.head = w->c->head;
    model_config_set_dropout(&config, 0);
    CHECK_STATUS(model_create(&w->model, &config, &shape), FT_OK);
    CHECK_STATUS(model_read_params(w->model->params, w->model->layout, &config, w->folder), FT_OK);
    read_head(w);
    model_round_params(w->model);
}

static void open_world(struct world *w, const struct family_case *c, enum elem elem,
                       enum recompute recompute, int trainable_layers)
{
    *w = (struct world){.c = c};
    (void)snprintf(w->folder, sizeof w->folder, FAMILIES "%s", c->name);
    golden_open(&w->file, w->folder, "reference.safetensors");
    open_model(w, elem, recompute, trainable_layers);
    open_batch(w);
}

static void close_world(struct world *w)
{
    mem_free(w->labels);
    weights_close(&w->file);
    model_destroy(&w->model);
}

static void check_logits(struct world *w, double tolerance)
{
    const bool classifies = w->c->head.n_labels > 0;
    const int64_t n =
        classifies ? (int64_t)MOST_SEGMENTS * K : (int64_t)w->batch.n_tokens * w->model->config.V;
    float *expected = golden_read(w->file, "logits", false);
    float *logits = mem_alloc((size_t)n, sizeof *logits);
    if (classifies) {
        (void)model_loss(w->model, &w->batch);
        memcpy(logits, model_class_logits(w->model), (size_t)n * sizeof *logits);
    } else {
        model_logits(w->model, logits, &w->batch);
    }
    check_tensor("logits", logits, expected, n, tolerance);
    mem_free(logits);
    mem_free(expected);
}

/* A gradient that is 0 but for rounding: scores do not change with a constant added to all keys. */
static bool vanishes(const struct model *m, const struct tensor_spec *t)
{
    return t->role == ROLE_K_BIAS && m->config.positions == POSITION_LEARNED;
}

static void check_gradients(struct world *w, double tolerance)
{
    float *loss = golden_read(w->file, "loss", false);
    const double n = (double)w->batch.n_supervised;
    const int64_t allocations = mem_alloc_count();
    CHECK_CLOSE(model_loss_backward(w->model, &w->batch) / n, *loss, tolerance);
    CHECK(mem_alloc_count() == allocations);
    for (int i = 0; i < w->model->layout->n_tensors; i++) {
        const struct tensor_spec *t = &w->model->layout->tensors[i];
        char name[160];
        (void)snprintf(name, sizeof name, "grad/%s", t->name);
        float *expected = golden_read(w->file, name, false);
        for (int64_t k = 0; k < t->n; k++)
            w->model->grads[t->offset + k] /= (float)n;
        if (expected && !vanishes(w->model, t))
            check_tensor(name, w->model->grads + t->offset, expected, t->n, tolerance);
        mem_free(expected);
    }
    mem_free(loss);
}

static void check_recompute(const struct world *w, enum recompute recompute)
{
    struct world again;
    open_world(&again, w->c, w->model->elem, recompute, 0);
    (void)model_loss_backward(again.model, &again.batch);
    for (int64_t i = 0; i < w->model->layout->N; i++)
        again.model->grads[i] /= (float)w->batch.n_supervised;
    CHECK(memcmp(again.model->grads, w->model->grads,
                 (size_t)w->model->layout->N * sizeof *w->model->grads) == 0);
    close_world(&again);
}

/* What learns alone in the last block has the gradients that it has when all learns. */
static void check_last_layer(const struct world *w)
{
    struct world last;
    if (w->model->config.shared_layers)
        return;
    open_world(&last, w->c, w->model->elem, RECOMPUTE_NOTHING, 1);
    const int64_t from = last.model->trainable_from;
    (void)model_loss_backward(last.model, &last.batch);
    CHECK(from > 0 || w->model->config.L == 1);
    for (int i = 0; i < last.model->trainable->n_tensors; i++) {
        const struct tensor_spec *t = &last.model->trainable->tensors[i];
        float *grad = last.model->grads + t->offset;
        for (int64_t k = 0; k < t->n; k++)
            grad[k] /= (float)w->batch.n_supervised;
        if (!vanishes(w->model, t))
            check_tensor(t->name, grad, w->model->grads + from + t->offset, t->n, 1e-5);
    }
    close_world(&last);
}

/* The folder that is written of the backbone is the model again. */
static void check_folder(const struct world *w)
{
    char folder[] = "/tmp/ft-family-XXXXXX";
    struct model_config config, back;
    struct layout *layout = NULL;
    CHECK(mkdtemp(folder) != NULL);
    CHECK_STATUS(model_config_read(&config, w->folder), FT_OK);
    CHECK_STATUS(layout_create(&layout, &config), FT_OK);
    float *params = mem_alloc((size_t)layout->N, sizeof *params);
    float *again = mem_alloc((size_t)layout->N, sizeof *again);
    CHECK_STATUS(model_read_params(params, layout, &config, w->folder), FT_OK);
    CHECK_STATUS(model_write_folder(folder, layout, &config, params, NULL, w->folder), FT_OK);
    CHECK_STATUS(model_config_read(&back, folder), FT_OK);
    CHECK(memcmp(&back, &config, sizeof back) == 0);
    CHECK_STATUS(model_read_params(again, layout, &back, folder), FT_OK);
    CHECK(memcmp(again, params, (size_t)layout->N * sizeof *params) == 0);
    mem_free(again);
    mem_free(params);
    layout_destroy(&layout);
    CHECK_STATUS(file_remove_folder(folder), FT_OK);
}

/* What llama.cpp's converter does not write: Mistral is a llama there, and these are what their
 * families usually have. */
static void forget(struct model_config *c)
{
    if (strcmp(c->family, "mistral") == 0) {
        (void)snprintf(c->family, sizeof c->family, "llama");
        c->window = 0;
    }
    if (strcmp(c->family, "gemma2") == 0)
        c->attention_scale = 0;
    if (strcmp(c->family, "gemma3_text") == 0) {
        c->attention_scale = 0;
        c->local_layers[0] = 7;
    }
    if (strcmp(c->family, "qwen2") == 0)
        c->window = 0;
    if (strcmp(c->family, "gemma2") == 0 || strcmp(c->family, "gpt_neox") == 0)
        c->rope.theta = 10000;
    if (c->window == 0)
        c->local_layers[0] = 0;
}

static void check_number(const char *what, double got, double expected)
{
    if (fabs(got - expected) <= 1e-6 * fabs(expected))
        return;
    (void)fprintf(stderr, "%s is %g, expected %g\n", what, got, expected);
    check_failures++;
}

static void check_gguf_config(const struct model_config *g, const struct model_config *c)
{
    CHECK(strcmp(g->family, c->family) == 0);
    CHECK(g->V == c->V && g->C == c->C && g->E == c->E && g->L == c->L && g->Hq == c->Hq);
    CHECK(g->Hkv == c->Hkv && g->D == c->D && g->F == c->F && g->T_max == c->T_max);
    CHECK(g->rotary == c->rotary && g->window == c->window && g->norm == c->norm);
    CHECK(g->local_layers[0] == c->local_layers[0] && g->function == c->function);
    CHECK(g->parallel == c->parallel && g->tied_embeddings == c->tied_embeddings);
    CHECK(g->attention_bias == c->attention_bias && g->output_bias == c->output_bias);
    CHECK(g->mlp_bias == c->mlp_bias && g->rope.scaling == c->rope.scaling);
    check_number("norm_eps", g->norm_eps, c->norm_eps);
    check_number("theta", g->rope.theta, c->rope.theta);
    check_number("local theta", g->rope_local.theta, c->rope_local.theta);
    if (c->rope.scaling != ROPE_PLAIN)
        check_number("factor", g->rope.factor, c->rope.factor);
    check_number("beta_fast", g->rope.beta_fast, c->rope.beta_fast);
    check_number("attention_factor", g->rope.attention_factor, c->rope.attention_factor);
    check_number("attention softcap", g->attention_softcap, c->attention_softcap);
    check_number("logit softcap", g->logit_softcap, c->logit_softcap);
    check_number("scale", g->attention_scale, c->attention_scale);
    check_number("embedding scale", g->embed_scale, c->embed_scale);
}

/* The same model as llama.cpp's converter writes it: model.gguf. */
static void check_gguf(const struct family_case *c)
{
    char folder[256], path[300];
    struct model_config config, gguf;
    struct layout *layout = NULL;
    (void)snprintf(folder, sizeof folder, FAMILIES "%s", c->name);
    (void)snprintf(path, sizeof path, "%s/model.gguf", folder);
    if (!file_exists(path))
        return;
    CHECK_STATUS(model_config_read(&config, folder), FT_OK);
    CHECK_STATUS(layout_create(&layout, &config), FT_OK);
    float *params = mem_alloc((size_t)layout->N, sizeof *params);
    float *again = mem_alloc((size_t)layout->N, sizeof *again);
    CHECK_STATUS(model_read_params(params, layout, &config, folder), FT_OK);
    CHECK_STATUS(model_config_read(&gguf, path), FT_OK);
    forget(&config);
    check_gguf_config(&gguf, &config);
    CHECK_STATUS(model_read_params(again, layout, &gguf, path), FT_OK);
    check_tensor("gguf", again, params, layout->N, 1e-7);
    mem_free(again);
    mem_free(params);
    layout_destroy(&layout);
}

/* What was said to be final is copied, and looked at when all is. */
struct watcher {
    const struct model *model;
    float *seen;
    int64_t from;
};

static void watch(void *context, int64_t from)
{
    struct watcher *w = context;
    CHECK(from <= w->from);
    memcpy(w->seen + from, w->model->grads + from, (size_t)(w->from - from) * sizeof *w->seen);
    w->from = from;
}

static void check_watched(const struct family_case *c)
{
    struct world w;
    open_world(&w, c, ELEM_F32, RECOMPUTE_NOTHING, 0);
    const int64_t N = w.model->layout->N;
    struct watcher watcher = {w.model, mem_alloc((size_t)N, sizeof(float)), N};
    w.model->watch = watch;
    w.model->watch_context = &watcher;
    (void)model_loss_backward(w.model, &w.batch);
    CHECK(watcher.from == 0);
    CHECK(memcmp(watcher.seen, w.model->grads, (size_t)N * sizeof(float)) == 0);
    mem_free(watcher.seen);
    close_world(&w);
}

/* Read piece by piece, each window gives the logits that it gives at once. */
static void check_continued(struct world *w, double tolerance)
{
    struct kv_cache *cache;
    const int V = w->model->config.V;
    if (w->model->config.is_encoder)
        return;
    float *whole = mem_alloc((size_t)w->batch.n_tokens * (size_t)V, sizeof *whole);
    float *logits = mem_alloc((size_t)V, sizeof *logits);
    model_logits(w->model, whole, &w->batch);
    CHECK_STATUS(kv_cache_create(&cache, w->model, T), FT_OK);
    for (int b = 0; b < 2; b++) {
        static const int pieces[] = {5, 1, 1, 11, 1, 5};
        kv_cache_clear(cache);
        for (int i = 0; i < 6; i++) {
            const int at = b * T + kv_cache_length(cache), last = at + pieces[i] - 1;
            model_continue(w->model, cache, logits, w->tokens + at, pieces[i]);
            check_tensor("continued", logits, whole + (int64_t)last * V, V, tolerance);
        }
        CHECK(kv_cache_length(cache) == T);
    }
    kv_cache_destroy(&cache);
    mem_free(logits);
    mem_free(whole);
}

/* As in test_model.c: an operand is off by up to 0.2 %, logits by a few per cent of the largest. */
static void check_bf16(const struct family_case *c)
{
    struct world w;
    open_world(&w, c, ELEM_BF16, RECOMPUTE_NOTHING, 0);
    check_logits(&w, 0.06);
    check_continued(&w, 0.06);
    check_gradients(&w, 0.12);
    check_recompute(&w, RECOMPUTE_BLOCK);
    close_world(&w);
}

static void check_case(const struct family_case *c)
{
    struct world w;
    open_world(&w, c, ELEM_F32, RECOMPUTE_NOTHING, 0);
    check_logits(&w, 1e-4);
    check_gradients(&w, 1e-4);
    check_continued(&w, 1e-5);
    check_recompute(&w, RECOMPUTE_ATTENTION);
    check_recompute(&w, RECOMPUTE_BLOCK);
    check_last_layer(&w);
    check_folder(&w);
    close_world(&w);
    check_gguf(c);
    check_watched(c);
    check_bf16(c);
}

/* For tests/golden/check_families.py: each model as it is exported, with its head. */
static void write_case(const struct family_case *c, const char *folder)
{
    static const char *const labels[K] = {"a", "b", "c"};
    char path[512];
    struct world w;
    (void)snprintf(path, sizeof path, "%s/%s", folder, c->name);
    open_world(&w, c, ELEM_F32, RECOMPUTE_NOTHING, 0);
    CHECK_STATUS(file_make_folders(path), FT_OK);
    CHECK_STATUS(model_write_folder(path, w.model->layout, &w.model->config, w.model->params,
                                    c->head.n_labels > 0 ? labels : NULL, w.folder),
                 FT_OK);
    close_world(&w);
}

/* With a folder: writes the models there. */
int main(int argc, char **argv)
{
    for (int i = 0; i < N_CASES && argc > 1; i++)
        write_case(&cases[i], argv[1]);
    for (int i = 0; i < N_CASES && argc == 1; i++) {
        const int before = check_failures;
        check_case(&cases[i]);
        if (check_failures > before)
            (void)fprintf(stderr, "in family %s\n", cases[i].name);
    }
    return check_end();
}
