/*
 * dx is the gradient of the residual stream s, dh that of a norm's output h. Of s' = base + f(h):
 *
 *     pre-norm    ds = ds' + norm'(f'(ds'))        dx stays and grows
 *     post-norm   ds = norm'(ds' + f'(ds'))        dx joins dh and starts again from zero
 *     parallel    as pre-norm, but attention's f' takes the ds' that the MLP's took
 */
#include <string.h>

#include "math/activation.h"
#include "base/pulse.h"
#include "math/ops.h"
#include "model/blocks.h"

/* The gradient of what a half block's products gave, as products read it: dx itself, or a copy that
 * is masked by dropout, taken through the output norm, or rounded. */
static const void *half_gradient(struct model *m, const struct batch *batch, int l,
                                 enum dropout_place place)
{
    const int n = batch->n_tokens, C = m->config.C;
    const int64_t count = (int64_t)n * C;
    const bool of_mlp = place == DROP_MLP_OUTPUT;
    const float *d = m->config.parallel && !of_mlp ? m->aside : m->dx;
    if (drops_hidden(m, l, place)) {
        memcpy(m->delta, d, (size_t)count * sizeof *m->delta);
        drop_hidden(m, m->delta, batch, l, place);
        d = m->delta;
    }
    if (m->config.output_norms) {
        const struct block_acts *a = &m->acts[l];
        const struct block_weights *w = &m->weights[l];
        memset(m->dh, 0, (size_t)count * sizeof *m->dh);
        norm_rows_backward(m, m->dh, d, of_mlp ? &a->mlp_out_norm : &a->attn_out_norm,
                           of_mlp ? &w->mlp_out_norm : &w->attn_out_norm, n, C);
        d = m->dh;
    }
    if (m->elem == ELEM_F32)
        return d;
    rows_to_bf16(m->ddelta, d, count);
    return m->ddelta;
}

/* With post-norm the stream went on from h. */
static void join_residual(struct model *m, int n)
{
    const int64_t count = (int64_t)n * m->config.C;
    if (!m->config.post_norm)
        return;
    add_in_place(m->dh, m->dx, count);
    memset(m->dx, 0, (size_t)count * sizeof *m->dx);
}

/* From the gradient of the activation's output, dact, to that of its input; returns where it is. */
static void *activation_half_backward(struct model *m, const void *up, int n)
{
    const struct model_config *c = &m->config;
    if (c->gated) {
        gated_backward(c->function, m->dup, m->dact, up, n, c->F, m->elem);
        return m->dup;
    }
    activation_backward(c->function, m->dact, m->dact, up, n, c->F, m->elem);
    return m->dact;
}

static void mlp_backward(struct model *m, const struct batch *batch, int l)
{
    const struct model_config *c = &m->config;
    const struct block_acts *a = &m->acts[l];
    const struct block_weights *w = &m->weights[l];
    const int n = batch->n_tokens;
    if (c->parallel)
        memcpy(m->aside, m->dx, (size_t)n * (size_t)c->C * sizeof *m->aside);
    const void *ddelta = half_gradient(m, batch, l, DROP_MLP_OUTPUT);
    if (c->gated)
        gated_forward(c->function, m->act, a->up, n, c->F, m->elem);
    else
        activation_forward(c->function, m->act, a->up, n, c->F, m->elem);
    linear_backward(m->dact, m->elem, ddelta, c->C, m->act, m, &w->down, n);
    const void *dup = activation_half_backward(m, a->up, n);
    norm_recompute(m, &a->mlp_norm, &w->mlp_norm, false, n);
    linear_backward(m->dh, ELEM_F32, dup, up_width(c), normed(m), m, &w->up, n);
    join_residual(m, n);
    norm_backward(m, &a->mlp_norm, &w->mlp_norm, n);
}

static void attention_half_backward(struct model *m, const struct batch *batch, int l)
{
    const struct model_config *c = &m->config;
    const struct block_acts *a = &m->acts[l];
    const struct block_weights *w = &m->weights[l];
    const struct attention_shape shape = attention_shape_of(m, batch, l);
    const int n = batch->n_tokens, width = qkv_width(c);
    /* what is before is frozen */
    const bool ends_here =
        m->trainable_from > 0 && w->attn_norm.weight < m->trainable_from && l == m->first_layer;
    const void *ddelta = half_gradient(m, batch, l, DROP_ATTENTION_OUTPUT);
    linear_backward(m->datt, m->elem, ddelta, c->C, a->att, m, &w->o, n);
    attention_backward(m->dqkv, m->datt, a->att, a->lse, a->qkv, &shape, m->dkv, m->attention,
                       m->max_length);
    rope_turn(m, m->dqkv, batch, l, -1.0f);
    qk_norm_backward(m, m->dqkv, batch, l);
    norm_recompute(m, &a->attn_norm, &w->attn_norm, false, n);
    linear_backward(ends_here ? NULL : m->dh, ELEM_F32, m->dqkv, width, normed(m), m, &w->qkv, n);
    if (ends_here)
        return;
    join_residual(m, n);
    norm_backward(m, &a->attn_norm, &w->attn_norm, n);
}

/* Gradients of the tensor at that offset and of all behind it are final; blocks that share their
 * weights are final together. */
static void tell(const struct model *m, int64_t offset)
{
    if (m->watch && !(m->config.shared_layers && offset > 0))
        m->watch(m->watch_context, offset > m->trainable_from ? offset - m->trainable_from : 0);
}

/* The norm before a half block is its first tensor, or its first matrix. */
static int64_t first_of(const struct norm_offsets *norm, const struct linear *linear)
{
    return norm->weight >= 0 ? norm->weight : linear->weight;
}

void blocks_backward(struct model *m, const struct batch *batch)
{
    memset(m->dx, 0, (size_t)batch->n_tokens * (size_t)m->config.C * sizeof *m->dx);
    norm_backward(m, &m->last, &m->final_norm, batch->n_tokens);
    for (int l = m->config.L - 1; l >= m->first_layer; l--) {
        const struct block_weights *w = &m->weights[l];
        pulse_mark();
        if (m->recompute != RECOMPUTE_NOTHING && l < m->config.L - 1) /* the last one's is there */
            block_again(m, batch, l);
        mlp_backward(m, batch, l);
        tell(m, first_of(&w->mlp_norm, &w->up));
        attention_half_backward(m, batch, l);
        tell(m, first_of(&w->attn_norm, &w->qkv));
    }
    if (m->trainable_from == 0)
        embed_backward(m, batch);
    tell(m, 0);
}
