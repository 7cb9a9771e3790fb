/**
 * Rows chosen from tables: token and position embeddings. All buffers are f32.
 *
 * A BERT's embedding is embedding_forward by tokens, embedding_add_forward by positions, and
 * bias_forward with the one token type's row (math/ops.h); backwards embedding_backward twice and
 * bias_backward.
 *
 * Local; parallel over OpenMP threads; every result is independent of the number of threads.
 */
#ifndef FT_MATH_EMBEDDING_H
#define FT_MATH_EMBEDDING_H

#include <stdint.h>

/** x (n, C) = rows of table (V, C) chosen by ids (n). */
void embedding_forward(float *x, const float *table, const int32_t *ids, int n, int C);

/** x (n, C) += rows of table (V, C) chosen by ids (n). */
void embedding_add_forward(float *x, const float *table, const int32_t *ids, int n, int C);

/** dtable (V, C) += rows of dx (n, C), in the order of the rows: twin of both. */
void embedding_backward(float *dtable, const float *dx, const int32_t *ids, int n, int C);

#endif
