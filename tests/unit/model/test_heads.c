/*
 * Encoders and classification heads against transformers (tests/golden/make_heads.py): hidden
 * states, logits, loss, every gradient and five AdamW steps within 1e-4 of the largest element, for
 * documents of unequal length packed without padding.
 */
#include "math/reduce.h"
#include "optim/adamw.h"
#include "support/head_world.h"

static const double exact = 1e-4;

/* With bf16 against the same f32 reference: an operand is off by up to 2^-9 = 0.2 % of itself;
 * after a few layers that is some per cent of the largest element, in small gradients more. */
static const double loose = 6e-2;

struct hidden_check {
    struct world *w;
    double tolerance;
    int seen;
};

static void see_hidden(void *context, int layer, const float *hidden)
{
    struct hidden_check *check = context;
    char name[32];
    CHECK(layer == ++check->seen);
    (void)snprintf(name, sizeof name, "hidden%d", layer);
    float *expected = golden_find(check->w->file, name, false);
    if (expected)
        check_tensor(name, hidden, expected, (long)TOKENS * check->w->model->config.C,
                     check->tolerance);
    mem_free(expected);
}

static void check_forward(struct world *w, double tolerance)
{
    struct hidden_check check = {.w = w, .tolerance = tolerance};
    float *logits = golden_read(w->file, "logits", false);
    float *loss = golden_read(w->file, "loss", false);
    CHECK_CLOSE(model_loss(w->model, &w->batch), *loss, tolerance);
    check_tensor("logits", model_class_logits(w->model), logits, (long)DOCUMENTS * K, tolerance);
    model_hidden(w->model, &w->batch, see_hidden, &check);
    CHECK(check.seen == w->model->config.L);
    mem_free(loss);
    mem_free(logits);
}

/* A bias of keys moves all scores of a query alike where nothing rotates them: its gradient is 0
 * but for rounding, and Adam makes whole steps of rounding. */
static bool is_noise(const struct model *model, const struct tensor_spec *t)
{
    return t->role == ROLE_K_BIAS && model->config.positions == POSITION_LEARNED;
}

static void check_tensors(struct world *w, const char *what, const float *values, double tolerance)
{
    const struct layout *l = w->model->layout;
    for (int i = 0; i < l->n_tensors; i++) {
        const struct tensor_spec *t = &l->tensors[i];
        char name[160];
        if (is_noise(w->model, t))
            continue;
        (void)snprintf(name, sizeof name, "%s/%s", what, t->name);
        float *expected = golden_read(w->file, name, false);
        if (expected)
            check_tensor(name, values + t->offset, expected, t->n, tolerance);
        mem_free(expected);
    }
}

static void check_gradients(struct world *w, double tolerance)
{
    struct model *m = w->model;
    const int64_t allocations = mem_alloc_count();
    const double noise = tolerance > exact ? 1e-3 : 1e-9;
    float *loss = golden_read(w->file, "loss", false);
    CHECK_CLOSE(model_loss_backward(m, &w->batch), *loss, tolerance);
    CHECK(mem_alloc_count() == allocations + 1); /* the test's own */
    check_tensors(w, "grad", m->grads, tolerance);
    for (int i = 0; i < m->layout->n_tensors; i++) {
        const struct tensor_spec *t = &m->layout->tensors[i];
        const float *k = m->grads + t->offset;
        const float *q = m->grads + layout_offset(m->layout, ROLE_Q_BIAS, t->layer);
        if (is_noise(m, t))
            CHECK(sum_of_squares(k, t->n) <= noise * sum_of_squares(q, t->n));
    }
    mem_free(loss);
}

static void check_steps(struct world *w)
{
    struct model *model = w->model;
    const int64_t N = model->layout->N;
    float *losses = golden_read(w->file, "adamw_losses", false);
    float *m = mem_alloc((size_t)N, sizeof *m), *v = mem_alloc((size_t)N, sizeof *v);
    const struct adamw_hyper hyper = {
        .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1, .clip = 1.0};
    for (int step = 1; step <= STEPS; step++) {
        memset(model->grads, 0, (size_t)N * sizeof(float));
        CHECK_CLOSE(model_loss_backward(model, &w->batch) / w->total, losses[step - 1], exact);
        const double norm = sqrt(sum_of_squares(model->grads, N)) / w->total;
        const double factor = norm + 1e-6 > hyper.clip ? hyper.clip / (norm + 1e-6) : 1.0;
        adamw_update(model->params, NULL, model->grads, m, v, 0, N, model->layout, &hyper,
                     factor / w->total, step);
    }
    check_tensors(w, "adamw", model->params, exact);
    mem_free(v);
    mem_free(m);
    mem_free(losses);
}

/* A new head is a pure function of the seed, and touches nothing else. */
static void check_new_head(void)
{
    struct world w;
    open_world(&w, &cases[3], &everything);
    const struct layout *l = w.model->layout;
    const int64_t from = layout_offset(l, ROLE_HEAD_DENSE, -1), n = l->N - from;
    const int64_t bias = layout_offset(l, ROLE_HEAD_DENSE_BIAS, -1);
    float *before = mem_alloc((size_t)l->N, sizeof *before), *p = w.model->params;
    memcpy(before, p, (size_t)l->N * sizeof *p);
    model_init_head(w.model, 5);
    CHECK(memcmp(before, p, (size_t)from * sizeof *p) == 0);
    memcpy(before, p, (size_t)l->N * sizeof *p);
    const double rms = sqrt(sum_of_squares(p + from, bias - from) / (double)(bias - from));
    CHECK_CLOSE(rms, 0.02, 0.05);
    double mean = 0;
    for (int64_t i = from; i < bias; i++)
        mean += (double)p[i] / (double)(bias - from);
    CHECK(fabs(mean) < 3 * 0.02 / 24);
    CHECK(sum_of_squares(p + bias, 24) == 0 && p[l->N - 1] == 0);
    CHECK(memcmp(p + from, p + layout_offset(l, ROLE_HEAD_OUT, -1), 24 * sizeof *p) != 0);
    model_init_head(w.model, 6);
    CHECK(memcmp(before + from, p + from, (size_t)n * sizeof *p) != 0);
    model_init_head(w.model, 5);
    CHECK(memcmp(before, p, (size_t)l->N * sizeof *p) == 0);
    mem_free(before);
    close_world(&w);
}

/* Pooling of hidden states by itself: the last layer's first row goes through the pooler. */
struct pool_check {
    struct world *w;
    float out[DOCUMENTS * 24];
};

static void see_pool(void *context, int layer, const float *hidden)
{
    struct pool_check *p = context;
    model_pool(p->w->model, p->out, hidden, &p->w->batch, layer, POOLING_CLS);
    if (layer < p->w->model->config.L)
        CHECK(memcmp(p->out + 24, hidden + p->w->batch.segment_start[1] * 24, 24 * 4) == 0);
}

static void check_pool(void)
{
    struct world w;
    struct pool_check p = {.w = &w};
    open_world(&w, &cases[0], &everything);
    model_hidden(w.model, &w.batch, see_pool, &p);
    (void)model_loss(w.model, &w.batch);
    CHECK(memcmp(p.out, w.model->head.stages[0].out, sizeof p.out) == 0);
    close_world(&w);
}

int main(void)
{
    const struct world_options in_bf16 = {.elem = ELEM_BF16};
    for (int i = 0; i < N_CASES; i++) {
        struct world w;
        const int before = check_failures;
        open_world(&w, &cases[i], &everything);
        check_forward(&w, exact);
        check_gradients(&w, exact);
        check_steps(&w);
        close_world(&w);
        open_world(&w, &cases[i], &in_bf16);
        model_round_params(w.model);
        check_forward(&w, loose);
        check_gradients(&w, loose);
        close_world(&w);
        if (check_failures > before)
            (void)fprintf(stderr, "in %s\n", cases[i].name);
    }
    check_new_head();
    check_pool();
    return check_end();
}
