/* What the machine gives: matrix products of the model's shapes, memory, messages. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/timer.h"
#include "bench_parts.h"
#include "math/bf16.h"
#include "math/gemm.h"
#include "math/gemm16.h"
#include "model/model.h"
#include "optim/optimizer.h"

enum { SHAPES_MAX = 5, REPEATS = 3, MESSAGES = 5, BUCKET_MB = 32 };

/* A linear layer: y (n, out) = x (n, in) w (out, in)^T, `count` times in a step. */
struct linear_shape {
    const char *name;
    int n, in, out;
    double count;
};

struct operands {
    void *x, *w, *y;       /* of the type that is measured */
    float *dw;             /* (out, in) */
    struct gemm16 *gemm16; /* borrowed; NULL for f32 */
};

/* The products of one type: forward, input gradient, weight gradient. */
struct product_kind {
    const char *name;
    void (*run[3])(const struct linear_shape *s, const struct operands *o);
};

static void f32_forward(const struct linear_shape *s, const struct operands *o)
{
    gemm_nt(o->y, s->out, o->x, s->in, o->w, s->in, s->n, s->out, s->in, 0.0f);
}

static void f32_input_gradient(const struct linear_shape *s, const struct operands *o)
{
    gemm_nn(o->x, s->in, o->y, s->out, o->w, s->in, s->n, s->in, s->out, 0.0f);
}

static void f32_weight_gradient(const struct linear_shape *s, const struct operands *o)
{
    gemm_tn(o->dw, s->in, o->y, s->out, o->x, s->in, s->out, s->in, s->n, 1.0f);
}

static void bf16_forward(const struct linear_shape *s, const struct operands *o)
{
    const struct gemm16_result y = {o->y, s->out, ELEM_BF16, false};
    gemm16_nt(o->gemm16, y, o->x, s->in, o->w, s->in, s->n, s->out, s->in);
}

static void bf16_input_gradient(const struct linear_shape *s, const struct operands *o)
{
    const struct gemm16_result dx = {o->x, s->in, ELEM_BF16, false};
    gemm16_nn(o->gemm16, dx, o->y, s->out, o->w, s->in, s->n, s->in, s->out);
}

static void bf16_weight_gradient(const struct linear_shape *s, const struct operands *o)
{
    const struct gemm16_result dw = {o->dw, s->in, ELEM_F32, true};
    gemm16_tn(o->gemm16, dw, o->y, s->out, o->x, s->in, s->out, s->in, s->n);
}

static const struct product_kind kinds[] = {
    [ELEM_F32] = {"sgemm", {f32_forward, f32_input_gradient, f32_weight_gradient}},
    [ELEM_BF16] = {"bf16 products", {bf16_forward, bf16_input_gradient, bf16_weight_gradient}},
};

static int list_shapes(struct linear_shape *s, const struct model_config *c, int n)
{
    const int chunk = n < LM_CHUNK ? n : LM_CHUNK, q = c->Hq * c->D;
    s[0] = (struct linear_shape){"q,k,v", n, c->C, q + 2 * c->Hkv * c->D, c->L};
    s[1] = (struct linear_shape){"attention output", n, q, c->C, c->L};
    const bool is_gated = c->gated;
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

double bench_median(struct comm *comm, double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, compare_doubles);
    double middle = n % 2 ? values[n / 2] : 0.5 * (values[n / 2 - 1] + values[n / 2]);
    comm_max_f64(comm, &middle, 1);
    return middle;
}

/* Small numbers: neither products nor sums of them leave the normal range. */
static void fill(void *buffer, size_t count, enum elem elem)
{
    for (size_t k = 0; k < count; k++) {
        const float value = (float)(k % 13) * 1e-3f;
        if (elem == ELEM_F32)
            ((float *)buffer)[k] = value;
        else
            ((uint16_t *)buffer)[k] = bf16_from_f32(value);
    }
}

static void operands_destroy(struct operands *o)
{
    mem_free(o->dw);
    mem_free(o->y);
    mem_free(o->w);
    mem_free(o->x);
}

static ft_status operands_create(struct operands *o, const struct linear_shape *s, enum elem elem,
                                 struct gemm16 *gemm16)
{
    const size_t n = (size_t)s->n, in = (size_t)s->in, out = (size_t)s->out;
    *o = (struct operands){.x = mem_alloc(n * in, elem_bytes(elem)),
                           .w = mem_alloc(in * out, elem_bytes(elem)),
                           .y = mem_alloc(n * out, elem_bytes(elem)),
                           .dw = mem_alloc(in * out, sizeof(float)),
                           .gemm16 = gemm16};
    if (!o->x || !o->w || !o->y || !o->dw) {
        operands_destroy(o);
        return FT_ERR_INTERNAL;
    }
    fill(o->x, n * in, elem);
    fill(o->w, in * out, elem);
    return FT_OK;
}

/* Seconds of forward, input gradient and weight gradient of one layer: medians. */
static double time_shape(struct comm *comm, const struct product_kind *kind,
                         const struct linear_shape *s, const struct operands *o)
{
    double seconds[3][REPEATS];
    comm_barrier(comm);
    for (int i = -1; i < REPEATS; i++) { /* the first round warms up */
        for (int k = 0; k < 3; k++) {
            const double started = timer_now();
            kind->run[k](s, o);
            if (i >= 0)
                seconds[k][i] = timer_now() - started;
        }
    }
    double sum = 0;
    for (int k = 0; k < 3; k++)
        sum += bench_median(comm, seconds[k], REPEATS);
    return sum;
}

static ft_status measure_products(double *flops_per_s, struct comm *comm,
                                  const struct linear_shape *shapes, int n_shapes, enum elem elem,
                                  struct gemm16 *gemm16)
{
    const struct product_kind *kind = &kinds[elem];
    const bool speaks = comm_rank(comm) == 0;
    double flops = 0, seconds = 0;
    if (speaks)
        printf("%-18s %22s %10s %12s\n", kind->name, "tokens x in x out", "GFLOP/s",
               "GFLOP a step");
    for (int i = 0; i < n_shapes; i++) {
        const struct linear_shape *s = &shapes[i];
        struct operands o;
        FT_AGREE(comm, operands_create(&o, s, elem, gemm16));
        const double once = time_shape(comm, kind, s, &o);
        const double work = 6.0 * s->n * s->in * s->out;
        operands_destroy(&o);
        if (speaks)
            printf("%-18s %8d x %5d x %5d %10.1f %12.1f\n", s->name, s->n, s->in, s->out,
                   work / once * 1e-9, work * s->count * 1e-9);
        flops += work * s->count;
        seconds += once * s->count;
    }
    *flops_per_s = flops / seconds;
    if (speaks)
        printf("%s on these shapes, weighted: %.1f GFLOP/s%s%s\n", kind->name, *flops_per_s * 1e-9,
               elem == ELEM_BF16 ? ", " : "", elem == ELEM_BF16 ? gemm16_name() : "");
    return FT_OK;
}

ft_status bench_products(double *flops_per_s, struct comm *comm, const struct model_config *c,
                         const struct bench_options *options, enum elem elem)
{
    struct linear_shape shapes[SHAPES_MAX];
    struct gemm16 *gemm16 = NULL;
    const int n_shapes = list_shapes(shapes, c, options->seq_len * options->micro_batch);
    if (elem == ELEM_BF16)
        FT_AGREE(comm, gemm16_create(&gemm16, omp_get_max_threads()));
    const ft_status status = measure_products(flops_per_s, comm, shapes, n_shapes, elem, gemm16);
    gemm16_destroy(&gemm16);
    return status;
}

static void triad(float *a, const float *b, const float *c, int64_t n, int n_threads)
{
#pragma omp parallel for schedule(static) num_threads(n_threads)
    for (int64_t i = 0; i < n; i++)
        a[i] = b[i] + 0.5f * c[i];
}

/* Bytes per second of three streams; what a store reads first is not counted, as STREAM does. */
static double triad_rate(struct comm *comm, float *const *x, int64_t n, int n_threads)
{
    double seconds[REPEATS];
    comm_barrier(comm);
    for (int i = 0; i < REPEATS; i++) {
        const double started = timer_now();
        triad(x[0], x[1], x[2], n, n_threads);
        seconds[i] = timer_now() - started;
    }
    return 3.0 * (double)n * sizeof(float) / bench_median(comm, seconds, REPEATS);
}

ft_status bench_triad(struct bench_rates *rates, struct comm *comm)
{
    const int64_t n = (int64_t)64 << 20;
    float *x[3] = {NULL, NULL, NULL};
    ft_status status = FT_OK;
    for (int i = 0; i < 3 && status == FT_OK; i++)
        status = FT_ALLOC(x[i], n);
    status = comm_agree(comm, status);
    if (status == FT_OK) {
        triad(x[0], x[1], x[2], n, omp_get_max_threads()); /* touches the pages */
        rates->triad_one = triad_rate(comm, x, n, 1);
        rates->triad_all = triad_rate(comm, x, n, omp_get_max_threads());
    }
    for (int i = 2; i >= 0; i--)
        mem_free(x[i]);
    return status;
}

/* Seconds of a sum of n values over the ranks, after one round that opens connections. */
static double time_sum(struct comm *comm, double *x, int64_t n)
{
    double seconds[MESSAGES];
    for (int i = -1; i < MESSAGES; i++) {
        comm_barrier(comm);
        const double started = timer_now();
        comm_sum_f64(comm, x, n);
        if (i >= 0)
            seconds[i] = timer_now() - started;
    }
    return bench_median(comm, seconds, MESSAGES);
}

/* Seconds in which gradients are summed up on their slices' owners, and in which values of the
 * slices go to all ranks: a training step's exchanges. */
static void time_exchange(struct bench_rates *rates, struct comm *comm, struct reducer *r)
{
    double reduce[MESSAGES], gather[MESSAGES];
    float *x = reducer_gradients(r);
    for (int i = -1; i < MESSAGES; i++) {
        comm_barrier(comm);
        const double started = timer_now();
        reducer_finish(r);
        const double reduced = timer_now();
        comm_barrier(comm);
        const double begun = timer_now();
        for (int b = 0; b < reducer_n_own(r); b++)
            reducer_offer(r, b, x);
        reducer_gather(r, x, NULL);
        if (i < 0)
            continue;
        reduce[i] = reduced - started;
        gather[i] = timer_now() - begun;
    }
    rates->reduce_s = bench_median(comm, reduce, MESSAGES);
    rates->gather_s = bench_median(comm, gather, MESSAGES);
}

/* Collective. */
static ft_status measure_exchange(struct bench_rates *rates, struct comm *comm, int64_t count)
{
    const int size = comm_size(comm);
    struct reducer *reducer;
    int64_t *first = NULL;
    FT_AGREE(comm, FT_ALLOC(first, size + 1));
    optimizer_slices(first, count, size);
    const struct reducer_shape shape = {first, BUCKET_MB, false};
    const ft_status status = reducer_create(&reducer, comm, &shape);
    if (status == FT_OK)
        time_exchange(rates, comm, reducer);
    reducer_destroy(&reducer);
    mem_free(first);
    return status;
}

ft_status bench_messages(struct bench_rates *rates, struct comm *comm, int64_t count)
{
    const int64_t small = 1 << 17;
    if (comm_size(comm) == 1)
        return FT_OK;
    double *x = mem_alloc((size_t)(count / 2 > small ? count / 2 + 1 : small), sizeof *x);
    ft_status status = comm_agree(comm, x ? FT_OK : FT_ERR_INTERNAL);
    if (status == FT_OK) {
        rates->small_bytes = (double)small * sizeof(double);
        rates->large_bytes = (double)count * sizeof(float);
        rates->latency_s = time_sum(comm, x, 1);
        rates->small_s = time_sum(comm, x, small);
        rates->large_s = time_sum(comm, x, count / 2);
    }
    mem_free(x);
    return status == FT_OK ? measure_exchange(rates, comm, count) : status;
}
