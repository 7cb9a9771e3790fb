/* How GGUF names and orders the tensors of the table; not for other layers. */
#ifndef FT_MODEL_GGUF_ORDER_H
#define FT_MODEL_GGUF_ORDER_H

#include "model/layout.h"
#include "names.h"

/* "blk.0.attn_q.weight" */
void gguf_tensor_name(char name[TENSOR_NAME], const struct model_config *c,
                      const struct tensor_spec *t);

/* Whether GGUF has the matrix as (out, in) where the table has (in, out). */
bool gguf_is_turned(const struct model_config *c, const struct tensor_spec *t);

/* x (t->n) f32 from the file's order to the table's, in place; and back. */
ft_status gguf_order_read(float *x, const struct model_config *c, const struct tensor_spec *t);
ft_status gguf_order_write(float *x, const struct model_config *c, const struct tensor_spec *t);

#endif
