/* A matrix product for operands that fit into the first-level cache, where a call of the BLAS costs
 * as much as the product. Runs on the calling thread. */
#ifndef FT_MATH_SMALL_GEMM_H
#define FT_MATH_SMALL_GEMM_H

enum { SMALL_GEMM_LANES = 8 };

/*
 * c (m, n) = a (m, k) * b (k, n), n a multiple of SMALL_GEMM_LANES. Rows of c and b are ldc and ldb
 * apart; element (i, j) of a is at i * a_row + j * a_column, so that a may be stored transposed.
 */
void small_gemm(float *c, int ldc, const float *a, int a_row, int a_column, const float *b, int ldb,
                int m, int n, int k);

/* to (rows, columns) = x (rows, columns; rows of `stride` elements), columns a multiple of
 * SMALL_GEMM_LANES. */
void small_copy(float *to, const float *x, int stride, int rows, int columns);

/* to (columns, ld) = x (rows, columns; rows of `stride` elements) transposed; columns rows ... ld-1
 * stay as they are. */
void small_transpose(float *to, int ld, const float *x, int stride, int rows, int columns);

#endif
