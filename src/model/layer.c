#include <string.h>

#include "math/gemm.h"
#include "math/norm.h"
#include "math/ops.h"
#include "model/blocks.h"

void dense_forward(float *y, const float *x, const struct model *m, const struct linear *l, int n)
{
    const float *w = m->params + l->weight;
    if (l->transposed)
        gemm_nn(y, l->out, x, l->in, w, l->out, n, l->out, l->in, 0.0f);
    else
        gemm_nt(y, l->out, x, l->in, w, l->in, n, l->out, l->in, 0.0f);
    if (l->bias >= 0)
        bias_forward(y, m->params + l->bias, n, l->out, ELEM_F32);
}

void dense_backward(float *dx, const float *dy, int dy_row, const float *x, const struct model *m,
                    const struct linear *l, int n)
{
    const float *w = m->params + l->weight;
    float *dw = grads_of(m, l->weight), *db = grads_of(m, l->bias);
    if (dw && l->transposed)
        gemm_tn(dw, l->out, x, l->in, dy, dy_row, l->in, l->out, n, 1.0f);
    else if (dw)
        gemm_tn(dw, l->in, dy, dy_row, x, l->in, l->out, l->in, n, 1.0f);
    if (db)
        bias_backward(db, dy, dy_row, n, l->out, ELEM_F32);
    if (dx && l->transposed)
        gemm_nt(dx, l->in, dy, dy_row, w, l->out, n, l->in, l->out, 0.0f);
    else if (dx)
        gemm_nn(dx, l->in, dy, dy_row, w, l->in, n, l->in, l->out, 0.0f);
}

void linear_forward(void *y, enum elem y_type, const void *x, const struct model *m,
                    const struct linear *l, int n)
{
    if (m->elem == ELEM_F32) {
        dense_forward(y, x, m, l, n);
        return;
    }
    const uint16_t *w = m->params16 + l->weight;
    const struct gemm16_result to = {y, l->out, y_type, false};
    if (l->transposed)
        gemm16_nn(m->gemm16, to, x, l->in, w, l->out, n, l->out, l->in);
    else
        gemm16_nt(m->gemm16, to, x, l->in, w, l->in, n, l->out, l->in);
    if (l->bias >= 0)
        bias_forward(y, m->params + l->bias, n, l->out, y_type);
}

static void linear_backward16(const struct gemm16_result *dx, const void *dy, int dy_row,
                              const void *x, const struct model *m, const struct linear *l, int n)
{
    const uint16_t *w = m->params16 + l->weight;
    float *dw = grads_of(m, l->weight), *db = grads_of(m, l->bias);
    if (dw && l->transposed)
        gemm16_tn(m->gemm16, (struct gemm16_result){dw, l->out, ELEM_F32, true}, x, l->in, dy,
                  dy_row, l->in, l->out, n);
    else if (dw)
        gemm16_tn(m->gemm16, (struct gemm16_result){dw, l->in, ELEM_F32, true}, dy, dy_row, x,
                  l->in, l->out, l->in, n);
    if (db)
        bias_backward(db, dy, dy_row, n, l->out, ELEM_BF16);
    if (dx->c && l->transposed)
        gemm16_nt(m->gemm16, *dx, dy, dy_row, w, l->out, n, l->in, l->out);
    else if (dx->c)
        gemm16_nn(m->gemm16, *dx, dy, dy_row, w, l->in, n, l->in, l->out);
}

void linear_backward(void *dx, enum elem dx_type, const void *dy, int dy_row, const void *x,
                     const struct model *m, const struct linear *l, int n)
{
    const struct gemm16_result to = {dx, l->in, dx_type, false};
    if (m->elem == ELEM_F32)
        dense_backward(dx, dy, dy_row, x, m, l, n);
    else
        linear_backward16(&to, dy, dy_row, x, m, l, n);
}

static const float *bias_of(const struct model *m, const struct norm_offsets *o)
{
    return o->bias < 0 ? NULL : m->params + o->bias;
}

/* y and y16, where they are wanted, = x. */
static void copy_rows(float *y, uint16_t *y16, const float *x, int64_t count)
{
    if (y && y != x)
        memcpy(y, x, (size_t)count * sizeof *y);
    if (y16)
        rows_to_bf16(y16, x, count);
}

/* A block without a norm there. */
static void pass_rows(float *y, uint16_t *y16, float *sum, const float *base, const float *delta,
                      int64_t count)
{
    if (delta) {
        if (sum != base)
            memcpy(sum, base, (size_t)count * sizeof *sum);
        add_in_place(sum, delta, count);
    }
    copy_rows(y, y16, delta ? sum : base, count);
}

void norm_rows(const struct model *m, float *y, uint16_t *y16, const float *delta,
               const struct norm_acts *a, const struct norm_offsets *o, const float *base, int n,
               int width)
{
    const float *w = m->params + o->weight;
    const float eps = (float)m->config.norm_eps;
    float *sum = delta ? a->x : NULL;
    if (o->weight < 0)
        pass_rows(y, y16, sum, base, delta, (int64_t)n * width);
    else if (m->config.norm == NORM_RMS)
        rmsnorm_forward(y, y16, sum, a->rstd, base, delta, w, (float)m->config.norm_shift, n, width,
                        eps);
    else
        layernorm_forward(y, y16, sum, a->mean, a->rstd, base, delta, w, bias_of(m, o), n, width,
                          eps);
}

void norm_rows_recompute(const struct model *m, float *y, uint16_t *y16, const struct norm_acts *a,
                         const struct norm_offsets *o, int n, int width)
{
    const float *w = m->params + o->weight;
    if (o->weight < 0)
        copy_rows(y, y16, a->x, (int64_t)n * width);
    else if (m->config.norm == NORM_RMS)
        rmsnorm_recompute(y, y16, a->x, a->rstd, w, (float)m->config.norm_shift, n, width);
    else
        layernorm_recompute(y, y16, a->x, a->mean, a->rstd, w, bias_of(m, o), n, width);
}

void norm_rows_backward(const struct model *m, float *dx, const float *dy,
                        const struct norm_acts *a, const struct norm_offsets *o, int n, int width)
{
    const float *w = m->params + o->weight;
    float *dw = grads_of(m, o->weight);
    if (o->weight < 0)
        add_in_place(dx, dy, (int64_t)n * width);
    else if (m->config.norm == NORM_RMS)
        rmsnorm_backward(dx, dw, dy, a->x, a->rstd, w, (float)m->config.norm_shift, n, width);
    else
        layernorm_backward(dx, dw, grads_of(m, o->bias), dy, a->x, a->mean, a->rstd, w, n, width);
}

void norm_forward(struct model *m, const struct norm_acts *a, const struct norm_offsets *o,
                  const float *base, const float *delta, bool as_f32, int n)
{
    norm_rows(m, as_f32 || !m->h16 ? m->h : NULL, m->h16, delta, a, o, base, n, m->config.C);
}

void norm_recompute(struct model *m, const struct norm_acts *a, const struct norm_offsets *o,
                    bool as_f32, int n)
{
    norm_rows_recompute(m, as_f32 || !m->h16 ? m->h : NULL, m->h16, a, o, n, m->config.C);
}

void norm_backward(struct model *m, const struct norm_acts *a, const struct norm_offsets *o, int n)
{
    norm_rows_backward(m, m->dx, m->dh, a, o, n, m->config.C);
}

bool drops_hidden(const struct model *m, int layer, enum dropout_place place)
{
    return m->dropout.hidden.rate > 0.0 && layer >= m->first_layer &&
           !(m->config.skips_attention_dropout && place == DROP_ATTENTION_OUTPUT);
}

void drop_hidden(const struct model *m, float *x, const struct batch *batch, int layer,
                 enum dropout_place place)
{
    if (drops_hidden(m, layer, place))
        dropout_rows(x, m->config.C, &m->dropout.hidden, dropout_site(layer, place),
                     batch->segment_start, batch->segment_ids, batch->n_segments);
}

/* How far a token sees in that layer; 0 = without limit. */
static int reach_of(const struct model_config *c, int layer)
{
    if (!model_layer_is_local(c, layer))
        return 0;
    return c->is_encoder ? c->window : c->window - 1;
}

struct attention_shape attention_shape_of(const struct model *m, const struct batch *batch,
                                          int layer)
{
    const struct model_config *c = &m->config;
    const bool drops = m->dropout.attention.rate > 0.0 && layer >= m->first_layer;
    return (struct attention_shape){.n_tokens = batch->n_tokens,
                                    .n_segments = batch->n_segments,
                                    .segment_start = batch->segment_start,
                                    .Hq = c->Hq,
                                    .Hkv = c->Hkv,
                                    .D = c->D,
                                    .interleaved = c->interleaved,
                                    .causal = !c->is_encoder,
                                    .reach = reach_of(c, layer),
                                    .scale = (float)c->attention_scale,
                                    .softcap = (float)c->attention_softcap,
                                    .gemm16 = m->gemm16,
                                    .dropout = drops ? &m->dropout.attention : NULL,
                                    .segment_ids = batch->segment_ids,
                                    .site = dropout_site(layer, DROP_ATTENTION)};
}
