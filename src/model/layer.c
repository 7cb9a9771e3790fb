#include "math/gemm.h"
#include "math/norm.h"
#include "math/ops.h"
#include "model/blocks.h"

void linear_forward(float *y, const float *x, const struct model *m, int64_t w, int64_t bias, int n,
                    int in, int out)
{
    gemm_nt(y, out, x, in, m->params + w, in, n, out, in, 0.0f);
    if (bias >= 0)
        bias_forward(y, m->params + bias, n, out);
}

void linear_backward(float *dx, const float *dy, const float *x, const struct model *m, int64_t w,
                     int64_t bias, int n, int in, int out)
{
    float *dw = grads_of(m, w), *db = grads_of(m, bias);
    if (dw)
        gemm_tn(dw, in, dy, out, x, in, out, in, n, 1.0f);
    if (db)
        bias_backward(db, dy, out, n, out);
    if (dx)
        gemm_nn(dx, in, dy, out, m->params + w, in, n, in, out, 0.0f);
}

void norm_forward(struct model *m, const struct norm_acts *a, const struct norm_offsets *o,
                  const float *base, const float *delta, int n)
{
    const float *w = m->params + o->weight;
    const float eps = (float)m->config.norm_eps;
    float *sum = delta ? a->x : NULL;
    if (m->config.norm == NORM_RMS)
        rmsnorm_forward(m->h, sum, a->rstd, base, delta, w, n, m->config.C, eps);
    else
        layernorm_forward(m->h, sum, a->mean, a->rstd, base, delta, w, m->params + o->bias, n,
                          m->config.C, eps);
}

void norm_recompute(struct model *m, const struct norm_acts *a, const struct norm_offsets *o, int n)
{
    const float *w = m->params + o->weight;
    if (m->config.norm == NORM_RMS)
        rmsnorm_recompute(m->h, a->x, a->rstd, w, n, m->config.C);
    else
        layernorm_recompute(m->h, a->x, a->mean, a->rstd, w, m->params + o->bias, n, m->config.C);
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
                                    .dropout = drops ? &m->dropout.attention : NULL,
                                    .segment_ids = batch->segment_ids,
                                    .site = dropout_site(layer, DROP_ATTENTION)};
}
