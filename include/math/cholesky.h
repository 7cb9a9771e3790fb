/** Cholesky factor of a symmetric positive definite f32 matrix, and solving with it. */
#ifndef FT_MATH_CHOLESKY_H
#define FT_MATH_CHOLESKY_H

#include <stdbool.h>

/**
 * a = l l^T: the lower triangle of a (n, n), row-major, becomes l; what is above is not read.
 *
 * @return false when a is not positive definite in f32; a is unspecified then
 */
bool cholesky_factor(float *a, int n);

/** Each row of x (m rows of n elements, ldx apart) becomes the solution of (l l^T) x = row. */
void cholesky_solve_rows(float *x, int ldx, int m, const float *l, int n);

#endif
