/* Kernels on one row that several files of math/ use. */
#ifndef FT_MATH_ROW_H
#define FT_MATH_ROW_H

#include <stdint.h>

/* Columns that one thread sums at a time where threads share columns, not rows. */
enum { COLUMN_BLOCK = 64 };

/* y (n) += x */
void row_add(float *y, const float *x, int64_t n);

/* sum of a[i] * b[i] */
float row_dot(const float *a, const float *b, int n);

/* y (n) = x * scale */
void row_scale(float *y, const float *x, float scale, int n);

/* y (n) *= x */
void row_multiply(float *y, const float *x, int n);

/* the largest of x (n), n > 0 */
float row_max(const float *x, int n);

#endif
