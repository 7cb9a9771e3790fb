/**
 * Matrix products of row-major f32 matrices: C = A * B + beta * C with A or B transposed.
 *
 * The suffix says which operands are transposed as stored (n: as it is, t: transposed). Leading
 * dimensions are the distance between rows in elements. Called from one thread they use all of
 * OpenBLAS's; inside a parallel region each call runs on its own thread alone.
 */
#ifndef FT_MATH_GEMM_H
#define FT_MATH_GEMM_H

/** c (m, n) = a (m, k) * b (n, k)^T + beta * c. A linear layer's forward: y = x * w^T. */
void gemm_nt(float *c, int ldc, const float *a, int lda, const float *b, int ldb, int m, int n,
             int k, float beta);

/** c (m, n) = a (m, k) * b (k, n) + beta * c. A linear layer's input gradient: dx = dy * w. */
void gemm_nn(float *c, int ldc, const float *a, int lda, const float *b, int ldb, int m, int n,
             int k, float beta);

/** c (m, n) = a (k, m)^T * b (k, n) + beta * c. A linear layer's weight gradient: dw += dy^T * x.
 */
void gemm_tn(float *c, int ldc, const float *a, int lda, const float *b, int ldb, int m, int n,
             int k, float beta);

/** The lower triangle of c (m, m) = a (k, m)^T * a + beta * c; what is above is left alone. */
void gemm_tn_lower(float *c, int ldc, const float *a, int lda, int m, int k, float beta);

#endif
