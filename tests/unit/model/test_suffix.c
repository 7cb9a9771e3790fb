/*
 * Training of the last layers alone: the same gradients as in the full model, bit for bit, none for
 * what is frozen, and less memory. In both a watcher is told of gradients no sooner than they are
 * final.
 */
#include "support/head_world.h"

static void check_same(const struct model *full, const struct model *suffix)
{
    const int64_t from = suffix->trainable_from;
    CHECK(from > 0 && suffix->trainable->N == full->layout->N - from);
    CHECK(suffix->layout->N == full->layout->N && full->trainable->N == full->layout->N);
    for (int i = 0; i < suffix->trainable->n_tensors; i++) {
        const struct tensor_spec *t = &suffix->trainable->tensors[i];
        const float *a = full->grads + from + t->offset, *b = suffix->grads + t->offset;
        if (memcmp(a, b, (size_t)t->n * sizeof *a) != 0) {
            (void)fprintf(stderr, "gradient of %s is another one\n", t->name);
            check_failures++;
        }
    }
}

/* What a watcher was told to be final, as it was then. */
struct seen {
    const struct model *model;
    float *grads;
    int64_t from;
    int n_calls;
};

static void see(void *context, int64_t from)
{
    struct seen *s = context;
    CHECK(from >= 0 && from <= s->from);
    memcpy(s->grads + from, s->model->grads + from, (size_t)(s->from - from) * sizeof *s->grads);
    s->from = from;
    s->n_calls++;
}

static double backward_watched(struct world *w)
{
    struct model *m = w->model;
    const int64_t N = m->trainable->N;
    struct seen seen = {.model = m, .from = N};
    CHECK_STATUS(FT_ALLOC(seen.grads, N), FT_OK);
    m->watch = see;
    m->watch_context = &seen;
    const double loss = model_loss_backward(m, &w->batch);
    CHECK(seen.from == 0 && seen.n_calls == 2 * (m->config.L - m->first_layer) + 1);
    CHECK(memcmp(seen.grads, m->grads, (size_t)N * sizeof *m->grads) == 0);
    mem_free(seen.grads);
    m->watch = NULL;
    return loss;
}

static void check_bytes(const struct model_config *config, const struct world *w, int n_layers)
{
    int64_t bytes[2];
    struct model_shape shape = {
        .max_tokens = TOKENS + 3, .max_length = 17, .max_segments = DOCUMENTS, .trains = true};
    CHECK_STATUS(model_activation_bytes(&bytes[0], config, &shape), FT_OK);
    shape.trainable_layers = n_layers;
    CHECK_STATUS(model_activation_bytes(&bytes[1], config, &shape), FT_OK);
    CHECK(bytes[1] == (int64_t)w->model->memory.bytes);
    CHECK(n_layers == 1 ? bytes[1] == bytes[0] : bytes[1] <= bytes[0]);
}

static void check_case(const struct head_case *c, int n_layers)
{
    struct world full, suffix;
    const struct world_options options = {.trainable_layers = n_layers};
    open_world(&full, c, &everything);
    open_world(&suffix, c, &options);
    const double a = backward_watched(&full);
    const double b = backward_watched(&suffix);
    CHECK(a == b);
    CHECK(suffix.model->first_layer == 2 - n_layers);
    CHECK(layout_find(suffix.model->trainable, "bert.embeddings.LayerNorm.weight") == -1);
    check_same(full.model, suffix.model);
    check_bytes(&full.model->config, &suffix, n_layers);
    close_world(&suffix);
    close_world(&full);
}

/* The output layer is the embedding matrix: frozen with it. */
static void check_tied(void)
{
    struct model_config config;
    struct model *models[2];
    int32_t tokens[8] = {3, 9, 4, 7, 30, 31, 11, 2}, targets[8], starts[] = {0, 8};
    int32_t positions[] = {0, 1, 2, 3, 4, 5, 6, 7};
    for (int i = 0; i < 8; i++)
        targets[i] = tokens[(i + 3) % 8];
    const struct batch batch = {.n_tokens = 8,
                                .n_segments = 1,
                                .tokens = tokens,
                                .targets = targets,
                                .positions = positions,
                                .segment_start = starts,
                                .n_supervised = 8};
    CHECK_STATUS(model_config_read(&config, HEADS "/llama"), FT_OK);
    CHECK(config.tied_embeddings);
    for (int i = 0; i < 2; i++) {
        const struct model_shape shape = {.max_tokens = 8,
                                          .max_length = 8,
                                          .max_segments = 1,
                                          .trains = true,
                                          .trainable_layers = i};
        CHECK_STATUS(model_create(&models[i], &config, &shape), FT_OK);
        CHECK_STATUS(
            model_read_params(models[i]->params, models[i]->layout, &config, HEADS "/llama"),
            FT_OK);
        (void)model_loss_backward(models[i], &batch);
    }
    CHECK(layout_offset(models[1]->trainable, ROLE_ATTN_NORM, 1) == 0);
    check_same(models[0], models[1]);
    model_destroy(&models[0]);
    model_destroy(&models[1]);
}

int main(void)
{
    for (int i = 0; i < N_CASES; i++) {
        check_case(&cases[i], 1);
        check_case(&cases[i], 2);
    }
    check_tied();
    return check_end();
}
