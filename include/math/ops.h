/**
 * Small operators on rows: bias, rotary embedding, sum. Rows are tokens, buffers f32 or of
 * the type that is given.
 *
 * Local; parallel over OpenMP threads; every result is independent of the number of threads.
 * In math/ x_backward is the twin of x_forward and ADDS to gradients of parameters.
 */
#ifndef FT_MATH_OPS_H
#define FT_MATH_OPS_H

#include <stdint.h>

#include "math/elem.h"

/**
 * Rotates heads in place: pair (i, i + D/2) of each head by the angle of its position.
 *
 * @param[in,out] x         rows of `stride` elements, n_heads heads of D <= 512 from their start
 * @param[in]     cosine    (positions, D/2) table; sine likewise
 * @param[in]     direction 1 forward, -1 backward
 *
 * Source: Su et al. 2021, in the half-split layout of Hugging Face.
 */
void rope_rotate(void *x, int stride, int n_heads, int D, const float *cosine, const float *sine,
                 const int32_t *positions, int n, float direction, enum elem type);

/** x (n, C) += bias (C) in each row. */
void bias_forward(void *x, const float *bias, int n, int C, enum elem type);

/** db (C) += column sums of dy (n rows of `stride` elements, C of them used). */
void bias_backward(float *db, const void *dy, int stride, int n, int C, enum elem type);

/** y (n elements) = x, rounded. */
void rows_to_bf16(uint16_t *y, const float *x, int64_t n);

/** y (n elements) += x. */
void add_in_place(float *y, const float *x, int64_t n);

#endif
