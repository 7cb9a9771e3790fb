/** Inside model/: the passes over the blocks, shared by model.c, forward.c and backward.c. */
#ifndef FT_MODEL_BLOCKS_H
#define FT_MODEL_BLOCKS_H

#include "math/attention.h"
#include "model/model.h"

/** Runs embedding and blocks; on return x_last, rstd_last and h (final norm) hold the batch. */
void blocks_forward(struct model *model, const struct batch *batch);

/** From dh, the gradient of the final norm's output, back to the embedding. */
void blocks_backward(struct model *model, const struct batch *batch);

static inline struct attention_shape attention_shape_of(const struct model_config *c,
                                                        const struct batch *batch)
{
    return (struct attention_shape){.n_tokens = batch->n_tokens,
                                    .n_segments = batch->n_segments,
                                    .segment_start = batch->segment_start,
                                    .Hq = c->Hq,
                                    .Hkv = c->Hkv,
                                    .D = c->D,
                                    .causal = true};
}

/** The gradient of the parameters at that offset; NULL where they are frozen (or absent: -1). */
static inline float *grads_of(const struct model *m, int64_t offset)
{
    return offset < m->trainable_from ? NULL : m->grads + (offset - m->trainable_from);
}

/** Elements of a row of queries, keys and values. */
static inline int qkv_width(const struct model_config *c)
{
    return (c->Hq + 2 * c->Hkv) * c->D;
}

#endif
