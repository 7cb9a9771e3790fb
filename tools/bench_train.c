/* Training steps on random tokens, by phase: each is timed around one call. */
#include <omp.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/timer.h"
#include "base/usage.h"
#include "bench_parts.h"
#include "math/attention.h"
#include "math/bf16.h"
#include "model/convert.h"
#include "model/model.h"
#include "optim/adamw.h"

struct trainee {
    struct model *model;
    struct batch batch;
    float *m, *v;
};

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

/* Evenly between -1 and 1. */
static float draw(uint64_t stream, int64_t i)
{
    return (float)((double)(rng_u64(2, stream, (uint64_t)i) >> 11) * 0x1p-52 - 1.0);
}

static void draw_weights(struct model *model)
{
    for (int64_t i = 0; i < model->layout->N; i++)
        model->params[i] = 0.03f * draw(0, i);
}

static ft_status trainee_create(struct trainee *t, const struct model_config *c,
                                const struct bench_options *o)
{
    const int T = o->seq_len, B = o->micro_batch;
    const struct model_shape shape = {
        .max_tokens = B * T, .max_length = T, .max_segments = B, .trains = true, .elem = o->elem};
    FT_TRY(model_create(&t->model, c, &shape));
    if (o->has_random)
        draw_weights(t->model);
    else
        FT_TRY(model_read_params(t->model->params, t->model->layout, c, o->model));
    model_round_params(t->model);
    FT_TRY(FT_ALLOC(t->m, t->model->layout->N));
    FT_TRY(FT_ALLOC(t->v, t->model->layout->N));
    t->batch = (struct batch){
        .n_tokens = B * T, .n_segments = B, .seq_len = T, .n_supervised = (int64_t)B * T};
    FT_TRY(FT_ALLOC(t->batch.tokens, B * T));
    FT_TRY(FT_ALLOC(t->batch.targets, B * T));
    FT_TRY(FT_ALLOC(t->batch.positions, B * T));
    FT_TRY(FT_ALLOC(t->batch.segment_ids, B));
    FT_TRY(FT_ALLOC(t->batch.labels, B));
    return FT_ALLOC(t->batch.segment_start, B + 1);
}

static void trainee_destroy(struct trainee *t)
{
    mem_free(t->batch.labels);
    mem_free(t->batch.segment_ids);
    mem_free(t->batch.segment_start);
    mem_free(t->batch.positions);
    mem_free(t->batch.targets);
    mem_free(t->batch.tokens);
    mem_free(t->v);
    mem_free(t->m);
    model_destroy(&t->model);
}

struct step_times {
    double forward[BENCH_STEPS_MAX], compute[BENCH_STEPS_MAX], adamw[BENCH_STEPS_MAX];
    double step[BENCH_STEPS_MAX];
};

/* A forward pass alone, then a whole step: step counts the latter only. */
static void one_step(struct trainee *t, struct step_times *times, int i)
{
    const struct adamw_hyper hyper = {
        .lr = 1e-6, .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1};
    const int64_t N = t->model->layout->N;
    random_batch(&t->batch, t->model->config.V, i);
    const double t0 = timer_now();
    (void)model_loss(t->model, &t->batch);
    const double t1 = timer_now();
    memset(t->model->grads, 0, (size_t)N * sizeof(float));
    (void)model_loss_backward(t->model, &t->batch);
    const double t2 = timer_now();
    adamw_update(t->model->params, t->model->params16, t->model->grads, t->m, t->v, 0, N,
                 t->model->layout, &hyper, 1.0 / t->batch.n_tokens, i + 1);
    const double t3 = timer_now();
    times->forward[i] = t1 - t0;
    times->compute[i] = t2 - t1;
    times->adamw[i] = t3 - t2;
    times->step[i] = t3 - t1;
}

struct attention_buffers {
    void *qkv, *out, *dqkv, *dout; /* of the step's type */
    float *lse, *dkv, *scratch;
};

static void attention_clear(struct attention_buffers *a)
{
    mem_free(a->scratch);
    mem_free(a->dkv);
    mem_free(a->lse);
    mem_free(a->dout);
    mem_free(a->dqkv);
    mem_free(a->out);
    mem_free(a->qkv);
}

static void draw_all(void *buffer, int64_t n, enum elem elem, uint64_t stream)
{
    for (int64_t i = 0; i < n; i++) {
        if (elem == ELEM_F32)
            ((float *)buffer)[i] = draw(stream, i);
        else
            ((uint16_t *)buffer)[i] = bf16_from_f32(draw(stream, i));
    }
}

static ft_status attention_create(struct attention_buffers *a, const struct attention_shape *s,
                                  int T)
{
    const enum elem elem = s->gemm16 ? ELEM_BF16 : ELEM_F32;
    const size_t n = (size_t)s->n_tokens, q = (size_t)s->Hq * (size_t)s->D;
    const size_t wide = q + 2 * (size_t)s->Hkv * (size_t)s->D;
    a->qkv = mem_alloc(n * wide, elem_bytes(elem));
    a->out = mem_alloc(n * q, elem_bytes(elem));
    a->dqkv = mem_alloc(n * wide, elem_bytes(elem));
    a->dout = mem_alloc(n * q, elem_bytes(elem));
    if (!a->qkv || !a->out || !a->dqkv || !a->dout)
        return FT_ERR_INTERNAL;
    FT_TRY(FT_ALLOC(a->lse, n * (size_t)s->Hq));
    FT_TRY(FT_ALLOC(a->dkv, 2 * n * q));
    FT_TRY(FT_ALLOC(a->scratch, attention_scratch_count(T, s->D, omp_get_max_threads())));
    draw_all(a->qkv, (int64_t)(n * wide), elem, 1);
    draw_all(a->dout, (int64_t)(n * q), elem, 2);
    return FT_OK;
}

/* Both passes of one layer's attention by itself, without dropout. */
static double time_attention(struct comm *comm, struct attention_buffers *a,
                             const struct attention_shape *s, int T)
{
    enum { REPEATS = 3 };
    double seconds[REPEATS];
    for (int i = -1; i < REPEATS; i++) {
        const double started = timer_now();
        attention_forward(a->out, a->lse, a->qkv, s, a->scratch, T);
        attention_backward(a->dqkv, a->dout, a->out, a->lse, a->qkv, s, a->dkv, a->scratch, T);
        if (i >= 0)
            seconds[i] = timer_now() - started;
    }
    return bench_median(comm, seconds, REPEATS);
}

static ft_status measure_attention(double *seconds, struct comm *comm, const struct trainee *t)
{
    struct attention_buffers a = {0};
    const struct model_config *c = &t->model->config;
    const struct attention_shape s = {.n_tokens = t->batch.n_tokens,
                                      .n_segments = t->batch.n_segments,
                                      .segment_start = t->batch.segment_start,
                                      .Hq = c->Hq,
                                      .Hkv = c->Hkv,
                                      .D = c->D,
                                      .causal = !c->is_encoder,
                                      .gemm16 = t->model->gemm16};
    const ft_status status = comm_agree(comm, attention_create(&a, &s, t->batch.seq_len));
    if (status == FT_OK)
        *seconds = c->L * time_attention(comm, &a, &s, t->batch.seq_len);
    attention_clear(&a);
    return status;
}

static void measure_steps(struct bench_steps *out, struct comm *comm, struct trainee *t, int steps)
{
    struct step_times times;
    comm_barrier(comm);
    one_step(t, &times, 0); /* warms up */
    for (int i = 0; i < steps; i++)
        one_step(t, &times, i);
    out->forward = bench_median(comm, times.forward, steps);
    out->backward = bench_median(comm, times.compute, steps) - out->forward;
    out->adamw = bench_median(comm, times.adamw, steps);
    out->step = bench_median(comm, times.step, steps);
    out->tokens = t->batch.n_tokens;
    out->flops = model_step_flops(&t->model->config, 0, out->tokens, t->batch.seq_len);
    out->peak_bytes = (double)usage_peak_bytes();
    comm_max_f64(comm, &out->peak_bytes, 1);
    out->memory_bytes = (double)t->model->memory.bytes;
    out->parameters = (double)t->model->layout->N;
    const struct block_weights *first = &t->model->weights[0];
    out->early =
        (double)(first->attn_norm.weight >= 0 ? first->attn_norm.weight : first->qkv.weight);
}

ft_status bench_train(struct bench_steps *out, struct comm *comm, const struct model_config *c,
                      const struct bench_options *options)
{
    struct trainee t = {0};
    usage_reset_peak();
    ft_status status = comm_agree(comm, trainee_create(&t, c, options));
    if (status == FT_OK) {
        measure_steps(out, comm, &t, options->steps);
        status = measure_attention(&out->attention, comm, &t);
    }
    trainee_destroy(&t);
    return status;
}
