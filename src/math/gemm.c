#include "math/gemm.h"

#include <cblas.h>

void gemm_nt(float *c, int ldc, const float *a, int lda, const float *b, int ldb, int m, int n,
             int k, float beta)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1.0f, a, lda, b, ldb, beta, c,
                ldc);
}

void gemm_nn(float *c, int ldc, const float *a, int lda, const float *b, int ldb, int m, int n,
             int k, float beta)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1.0f, a, lda, b, ldb, beta, c,
                ldc);
}

void gemm_tn(float *c, int ldc, const float *a, int lda, const float *b, int ldb, int m, int n,
             int k, float beta)
{
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, m, n, k, 1.0f, a, lda, b, ldb, beta, c,
                ldc);
}

void gemm_tn_lower(float *c, int ldc, const float *a, int lda, int m, int k, float beta)
{
    cblas_ssyrk(CblasRowMajor, CblasLower, CblasTrans, m, k, 1.0f, a, lda, beta, c, ldc);
}
