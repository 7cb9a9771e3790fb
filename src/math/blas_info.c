#include "math/blas_info.h"

#include <cblas.h>
#include <stdio.h>
#include <string.h>

enum { PARALLEL_OPENMP = 2 }; /* what openblas_get_parallel says: 0 none, 1 pthread, 2 OpenMP */

const char *blas_kernel(void)
{
    return openblas_get_corename();
}

const char *blas_description(void)
{
    static char text[256];
    if (!text[0]) {
        (void)snprintf(text, sizeof text - 64, "%s", openblas_get_config());
        for (size_t n = strlen(text); n > 0 && text[n - 1] == ' ';)
            text[--n] = '\0';
        const size_t used = strlen(text);
        (void)snprintf(text + used, sizeof text - used, ", kernel %s", blas_kernel());
    }
    return text;
}

bool blas_is_openmp(void)
{
    return openblas_get_parallel() == PARALLEL_OPENMP;
}

void blas_set_threads(int n)
{
    openblas_set_num_threads(n);
}
