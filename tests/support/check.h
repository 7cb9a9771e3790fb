/** Checks of the unit tests: a failed check prints where and what, and makes the test's exit
 * code 1. */
#ifndef FT_TESTS_CHECK_H
#define FT_TESTS_CHECK_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

static int check_failures;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: CHECK(%s)\n", __FILE__, __LINE__, #condition);           \
            check_failures++;                                                                      \
        }                                                                                          \
    } while (0)

/** |a - b| <= tolerance * max(|b|, 1e-30) */
#define CHECK_CLOSE(a, b, tolerance)                                                               \
    do {                                                                                           \
        const double check_a = (double)(a), check_b = (double)(b);                                 \
        if (!(fabs(check_a - check_b) <= (tolerance)*fmax(fabs(check_b), 1e-30))) {                \
            (void)fprintf(stderr, "%s:%d: %s = %.9g, expected %s = %.9g within %g relative\n",     \
                          __FILE__, __LINE__, #a, check_a, #b, check_b, (double)(tolerance));      \
            check_failures++;                                                                      \
        }                                                                                          \
    } while (0)

/** The call gives this status; on a surprise its message is shown. */
#define CHECK_STATUS(call, expected)                                                               \
    do {                                                                                           \
        const ft_status check_got = (call);                                                        \
        if (check_got != (expected)) {                                                             \
            (void)fprintf(stderr, "%s:%d: %s gave %d, expected %d (%s)\n", __FILE__, __LINE__,     \
                          #call, (int)check_got, (int)(expected), ft_error_text());                \
            check_failures++;                                                                      \
        }                                                                                          \
    } while (0)

/** The call fails with this status and its message holds this text. */
#define CHECK_FAILS(call, expected, part)                                                          \
    do {                                                                                           \
        CHECK_STATUS(call, expected);                                                              \
        if (!strstr(ft_error_text(), (part))) {                                                    \
            (void)fprintf(stderr, "%s:%d: message lacks \"%s\": %s\n", __FILE__, __LINE__, (part), \
                          ft_error_text());                                                        \
            check_failures++;                                                                      \
        }                                                                                          \
    } while (0)

/** A file or a text that must be refused: tools/hostile.sh lists and counts these lines. */
static inline void check_hostile(const char *kind, const char *name)
{
    (void)printf("hostile: %s: %s\n", kind, name);
}

/** Last line of main: live bytes must be zero. */
static inline int check_end(void)
{
    CHECK(mem_live_bytes() == 0);
    return check_failures ? 1 : 0;
}

/** Tensor comparison: max|a-b| <= tolerance * max|b|; prints the ratio when it fails. */
static inline int check_tensor(const char *name, const float *a, const float *b, long n,
                               double tolerance)
{
    double worst = 0, scale = 0;
    int finite = 1;
    for (long i = 0; i < n; i++) {
        const double difference = fabs((double)a[i] - (double)b[i]);
        finite = finite && isfinite(a[i]);
        worst = difference > worst ? difference : worst;
        scale = fabs((double)b[i]) > scale ? fabs((double)b[i]) : scale;
    }
    if (finite && worst <= tolerance * scale)
        return 1;
    (void)fprintf(stderr, "%s: max|a-b| / max|b| = %.3g / %.3g, allowed %g\n", name, worst, scale,
                  tolerance);
    check_failures++;
    return 0;
}

#endif
