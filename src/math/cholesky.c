#include "math/cholesky.h"

#include <cblas.h>

/* LAPACK's spotrf, which OpenBLAS holds too. */
int spotrf_(const char *uplo, const int *n, float *a, const int *lda, int *info);

bool cholesky_factor(float *a, int n)
{
    int info = 0;
    (void)spotrf_("U", &n, a, &n, &info); /* a row-major lower triangle is Fortran's upper one */
    return info == 0;
}

void cholesky_solve_rows(float *x, int ldx, int m, const float *l, int n)
{
    cblas_strsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, m, n, 1.0f, l, n,
                x, ldx);
    cblas_strsm(CblasRowMajor, CblasRight, CblasLower, CblasNoTrans, CblasNonUnit, m, n, 1.0f, l, n,
                x, ldx);
}
