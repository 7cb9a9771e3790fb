/** Inside model/: the parts of the passes, shared by the files that make them up. */
#ifndef FT_MODEL_BLOCKS_H
#define FT_MODEL_BLOCKS_H

#include "math/attention.h"
#include "model/model.h"

/** Places of dropout in a block; the number of a place in the network is layer * 8 + place. */
enum dropout_place {
    DROP_EMBEDDING, /**< of layer 0 */
    DROP_ATTENTION, /**< probabilities */
    DROP_ATTENTION_OUTPUT,
    DROP_MLP_OUTPUT,
    DROP_CLASSIFIER /**< of layer L */
};

static inline int dropout_site(int layer, enum dropout_place place)
{
    return layer * 8 + (int)place;
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

/** Elements of a row that goes into the activation. */
static inline int up_width(const struct model_config *c)
{
    return c->gated ? 2 * c->F : c->F;
}

/** Groups that a norm of so many heads' elements is over. */
static inline int norm_groups(const struct model_config *c, int heads)
{
    return c->qk_norm == QK_NORM_HEAD ? heads : 1;
}

/* embedding.c */

/** x (n, C) = what goes into the first block; h is scratch. */
void embed_forward(struct model *m, float *x, const struct batch *batch);

/** From dx, which is overwritten. */
void embed_backward(struct model *m, const struct batch *batch);

/* layer.c: one layer of weights, of whatever kind */

/** What matrix products read of the normed rows: h, or h16. */
static inline const void *normed(const struct model *m)
{
    return m->h16 ? (const void *)m->h16 : m->h;
}

/** y (n, out) = x (n, in) * w^T + bias, all f32. */
void dense_forward(float *y, const float *x, const struct model *m, const struct linear *l, int n);

/** From dy (n, out), rows of dy_row elements: gradients of w and bias where they learn; dx (n, in)
 * = dy * w unless dx is NULL. All f32. */
void dense_backward(float *dx, const float *dy, int dy_row, const float *x, const struct model *m,
                    const struct linear *l, int n);

/** As dense_forward, x of the model's elem and y of y_type: ELEM_F32 or the model's. */
void linear_forward(void *y, enum elem y_type, const void *x, const struct model *m,
                    const struct linear *l, int n);

/** As dense_backward, dy and x of the model's elem and dx of dx_type. */
void linear_backward(void *dx, enum elem dx_type, const void *dy, int dy_row, const void *x,
                     const struct model *m, const struct linear *l, int n);

/*
 * Norms of rows of `width` elements, of the kind that the model has. Without weights (offset -1)
 * the rows go on as they are: a block may have no norm there.
 */

/** y, y16 (n, width) = norm(base + delta), or norm(base) where delta is NULL; either may be NULL.
 * The sum goes to a->x. */
void norm_rows(const struct model *m, float *y, uint16_t *y16, const float *delta,
               const struct norm_acts *a, const struct norm_offsets *o, const float *base, int n,
               int width);

/** The same once more, from what was kept. */
void norm_rows_recompute(const struct model *m, float *y, uint16_t *y16, const struct norm_acts *a,
                         const struct norm_offsets *o, int n, int width);

/** From dy: gradients of its weights, and dx grows. */
void norm_rows_backward(const struct model *m, float *dx, const float *dy,
                        const struct norm_acts *a, const struct norm_offsets *o, int n, int width);

/** h = norm(base + delta). With bf16 h16 is made, and h only where `as_f32` says that someone reads
 * it. */
void norm_forward(struct model *m, const struct norm_acts *a, const struct norm_offsets *o,
                  const float *base, const float *delta, bool as_f32, int n);

/** The same once more, from what was kept. */
void norm_recompute(struct model *m, const struct norm_acts *a, const struct norm_offsets *o,
                    bool as_f32, int n);

/** From dh, the gradient of the norm's output: gradients of its weights, and dx grows. */
void norm_backward(struct model *m, const struct norm_acts *a, const struct norm_offsets *o, int n);

/** x (n, C) *= mask of the place, in the blocks that learn. */
void drop_hidden(const struct model *m, float *x, const struct batch *batch, int layer,
                 enum dropout_place place);

/** Whether the pass that is going on drops hidden values at that place of that block. */
bool drops_hidden(const struct model *m, int layer, enum dropout_place place);

/** The batch as attention sees it in one block. */
struct attention_shape attention_shape_of(const struct model *m, const struct batch *batch,
                                          int layer);

/* forward.c and backward.c */

/** From h to queries, keys, values and attention's output of a block. */
void attention_core(struct model *m, const struct batch *batch, int layer);

/** From what model->recompute left of a block to all that its backward pass needs. */
void block_again(struct model *m, const struct batch *batch, int layer);

/** Runs embedding and blocks; on return h holds the final norm's rows. visit may be NULL. */
void blocks_forward(struct model *m, const struct batch *batch, model_visitor *visit,
                    void *context);

/** From dh, the gradient of the final norm's output, back to the first block that learns. */
void blocks_backward(struct model *m, const struct batch *batch);

/* qk_norm.c: nothing without qk_norm */

/** Norms queries and keys of a block in place; acts keeps what they were. */
void qk_norm_forward(const struct model *m, void *qkv, const struct batch *batch, int layer);

/** From the gradient of the normed, in place, to that of what they were. */
void qk_norm_backward(const struct model *m, void *dqkv, const struct batch *batch, int layer);

/* pool.c */

/** out (n_segments, C) from rows (n_tokens, C). */
void pool_forward(float *out, const float *rows, const struct batch *batch, enum pooling pooling,
                  int C);

/** Twin: drows (n_tokens, C), overwritten, from dout (n_segments, C). */
void pool_backward(float *drows, const float *dout, const struct batch *batch, enum pooling pooling,
                   int C);

/* head.c */

/** out (n, C) = f(x w^T + bias); pre, before f, may be out. */
void stage_forward(float *out, float *pre, const float *x, const struct model *m,
                   const struct head_stage *stage, int n);

/** Offsets of the head's tensors. */
void head_find(struct model *m);

/** Takes the head's buffers from the arena. */
void head_push(struct arena *arena, struct model *m, bool trains);

/** From h to the logits; the sum of the losses. With want_gradient dlogits is their gradient. */
double head_forward(struct model *m, const struct batch *batch, bool want_gradient);

/** From dlogits back to dh. */
void head_backward(struct model *m, const struct batch *batch);

/* rope.c */

/** Takes the tables of rotation from the arena. */
void rope_push(struct arena *arena, struct model *m);

/** Fills them. */
void rope_fill(struct model *m);

/** Turns queries and keys of a block, rows of qkv_width, forward (1) or back (-1); nothing without
 * POSITION_ROPE. */
void rope_turn(const struct model *m, void *qkv, const struct batch *batch, int layer,
               float direction);

#endif
