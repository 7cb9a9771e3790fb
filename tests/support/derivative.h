/** What the tests of math/ share: random inputs, derivatives by differences, runs at several thread
 * counts. */
#ifndef FT_TESTS_DERIVATIVE_H
#define FT_TESTS_DERIVATIVE_H

#include <omp.h>

#include "base/rng.h"
#include "support/check.h"

/** x (n) = uniform in -1 ... 1, other values at every call. */
static inline void fill(float *x, int64_t n)
{
    static uint64_t counter;
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)((double)rng_u64(7, 1, counter++) / 0x1p64 * 2.0 - 1.0);
}

static inline double weighted_sum(const float *x, const float *weight, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)weight[i];
    return sum;
}

/** d f / d x[i] by central differences equals gradient[i], for every stride-th i. */
static inline void check_derivative(const char *what, double (*f)(void), float *x,
                                    const float *gradient, int64_t n, int64_t stride)
{
    double scale = 0;
    for (int64_t i = 0; i < n; i++)
        scale = fmax(scale, fabs((double)gradient[i]));
    CHECK(scale > 0);
    for (int64_t i = 0; i < n; i += stride) {
        const float kept = x[i], h = 1e-2f;
        x[i] = kept + h;
        const double above = f();
        x[i] = kept - h;
        const double below = f();
        x[i] = kept;
        const double slope = (above - below) / (2.0 * (double)h);
        if (!(fabs(slope - (double)gradient[i]) <= 2e-3 * scale)) {
            (void)fprintf(stderr, "%s[%lld]: slope %g, gradient %g\n", what, (long long)i, slope,
                          (double)gradient[i]);
            check_failures++;
        }
    }
}

/** run() leaves the same bytes in result with 1, 2 and 3 threads. */
static inline void check_threads(const char *what, void (*run)(void), const float *result,
                                 int64_t n)
{
    const size_t bytes = (size_t)n * sizeof *result;
    const int usual = omp_get_max_threads();
    float *first = mem_alloc_raw((size_t)n, sizeof *first);
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        run();
        if (threads == 1) {
            memcpy(first, result, bytes);
        } else if (memcmp(first, result, bytes) != 0) {
            (void)fprintf(stderr, "%s: another result with %d threads\n", what, threads);
            check_failures++;
        }
    }
    omp_set_num_threads(usual);
    mem_free(first);
}

#endif
