#include "math/gemm.h"
#include "math/norm.h"
#include "math/ops.h"
#include "model/blocks.h"

void dense_forward(float *y, const float *x, const struct model *m, int64_t w, int64_t bias, int n,
                   int in, int out)
{
    gemm_nt(y, out, x, in, m->params + w, in, n, out, in, 0.0f);
    if (bias >= 0)
        bias_forward(y, m->params + bias, n, out, ELEM_F32);
}

void dense_backward(float *dx, const float *dy, int dy_row, const float *x, const struct model *m,
                    int64_t w, int64_t bias, int n, int in, int out)
{
    float *dw = grads_of(m, w), *db = grads_of(m, bias);
    if (dw)
        gemm_tn(dw, in, dy, dy_row, x, in, out, in, n, 1.0f);
    if (db)
        bias_backward(db, dy, dy_row, n, out, ELEM_F32);
    if (dx)
        gemm_nn(dx, in, dy, dy_row, m->params + w, in, n, in, out, 0.0f);
}

void linear_forward(void *y, enum elem y_type, const void *x, const struct model *m, int64_t w,
                    int64_t bias, int n, int in, int out)
{
    if (m->elem == ELEM_F32) {
        dense_forward(y, x, m, w, bias, n, in, out);
        return;
    }
    gemm16_nt(m->gemm16, (struct gemm16_result){y, out, y_type, false}, x, in, m->params16 + w, in,
              n, out, in);
    if (bias >= 0)
        bias_forward(y, m->params + bias, n, out, y_type);
}

void linear_backward(void *dx, enum elem dx_type, const void *dy, int dy_row, const void *x,
                     const struct model *m, int64_t w, int64_t bias, int n, int in, int out)
{
    float *dw = grads_of(m, w), *db = grads_of(m, bias);
    if (m->elem == ELEM_F32) {
        dense_backward(dx, dy, dy_row, x, m, w, bias, n, in, out);
        return;
    }
    if (dw)
        gemm16_tn(m->gemm16, (struct gemm16_result){dw, in, ELEM_F32, true}, dy, dy_row, x, in, out,
                  in, n);
    if (db)
        bias_backward(db, dy, dy_row, n, out, ELEM_BF16);
    if (dx)
        gemm16_nn(m->gemm16, (struct gemm16_result){dx, in, dx_type, false}, dy, dy_row,
                  m->params16 + w, in, n, in, out);
}

void norm_forward(struct model *m, const struct norm_acts *a, const struct norm_offsets *o,
                  const float *base, const float *delta, bool as_f32, int n)
{
    const float *w = m->params + o->weight;
    const float eps = (float)m->config.norm_eps;
    float *sum = delta ? a->x : NULL, *h = as_f32 || !m->h16 ? m->h : NULL;
    if (m->config.norm == NORM_RMS)
        rmsnorm_forward(h, m->h16, sum, a->rstd, base, delta, w, n, m->config.C, eps);
    else
        layernorm_forward(h, m->h16, sum, a->mean, a->rstd, base, delta, w, m->params + o->bias, n,
                          m->config.C, eps);
}

void norm_recompute(struct model *m, const struct norm_acts *a, const struct norm_offsets *o,
                    bool as_f32, int n)
{
    const float *w = m->params + o->weight;
    float *h = as_f32 || !m->h16 ? m->h : NULL;
    if (m->config.norm == NORM_RMS)
        rmsnorm_recompute(h, m->h16, a->x, a->rstd, w, n, m->config.C);
    else
        layernorm_recompute(h, m->h16, a->x, a->mean, a->rstd, w, m->params + o->bias, n,
                            m->config.C);
}

void norm_backward(struct model *m, const struct norm_acts *a, const struct norm_offsets *o, int n)
{
    const float *w = m->params + o->weight;
    float *dw = grads_of(m, o->weight);
    if (m->config.norm == NORM_RMS)
        rmsnorm_backward(m->dx, dw, m->dh, a->x, a->rstd, w, n, m->config.C);
    else
        layernorm_backward(m->dx, dw, grads_of(m, o->bias), m->dh, a->x, a->mean, a->rstd, w, n,
                           m->config.C);
}

bool drops_hidden(const struct model *m, int layer)
{
    return m->dropout.hidden.rate > 0.0 && layer >= m->first_layer;
}

void drop_hidden(const struct model *m, float *x, const struct batch *batch, int layer,
                 enum dropout_place place)
{
    if (drops_hidden(m, layer))
        dropout_rows(x, m->config.C, &m->dropout.hidden, dropout_site(layer, place),
                     batch->segment_start, batch->segment_ids, batch->n_segments);
}

void drop_normed(struct model *m, const struct batch *batch, int layer)
{
    drop_hidden(m, m->h, batch, layer, DROP_EMBEDDING);
    if (m->h16)
        rows_to_bf16(m->h16, m->h, (int64_t)batch->n_tokens * m->config.C);
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
                                    .causal = !c->is_encoder,
                                    .gemm16 = m->gemm16,
                                    .dropout = drops ? &m->dropout.attention : NULL,
                                    .segment_ids = batch->segment_ids,
                                    .site = dropout_site(layer, DROP_ATTENTION)};
}
