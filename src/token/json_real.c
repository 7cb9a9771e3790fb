/*
 * serde_json without its feature float_roundtrip: all digits that fit 64 bits as one integer,
 * rounded to f64, and then multiplied or divided by a power of ten.
 */
#include <stdint.h>
#include <stdlib.h>

#include "token/json_parts.h"

/** 10^n, correctly rounded; n from 0 to 308. */
static double power_of_ten(int n)
{
    char text[8] = {
        '1', 'e', (char)('0' + n / 100), (char)('0' + n / 10 % 10), (char)('0' + n % 10), 0};
    return strtod(text, NULL);
}

static double scale(double f, int64_t exponent)
{
    enum { LARGEST = 308 };
    for (; exponent < -LARGEST && f != 0; exponent += LARGEST)
        f /= 1e308;
    if (f == 0)
        return f;
    const int64_t n = exponent < 0 ? -exponent : exponent > LARGEST ? LARGEST : exponent;
    return exponent < 0 ? f / power_of_ten((int)n) : f * power_of_ten((int)n);
}

double json_part_real(const char *text, size_t bytes)
{
    const char *at = text, *end = text + bytes;
    const bool negative = at < end && *at == '-';
    bool fraction = false, full = false;
    uint64_t significand = 0;
    int64_t exponent = 0, written = 0;
    at += negative;
    for (; at < end && (*at == '.' || (*at >= '0' && *at <= '9')); at++) {
        const uint64_t digit = (uint64_t)(*at - '0');
        if (*at == '.') {
            fraction = true;
            full = false; /* each part of the number finds anew that it is too long */
            continue;
        }
        full = full || significand > (UINT64_MAX - digit) / 10;
        if (!full)
            significand = significand * 10 + digit;
        exponent += full ? !fraction : -(int64_t)fraction;
    }
    const bool has_exponent = at < end && (*at == 'e' || *at == 'E');
    const bool below = has_exponent && at + 1 < end && at[1] == '-';
    for (at += has_exponent; has_exponent && at < end; at++) {
        if (*at >= '0' && *at <= '9' && written < 100000)
            written = written * 10 + (*at - '0');
        else if (*at != '-' && *at != '+' && !(*at >= '0' && *at <= '9'))
            break;
    }
    const double value = scale((double)significand, exponent + (below ? -written : written));
    return negative ? -value : value;
}
