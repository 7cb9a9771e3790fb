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

/** Heads in a row: head h begins at element at + h * step. */
struct heads {
    int at, step, n;
};

/** What a rotation turns by: tables of the cosine and sine (positions, width/2). */
struct rotation {
    const float *cosine, *sine;
    int width; /**< elements of a head that turn, from its start; even, at most 512 */
};

/**
 * Rotates heads in place: pair (i, i + width/2) of each head by the angle of its position.
 *
 * @param[in,out] x         rows of `stride` elements
 * @param[in]     positions (n)
 * @param[in]     direction 1 forward, -1 backward
 *
 * Source: Su et al. 2021, in the half-split layout of Hugging Face.
 */
void rope_rotate(void *x, int stride, const struct heads *heads, const struct rotation *rotation,
                 const int32_t *positions, int n, float direction, enum elem type);

/** x (n, C) += bias (C) in each row. */
void bias_forward(void *x, const float *bias, int n, int C, enum elem type);

/** db (C) += column sums of dy (n rows of `stride` elements, C of them used). */
void bias_backward(float *db, const void *dy, int stride, int n, int C, enum elem type);

/** y (n elements) = x, rounded. */
void rows_to_bf16(uint16_t *y, const float *x, int64_t n);

/** x (n elements) *= scale. */
void scale_in_place(float *x, float scale, int64_t n);

/** y (n elements) += x. */
void add_in_place(float *y, const float *x, int64_t n);

#endif
