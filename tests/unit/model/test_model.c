/*
 * The decoder against transformers: logits, loss, every gradient, and ten AdamW steps of two small
 * random models (tests/golden/make_llama.py), each within 1e-4 of the largest element.
 *
 * With bf16 the reference stays the f32 one. An operand is off by up to 2^-9 = 0.2 % of itself, at
 * random; what a few layers make of it is a few per cent of the largest element, and of the loss,
 * a mean over many, far less.
 */
#include "math/reduce.h"
#include "model/convert.h"
#include "model/model.h"
#include "optim/adamw.h"
#include "support/golden.h"

enum { MOST = 64, SEQUENCES = 3 };
static const double exact = 1e-4;

struct windows {
    int32_t tokens[MOST], targets[MOST], positions[MOST], starts[SEQUENCES + 1];
    struct batch batch;
};

/* B windows of T + 1 tokens, packed; the last position of each is supervised too. */
static void pack(struct windows *w, const int32_t *tokens, int B, int T)
{
    for (int b = 0; b < B; b++) {
        w->starts[b] = b * T;
        for (int t = 0; t < T; t++) {
            w->tokens[b * T + t] = tokens[b * (T + 1) + t];
            w->targets[b * T + t] = tokens[b * (T + 1) + t + 1];
            w->positions[b * T + t] = t;
        }
    }
    w->starts[B] = B * T;
    w->batch = (struct batch){.n_tokens = B * T,
                              .n_segments = B,
                              .tokens = w->tokens,
                              .targets = w->targets,
                              .positions = w->positions,
                              .segment_start = w->starts,
                              .n_supervised = (int64_t)B * T};
}

static struct model *load(const char *folder, enum elem elem)
{
    struct model_config config;
    struct model *model = NULL;
    CHECK_STATUS(model_config_read(&config, folder), FT_OK);
    const struct model_shape shape = {.max_tokens = MOST,
                                      .max_length = MOST,
                                      .max_segments = SEQUENCES,
                                      .trains = true,
                                      .elem = elem};
    CHECK_STATUS(model_create(&model, &config, &shape), FT_OK);
    CHECK_STATUS(model_read_params(model->params, model->layout, &config, folder), FT_OK);
    model_round_params(model);
    return model;
}

static void check_logits(struct model *model, struct weights *file, const char *suffix, int B,
                         int T, double tolerance)
{
    char name[32];
    struct windows w;
    (void)snprintf(name, sizeof name, "tokens%s", suffix);
    int32_t *tokens = golden_read(file, name, true);
    (void)snprintf(name, sizeof name, "logits%s", suffix);
    float *expected = golden_read(file, name, false);
    (void)snprintf(name, sizeof name, "loss%s", suffix);
    float *loss = golden_read(file, name, false);
    const int64_t n = (int64_t)B * T * model->config.V;
    float *logits = mem_alloc((size_t)n, sizeof *logits);
    pack(&w, tokens, B, T);
    model_logits(model, logits, &w.batch);
    check_tensor("logits", logits, expected, n, tolerance);
    CHECK_CLOSE(model_loss(model, &w.batch) / (double)w.batch.n_supervised, *loss, tolerance);
    mem_free(logits);
    mem_free(loss);
    mem_free(expected);
    mem_free(tokens);
}

static void check_gradients(struct model *model, const char *folder, double tolerance)
{
    struct weights *file, *grads;
    struct windows w;
    golden_open(&file, folder, "reference.safetensors");
    golden_open(&grads, folder, "grads.safetensors");
    int32_t *tokens = golden_read(file, "tokens", true);
    pack(&w, tokens, 2, 24);
    const int64_t allocations = mem_alloc_count();
    (void)model_loss_backward(model, &w.batch);
    CHECK(mem_alloc_count() == allocations);
    for (int i = 0; i < model->layout->n_tensors; i++) {
        const struct tensor_spec *t = &model->layout->tensors[i];
        char name[160];
        (void)snprintf(name, sizeof name, "grad/%s", t->name);
        float *expected = golden_read(grads, name, false);
        for (int64_t k = 0; k < t->n; k++)
            model->grads[t->offset + k] /= (float)w.batch.n_supervised;
        if (expected)
            check_tensor(name, model->grads + t->offset, expected, t->n, tolerance);
        mem_free(expected);
    }
    mem_free(tokens);
    weights_close(&grads);
    weights_close(&file);
}

static void check_steps(struct model *model, const char *folder)
{
    struct weights *file;
    struct windows w;
    const int64_t N = model->layout->N;
    golden_open(&file, folder, "adamw.safetensors");
    int32_t *tokens = golden_read(file, "step_tokens", true);
    float *losses = golden_read(file, "adamw_losses", false);
    float *norms = golden_read(file, "adamw_norms", false);
    float *m = mem_alloc((size_t)N, sizeof *m), *v = mem_alloc((size_t)N, sizeof *v);
    const struct adamw_hyper hyper = {
        .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1, .clip = 1.0};
    for (int step = 1; step <= 10; step++) {
        pack(&w, tokens + (step - 1) * 2 * 25, 2, 24);
        memset(model->grads, 0, (size_t)N * sizeof(float));
        const double n = (double)w.batch.n_supervised;
        CHECK_CLOSE(model_loss_backward(model, &w.batch) / n, losses[step - 1], exact);
        const double norm = sqrt(sum_of_squares(model->grads, N)) / n;
        CHECK_CLOSE(norm, norms[step - 1], exact);
        const double factor = norm + 1e-6 > hyper.clip ? hyper.clip / (norm + 1e-6) : 1.0;
        adamw_update(model->params, NULL, model->grads, m, v, 0, N, model->layout, &hyper,
                     factor / n, step);
    }
    for (int i = 0; i < model->layout->n_tensors; i++) {
        const struct tensor_spec *t = &model->layout->tensors[i];
        char name[160];
        (void)snprintf(name, sizeof name, "adamw/%s", t->name);
        float *expected = golden_read(file, name, false);
        if (expected)
            check_tensor(name, model->params + t->offset, expected, t->n, exact);
        mem_free(expected);
    }
    mem_free(v);
    mem_free(m);
    mem_free(norms);
    mem_free(losses);
    mem_free(tokens);
    weights_close(&file);
}

static void check_model(const char *folder)
{
    struct weights *file;
    struct model *model = load(folder, ELEM_F32);
    golden_open(&file, folder, "reference.safetensors");
    check_logits(model, file, "", 2, 24, exact);
    check_logits(model, file, "2", 3, 7, exact);
    weights_close(&file);
    check_gradients(model, folder, exact);
    model_destroy(&model);
    model = load(folder, ELEM_F32);
    check_steps(model, folder);
    model_destroy(&model);
}

static void check_bf16(const char *folder)
{
    struct weights *file;
    struct model *model = load(folder, ELEM_BF16);
    golden_open(&file, folder, "reference.safetensors");
    check_logits(model, file, "", 2, 24, 4e-2);
    weights_close(&file);
    check_gradients(model, folder, 4e-2);
    model_destroy(&model);
}

/* The same weights in another container give the same logits. */
static void check_container(const char *path, const char *reference_folder)
{
    struct weights *file;
    struct model *model = load(path, ELEM_F32);
    golden_open(&file, reference_folder, "reference.safetensors");
    check_logits(model, file, "", 2, 24, exact);
    weights_close(&file);
    model_destroy(&model);
}

int main(void)
{
    check_model(TESTS_DIR "/golden/llama-tiny");
    check_model(TESTS_DIR "/golden/llama-tied");
    check_bf16(TESTS_DIR "/golden/llama-tiny");
    check_bf16(TESTS_DIR "/golden/llama-tied");
    check_container(TESTS_DIR "/golden/llama-sharded", TESTS_DIR "/golden/llama-tied");
    check_container(TESTS_DIR "/golden/gguf/llama-tiny.gguf", TESTS_DIR "/golden/llama-tiny");
    return check_end();
}
