/*
 * Memory of a model, in elements (n = max_tokens):
 *
 *     params N, grads of what learns                     (moments belong to the optimizer)
 *     with bf16: params16 N / 2, and half of what a block keeps except its two C
 *     per block   n * (2 C + 2 + (Hq + 2 Hkv) D + Hq D + Hq + 2 F)
 *                 LayerNorm n * 2 more, without a gate n * F less, parallel n * C less, norms of q
 *                 and k n * (Hq + Hkv) D more, norms of outputs n * 2 C
 *     scratch     once, reused by every block; logits LM_CHUNK * V, or of documents
 *
 * Outputs of the norms and of the activation are not kept: the backward pass makes them again,
 * which costs one pass over memory and saves (2 C + F) n per block. Frozen blocks keep nothing:
 * they share one set of buffers, as all blocks do when only evaluating. With RECOMPUTE_ATTENTION a
 * block keeps 2 C + 2 F (and what norms of outputs keep), with RECOMPUTE_BLOCK C, at the price of
 * that part of the forward pass.
 */
#include "model/model.h"

#include <omp.h>

#include "math/ops.h"
#include "model/blocks.h"

/* The numbers of rows alone: the rows are kept elsewhere. */
static void push_statistics(struct arena *arena, struct norm_acts *a, const struct model_config *c,
                            size_t n)
{
    a->rstd = arena_push(arena, n, sizeof(float));
    a->mean = c->norm == NORM_LAYER ? arena_push(arena, n, sizeof(float)) : NULL;
}

static void push_norm(struct arena *arena, struct norm_acts *a, const struct model_config *c,
                      size_t n)
{
    a->x = arena_push(arena, n * (size_t)c->C, sizeof(float));
    push_statistics(arena, a, c, n);
}

static void push_qk(struct arena *arena, struct block_acts *a, const struct model *m, size_t n)
{
    const struct model_config *c = &m->config;
    const size_t groups = (size_t)(norm_groups(c, c->Hq) + norm_groups(c, c->Hkv));
    if (c->qk_norm == QK_NORM_NONE)
        return;
    a->qk = arena_push(arena, n * (size_t)((c->Hq + c->Hkv) * c->D), elem_bytes(m->elem));
    a->qk_rstd = arena_push(arena, n * groups, sizeof(float));
}

/* What the MLP's half keeps, and the norms that both halves end with. */
static void push_rest(struct arena *arena, struct block_acts *a, const struct model *m, size_t n)
{
    const struct model_config *c = &m->config;
    if (c->parallel) {
        a->mlp_norm.x = a->attn_norm.x;
        push_statistics(arena, &a->mlp_norm, c, n);
    } else {
        push_norm(arena, &a->mlp_norm, c, n);
    }
    if (c->output_norms) {
        push_norm(arena, &a->attn_out_norm, c, n);
        push_norm(arena, &a->mlp_out_norm, c, n);
    }
    a->up = arena_push(arena, n * (size_t)up_width(c), elem_bytes(m->elem));
}

static void push_block(struct arena *arena, struct block_acts *a, const struct model *m, size_t n)
{
    const struct model_config *c = &m->config;
    const size_t e = elem_bytes(m->elem);
    push_norm(arena, &a->attn_norm, c, n);
    push_qk(arena, a, m, n);
    a->qkv = arena_push(arena, n * (size_t)qkv_width(c), e);
    a->att = arena_push(arena, n * (size_t)(c->Hq * c->D), e);
    a->lse = arena_push(arena, n * (size_t)c->Hq, sizeof(float));
    push_rest(arena, a, m, n);
}

/* What a block keeps for itself; the rest is of the shared set. */
static void push_kept(struct arena *arena, struct block_acts *a, const struct model *m, size_t n,
                      const struct block_acts *shared)
{
    const struct model_config *c = &m->config;
    if (m->recompute == RECOMPUTE_NOTHING) {
        push_block(arena, a, m, n);
        return;
    }
    *a = *shared;
    push_norm(arena, &a->attn_norm, c, n);
    if (m->recompute == RECOMPUTE_ATTENTION)
        push_rest(arena, a, m, n);
    else if (c->parallel)
        a->mlp_norm.x = a->attn_norm.x;
}

static void push_blocks(struct arena *arena, struct model *m, size_t n)
{
    const int L = m->config.L, n_frozen = m->first_layer;
    struct block_acts ignored, shared = {0};
    m->acts = arena_push(arena, (size_t)L, sizeof *m->acts);
    if (n_frozen > 0 || m->recompute != RECOMPUTE_NOTHING)
        push_block(arena, &shared, m, n);
    for (int l = 0; l < L; l++) {
        struct block_acts *a = m->acts ? &m->acts[l] : &ignored;
        if (l < n_frozen)
            *a = shared;
        else
            push_kept(arena, a, m, n, &shared);
    }
}

static void push_backward(struct arena *arena, struct model *m, size_t n)
{
    const struct model_config *c = &m->config;
    const size_t f = sizeof(float), e = elem_bytes(m->elem), q = (size_t)c->Hq * (size_t)c->D;
    m->dx = arena_push(arena, n * (size_t)c->C, f);
    m->dh = arena_push(arena, n * (size_t)c->C, f);
    if (m->elem != ELEM_F32)
        m->ddelta = arena_push(arena, n * (size_t)c->C, e);
    m->datt = arena_push(arena, n * q, e);
    m->dqkv = arena_push(arena, n * (size_t)qkv_width(c), e);
    m->dact = arena_push(arena, n * (size_t)c->F, e);
    if (c->gated)
        m->dup = arena_push(arena, n * 2 * (size_t)c->F, e);
    if (c->Hkv != c->Hq || m->elem != ELEM_F32)
        m->dkv = arena_push(arena, 2 * n * q, f);
}

/* The one description of activation memory: run once to measure, once to hand out. */
static void push_all(struct arena *arena, struct model *m, bool trains)
{
    const struct model_config *c = &m->config;
    const size_t n = (size_t)m->max_tokens, f = sizeof(float);
    push_blocks(arena, m, n);
    push_norm(arena, &m->last, c, n);
    if (c->embed_norm) {
        m->embed_sum.x = arena_push(arena, n * (size_t)c->E, f);
        push_statistics(arena, &m->embed_sum, c, n);
    }
    m->h = arena_push(arena, n * (size_t)c->C, f);
    if (m->elem != ELEM_F32)
        m->h16 = arena_push(arena, n * (size_t)c->C, sizeof *m->h16);
    m->delta = arena_push(arena, n * (size_t)c->C, f);
    if (c->parallel)
        m->aside = arena_push(arena, n * (size_t)c->C, f);
    m->act = arena_push(arena, n * (size_t)c->F, elem_bytes(m->elem));
    if (!c->is_encoder && c->head.n_labels == 0)
        m->logits = arena_push(arena, (n < LM_CHUNK ? n : LM_CHUNK) * (size_t)c->V, f);
    m->losses = arena_push(arena, n, f);
    rope_push(arena, m);
    m->attention =
        arena_push(arena, attention_scratch_count(m->max_length, c->D, omp_get_max_threads()), f);
    head_push(arena, m, trains);
    if (trains)
        push_backward(arena, m, n);
}

/* Without a backward pass every block is like a frozen one. */
static void set_shape(struct model *m, const struct model_config *config,
                      const struct model_shape *shape)
{
    const int L = config->L, n = shape->trainable_layers;
    m->config = *config;
    m->max_tokens = shape->max_tokens;
    m->max_length = shape->max_length;
    m->max_segments = shape->max_segments;
    m->elem = shape->elem;
    m->recompute = shape->recompute;
    m->first_layer = !shape->trains ? L : n > 0 && n < L ? L - n : 0;
}

ft_status model_activation_bytes(int64_t *bytes, const struct model_config *config,
                                 const struct model_shape *shape)
{
    struct model *m = mem_alloc(1, sizeof *m);
    struct arena arena = {0};
    if (!m)
        return FT_ERR_INTERNAL;
    set_shape(m, config, shape);
    push_all(&arena, m, shape->trains);
    mem_free(m);
    *bytes = (int64_t)arena.used;
    if (shape->elem != ELEM_F32)
        *bytes += gemm16_bytes(omp_get_max_threads());
    return FT_OK;
}

static struct norm_offsets find_norm(const struct layout *l, int weight, int bias, int layer)
{
    return (struct norm_offsets){layout_offset(l, weight, layer), layout_offset(l, bias, layer)};
}

/* The layer of weights of that role; absent: weight -1. */
static struct linear find_linear(const struct model *m, int weight, int bias, int layer, int in,
                                 int out)
{
    return (struct linear){.weight = layout_offset(m->layout, weight, layer),
                           .bias = layout_offset(m->layout, bias, layer),
                           .in = in,
                           .out = out,
                           .transposed = layer >= 0 && m->config.transposed};
}

static struct block_weights find_block(const struct model *m, int l)
{
    const struct model_config *c = &m->config;
    const struct layout *t = m->layout;
    const int up = c->gated ? ROLE_GATE : ROLE_UP,
              up_bias = c->gated ? ROLE_GATE_BIAS : ROLE_UP_BIAS;
    return (struct block_weights){.attn_norm = find_norm(t, ROLE_ATTN_NORM, ROLE_ATTN_NORM_BIAS, l),
                                  .attn_out_norm = {layout_offset(t, ROLE_ATTN_OUT_NORM, l), -1},
                                  .mlp_norm = find_norm(t, ROLE_MLP_NORM, ROLE_MLP_NORM_BIAS, l),
                                  .mlp_out_norm = {layout_offset(t, ROLE_MLP_OUT_NORM, l), -1},
                                  .q_norm = layout_offset(t, ROLE_Q_NORM, l),
                                  .k_norm = layout_offset(t, ROLE_K_NORM, l),
                                  .qkv = find_linear(m, ROLE_Q, ROLE_Q_BIAS, l, c->C, qkv_width(c)),
                                  .o = find_linear(m, ROLE_O, ROLE_O_BIAS, l, c->Hq * c->D, c->C),
                                  .up = find_linear(m, up, up_bias, l, c->C, up_width(c)),
                                  .down = find_linear(m, ROLE_DOWN, ROLE_DOWN_BIAS, l, c->F, c->C)};
}

/* With shared layers the last norm is also that of every block but the first. */
static void find_blocks(struct model *m)
{
    for (int l = 0; l < m->config.L; l++) {
        m->weights[l] = find_block(m, m->config.shared_layers ? 0 : l);
        if (m->config.shared_layers && l > 0)
            m->weights[l].attn_norm = m->final_norm;
    }
}

static void find_heads(struct model *m)
{
    const struct model_config *c = &m->config;
    const int step = c->interleaved ? 3 * c->D : c->D;
    m->q = (struct heads){.at = 0, .step = step, .n = c->Hq};
    m->k = (struct heads){.at = c->interleaved ? c->D : c->Hq * c->D, .step = step, .n = c->Hkv};
}

/* Offset of a table's first row in use; -1 = none. */
static int64_t find_table(const struct model *m, int role, int64_t skipped)
{
    const int64_t at = layout_offset(m->layout, role, -1);
    return at < 0 ? at : at + skipped * m->config.E;
}

static void find_offsets(struct model *m)
{
    const struct model_config *c = &m->config;
    const int lm_head = c->tied_embeddings ? ROLE_EMBED : ROLE_LM_HEAD;
    m->embed = find_table(m, ROLE_EMBED, 0);
    m->positions = find_table(m, ROLE_POSITIONS, c->position_offset);
    m->types = find_table(m, ROLE_TYPES, 0);
    m->embed_norm = find_norm(m->layout, ROLE_EMBED_NORM, ROLE_EMBED_NORM_BIAS, -1);
    m->embed_out = find_linear(m, ROLE_EMBED_OUT, ROLE_EMBED_OUT_BIAS, -1, c->E, c->C);
    m->final_norm = find_norm(m->layout, ROLE_FINAL_NORM, ROLE_FINAL_NORM_BIAS, -1);
    m->lm_head = find_linear(m, lm_head, N_ROLES, -1, c->C, c->V);
    find_heads(m);
    find_blocks(m);
    head_find(m);
}

static ft_status allocate(struct model *m, const struct model_shape *shape)
{
    FT_TRY(layout_create(&m->layout, &m->config));
    m->trainable_from = layout_trainable_from(m->layout, &m->config, shape->trainable_layers);
    FT_TRY(layout_suffix(&m->trainable, m->layout, m->trainable_from));
    FT_TRY(FT_ALLOC(m->weights, m->config.L));
    FT_TRY(FT_ALLOC(m->params, m->layout->N));
    if (shape->trains && !shape->grads_elsewhere)
        FT_TRY(FT_ALLOC(m->grads, m->trainable->N));
    if (shape->elem != ELEM_F32) {
        FT_TRY(FT_ALLOC(m->params16, m->layout->N));
        FT_TRY(gemm16_create(&m->gemm16, omp_get_max_threads()));
    }
    push_all(&m->memory, m, shape->trains);
    FT_TRY(arena_commit(&m->memory));
    push_all(&m->memory, m, shape->trains);
    find_offsets(m);
    if (m->config.positions == POSITION_ROPE)
        rope_fill(m);
    return FT_OK;
}

ft_status model_create(struct model **out, const struct model_config *config,
                       const struct model_shape *shape)
{
    struct model *m;
    FT_TRY(FT_ALLOC(m, 1));
    set_shape(m, config, shape);
    const ft_status status = allocate(m, shape);
    if (status != FT_OK)
        model_destroy(&m);
    *out = m;
    return status;
}

void model_round_params(struct model *model)
{
    if (model->params16)
        rows_to_bf16(model->params16, model->params, model->layout->N);
}

void model_destroy(struct model **model)
{
    if (!*model)
        return;
    arena_destroy(&(*model)->memory);
    gemm16_destroy(&(*model)->gemm16);
    mem_free((*model)->params16);
    mem_free((*model)->grads);
    mem_free((*model)->params);
    mem_free((*model)->weights);
    layout_destroy(&(*model)->trainable);
    layout_destroy(&(*model)->layout);
    FT_FREE(*model);
}
