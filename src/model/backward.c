/*
 * dx is the gradient of the residual stream s, dh that of a norm's output h. Of s' = base + f(h):
 *
 *     pre-norm    ds = ds' + norm'(f'(ds'))        dx stays and grows
 *     post-norm   ds = norm'(ds' + f'(ds'))        dx joins dh and starts again from zero
 */
#include <string.h>

#include "math/activation.h"
#include "math/ops.h"
#include "model/blocks.h"

/* The gradient of what a half block added, as products read it: dx itself, or a copy that is masked
 * by dropout or rounded. */
static const void *half_gradient(struct model *m, const struct batch *batch, int l,
                                 enum dropout_place place)
{
    const int64_t count = (int64_t)batch->n_tokens * m->config.C;
    const float *d = m->dx;
    if (drops_hidden(m, l)) {
        memcpy(m->delta, m->dx, (size_t)count * sizeof *m->delta);
        drop_hidden(m, m->delta, batch, l, place);
        d = m->delta;
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

static void mlp_backward(struct model *m, const struct batch *batch, int l)
{
    const struct model_config *c = &m->config;
    const struct block_acts *a = &m->acts[l];
    const struct block_offsets *o = &m->offsets[l];
    const int n = batch->n_tokens;
    const void *ddelta = half_gradient(m, batch, l, DROP_MLP_OUTPUT);
    const bool is_swiglu = c->activation == ACTIVATION_SWIGLU;
    if (is_swiglu)
        swiglu_forward(m->act, a->up, n, c->F, m->elem);
    else
        gelu_forward(m->act, a->up, n, c->F, m->elem);
    linear_backward(m->dact, m->elem, ddelta, c->C, m->act, m, o->down, o->down_bias, n, c->F,
                    c->C);
    if (is_swiglu)
        swiglu_backward(m->dup, m->dact, a->up, n, c->F, m->elem);
    else
        gelu_backward(m->dact, m->dact, a->up, n, c->F, m->elem);
    norm_recompute(m, &a->mlp_norm, &o->mlp_norm, false, n);
    linear_backward(m->dh, ELEM_F32, is_swiglu ? m->dup : m->dact, up_width(c), normed(m), m, o->up,
                    o->up_bias, n, c->C, up_width(c));
    join_residual(m, n);
    norm_backward(m, &a->mlp_norm, &o->mlp_norm, n);
}

static void attention_half_backward(struct model *m, const struct batch *batch, int l)
{
    const struct model_config *c = &m->config;
    const struct block_acts *a = &m->acts[l];
    const struct block_offsets *o = &m->offsets[l];
    const struct attention_shape shape = attention_shape_of(m, batch, l);
    const int n = batch->n_tokens, width = qkv_width(c);
    const bool ends_here = o->attn_norm.weight < m->trainable_from;
    const void *ddelta = half_gradient(m, batch, l, DROP_ATTENTION_OUTPUT);
    linear_backward(m->datt, m->elem, ddelta, c->C, a->att, m, o->o, o->o_bias, n, c->Hq * c->D,
                    c->C);
    attention_backward(m->dqkv, m->datt, a->att, a->lse, a->qkv, &shape, m->dkv, m->attention,
                       m->max_length);
    if (c->positions == POSITION_ROPE)
        rope_rotate(m->dqkv, width, c->Hq + c->Hkv, c->D, m->cosine, m->sine, batch->positions, n,
                    -1.0f, m->elem);
    norm_recompute(m, &a->attn_norm, &o->attn_norm, drops_embedding(m, l), n);
    if (drops_embedding(m, l))
        drop_normed(m, batch, l);
    linear_backward(ends_here ? NULL : m->dh, ELEM_F32, m->dqkv, width, normed(m), m, o->qkv,
                    o->qkv_bias, n, c->C, width);
    if (ends_here)
        return;
    join_residual(m, n);
    if (drops_embedding(m, l))
        drop_hidden(m, m->dh, batch, l, DROP_EMBEDDING);
    norm_backward(m, &a->attn_norm, &o->attn_norm, n);
}

/* Gradients of the tensor at that offset and of all behind it are final. */
static void tell(const struct model *m, int64_t offset)
{
    if (m->watch)
        m->watch(m->watch_context, offset > m->trainable_from ? offset - m->trainable_from : 0);
}

void blocks_backward(struct model *m, const struct batch *batch)
{
    memset(m->dx, 0, (size_t)batch->n_tokens * (size_t)m->config.C * sizeof *m->dx);
    norm_backward(m, &m->last, &m->final_norm, batch->n_tokens);
    for (int l = m->config.L - 1; l >= m->first_layer; l--) {
        if (m->recompute != RECOMPUTE_NOTHING && l < m->config.L - 1) /* the last one's is there */
            block_again(m, batch, l);
        mlp_backward(m, batch, l);
        tell(m, m->offsets[l].mlp_norm.weight);
        attention_half_backward(m, batch, l);
        tell(m, m->offsets[l].attn_norm.weight);
    }
    if (m->trainable_from == 0)
        embed_backward(m, m->dx, batch);
    tell(m, 0);
}
