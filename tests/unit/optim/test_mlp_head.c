/*
 * The head against a slow one in f64 whose gradients are central differences of the loss by its
 * definition, and whose AdamW is written as PyTorch's documentation has it; and what holds for any
 * data.
 */
#include "optim/mlp_head.h"

#include <omp.h>

#include "base/rng.h"
#include "support/check.h"

enum { N = 23, D = 3, K = 3, HIDDEN = 4, PARAMETERS_MAX = HIDDEN * (D + 1) + K * (HIDDEN + 1) };

struct sample {
    float x[N * D];
    int32_t labels[N];
};

static double uniform(uint64_t stream, uint64_t index)
{
    return (double)(rng_u64(5, stream, index) >> 11) * 0x1p-52 - 1.0;
}

static struct sample make_sample(uint64_t stream)
{
    struct sample s;
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < D; j++)
            s.x[i * D + j] = (float)(3.0 * j + uniform(stream, (uint64_t)(i * D + j)) * (1 + j));
        const double sum = (double)(s.x[i * D] + s.x[i * D + 1] - 3.0f);
        s.labels[i] = sum < -0.5 ? 0 : sum < 0.5 ? 1 : 2;
    }
    return s;
}

/* The sample as mlp_head.c sees it. */
struct reference {
    const struct mlp_head_hyper *hyper;
    const double *class_weights;
    double mean[D], deviation[D];
    int n_parameters;
    double p[PARAMETERS_MAX], m[PARAMETERS_MAX], v[PARAMETERS_MAX];
};

static void logits_of(double *logits, const struct reference *r, const float *x)
{
    const int h = r->hyper->hidden, inputs = h ? h : D;
    const double *dense = r->p, *dense_bias = dense + h * D, *out = dense_bias + h;
    double input[D + HIDDEN], hidden[D + HIDDEN];
    for (int j = 0; j < D; j++)
        hidden[j] = input[j] = ((double)x[j] - r->mean[j]) / r->deviation[j];
    for (int u = 0; u < h; u++) {
        double sum = dense_bias[u];
        for (int j = 0; j < D; j++)
            sum += dense[u * D + j] * input[j];
        hidden[u] = tanh(sum);
    }
    for (int k = 0; k < K; k++) {
        logits[k] = out[K * inputs + k];
        for (int u = 0; u < inputs; u++)
            logits[k] += out[k * inputs + u] * hidden[u];
    }
}

/* Weighted mean loss of the documents listed. */
static double loss_of(const struct reference *r, const struct sample *s, const int *list, int n,
                      double smoothing)
{
    double loss = 0, total = 0;
    for (int i = 0; i < n; i++) {
        const int y = s->labels[list[i]];
        double logits[K], sum = 0;
        logits_of(logits, r, s->x + list[i] * D);
        for (int k = 0; k < K; k++)
            sum += exp(logits[k]);
        for (int k = 0; k < K; k++) {
            const double share = smoothing / K + (k == y ? 1.0 - smoothing : 0.0);
            loss += share * r->class_weights[k] * (log(sum) - logits[k]);
        }
        total += r->class_weights[y];
    }
    return loss / total;
}

static void reference_step(struct reference *r, const struct sample *s, const int *list, int n,
                           int step)
{
    const struct mlp_head_hyper *hyper = r->hyper;
    const int h = hyper->hidden, out = h * (D + 1), inputs = h ? h : D;
    double gradient[PARAMETERS_MAX];
    for (int e = 0; e < r->n_parameters; e++) {
        const double kept = r->p[e];
        r->p[e] = kept + 1e-5;
        const double up = loss_of(r, s, list, n, hyper->label_smoothing);
        r->p[e] = kept - 1e-5;
        gradient[e] = (up - loss_of(r, s, list, n, hyper->label_smoothing)) / 2e-5;
        r->p[e] = kept;
    }
    for (int e = 0; e < r->n_parameters; e++) {
        const int is_bias = (e >= h * D && e < out) || e >= out + K * inputs;
        r->p[e] -= is_bias ? 0 : hyper->lr * hyper->weight_decay * r->p[e];
        r->m[e] = hyper->beta1 * r->m[e] + (1 - hyper->beta1) * gradient[e];
        r->v[e] = hyper->beta2 * r->v[e] + (1 - hyper->beta2) * gradient[e] * gradient[e];
        const double m = r->m[e] / (1 - pow(hyper->beta1, step));
        const double v = r->v[e] / (1 - pow(hyper->beta2, step));
        r->p[e] -= hyper->lr * m / (sqrt(v) + hyper->eps);
    }
}

/* Epochs of the order and the first weights that mlp_head.c documents: uniform, and rng_permute. */
static void reference_train(struct reference *r, const struct sample *s)
{
    const struct mlp_head_hyper *hyper = r->hyper;
    const int h = hyper->hidden, out = h * (D + 1), inputs = h ? h : D;
    r->n_parameters = out + K * (inputs + 1);
    for (int e = 0; e < r->n_parameters; e++) {
        const int is_bias = (e >= h * D && e < out) || e >= out + K * inputs;
        const uint64_t bits = rng_u64((uint64_t)hyper->seed, UINT64_C(0x6d6c70) << 24, (uint64_t)e);
        const double u = 2.0 * ((double)(bits >> 11) * 0x1p-53) - 1.0;
        r->p[e] = is_bias ? 0.0 : u / sqrt(e < out ? D : inputs);
    }
    int step = 0;
    for (int epoch = 1; epoch <= hyper->epochs; epoch++)
        for (int from = 0; from < N; from += hyper->batch) {
            int list[N], n = 0;
            for (int i = from; i < N && i < from + hyper->batch; i++)
                list[n++] = (int)rng_permute((uint64_t)hyper->seed,
                                             (UINT64_C(0x6d6f72) << 24) + (uint64_t)epoch, N, i);
            reference_step(r, s, list, n, ++step);
        }
}

static void standardise(struct reference *r, const struct sample *s)
{
    for (int j = 0; j < D; j++) {
        double square = 0;
        for (int i = 0; i < N; i++)
            r->mean[j] += (double)s->x[i * D + j] / N;
        for (int i = 0; i < N; i++)
            square += pow((double)s->x[i * D + j] - r->mean[j], 2) / N;
        r->deviation[j] = sqrt(square);
    }
}

/* Storage of a head of these tests' sizes. */
struct storage {
    float dense_weight[HIDDEN * D], dense_bias[HIDDEN], out_weight[K * HIDDEN], out_bias[K];
};

static struct mlp_head make_head(struct storage *s)
{
    *s = (struct storage){.out_bias = {0}};
    return (struct mlp_head){.d = D,
                             .K = K,
                             .dense_weight = s->dense_weight,
                             .dense_bias = s->dense_bias,
                             .out_weight = s->out_weight,
                             .out_bias = s->out_bias};
}

/* Logits of the head for features as they were given. */
static void apply(double *logits, const struct storage *s, const float *x, int hidden)
{
    double unit[HIDDEN + D];
    for (int j = 0; j < D; j++)
        unit[j] = (double)x[j];
    for (int u = 0; u < hidden; u++) {
        double sum = (double)s->dense_bias[u];
        for (int j = 0; j < D; j++)
            sum += (double)s->dense_weight[u * D + j] * (double)x[j];
        unit[u] = tanh(sum);
    }
    const int inputs = hidden ? hidden : D;
    for (int k = 0; k < K; k++) {
        logits[k] = (double)s->out_bias[k];
        for (int u = 0; u < inputs; u++)
            logits[k] += (double)s->out_weight[k * inputs + u] * unit[u];
    }
}

static const struct mlp_head_hyper usual = {.hidden = HIDDEN,
                                            .epochs = 6,
                                            .batch = 9,
                                            .lr = 0.02,
                                            .weight_decay = 0.5,
                                            .beta1 = 0.9,
                                            .beta2 = 0.98,
                                            .eps = 1e-6,
                                            .label_smoothing = 0.1,
                                            .seed = 77};

static void test_reference(int hidden, int batch)
{
    static const double weights[K] = {0.5, 1.0, 2.5};
    static const float weights_f32[K] = {0.5f, 1.0f, 2.5f};
    struct mlp_head_hyper hyper = usual;
    hyper.hidden = hidden;
    hyper.batch = batch;
    struct reference r = {.hyper = &hyper, .class_weights = weights};
    struct sample s = make_sample(1);
    struct storage storage;
    struct mlp_head head = make_head(&storage);
    struct mlp_head_report report;
    const struct labelled_rows rows = {s.x, s.labels, N};
    standardise(&r, &s);
    reference_train(&r, &s);
    CHECK_STATUS(mlp_head_fit(&head, &report, &rows, NULL, weights_f32, &hyper), FT_OK);
    CHECK(report.epochs == hyper.epochs && report.best_epoch == hyper.epochs);
    CHECK(report.loss > 0.3 && report.loss < 1.5 && report.validation_loss == 0);
    for (int i = 0; i < N; i++) {
        double got[K], expected[K];
        apply(got, &storage, s.x + i * D, hidden);
        logits_of(expected, &r, s.x + i * D);
        for (int k = 0; k < K; k++)
            CHECK(fabs(got[k] - expected[k]) < 2e-4);
    }
}

/* Validation rows with labels that training makes ever less likely: the first epochs are best. */
static void test_early_stopping(void)
{
    struct mlp_head_hyper hyper = usual;
    struct sample s = make_sample(1), other = make_sample(2);
    struct storage stopped, best;
    struct mlp_head head = make_head(&stopped), again = make_head(&best);
    struct mlp_head_report report, second;
    static const double one[K] = {1, 1, 1};
    const struct labelled_rows train = {s.x, s.labels, N}, validation = {other.x, other.labels, N};
    for (int i = 0; i < N; i++)
        other.labels[i] = i < 18 ? other.labels[i] : (other.labels[i] + 1) % K;
    hyper.epochs = 400;
    hyper.patience = 5;
    hyper.weight_decay = 0.0;
    CHECK_STATUS(mlp_head_fit(&head, &report, &train, &validation, NULL, &hyper), FT_OK);
    CHECK(report.epochs < 400 && report.best_epoch == report.epochs - 5 && report.best_epoch > 1);
    double loss = 0;
    for (int i = 0; i < N; i++) {
        double logits[K], sum = 0;
        apply(logits, &stopped, other.x + i * D, HIDDEN);
        for (int k = 0; k < K; k++)
            sum += exp(logits[k]) * one[k];
        loss += (log(sum) - logits[other.labels[i]]) / N;
    }
    CHECK_CLOSE(report.validation_loss, loss, 1e-4);
    hyper.epochs = report.best_epoch; /* the kept weights are those of that epoch */
    CHECK_STATUS(mlp_head_fit(&again, &second, &train, NULL, NULL, &hyper), FT_OK);
    CHECK(memcmp(&stopped, &best, sizeof best) == 0);
}

static void test_threads(void)
{
    enum { ROWS = 301, WIDTH = 40, UNITS = 24 };
    float *x = mem_alloc(ROWS * WIDTH, sizeof *x);
    int32_t labels[ROWS];
    float *weights[2];
    struct mlp_head_hyper hyper = usual;
    hyper.hidden = UNITS;
    hyper.batch = 32;
    hyper.patience = 2;
    for (int i = 0; i < ROWS * WIDTH; i++)
        x[i] = (float)uniform(4, (uint64_t)i);
    for (int i = 0; i < ROWS; i++)
        labels[i] = (x[i * WIDTH] > 0) + (x[i * WIDTH + 1] > 0);
    const struct labelled_rows train = {x, labels, ROWS - 50};
    const struct labelled_rows validation = {x + (ROWS - 50) * WIDTH, labels + ROWS - 50, 50};
    const int dense = UNITS * (WIDTH + 1), all = dense + K * (UNITS + 1);
    for (int run = 0; run < 2; run++) {
        float *w = weights[run] = mem_alloc((size_t)all, sizeof *w);
        struct mlp_head head = {.d = WIDTH, .K = K, .dense_weight = w};
        head.dense_bias = w + UNITS * WIDTH;
        head.out_weight = w + dense;
        head.out_bias = w + dense + K * UNITS;
        omp_set_num_threads(run ? 3 : 1);
        CHECK_STATUS(mlp_head_fit(&head, NULL, &train, &validation, NULL, &hyper), FT_OK);
    }
    CHECK(memcmp(weights[0], weights[1], (size_t)all * sizeof(float)) == 0);
    mem_free(weights[0]);
    mem_free(weights[1]);
    mem_free(x);
}

static int64_t count_allocations(const struct labelled_rows *rows, int epochs)
{
    struct mlp_head_hyper hyper = usual;
    struct storage storage;
    struct mlp_head head = make_head(&storage);
    const int64_t before = mem_alloc_count();
    hyper.epochs = epochs;
    CHECK_STATUS(mlp_head_fit(&head, NULL, rows, rows, NULL, &hyper), FT_OK);
    return mem_alloc_count() - before;
}

static void test_memory_and_errors(void)
{
    struct sample s = make_sample(1);
    struct storage storage;
    struct mlp_head head = make_head(&storage);
    struct mlp_head_hyper hyper = usual;
    const struct labelled_rows rows = {s.x, s.labels, N};
    ft_status status = FT_ERR_INTERNAL;
    CHECK(count_allocations(&rows, 1) == count_allocations(&rows, 30));
    for (int nth = 1; status != FT_OK && nth < 40; nth++) {
        mem_fail_nth(nth, 0);
        status = mlp_head_fit(&head, NULL, &rows, &rows, NULL, &hyper);
        mem_fail_nth(0, 0);
    }
    CHECK(status == FT_OK);
    hyper.lr = 1e38;
    CHECK_FAILS(mlp_head_fit(&head, NULL, &rows, NULL, NULL, &hyper), FT_ERR_INTERNAL,
                "not finite in epoch");
    s.labels[3] = K;
    CHECK_FAILS(mlp_head_fit(&head, NULL, &rows, NULL, NULL, &usual), FT_ERR_INTERNAL,
                "label 3 of row 3");
}

int main(void)
{
    test_reference(HIDDEN, 9);
    test_reference(HIDDEN, 2); /* fewer documents than shares */
    test_reference(0, 9);
    test_early_stopping();
    test_threads();
    test_memory_and_errors();
    return check_end();
}
