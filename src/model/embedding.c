/*
 * What goes into the first block: the sum of embeddings, then where the model has them a norm,
 * dropout, and a dense layer from the embeddings' size to the blocks'.
 */
#include "math/embedding.h"

#include <string.h>

#include "math/norm.h"
#include "math/ops.h"
#include "model/blocks.h"

static bool has_projection(const struct model *m)
{
    return m->embed_out.weight >= 0;
}

/* Only embeddings that learn are dropped. */
static void drop(const struct model *m, float *x, const struct batch *batch)
{
    if (m->dropout.embedding.rate > 0.0 && m->trainable_from == 0)
        dropout_rows(x, m->config.E, &m->dropout.embedding, dropout_site(0, DROP_EMBEDDING),
                     batch->segment_start, batch->segment_ids, batch->n_segments);
}

static void sum_forward(const struct model *m, float *x, const struct batch *batch)
{
    const int n = batch->n_tokens, E = m->config.E;
    embedding_forward(x, m->params + m->embed, batch->tokens, n, E);
    if (m->config.embed_scale > 0)
        scale_in_place(x, (float)m->config.embed_scale, (int64_t)n * E);
    if (m->positions >= 0)
        embedding_add_forward(x, m->params + m->positions, batch->positions, n, E);
    if (m->types >= 0) /* the one type of a single text: row 0 */
        bias_forward(x, m->params + m->types, n, E, ELEM_F32);
}

void embed_forward(struct model *m, float *x, const struct batch *batch)
{
    const int n = batch->n_tokens;
    float *end = has_projection(m) ? m->h : x;
    float *sum = m->config.embed_norm ? m->embed_sum.x : end;
    sum_forward(m, sum, batch);
    if (m->config.embed_norm)
        norm_rows(m, end, NULL, NULL, &m->embed_sum, &m->embed_norm, sum, n, m->config.E);
    drop(m, end, batch);
    if (has_projection(m))
        dense_forward(x, end, m, &m->embed_out, n);
}

/* Through the dense layer, whose input is made again. Returns where the gradient is now. */
static float *projection_backward(struct model *m, const float *dx, const struct batch *batch)
{
    const int n = batch->n_tokens;
    norm_rows_recompute(m, m->h, NULL, &m->embed_sum, &m->embed_norm, n, m->config.E);
    drop(m, m->h, batch);
    dense_backward(m->dh, dx, m->config.C, m->h, m, &m->embed_out, n);
    return m->dh;
}

static void sum_backward(struct model *m, float *dx, const struct batch *batch)
{
    const int n = batch->n_tokens, E = m->config.E;
    if (m->positions >= 0)
        embedding_backward(grads_of(m, m->positions), dx, batch->positions, n, E);
    if (m->types >= 0)
        bias_backward(grads_of(m, m->types), dx, E, n, E, ELEM_F32);
    if (m->config.embed_scale > 0)
        scale_in_place(dx, (float)m->config.embed_scale, (int64_t)n * E);
    embedding_backward(grads_of(m, m->embed), dx, batch->tokens, n, E);
}

void embed_backward(struct model *m, const struct batch *batch)
{
    float *dx = has_projection(m) ? projection_backward(m, m->dx, batch) : m->dx;
    drop(m, dx, batch);
    if (m->config.embed_norm) {
        memset(m->delta, 0, (size_t)batch->n_tokens * (size_t)m->config.E * sizeof *m->delta);
        norm_rows_backward(m, m->delta, dx, &m->embed_sum, &m->embed_norm, batch->n_tokens,
                           m->config.E);
        dx = m->delta;
    }
    sum_backward(m, dx, batch);
}
