/** Which OpenBLAS runs: its build, its kernel, and whether its threads are OpenMP's. */
#ifndef FT_MATH_BLAS_INFO_H
#define FT_MATH_BLAS_INFO_H

#include <stdbool.h>

/** Build and kernel, "OpenBLAS 0.3.21 ... kernel SkylakeX"; valid for the life of the process. */
const char *blas_description(void);

/** Name of the kernel chosen for this processor: results differ in the last bits between kernels.
 */
const char *blas_kernel(void);

/**
 * Whether this is the OpenMP build. The pthread build has threads of its own: called from OpenMP
 * regions they compete with ours.
 */
bool blas_is_openmp(void);

/** Threads of the matrix products from now on: the pthread build does not follow OpenMP's number.
 */
void blas_set_threads(int n);

#endif
