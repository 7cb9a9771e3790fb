#include "math/activation.h"
#include "math/embedding.h"
#include "math/gemm.h"
#include "math/norm.h"
#include "math/ops.h"
#include "model/blocks.h"

/* y (n, out) = x (n, in) * w^T + bias */
static void linear(float *y, const float *x, const struct model *m, int64_t w, int64_t bias, int n,
                   int in, int out)
{
    gemm_nt(y, out, x, in, m->params + w, in, n, out, in, 0.0f);
    if (bias >= 0)
        bias_forward(y, m->params + bias, n, out);
}

/* From the normed rows h to what attention adds to the residual stream. */
static void attention_half(struct model *m, const struct block_acts *a,
                           const struct block_offsets *o, const struct batch *batch)
{
    const struct model_config *c = &m->config;
    const struct attention_shape shape = attention_shape_of(c, batch);
    const int n = batch->n_tokens, width = qkv_width(c);
    linear(a->qkv, m->h, m, o->qkv, o->qkv_bias, n, c->C, width);
    rope_rotate(a->qkv, width, c->Hq + c->Hkv, c->D, m->cosine, m->sine, batch->positions, n, 1.0f);
    attention_forward(a->att, a->lse, a->qkv, &shape, m->attention, m->max_length);
    linear(m->delta, a->att, m, o->o, o->o_bias, n, c->Hq * c->D, c->C);
}

static void mlp_half(struct model *m, const struct block_acts *a, const struct block_offsets *o,
                     int n)
{
    const struct model_config *c = &m->config;
    linear(a->gate_up, m->h, m, o->gate_up, o->gate_up_bias, n, c->C, 2 * c->F);
    swiglu_forward(m->act, a->gate_up, n, c->F);
    linear(m->delta, m->act, m, o->down, o->down_bias, n, c->F, c->C);
}

void blocks_forward(struct model *model, const struct batch *batch)
{
    const struct model_config *c = &model->config;
    const int n = batch->n_tokens, C = c->C;
    const float eps = (float)c->norm_eps, *p = model->params;
    const float *before = NULL, *delta = NULL; /* the stream is before + delta */
    embedding_forward(model->acts[0].x, p + model->embed, batch->tokens, n, C);
    for (int l = 0; l < c->L; l++) {
        const struct block_acts *a = &model->acts[l];
        const struct block_offsets *o = &model->offsets[l];
        rmsnorm_forward(model->h, a->x, a->rstd1, before ? before : a->x, delta, p + o->attn_norm,
                        n, C, eps);
        attention_half(model, a, o, batch);
        rmsnorm_forward(model->h, a->x_mid, a->rstd2, a->x, model->delta, p + o->mlp_norm, n, C,
                        eps);
        mlp_half(model, a, o, n);
        before = a->x_mid;
        delta = model->delta;
    }
    rmsnorm_forward(model->h, model->x_last, model->rstd_last, before, delta, p + model->final_norm,
                    n, C, eps);
}
