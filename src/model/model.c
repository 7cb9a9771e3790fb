/*
 * Memory of a model that trains, in elements (n = max_tokens):
 *
 *     params N, grads N                                  (moments belong to the optimizer)
 *     per block   n * (2 C + 2 + (Hq + 2 Hkv) D + Hq D + Hq + 2 F)
 *     scratch     once, reused by every block; logits LM_CHUNK * V
 *
 * Outputs of the norms and of SwiGLU are not kept: the backward pass makes them again, which costs
 * one pass over memory and saves (2 C + F) n per block.
 */
#include "model/model.h"

#include <math.h>
#include <omp.h>

#include "math/gemm.h"
#include "math/loss.h"
#include "model/blocks.h"

static void push_block(struct arena *arena, struct block_acts *a, const struct model_config *c,
                       size_t n)
{
    const size_t f = sizeof(float);
    a->x = arena_push(arena, n * (size_t)c->C, f);
    a->rstd1 = arena_push(arena, n, f);
    a->qkv = arena_push(arena, n * (size_t)qkv_width(c), f);
    a->att = arena_push(arena, n * (size_t)(c->Hq * c->D), f);
    a->lse = arena_push(arena, n * (size_t)c->Hq, f);
    a->rstd2 = arena_push(arena, n, f);
    a->gate_up = arena_push(arena, n * 2 * (size_t)c->F, f);
    a->x_mid = arena_push(arena, n * (size_t)c->C, f);
}

static void push_backward(struct arena *arena, struct model *m, size_t n)
{
    const struct model_config *c = &m->config;
    const size_t f = sizeof(float), q = (size_t)c->Hq * (size_t)c->D;
    m->dx = arena_push(arena, n * (size_t)c->C, f);
    m->dh = arena_push(arena, n * (size_t)c->C, f);
    m->datt = arena_push(arena, n * q, f);
    m->dqkv = arena_push(arena, n * (size_t)qkv_width(c), f);
    m->dact = arena_push(arena, n * (size_t)c->F, f);
    m->dgate_up = arena_push(arena, n * 2 * (size_t)c->F, f);
    m->dkv = arena_push(arena, 2 * n * q, f);
}

/* The one description of activation memory: run once to measure, once to hand out. */
static void push_all(struct arena *arena, struct model *m, bool trains)
{
    const struct model_config *c = &m->config;
    const size_t n = (size_t)m->max_tokens, f = sizeof(float);
    const size_t half = (size_t)(c->D / 2) * (size_t)m->max_length;
    m->acts = arena_push(arena, (size_t)c->L, sizeof *m->acts);
    struct block_acts ignored, shared = {0};
    if (!trains)
        push_block(arena, &shared, c, n);
    for (int l = 0; l < c->L; l++) {
        struct block_acts *a = m->acts ? &m->acts[l] : &ignored;
        if (trains)
            push_block(arena, a, c, n);
        else
            *a = shared;
    }
    m->x_last = arena_push(arena, n * (size_t)c->C, f);
    m->rstd_last = arena_push(arena, n, f);
    m->h = arena_push(arena, n * (size_t)c->C, f);
    m->delta = arena_push(arena, n * (size_t)c->C, f);
    m->act = arena_push(arena, n * (size_t)c->F, f);
    m->logits = arena_push(arena, (size_t)LM_CHUNK * (size_t)c->V, f);
    m->losses = arena_push(arena, n, f);
    m->cosine = arena_push(arena, half, f);
    m->sine = arena_push(arena, half, f);
    m->attention =
        arena_push(arena, attention_scratch_count(m->max_length, c->D, omp_get_max_threads()), f);
    if (trains)
        push_backward(arena, m, n);
}

ft_status model_activation_bytes(int64_t *bytes, const struct model_config *config,
                                 const struct model_shape *shape)
{
    struct model *m = mem_alloc(1, sizeof *m);
    struct arena arena = {0};
    if (!m)
        return FT_ERR_INTERNAL;
    m->config = *config;
    m->max_tokens = shape->max_tokens;
    m->max_length = shape->max_length;
    push_all(&arena, m, shape->trains);
    mem_free(m);
    *bytes = (int64_t)arena.used;
    return FT_OK;
}

static void find_offsets(struct model *m)
{
    for (int l = 0; l < m->config.L; l++)
        m->offsets[l] =
            (struct block_offsets){.attn_norm = layout_offset(m->layout, ROLE_ATTN_NORM, l),
                                   .qkv = layout_offset(m->layout, ROLE_Q, l),
                                   .qkv_bias = layout_offset(m->layout, ROLE_Q_BIAS, l),
                                   .o = layout_offset(m->layout, ROLE_O, l),
                                   .o_bias = layout_offset(m->layout, ROLE_O_BIAS, l),
                                   .mlp_norm = layout_offset(m->layout, ROLE_MLP_NORM, l),
                                   .gate_up = layout_offset(m->layout, ROLE_GATE, l),
                                   .gate_up_bias = layout_offset(m->layout, ROLE_GATE_BIAS, l),
                                   .down = layout_offset(m->layout, ROLE_DOWN, l),
                                   .down_bias = layout_offset(m->layout, ROLE_DOWN_BIAS, l)};
    m->embed = layout_offset(m->layout, ROLE_EMBED, -1);
    m->final_norm = layout_offset(m->layout, ROLE_FINAL_NORM, -1);
    m->lm_head = m->config.tied_embeddings ? m->embed : layout_offset(m->layout, ROLE_LM_HEAD, -1);
}

/* Llama 3 stretches the slow rotations only: wavelengths beyond original/low by `factor`, those
 * below original/high not at all, smoothly between. Source: Dubey et al. 2024 and transformers'
 * llama3 rope. */
static double rope_frequency(const struct model_config *c, int i)
{
    const double plain = pow(c->rope_theta, -2.0 * i / c->D);
    if (c->n_rope_divisors > 0)
        return plain / c->rope_divisor[i];
    if (c->rope_scaling != ROPE_LLAMA3)
        return plain;
    const double wavelength = 2.0 * acos(-1.0) / plain, original = c->rope_original_positions;
    const double low = c->rope_low_freq_factor, high = c->rope_high_freq_factor;
    if (wavelength > original / low)
        return plain / c->rope_factor;
    if (wavelength < original / high)
        return plain;
    const double smooth = (original / wavelength - low) / (high - low);
    return (1.0 - smooth) * plain / c->rope_factor + smooth * plain;
}

static void fill_rope(struct model *m)
{
    const int half = m->config.D / 2;
    for (int i = 0; i < half; i++) {
        const double frequency = rope_frequency(&m->config, i);
        for (int t = 0; t < m->max_length; t++) {
            m->cosine[(int64_t)t * half + i] = (float)cos(frequency * t);
            m->sine[(int64_t)t * half + i] = (float)sin(frequency * t);
        }
    }
}

static ft_status allocate(struct model *m, const struct model_shape *shape)
{
    FT_TRY(layout_create(&m->layout, &m->config));
    m->trainable_from = layout_trainable_from(m->layout, &m->config, shape->trainable_layers);
    m->first_layer = shape->trainable_layers > 0 && shape->trainable_layers < m->config.L
                         ? m->config.L - shape->trainable_layers
                         : 0;
    FT_TRY(layout_suffix(&m->trainable, m->layout, m->trainable_from));
    FT_TRY(FT_ALLOC(m->offsets, m->config.L));
    FT_TRY(FT_ALLOC(m->params, m->layout->N));
    if (shape->trains)
        FT_TRY(FT_ALLOC(m->grads, m->trainable->N));
    push_all(&m->memory, m, shape->trains);
    FT_TRY(arena_commit(&m->memory));
    push_all(&m->memory, m, shape->trains);
    find_offsets(m);
    fill_rope(m);
    return FT_OK;
}

ft_status model_create(struct model **out, const struct model_config *config,
                       const struct model_shape *shape)
{
    struct model *m;
    FT_TRY(FT_ALLOC(m, 1));
    m->config = *config;
    m->max_tokens = shape->max_tokens;
    m->max_length = shape->max_length;
    const ft_status status = allocate(m, shape);
    if (status != FT_OK)
        model_destroy(&m);
    *out = m;
    return status;
}

void model_destroy(struct model **model)
{
    if (!*model)
        return;
    arena_destroy(&(*model)->memory);
    mem_free((*model)->grads);
    mem_free((*model)->params);
    mem_free((*model)->offsets);
    layout_destroy(&(*model)->trainable);
    layout_destroy(&(*model)->layout);
    FT_FREE(*model);
}

/* The output layer on rows at ... at+n-1 of h. */
static void head_logits(const struct model *m, float *logits, int at, int n)
{
    const int C = m->config.C, V = m->config.V;
    gemm_nt(logits, V, m->h + (int64_t)at * C, C, m->params + m->lm_head, C, n, V, C, 0.0f);
}

static double sum_of(const float *values, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)values[i];
    return sum;
}

double model_loss(struct model *model, const struct batch *batch)
{
    blocks_forward(model, batch);
    for (int at = 0; at < batch->n_tokens; at += LM_CHUNK) {
        const int n = batch->n_tokens - at < LM_CHUNK ? batch->n_tokens - at : LM_CHUNK;
        head_logits(model, model->logits, at, n);
        cross_entropy(model->logits, model->losses + at, batch->targets + at, n, model->config.V,
                      0);
    }
    return sum_of(model->losses, batch->n_tokens);
}

void model_logits(struct model *model, float *logits, const struct batch *batch)
{
    blocks_forward(model, batch);
    head_logits(model, logits, 0, batch->n_tokens);
}

/* Forward and backward of the output layer meet in one pass over chunks of rows. */
double model_loss_backward(struct model *model, const struct batch *batch)
{
    const int C = model->config.C, V = model->config.V;
    const float *w = model->params + model->lm_head;
    float *dw = grads_of(model, model->lm_head);
    blocks_forward(model, batch);
    for (int at = 0; at < batch->n_tokens; at += LM_CHUNK) {
        const int n = batch->n_tokens - at < LM_CHUNK ? batch->n_tokens - at : LM_CHUNK;
        const float *h = model->h + (int64_t)at * C;
        head_logits(model, model->logits, at, n);
        cross_entropy(model->logits, model->losses + at, batch->targets + at, n, V, 1);
        gemm_nn(model->dh + (int64_t)at * C, C, model->logits, V, w, C, n, C, V, 0.0f);
        if (dw)
            gemm_tn(dw, C, model->logits, V, h, C, V, C, n, 1.0f);
    }
    blocks_backward(model, batch);
    return sum_of(model->losses, batch->n_tokens);
}

double model_step_flops(const struct model_config *config, int64_t n_params, double n_tokens,
                        double T)
{
    /* Scores and values of the causal half, forward once and backward twice. */
    const double attention = 3.0 * 2.0 * config->L * config->Hq * config->D * T;
    return n_tokens * (6.0 * (double)n_params + attention);
}
