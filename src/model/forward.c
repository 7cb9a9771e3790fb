/*
 * One loop for all families. s is the residual stream, f a half block (attention or MLP):
 *
 *     h = norm(s);  s' = base + f(h)      base = s with pre-norm (Llama), h with post-norm (BERT)
 *
 * and a last norm after the last block. A BERT reads so: its embedding's LayerNorm is the first
 * block's norm, the LayerNorm behind each half block is the norm of the next one. The sum of base
 * and f(h) is made inside the norm that reads it; only it is kept, h is made again going backwards.
 */
#include "math/activation.h"
#include "math/ops.h"
#include "model/blocks.h"

void attention_core(struct model *m, const struct batch *batch, int l)
{
    const struct model_config *c = &m->config;
    const struct block_acts *a = &m->acts[l];
    const struct block_offsets *o = &m->offsets[l];
    const struct attention_shape shape = attention_shape_of(m, batch, l);
    const int n = batch->n_tokens, width = qkv_width(c);
    linear_forward(a->qkv, m->elem, normed(m), m, o->qkv, o->qkv_bias, n, c->C, width);
    if (c->positions == POSITION_ROPE)
        rope_rotate(a->qkv, width, c->Hq + c->Hkv, c->D, m->cosine, m->sine, batch->positions, n,
                    1.0f, m->elem);
    attention_forward(a->att, a->lse, a->qkv, &shape, m->attention, m->max_length);
}

/* From the normed rows h to what attention adds to the residual stream. */
static void attention_half(struct model *m, const struct batch *batch, int l)
{
    const struct model_config *c = &m->config;
    const struct block_acts *a = &m->acts[l];
    const struct block_offsets *o = &m->offsets[l];
    const int n = batch->n_tokens;
    attention_core(m, batch, l);
    linear_forward(m->delta, ELEM_F32, a->att, m, o->o, o->o_bias, n, c->Hq * c->D, c->C);
    drop_hidden(m, m->delta, batch, l, DROP_ATTENTION_OUTPUT);
}

static void mlp_half(struct model *m, const struct batch *batch, int l)
{
    const struct model_config *c = &m->config;
    const struct block_acts *a = &m->acts[l];
    const struct block_offsets *o = &m->offsets[l];
    const int n = batch->n_tokens;
    const bool fuses = c->activation == ACTIVATION_GELU && o->up_bias >= 0;
    linear_forward(a->up, m->elem, normed(m), m, o->up, fuses ? -1 : o->up_bias, n, c->C,
                   up_width(c));
    if (fuses)
        bias_gelu_forward(m->act, a->up, m->params + o->up_bias, n, c->F, m->elem);
    else if (c->activation == ACTIVATION_GELU)
        gelu_forward(m->act, a->up, n, c->F, m->elem);
    else
        swiglu_forward(m->act, a->up, n, c->F, m->elem);
    linear_forward(m->delta, ELEM_F32, m->act, m, o->down, o->down_bias, n, c->F, c->C);
    drop_hidden(m, m->delta, batch, l, DROP_MLP_OUTPUT);
}

void blocks_forward(struct model *m, const struct batch *batch, model_visitor *visit, void *context)
{
    const struct model_config *c = &m->config;
    const int n = batch->n_tokens;
    const float *base = m->acts[0].attn_norm.x, *delta = NULL; /* the stream is base + delta */
    embed_forward(m, m->acts[0].attn_norm.x, batch);
    for (int l = 0; l < c->L; l++) {
        const struct block_acts *a = &m->acts[l];
        norm_forward(m, &a->attn_norm, &m->offsets[l].attn_norm, base, delta, c->post_norm, n);
        if (l > 0 && visit)
            visit(context, l, c->post_norm ? m->h : a->attn_norm.x);
        if (drops_embedding(m, l))
            drop_normed(m, batch, l);
        attention_half(m, batch, l);
        base = c->post_norm ? m->h : a->attn_norm.x;
        norm_forward(m, &a->mlp_norm, &m->offsets[l].mlp_norm, base, m->delta, c->post_norm, n);
        mlp_half(m, batch, l);
        base = c->post_norm ? m->h : a->mlp_norm.x;
        delta = m->delta;
    }
    norm_forward(m, &m->last, &m->final_norm, base, delta, true, n);
    if (visit)
        visit(context, c->L, m->h);
}

void block_again(struct model *m, const struct batch *batch, int l)
{
    const struct model_config *c = &m->config;
    const struct block_acts *a = &m->acts[l];
    const struct block_offsets *o = &m->offsets[l];
    const int n = batch->n_tokens;
    const bool is_whole = m->recompute == RECOMPUTE_BLOCK;
    norm_recompute(m, &a->attn_norm, &o->attn_norm, c->post_norm, n);
    if (drops_embedding(m, l))
        drop_normed(m, batch, l);
    if (!is_whole) {
        attention_core(m, batch, l);
        return;
    }
    attention_half(m, batch, l);
    norm_forward(m, &a->mlp_norm, &o->mlp_norm, c->post_norm ? m->h : a->attn_norm.x, m->delta,
                 false, n);
    linear_forward(a->up, m->elem, normed(m), m, o->up, o->up_bias, n, c->C, up_width(c));
}
