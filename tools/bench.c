/*
 * bench MODEL [seq_len [micro_batch [steps]]]
 *
 * Measures, in one run on one process: the rate of sgemm on the model's own matrix shapes (forward,
 * input gradient and weight gradient of every layer, weighted by their FLOPs in a step), then fp32
 * training steps (forward, backward, AdamW) on random tokens, by phase. The ratio of the two says
 * how much of the step is matrix product. An encoder learns to tell two classes, with its dropout.
 * Prints a table, and one JSON line at the end.
 */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/rng.h"
#include "base/timer.h"
#include "math/gemm.h"
#include "model/convert.h"
#include "model/model.h"
#include "optim/adamw.h"

enum { SHAPES_MAX = 5, REPEATS = 3, STEPS_MAX = 64 };

/* A linear layer: y (n, out) = x (n, in) w (out, in)^T, `count` times in a step. */
struct linear_shape {
    const char *name;
    int n, in, out;
    double count;
};

static int list_shapes(struct linear_shape *s, const struct model_config *c, int n)
{
    const int chunk = n < LM_CHUNK ? n : LM_CHUNK, q = c->Hq * c->D;
    s[0] = (struct linear_shape){"q,k,v", n, c->C, q + 2 * c->Hkv * c->D, c->L};
    s[1] = (struct linear_shape){"attention output", n, q, c->C, c->L};
    const bool is_gated = c->activation == ACTIVATION_SWIGLU;
    s[2] = (struct linear_shape){is_gated ? "gate,up" : "up", n, c->C, is_gated ? 2 * c->F : c->F,
                                 c->L};
    s[3] = (struct linear_shape){"down", n, c->F, c->C, c->L};
    if (c->is_encoder)
        return SHAPES_MAX - 1;
    s[4] = (struct linear_shape){"output layer", chunk, c->C, c->V, (double)n / chunk};
    return SHAPES_MAX;
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, compare_doubles);
    return n % 2 ? values[n / 2] : 0.5 * (values[n / 2 - 1] + values[n / 2]);
}

/* Seconds of forward, input gradient and weight gradient of one layer: medians. */
static double time_shape(const struct linear_shape *s, float *x, float *w, float *y)
{
    double seconds[3][REPEATS];
    for (int i = -1; i < REPEATS; i++) { /* the first round warms up */
        const double t0 = timer_now();
        gemm_nt(y, s->out, x, s->in, w, s->in, s->n, s->out, s->in, 0.0f);
        const double t1 = timer_now();
        gemm_nn(x, s->in, y, s->out, w, s->in, s->n, s->in, s->out, 0.0f);
        const double t2 = timer_now();
        gemm_tn(w, s->in, y, s->out, x, s->in, s->out, s->in, s->n, 1.0f);
        const double t3 = timer_now();
        if (i < 0)
            continue;
        seconds[0][i] = t1 - t0;
        seconds[1][i] = t2 - t1;
        seconds[2][i] = t3 - t2;
    }
    return median(seconds[0], REPEATS) + median(seconds[1], REPEATS) + median(seconds[2], REPEATS);
}

/* Rate of sgemm over all shapes [FLOP/s]; 0 when out of memory. */
static double measure_sgemm(const struct model_config *c, int n)
{
    struct linear_shape shapes[SHAPES_MAX];
    double flops = 0, seconds = 0;
    const int n_shapes = list_shapes(shapes, c, n);
    printf("%-18s %22s %10s %12s\n", "matrix product", "tokens x in x out", "GFLOP/s",
           "GFLOP a step");
    for (int i = 0; i < n_shapes; i++) {
        const struct linear_shape *s = &shapes[i];
        const size_t tokens = (size_t)s->n, in = (size_t)s->in, out = (size_t)s->out;
        float *x = mem_alloc(tokens * in, sizeof *x), *w = mem_alloc(in * out, sizeof *w);
        float *y = mem_alloc(tokens * out, sizeof *y);
        if (!x || !w || !y)
            return 0;
        for (size_t k = 0; k < tokens * in; k++)
            x[k] = (float)(k % 13) * 1e-3f;
        for (size_t k = 0; k < in * out; k++)
            w[k] = (float)(k % 11) * 1e-3f;
        const double once = time_shape(s, x, w, y);
        const double work = 6.0 * (double)tokens * (double)in * (double)out;
        printf("%-18s %8d x %5d x %5d %10.1f %12.1f\n", s->name, s->n, s->in, s->out,
               work / once * 1e-9, work * s->count * 1e-9);
        flops += work * s->count;
        seconds += once * s->count;
        mem_free(y);
        mem_free(w);
        mem_free(x);
    }
    printf("sgemm on these shapes, weighted: %.1f GFLOP/s\n", flops / seconds * 1e-9);
    return flops / seconds;
}

static void random_batch(struct batch *b, int V, int step)
{
    for (int t = 0; t < b->n_tokens; t++) {
        b->tokens[t] = (int32_t)(rng_u64(1, (uint64_t)step, (uint64_t)t) % (uint64_t)V);
        b->positions[t] = t % b->seq_len;
    }
    for (int t = 0; t < b->n_tokens; t++)
        b->targets[t] = b->tokens[(t + 1) % b->n_tokens];
    for (int s = 0; s <= b->n_segments; s++)
        b->segment_start[s] = s * b->seq_len;
    for (int s = 0; s < b->n_segments; s++) {
        b->segment_ids[s] = (int64_t)step * b->n_segments + s;
        b->labels[s] = (int32_t)(b->segment_ids[s] % 2);
    }
}

struct bench {
    struct model *model;
    struct batch batch;
    float *m, *v;
    double step_s[STEPS_MAX], compute_s[STEPS_MAX];
};

static ft_status bench_create(struct bench *b, const struct model_config *c, const char *path,
                              int T, int B)
{
    const struct model_shape shape = {
        .max_tokens = B * T, .max_length = T, .max_segments = B, .trains = true};
    FT_TRY(model_create(&b->model, c, &shape));
    FT_TRY(model_read_params(b->model->params, b->model->layout, c, path));
    FT_TRY(FT_ALLOC(b->m, b->model->layout->N));
    FT_TRY(FT_ALLOC(b->v, b->model->layout->N));
    b->batch = (struct batch){
        .n_tokens = B * T, .n_segments = B, .seq_len = T, .n_supervised = (int64_t)B * T};
    FT_TRY(FT_ALLOC(b->batch.tokens, B * T));
    FT_TRY(FT_ALLOC(b->batch.targets, B * T));
    FT_TRY(FT_ALLOC(b->batch.positions, B * T));
    FT_TRY(FT_ALLOC(b->batch.segment_ids, B));
    FT_TRY(FT_ALLOC(b->batch.labels, B));
    return FT_ALLOC(b->batch.segment_start, B + 1);
}

static void bench_destroy(struct bench *b)
{
    mem_free(b->batch.labels);
    mem_free(b->batch.segment_ids);
    mem_free(b->batch.segment_start);
    mem_free(b->batch.positions);
    mem_free(b->batch.targets);
    mem_free(b->batch.tokens);
    mem_free(b->v);
    mem_free(b->m);
    model_destroy(&b->model);
}

/* A warm-up step, then `steps` timed ones. */
static void train(struct bench *b, int steps)
{
    const struct adamw_hyper hyper = {
        .lr = 1e-6, .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1};
    const int64_t N = b->model->layout->N;
    for (int i = 0; i <= steps; i++) {
        random_batch(&b->batch, b->model->config.V, i);
        const double t0 = timer_now();
        memset(b->model->grads, 0, (size_t)N * sizeof(float));
        (void)model_loss_backward(b->model, &b->batch);
        const double t1 = timer_now();
        adamw_update(b->model->params, b->model->grads, b->m, b->v, 0, N, b->model->layout, &hyper,
                     1.0 / b->batch.n_tokens, i + 1);
        if (i == 0)
            continue;
        b->step_s[i - 1] = timer_now() - t0;
        b->compute_s[i - 1] = t1 - t0;
    }
}

static void report(struct bench *b, int steps, double sgemm)
{
    struct rusage usage;
    const double tokens = b->batch.n_tokens;
    const double step = median(b->step_s, steps), compute = median(b->compute_s, steps);
    const double rate = model_step_flops(&b->model->config, 0, tokens, b->batch.seq_len) / step;
    (void)getrusage(RUSAGE_SELF, &usage);
    const double peak = (double)usage.ru_maxrss / 1048576.0;
    printf("step of %.0f tokens: %.3f s (forward and backward %.3f, AdamW %.3f), %.1f tokens/s\n",
           tokens, step, compute, step - compute, tokens / step);
    printf("matrix products' FLOPs at %.1f GFLOP/s: %.1f %% of sgemm; peak memory %.2f GiB "
           "(activations %.2f)\n",
           rate * 1e-9, 100.0 * rate / sgemm, peak, (double)b->model->memory.bytes / 1073741824.0);
    printf("{\"seq_len\": %d, \"micro_batch\": %d, \"threads\": %d, \"sgemm_gflops\": %.2f, "
           "\"step_s\": %.4f, \"compute_s\": %.4f, \"tokens_per_s\": %.2f, \"gflops\": %.2f, "
           "\"of_sgemm\": %.4f, \"peak_gib\": %.3f}\n",
           b->batch.seq_len, b->batch.n_segments, omp_get_max_threads(), sgemm * 1e-9, step,
           compute, tokens / step, rate * 1e-9, rate / sgemm, peak);
}

static ft_status run(const char *path, int T, int B, int steps)
{
    struct model_config config;
    struct bench b = {0};
    FT_TRY(model_config_read(&config, path));
    if (T < 1 || T > config.T_max || B < 1 || B > 1024 || steps < 1 || steps > STEPS_MAX)
        return ft_fail(FT_ERR_USAGE, "seq_len 1-%d, micro_batch 1-1024, steps 1-%d", config.T_max,
                       STEPS_MAX);
    if (config.is_encoder)
        config.head =
            (struct head_config){2, model_config_pooling(&config, POOLING_AUTO), HEAD_LINEAR, true};
    const double sgemm = measure_sgemm(&config, B * T);
    if (sgemm <= 0)
        return FT_ERR_INTERNAL;
    const ft_status status = bench_create(&b, &config, path, T, B);
    if (status == FT_OK) {
        train(&b, steps);
        report(&b, steps, sgemm);
    }
    bench_destroy(&b);
    return status;
}

static int argument(char **argv, int argc, int i, int otherwise)
{
    return argc > i ? (int)strtol(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fprintf(stderr, "usage: bench MODEL [seq_len [micro_batch [steps]]]\n");
        return FT_ERR_USAGE;
    }
    const ft_status status = run(argv[1], argument(argv, argc, 2, 512), argument(argv, argc, 3, 4),
                                 argument(argv, argc, 4, 5));
    if (status != FT_OK)
        (void)fprintf(stderr, "bench: error: %s\n", ft_error_text());
    return status;
}
