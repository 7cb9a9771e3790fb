/** Kernels on one row that several files of math/ use. */
#ifndef FT_MATH_ROW_H
#define FT_MATH_ROW_H

#include <stdint.h>

#include "math/elem.h"

/** Columns that one thread sums at a time where threads share columns, not rows. */
enum { COLUMN_BLOCK = 64 };

/** y (n) += x */
void row_add(float *y, const float *x, int64_t n);

/** sum of a[i] * b[i] */
float row_dot(const float *a, const float *b, int n);

/** y (n) = x * scale */
void row_scale(float *y, const float *x, float scale, int n);

/** y (n) *= x */
void row_multiply(float *y, const float *x, int n);

/** y (n) = a * b; y may be a or b */
void row_product(float *y, const float *a, const float *b, int n);

/** the largest of x (n), n > 0 */
float row_max(const float *x, int n);

/** y (n) = x, exact */
void row_from_bf16(float *y, const uint16_t *x, int64_t n);

/** y (n) = x, rounded */
void row_to_bf16(uint16_t *y, const float *x, int64_t n);

/** x (n) = cap * tanh(scale * x / cap) */
void row_softcap(float *x, float scale, float cap, int n);

/** The row (n) becomes one of bf16 that begins at the same place. */
void row_shrink(float *row, int n);

/*
 * Kernels are written for f32. Over rows of another type they go piece by piece, through buffers on
 * the stack that stay in the first-level cache:
 *
 *     float a[PIECE], b[PIECE];
 *     const float *x = row_read(a, in, type, at, n);       f32: where it lies
 *     float *y = row_place(b, out, type, at);
 *     kernel(y, x, n);
 *     row_write(out, type, at, y, n);                      f32: nothing to do
 */
enum { PIECE = 512 };

static inline int piece_of(int at, int n)
{
    return n - at < PIECE ? n - at : PIECE;
}

static inline const float *row_read(float *buffer, const void *x, enum elem type, int64_t at, int n)
{
    if (type == ELEM_F32)
        return (const float *)x + at;
    row_from_bf16(buffer, (const uint16_t *)x + at, n);
    return buffer;
}

static inline float *row_place(float *buffer, void *y, enum elem type, int64_t at)
{
    return type == ELEM_F32 ? (float *)y + at : buffer;
}

static inline void row_write(void *y, enum elem type, int64_t at, const float *values, int n)
{
    if (type == ELEM_BF16)
        row_to_bf16((uint16_t *)y + at, values, n);
}

#endif
