/*
 * Dropout in the passes: the gradient is that of the masked network (finite differences), the masks
 * belong to the documents and not to the batch, and frozen parts know none.
 */
#include "math/reduce.h"
#include "support/head_world.h"

static const struct world_options rates = {.hidden = 0.2, .attention = 0.3, .classifier = 0.25};
static const uint64_t key = 77;

static void clear(struct model *m)
{
    memset(m->grads, 0, (size_t)m->trainable->N * sizeof *m->grads);
}

static double loss_at(struct world *w, const float *base, const float *direction, int64_t offset,
                      int64_t n, double step)
{
    for (int64_t k = 0; k < n; k++)
        w->model->params[offset + k] = (float)((double)base[k] + step * (double)direction[k]);
    return model_loss_backward(w->model, &w->batch);
}

/* Along its own gradient the loss changes by the gradient's square a step, tensor by tensor. */
static void check_tensor_slope(struct world *w, const struct tensor_spec *t, const float *grads)
{
    const float *g = grads + t->offset;
    const double square = sum_of_squares(g, t->n), step = 2e-3 / sqrt(square);
    float *kept = mem_alloc((size_t)t->n, sizeof *kept);
    float *at = w->model->params + t->offset;
    memcpy(kept, at, (size_t)t->n * sizeof *kept);
    const double up = loss_at(w, kept, g, t->offset, t->n, step);
    const double down = loss_at(w, kept, g, t->offset, t->n, -step);
    memcpy(at, kept, (size_t)t->n * sizeof *kept);
    mem_free(kept);
    if (fabs((up - down) / (2 * step) - square) <= 0.02 * square)
        return;
    (void)fprintf(stderr, "%s: slope %g, gradient %g\n", t->name, (up - down) / (2 * step), square);
    check_failures++;
}

static void check_slopes(const struct head_case *c)
{
    struct world w;
    open_world(&w, c, &rates);
    const int64_t N = w.model->layout->N;
    float *grads = mem_alloc((size_t)N, sizeof *grads);
    w.batch.dropout_key = key;
    const double loss = model_loss_backward(w.model, &w.batch);
    memcpy(grads, w.model->grads, (size_t)N * sizeof *grads);
    for (int i = 0; i < w.model->layout->n_tensors; i++) {
        const struct tensor_spec *t = &w.model->layout->tensors[i];
        if (t->role != ROLE_K_BIAS)
            check_tensor_slope(&w, t, grads);
    }
    clear(w.model);
    CHECK(model_loss_backward(w.model, &w.batch) == loss);
    CHECK(memcmp(grads, w.model->grads, (size_t)N * sizeof *grads) == 0);
    w.batch.dropout_key = key + 1;
    CHECK(model_loss_backward(w.model, &w.batch) != loss);
    CHECK(model_loss(w.model, &w.batch) != loss);
    mem_free(grads);
    close_world(&w);
}

/* Documents first ... last-1 of the batch as a batch of their own. */
static double part_loss(struct world *w, int first, int last)
{
    int32_t starts[DOCUMENTS + 1];
    const struct batch *b = &w->batch;
    const int at = b->segment_start[first];
    for (int s = first; s <= last; s++)
        starts[s - first] = b->segment_start[s] - at;
    const struct batch part = {.n_tokens = starts[last - first],
                               .n_segments = last - first,
                               .tokens = b->tokens + at,
                               .positions = b->positions + at,
                               .segment_start = starts,
                               .labels = b->labels + first,
                               .segment_ids = b->segment_ids + first,
                               .dropout_key = key};
    return model_loss_backward(w->model, &part);
}

static void check_split(const struct head_case *c)
{
    struct world w;
    open_world(&w, c, &rates);
    const int64_t N = w.model->layout->N;
    float *grads = mem_alloc((size_t)N, sizeof *grads);
    const double whole = part_loss(&w, 0, DOCUMENTS);
    memcpy(grads, w.model->grads, (size_t)N * sizeof *grads);
    clear(w.model);
    CHECK_CLOSE(part_loss(&w, 3, 5) + part_loss(&w, 0, 1) + part_loss(&w, 1, 3), whole, 1e-6);
    for (int i = 0; i < w.model->layout->n_tensors; i++) {
        const struct tensor_spec *t = &w.model->layout->tensors[i];
        if (t->role != ROLE_K_BIAS)
            check_tensor(t->name, w.model->grads + t->offset, grads + t->offset, t->n, 1e-5);
    }
    mem_free(grads);
    close_world(&w);
}

/* What the first block that learns makes of the frozen part. */
static void check_frozen(const struct head_case *c, int n_layers)
{
    struct world w;
    const struct world_options last = {
        .trainable_layers = n_layers, .hidden = 0.2, .attention = 0.3, .classifier = 0.25};
    open_world(&w, c, &last);
    const size_t bytes = (size_t)TOKENS * 24 * sizeof(float);
    const float *x = w.model->acts[2 - n_layers].qkv;
    float *kept = mem_alloc(1, bytes);
    w.batch.dropout_key = key;
    const double plain = model_loss(w.model, &w.batch);
    memcpy(kept, x, bytes);
    CHECK(model_loss_backward(w.model, &w.batch) != plain);
    CHECK(memcmp(kept, x, bytes) == 0);
    mem_free(kept);
    close_world(&w);
}

int main(void)
{
    for (int i = 0; i < N_CASES; i++) {
        check_slopes(&cases[i]);
        check_split(&cases[i]);
        check_frozen(&cases[i], 1);
        check_frozen(&cases[i], 2);
    }
    return check_end();
}
