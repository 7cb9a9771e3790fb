#include "math/embedding.h"

#include "math/ops.h"
#include "model/blocks.h"

void embed_forward(const struct model *m, float *x, const struct batch *batch)
{
    const int n = batch->n_tokens, C = m->config.C;
    embedding_forward(x, m->params + m->embed, batch->tokens, n, C);
    if (m->positions >= 0)
        embedding_add_forward(x, m->params + m->positions, batch->positions, n, C);
    if (m->types >= 0) /* the one type of a single text: row 0 */
        bias_forward(x, m->params + m->types, n, C, ELEM_F32);
}

void embed_backward(struct model *m, const float *dx, const struct batch *batch)
{
    const int n = batch->n_tokens, C = m->config.C;
    embedding_backward(grads_of(m, m->embed), dx, batch->tokens, n, C);
    if (m->positions >= 0)
        embedding_backward(grads_of(m, m->positions), dx, batch->positions, n, C);
    if (m->types >= 0)
        bias_backward(grads_of(m, m->types), dx, C, n, C, ELEM_F32);
}
