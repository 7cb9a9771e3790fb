#include "train/mcnemar.h"

#include <math.h>

/* log n! (lgamma itself writes a global) */
static double log_factorial(int64_t n)
{
    int sign;
    return lgamma_r((double)n + 1.0, &sign);
}

/* The terms fall from the largest, C(n, k) / 2^n, so the sum ends when one no longer counts: after
 * about 6 sqrt(n) terms where both counts are nearly equal, sooner elsewhere. */
double mcnemar_exact(int64_t a_only, int64_t b_only)
{
    const int64_t n = a_only + b_only, least = a_only < b_only ? a_only : b_only;
    if (a_only == b_only)
        return 1.0;
    const double largest =
        log_factorial(n) - log_factorial(least) - log_factorial(n - least) - (double)n * log(2.0);
    double sum = 0.0, term = 1.0;
    for (int64_t k = least; k >= 0 && term > 1e-18 * sum; k--) {
        sum += term;
        term *= (double)k / (double)(n - k + 1);
    }
    return fmin(1.0, 2.0 * sum * exp(largest));
}

struct mcnemar mcnemar_test(const uint8_t *a, const uint8_t *b, int64_t n)
{
    struct mcnemar m = {0};
    for (int64_t i = 0; i < n; i++) {
        m.a_only += a[i] && !b[i];
        m.b_only += b[i] && !a[i];
    }
    m.p = mcnemar_exact(m.a_only, m.b_only);
    return m;
}
