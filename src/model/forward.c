/*
 * One loop for all families. s is the residual stream, f a half block (attention or MLP), out a
 * norm of what it adds; norms that a family lacks pass their rows on:
 *
 *     h = norm(s);  s' = base + out(f(h))      base = s with pre-norm (Llama), h with post-norm
 *                                              (BERT)
 *     parallel:     s' = s + attention(norm_1(s)) + mlp(norm_2(s))
 *
 * and a last norm after the last block. A BERT reads so: the LayerNorm behind each half block is
 * the norm of the next one. The sum of base and f(h) is made inside the norm that reads it; only it
 * is kept, h is made again going backwards.
 */
#include "math/activation.h"
#include "base/pulse.h"
#include "kv_cache.h"
#include "math/ops.h"
#include "model/blocks.h"

void attention_core(struct model *m, const struct batch *batch, int l)
{
    const struct block_acts *a = &m->acts[l];
    const struct attention_shape shape = attention_shape_of(m, batch, l);
    linear_forward(a->qkv, m->elem, normed(m), m, &m->weights[l].qkv, batch->n_tokens);
    qk_norm_forward(m, a->qkv, batch, l);
    rope_turn(m, a->qkv, batch, l, 1.0f);
    if (!m->cache || !kv_cache_attend(m->cache, m, &shape, l))
        attention_forward(a->att, a->lse, a->qkv, &shape, m->attention, m->max_length);
}

/* to (n, C) = what a half block adds, by way of its output norm where there is one. */
static void half_output(struct model *m, float *to, const void *x, const struct linear *w,
                        const struct norm_acts *a, const struct norm_offsets *o, int n)
{
    const bool has_norm = m->config.output_norms;
    linear_forward(has_norm ? a->x : to, ELEM_F32, x, m, w, n);
    if (has_norm)
        norm_rows(m, to, NULL, NULL, a, o, a->x, n, m->config.C);
}

/* From the normed rows h to what attention adds to the residual stream. */
static void attention_half(struct model *m, const struct batch *batch, int l)
{
    const struct block_acts *a = &m->acts[l];
    const struct block_weights *w = &m->weights[l];
    attention_core(m, batch, l);
    half_output(m, m->delta, a->att, &w->o, &a->attn_out_norm, &w->attn_out_norm, batch->n_tokens);
    drop_hidden(m, m->delta, batch, l, DROP_ATTENTION_OUTPUT);
}

/* h is the normed rows that the MLP reads. */
static void mlp_norm(struct model *m, int l, const float *base, bool as_f32, int n)
{
    const bool parallel = m->config.parallel;
    norm_forward(m, &m->acts[l].mlp_norm, &m->weights[l].mlp_norm,
                 parallel ? m->acts[l].attn_norm.x : base, parallel ? NULL : m->delta, as_f32, n);
}

/* From h to the rows before the activation and, unless act is NULL, behind it. */
static void mlp_up(struct model *m, void *act, int l, int n)
{
    const struct model_config *c = &m->config;
    void *up = m->acts[l].up;
    struct linear w = m->weights[l].up;
    const float *bias = act && !c->gated && w.bias >= 0 ? m->params + w.bias : NULL;
    if (bias) /* added on the way to the activation */
        w.bias = -1;
    linear_forward(up, m->elem, normed(m), m, &w, n);
    if (!act)
        return;
    if (c->gated)
        gated_forward(c->function, act, up, n, c->F, m->elem);
    else if (bias)
        bias_activation_forward(c->function, act, up, bias, n, c->F, m->elem);
    else
        activation_forward(c->function, act, up, n, c->F, m->elem);
}

static void mlp_half(struct model *m, const struct batch *batch, int l)
{
    const struct block_acts *a = &m->acts[l];
    const struct block_weights *w = &m->weights[l];
    const int n = batch->n_tokens;
    float *to = m->config.parallel ? m->aside : m->delta;
    mlp_up(m, m->act, l, n);
    half_output(m, to, m->act, &w->down, &a->mlp_out_norm, &w->mlp_out_norm, n);
    drop_hidden(m, to, batch, l, DROP_MLP_OUTPUT);
    if (m->config.parallel)
        add_in_place(m->delta, m->aside, (int64_t)n * m->config.C);
}

void blocks_forward(struct model *m, const struct batch *batch, model_visitor *visit, void *context)
{
    const struct model_config *c = &m->config;
    const int n = batch->n_tokens;
    const float *base = m->acts[0].attn_norm.x, *delta = NULL; /* the stream is base + delta */
    embed_forward(m, m->acts[0].attn_norm.x, batch);
    for (int l = 0; l < c->L; l++) {
        const struct block_acts *a = &m->acts[l];
        pulse_mark();
        norm_forward(m, &a->attn_norm, &m->weights[l].attn_norm, base, delta, c->post_norm, n);
        if (l > 0 && visit)
            visit(context, l, c->post_norm ? m->h : a->attn_norm.x);
        attention_half(m, batch, l);
        base = c->post_norm ? m->h : a->attn_norm.x;
        mlp_norm(m, l, base, c->post_norm, n);
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
    const int n = batch->n_tokens;
    norm_recompute(m, &a->attn_norm, &m->weights[l].attn_norm, c->post_norm, n);
    if (m->recompute != RECOMPUTE_BLOCK) {
        attention_core(m, batch, l);
        return;
    }
    attention_half(m, batch, l);
    mlp_norm(m, l, c->post_norm ? m->h : a->attn_norm.x, false, n);
    if (c->output_norms)
        mlp_half(m, batch, l);
    else
        mlp_up(m, NULL, l, n);
}
