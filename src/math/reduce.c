#include "math/reduce.h"

#include "math/kernel.h"

enum { BLOCK = 1 << 12, GROUP = 1 << 10 };

FT_KERNEL static double block_square(const float *x, int64_t n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sum;
}

double sum_of_squares(const float *x, int64_t n)
{
    double total = 0;
    for (int64_t from = 0; from < n; from += (int64_t)BLOCK * GROUP) {
        double partial[GROUP];
#pragma omp parallel for schedule(static)
        for (int g = 0; g < GROUP; g++) {
            const int64_t at = from + (int64_t)g * BLOCK, left = n - at;
            partial[g] = left <= 0 ? 0.0 : block_square(x + at, left < BLOCK ? left : BLOCK);
        }
        for (int g = 0; g < GROUP; g++)
            total += partial[g];
    }
    return total;
}
