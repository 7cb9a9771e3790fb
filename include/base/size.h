/** Size arithmetic on numbers that came from a file: false instead of wrapping around. */
#ifndef FT_BASE_SIZE_H
#define FT_BASE_SIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** *out = a * b; false when it does not fit, *out untouched. */
static inline bool checked_mul(uint64_t *out, uint64_t a, uint64_t b)
{
    uint64_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *out = product;
    return true;
}

/** *out = a + b; false when it does not fit, *out untouched. */
static inline bool checked_add(uint64_t *out, uint64_t a, uint64_t b)
{
    uint64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *out = sum;
    return true;
}

/** *out = a rounded up to a multiple of unit (> 0); false when it does not fit. */
static inline bool checked_align_up(uint64_t *out, uint64_t a, uint64_t unit)
{
    const uint64_t rest = a % unit;
    return checked_add(out, a, rest ? unit - rest : 0);
}

#endif
