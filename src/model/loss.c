/* The passes as callers see them: blocks, then the output layer of tokens or the head. */
#include "math/loss.h"

#include "model/blocks.h"

/* Normed rows from row `at` on, as products read them. */
static const void *normed_from(const struct model *m, int at)
{
    return elem_const_at(normed(m), m->elem, (int64_t)at * m->config.C);
}

/* The output layer on rows at ... at+n-1 of h. */
static void head_logits(const struct model *m, float *logits, int at, int n)
{
    linear_forward(logits, ELEM_F32, normed_from(m, at), m, &m->lm_head, n);
    if (m->config.logit_softcap > 0)
        softcap_forward(logits, n, m->config.V, (float)m->config.logit_softcap);
}

static double sum_of(const float *values, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)values[i];
    return sum;
}

/* Sum of the losses of all rows; with gradients, also those of h and of the output layer: forward
 * and backward of it meet in one pass over chunks of rows. */
static double tokens_loss(struct model *m, const struct batch *batch, bool want_gradient)
{
    const int C = m->config.C, V = m->config.V;
    const int row = V * (int)(sizeof(float) / elem_bytes(m->elem)); /* between rows of dlogits */
    for (int at = 0; at < batch->n_tokens; at += LM_CHUNK) {
        const int n = batch->n_tokens - at < LM_CHUNK ? batch->n_tokens - at : LM_CHUNK;
        head_logits(m, m->logits, at, n);
        cross_entropy(m->logits, m->losses + at, batch->targets + at, n, V,
                      (float)m->config.logit_softcap, want_gradient, m->elem);
        if (want_gradient)
            linear_backward(m->dh + (int64_t)at * C, ELEM_F32, m->logits, row, normed_from(m, at),
                            m, &m->lm_head, n);
    }
    return sum_of(m->losses, batch->n_tokens);
}

double model_loss(struct model *model, const struct batch *batch)
{
    blocks_forward(model, batch, NULL, NULL);
    return model->config.head.n_labels > 0 ? head_forward(model, batch, false)
                                           : tokens_loss(model, batch, false);
}

void model_logits(struct model *model, float *logits, const struct batch *batch)
{
    blocks_forward(model, batch, NULL, NULL);
    head_logits(model, logits, 0, batch->n_tokens);
}

void model_last_logits(struct model *model, float *logits, const struct batch *batch)
{
    blocks_forward(model, batch, NULL, NULL);
    head_logits(model, logits, batch->n_tokens - 1, 1);
}

void model_hidden(struct model *model, const struct batch *batch, model_visitor *visit,
                  void *context)
{
    blocks_forward(model, batch, visit, context);
}

double model_loss_backward(struct model *model, const struct batch *batch)
{
    const struct model_config *c = &model->config;
    const bool classifies = c->head.n_labels > 0;
    const uint64_t key = batch->dropout_key;
    model->dropout = (struct pass_dropout){.embedding = {c->embedding_dropout, key},
                                           .hidden = {c->hidden_dropout, key},
                                           .attention = {c->attention_dropout, key},
                                           .classifier = {c->classifier_dropout, key}};
    blocks_forward(model, batch, NULL, NULL);
    const double loss =
        classifies ? head_forward(model, batch, true) : tokens_loss(model, batch, true);
    if (classifies)
        head_backward(model, batch);
    blocks_backward(model, batch);
    model->dropout = (struct pass_dropout){0};
    return loss;
}

/* Elements of one block's matrices. */
static double block_elements(const struct model_config *c)
{
    return (double)c->C * (qkv_width(c) + (double)c->Hq * c->D + (double)up_width(c) + c->F);
}

double model_step_flops(const struct model_config *config, int trainable_layers, double n_tokens,
                        double T)
{
    const struct model_config *c = config;
    const int L = c->L, n = trainable_layers > 0 && trainable_layers < L ? trainable_layers : L;
    /* Scores and values of the keys that a token sees: half of them where it is causal. */
    const double attention = (c->is_encoder ? 4.0 : 2.0) * c->Hq * c->D * T;
    const double block = 2.0 * block_elements(c) + attention;
    const bool has_logits = !c->is_encoder && c->head.n_labels == 0;
    const bool head_learns = trainable_layers == 0 || !c->tied_embeddings;
    const double logits = has_logits ? 2.0 * c->V * c->C * (head_learns ? 3.0 : 2.0) : 0.0;
    return n_tokens * (block * (L + 2.0 * n) + logits);
}
