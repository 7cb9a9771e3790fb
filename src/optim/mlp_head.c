/*
 * A batch is cut into SHARES by its size alone. Each share goes forward and backward on one thread
 * with buffers of its own; their gradients are added in order, so that the number of threads
 * changes nothing, and small products do not wait for each other in the BLAS.
 *
 *     params  dense weight (h, d), dense bias (h), out weight (K, H), out bias (K); H = h, or d
 *     share   x (rows, d), act (rows, h), logits (rows, K), dact (rows, h), grads (N)
 */
#include "optim/mlp_head.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/pulse.h"
#include "base/rng.h"
#include "base/signals.h"
#include "math/activation.h"
#include "math/gemm.h"
#include "math/loss.h"
#include "math/ops.h"
#include "optim/adamw.h"
#include "optim/design.h"

enum { SHARES = 4, SUM_BLOCK = 4096, N_TENSORS = 4 };
enum { DENSE_WEIGHT, DENSE_BIAS, OUT_WEIGHT, OUT_BIAS };

/* Separate these uses of the seed from all others; the epoch is added to the second. */
static const uint64_t init_stream = UINT64_C(0x6d6c70) << 24, order_stream = UINT64_C(0x6d6f72)
                                                                             << 24;

struct share {
    float *x, *act, *logits, *losses, *dact, *grads;
    int32_t *labels;
    double loss, weight; /* sums over rows */
};

struct trainer {
    const struct mlp_head_hyper *hyper;
    const struct labelled_rows *train, *validation;
    const float *class_weights;
    int d, h, H, K, rows; /* rows: of a share, at most */
    struct tensor_spec tensors[N_TENSORS];
    struct layout layout;
    struct design *design;
    struct share shares[SHARES];
    float *params, *best, *grads, *m, *v, *validation_x, *row;
    int64_t step;
    struct arena arena;
};

static void describe_tensors(struct trainer *t)
{
    const int64_t dims[N_TENSORS][2] = {{t->h, t->d}, {t->h, 1}, {t->K, t->H}, {t->K, 1}};
    int64_t offset = 0;
    for (int i = 0; i < N_TENSORS; i++) {
        const bool matrix = i == DENSE_WEIGHT || i == OUT_WEIGHT;
        t->tensors[i] = (struct tensor_spec){.n_dims = matrix ? 2 : 1,
                                             .dims = {dims[i][0], dims[i][1]},
                                             .offset = offset,
                                             .n = dims[i][0] * dims[i][1],
                                             .decays = matrix};
        offset += t->tensors[i].n;
    }
    t->layout = (struct layout){.n_tensors = N_TENSORS, .tensors = t->tensors, .N = offset};
}

static float *param(const struct trainer *t, float *flat, int tensor)
{
    return flat + t->tensors[tensor].offset;
}

static void place_share(struct share *s, struct arena *a, const struct trainer *t)
{
    const size_t rows = (size_t)t->rows, f32 = sizeof(float);
    s->x = arena_push(a, rows * (size_t)t->d, f32);
    s->act = arena_push(a, rows * (size_t)t->h, f32);
    s->dact = arena_push(a, rows * (size_t)t->h, f32);
    s->logits = arena_push(a, rows * (size_t)t->K, f32);
    s->losses = arena_push(a, rows, f32);
    s->labels = arena_push(a, rows, sizeof(int32_t));
    s->grads = arena_push(a, (size_t)t->layout.N, f32);
}

/* Hands out all buffers; the first pass measures. */
static void place_buffers(struct trainer *t)
{
    struct arena *a = &t->arena;
    const size_t N = (size_t)t->layout.N, d = (size_t)t->d, f32 = sizeof(float);
    t->params = arena_push(a, N, f32);
    t->best = arena_push(a, N, f32);
    t->grads = arena_push(a, N, f32);
    t->m = arena_push(a, N, f32);
    t->v = arena_push(a, N, f32);
    t->row = arena_push(a, d + 1, f32);
    t->validation_x = arena_push(a, (size_t)t->validation->n * d, f32);
    for (int i = 0; i < SHARES; i++)
        place_share(&t->shares[i], a, t);
}

/* Matrices uniform in +-1/sqrt(inputs), biases 0. */
static void init_params(struct trainer *t)
{
    memset(t->params, 0, (size_t)t->layout.N * sizeof *t->params);
    memset(t->m, 0, (size_t)t->layout.N * sizeof *t->m);
    memset(t->v, 0, (size_t)t->layout.N * sizeof *t->v);
    for (int i = 0; i < N_TENSORS; i++) {
        const struct tensor_spec *tensor = &t->tensors[i];
        const double bound = 1.0 / sqrt((double)tensor->dims[1]);
        for (int64_t e = tensor->offset; tensor->decays && e < tensor->offset + tensor->n; e++) {
            const uint64_t bits = rng_u64((uint64_t)t->hyper->seed, init_stream, (uint64_t)e);
            t->params[e] = (float)(bound * (2.0 * ((double)(bits >> 11) * 0x1p-53) - 1.0));
        }
    }
}

static ft_status check_labels(const struct labelled_rows *rows, int K)
{
    for (int64_t i = 0; i < rows->n; i++)
        if (rows->labels[i] < 0 || rows->labels[i] >= K)
            return ft_fail(FT_ERR_INTERNAL, "label %d of row %lld is not one of %d classes",
                           (int)rows->labels[i], (long long)i, K);
    return FT_OK;
}

static ft_status prepare(struct trainer *t)
{
    FT_TRY(check_labels(t->train, t->K));
    FT_TRY(check_labels(t->validation, t->K));
    FT_TRY(design_create_dense(&t->design, t->train->x, t->train->n, t->d, true));
    describe_tensors(t);
    place_buffers(t);
    FT_TRY(arena_commit(&t->arena));
    place_buffers(t);
    init_params(t);
    design_standardise(t->validation_x, t->design, t->validation->x, t->validation->n);
    return FT_OK;
}

/* Logits of n rows x, and the activations before. */
static void forward(struct trainer *t, struct share *s, const float *x, int n)
{
    const float *input = t->h ? s->act : x;
    if (t->h) {
        gemm_nt(s->act, t->h, x, t->d, param(t, t->params, DENSE_WEIGHT), t->d, n, t->h, t->d,
                0.0f);
        bias_forward(s->act, param(t, t->params, DENSE_BIAS), n, t->h, ELEM_F32);
        tanh_forward(s->act, s->act, (int64_t)n * t->h);
    }
    gemm_nt(s->logits, t->K, input, t->H, param(t, t->params, OUT_WEIGHT), t->H, n, t->K, t->H,
            0.0f);
    bias_forward(s->logits, param(t, t->params, OUT_BIAS), n, t->K, ELEM_F32);
}

/* s->grads from dlogits, which stand in s->logits. */
static void backward(struct trainer *t, struct share *s, const float *x, int n)
{
    const float *input = t->h ? s->act : x;
    memset(param(t, s->grads, DENSE_BIAS), 0, (size_t)t->h * sizeof(float));
    memset(param(t, s->grads, OUT_BIAS), 0, (size_t)t->K * sizeof(float));
    gemm_tn(param(t, s->grads, OUT_WEIGHT), t->H, s->logits, t->K, input, t->H, t->K, t->H, n,
            0.0f);
    bias_backward(param(t, s->grads, OUT_BIAS), s->logits, t->K, n, t->K, ELEM_F32);
    if (t->h == 0)
        return;
    gemm_nn(s->dact, t->h, s->logits, t->K, param(t, t->params, OUT_WEIGHT), t->H, n, t->h, t->K,
            0.0f);
    tanh_backward(s->dact, s->dact, s->act, (int64_t)n * t->h);
    gemm_tn(param(t, s->grads, DENSE_WEIGHT), t->d, s->dact, t->h, x, t->d, t->h, t->d, n, 0.0f);
    bias_backward(param(t, s->grads, DENSE_BIAS), s->dact, t->h, n, t->h, ELEM_F32);
}

/* Adds the losses of n rows whose logits are ready; they become gradients in training. */
static void add_losses(struct trainer *t, struct share *s, const int32_t *labels, int n,
                       double smoothing, int training)
{
    class_cross_entropy(s->logits, s->losses, labels, t->class_weights, (float)smoothing, n, t->K,
                        training);
    for (int i = 0; i < n; i++) {
        s->loss += (double)s->losses[i];
        s->weight += t->class_weights ? (double)t->class_weights[labels[i]] : 1.0;
    }
}

/* Documents from ... to-1 of the epoch's order. */
static void train_share(struct trainer *t, struct share *s, int epoch, int64_t from, int64_t to)
{
    const int n = (int)(to - from);
    for (int i = 0; i < n; i++) {
        const int64_t index = rng_permute((uint64_t)t->hyper->seed, order_stream + (uint64_t)epoch,
                                          t->train->n, from + i);
        memcpy(s->x + (int64_t)i * t->d, t->design->x + index * t->d, (size_t)t->d * sizeof *s->x);
        s->labels[i] = t->train->labels[index];
    }
    s->loss = s->weight = 0;
    if (n == 0) {
        memset(s->grads, 0, (size_t)t->layout.N * sizeof *s->grads);
        return;
    }
    forward(t, s, s->x, n);
    add_losses(t, s, s->labels, n, t->hyper->label_smoothing, 1);
    backward(t, s, s->x, n);
}

static void add_gradients(struct trainer *t)
{
    const int64_t N = t->layout.N;
#pragma omp parallel for schedule(static)
    for (int64_t at = 0; at < N; at += SUM_BLOCK)
        for (int64_t e = at; e < at + SUM_BLOCK && e < N; e++) {
            float sum = 0;
            for (int i = 0; i < SHARES; i++)
                sum += t->shares[i].grads[e];
            t->grads[e] = sum;
        }
}

/* One step on documents from ... to-1 of the epoch's order; adds their losses and weights. */
static void train_batch(struct trainer *t, int epoch, int64_t from, int64_t to, double sums[2])
{
    const struct mlp_head_hyper *hyper = t->hyper;
    const struct adamw_hyper adamw = {.lr = hyper->lr,
                                      .beta1 = hyper->beta1,
                                      .beta2 = hyper->beta2,
                                      .eps = hyper->eps,
                                      .weight_decay = hyper->weight_decay};
    double weight = 0;
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < SHARES; i++)
        train_share(t, &t->shares[i], epoch, from + (to - from) * i / SHARES,
                    from + (to - from) * (i + 1) / SHARES);
    add_gradients(t);
    for (int i = 0; i < SHARES; i++) {
        sums[0] += t->shares[i].loss;
        weight += t->shares[i].weight;
    }
    sums[1] += weight;
    if (weight > 0)
        adamw_update(t->params, NULL, t->grads, t->m, t->v, 0, t->layout.N, &t->layout, &adamw,
                     1.0 / weight, ++t->step);
}

static double train_epoch(struct trainer *t, int epoch)
{
    double sums[2] = {0, 0};
    for (int64_t from = 0; from < t->train->n; from += t->hyper->batch) {
        const int64_t left = t->train->n - from;
        pulse_mark();
        train_batch(t, epoch, from, from + (left < t->hyper->batch ? left : t->hyper->batch), sums);
    }
    return sums[0] / sums[1];
}

static double validate(struct trainer *t)
{
    double loss = 0, weight = 0;
#pragma omp parallel for schedule(dynamic)
    for (int i = 0; i < SHARES; i++) {
        struct share *s = &t->shares[i];
        s->loss = s->weight = 0;
        for (int64_t from = (int64_t)i * t->rows; from < t->validation->n;
             from += (int64_t)SHARES * t->rows) {
            const int64_t left = t->validation->n - from;
            const int n = left < t->rows ? (int)left : t->rows;
            pulse_mark();
            forward(t, s, t->validation_x + from * t->d, n);
            add_losses(t, s, t->validation->labels + from, n, 0.0, 0);
        }
    }
    for (int i = 0; i < SHARES; i++) {
        loss += t->shares[i].loss;
        weight += t->shares[i].weight;
    }
    return loss / weight;
}

static void keep(struct trainer *t)
{
    memcpy(t->best, t->params, (size_t)t->layout.N * sizeof *t->best);
}

static ft_status run(struct trainer *t, struct mlp_head_report *report)
{
    *report = (struct mlp_head_report){0};
    keep(t);
    for (int epoch = 1; epoch <= t->hyper->epochs; epoch++) {
        FT_TRY(signals_check("the head was trained"));
        report->epochs = epoch;
        report->loss = train_epoch(t, epoch);
        const double judged = t->validation->n > 0 ? validate(t) : 0.0;
        if (!isfinite(report->loss) || !isfinite(judged))
            return ft_fail(FT_ERR_INTERNAL,
                           "the head's loss is not finite in epoch %d (lower the learning rate, "
                           "%g)",
                           epoch, t->hyper->lr);
        if (t->validation->n == 0 || epoch == 1 || judged < report->validation_loss) {
            report->validation_loss = judged;
            report->best_epoch = epoch;
            keep(t);
        }
        if (t->hyper->patience > 0 && epoch - report->best_epoch >= t->hyper->patience)
            break;
    }
    return FT_OK;
}

/* Rows of the first layer, standardisation folded in. */
static void unfold(float *weight, float *bias, const struct trainer *t, int weight_tensor, int n)
{
    const float *rows = param(t, t->best, weight_tensor);
    const float *biases = param(t, t->best, weight_tensor + 1);
    for (int64_t i = 0; i < n; i++) {
        memcpy(t->row, rows + i * t->d, (size_t)t->d * sizeof *t->row);
        t->row[t->d] = biases[i];
        design_unfold(weight + i * t->d, bias + i, t->design, t->row);
    }
}

static void write_head(struct mlp_head *head, const struct trainer *t)
{
    if (t->h == 0) {
        unfold(head->out_weight, head->out_bias, t, OUT_WEIGHT, t->K);
        return;
    }
    unfold(head->dense_weight, head->dense_bias, t, DENSE_WEIGHT, t->h);
    memcpy(head->out_weight, param(t, t->best, OUT_WEIGHT),
           (size_t)t->K * (size_t)t->H * sizeof(float));
    memcpy(head->out_bias, param(t, t->best, OUT_BIAS), (size_t)t->K * sizeof(float));
}

ft_status mlp_head_fit(struct mlp_head *head, struct mlp_head_report *report,
                       const struct labelled_rows *train, const struct labelled_rows *validation,
                       const float *class_weights, const struct mlp_head_hyper *hyper)
{
    static const struct labelled_rows none = {.n = 0};
    struct mlp_head_report unwanted;
    if (hyper->hidden < 0 || hyper->batch < 1 || hyper->epochs < 0 || head->K < 2)
        return ft_fail(FT_ERR_INTERNAL, "a head of %d units and %d classes, batches of %d",
                       hyper->hidden, head->K, hyper->batch);
    struct trainer t = {.hyper = hyper,
                        .train = train,
                        .validation = validation ? validation : &none,
                        .class_weights = class_weights,
                        .d = head->d,
                        .h = hyper->hidden,
                        .H = hyper->hidden ? hyper->hidden : head->d,
                        .K = head->K,
                        .rows = hyper->batch / SHARES + 1};
    ft_status status = prepare(&t);
    if (status == FT_OK)
        status = run(&t, report ? report : &unwanted);
    if (status == FT_OK)
        write_head(head, &t);
    design_destroy(&t.design);
    arena_destroy(&t.arena);
    return status;
}
