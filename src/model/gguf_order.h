/* How GGUF names and orders the tensors of the table; not for other layers. */
#ifndef FT_MODEL_GGUF_ORDER_H
#define FT_MODEL_GGUF_ORDER_H

#include "model/layout.h"
#include "names.h"

/* "blk.0.attn_q.weight"; false where GGUF has no such tensor. */
bool gguf_tensor_name(char name[TENSOR_NAME], const struct model_config *c,
                      const struct tensor_spec *t);

/* Whether GGUF has the matrix as (out, in) where the table has (in, out). */
bool gguf_is_turned(const struct model_config *c, const struct tensor_spec *t);

/* x (t->n) f32 from the file's order to the table's, in place. */
ft_status gguf_order_read(float *x, const struct model_config *c, const struct tensor_spec *t);

/* out (n) = elements first ... first+n-1 of the file's tensor, from the table's x (t->n). */
void gguf_order_give(float *out, const float *x, int64_t first, int64_t n,
                     const struct model_config *c, const struct tensor_spec *t);

#endif
