#include <string.h>

#include "math/activation.h"
#include "math/embedding.h"
#include "math/gemm.h"
#include "math/norm.h"
#include "math/ops.h"
#include "model/blocks.h"

/* Twin of linear: dw += dy^T x, db += column sums of dy, dx (n, in) = dy * w. */
static void linear_backward(float *dx, const float *dy, const float *x, const struct model *m,
                            int64_t w, int64_t bias, int n, int in, int out)
{
    gemm_tn(grads_of(m, w), in, dy, out, x, in, out, in, n, 1.0f);
    if (bias >= 0)
        bias_backward(grads_of(m, bias), dy, out, n, out);
    gemm_nn(dx, in, dy, out, m->params + w, in, n, in, out, 0.0f);
}

static void mlp_backward(struct model *m, const struct block_acts *a, const struct block_offsets *o,
                         int n)
{
    const struct model_config *c = &m->config;
    swiglu_forward(m->act, a->gate_up, n, c->F);
    linear_backward(m->dact, m->dx, m->act, m, o->down, o->down_bias, n, c->F, c->C);
    swiglu_backward(m->dgate_up, m->dact, a->gate_up, n, c->F);
    rmsnorm_recompute(m->h, a->x_mid, a->rstd2, m->params + o->mlp_norm, n, c->C);
    linear_backward(m->dh, m->dgate_up, m->h, m, o->gate_up, o->gate_up_bias, n, c->C, 2 * c->F);
    rmsnorm_backward(m->dx, grads_of(m, o->mlp_norm), m->dh, a->x_mid, a->rstd2,
                     m->params + o->mlp_norm, n, c->C);
}

static void attention_half_backward(struct model *m, const struct block_acts *a,
                                    const struct block_offsets *o, const struct batch *batch)
{
    const struct model_config *c = &m->config;
    const struct attention_shape shape = attention_shape_of(c, batch);
    const int n = batch->n_tokens, width = qkv_width(c);
    linear_backward(m->datt, m->dx, a->att, m, o->o, o->o_bias, n, c->Hq * c->D, c->C);
    attention_backward(m->dqkv, m->datt, a->att, a->lse, a->qkv, &shape, m->dkv, m->attention,
                       m->max_length);
    rope_rotate(m->dqkv, width, c->Hq + c->Hkv, c->D, m->cosine, m->sine, batch->positions, n,
                -1.0f);
    rmsnorm_recompute(m->h, a->x, a->rstd1, m->params + o->attn_norm, n, c->C);
    linear_backward(m->dh, m->dqkv, m->h, m, o->qkv, o->qkv_bias, n, c->C, width);
    rmsnorm_backward(m->dx, grads_of(m, o->attn_norm), m->dh, a->x, a->rstd1,
                     m->params + o->attn_norm, n, c->C);
}

void blocks_backward(struct model *model, const struct batch *batch)
{
    const int n = batch->n_tokens, C = model->config.C;
    memset(model->dx, 0, (size_t)n * (size_t)C * sizeof *model->dx);
    rmsnorm_backward(model->dx, grads_of(model, model->final_norm), model->dh, model->x_last,
                     model->rstd_last, model->params + model->final_norm, n, C);
    for (int l = model->config.L - 1; l >= model->first_layer; l--) {
        mlp_backward(model, &model->acts[l], &model->offsets[l], n);
        attention_half_backward(model, &model->acts[l], &model->offsets[l], batch);
    }
    if (model->trainable_from == 0)
        embedding_backward(grads_of(model, model->embed), model->dx, batch->tokens, n, C);
}
