/** tanh without tanhf, whose vector form not every glibc has. */
#ifndef FT_MATH_TANH_H
#define FT_MATH_TANH_H

#include <math.h>

#include "math/kernel.h"

/** Within 4 ulp: a series close to 0, where the quotient would lose low bits. For vector loops. */
static inline float smooth_tanh(float x)
{
    const float square = x * x, e = expf(-2.0f * fabsf(x));
    const float series = ((-0.0539682540f * square + 0.1333333333f) * square - 0.3333333333f);
    const float far = copysignf((1.0f - e) / (1.0f + e), x);
    return square < 0.01f ? x + x * square * series : far;
}

#endif
