#include "math/activation.h"

#include <math.h>

#include "math/kernel.h"

enum { BLOCK = 1 << 14 }; /* elements that one thread takes at a time */

FT_KERNEL static void row_swiglu(float *act, const float *gate, const float *up, int F)
{
#pragma omp simd
    for (int f = 0; f < F; f++)
        act[f] = gate[f] / (1.0f + expf(-gate[f])) * up[f];
}

void swiglu_forward(float *act, const float *gate_up, int n, int F)
{
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++) {
        const float *gate = gate_up + (int64_t)t * 2 * F;
        row_swiglu(act + (int64_t)t * F, gate, gate + F, F);
    }
}

FT_KERNEL static void row_swiglu_backward(float *dgate, float *dup, const float *dact,
                                          const float *gate, const float *up, int F)
{
#pragma omp simd
    for (int f = 0; f < F; f++) {
        const float sigmoid = 1.0f / (1.0f + expf(-gate[f])), silu = gate[f] * sigmoid;
        dup[f] = dact[f] * silu;
        dgate[f] = dact[f] * up[f] * (sigmoid + silu * (1.0f - sigmoid));
    }
}

void swiglu_backward(float *dgate_up, const float *dact, const float *gate_up, int n, int F)
{
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++) {
        const int64_t at = (int64_t)t * 2 * F;
        row_swiglu_backward(dgate_up + at, dgate_up + at + F, dact + (int64_t)t * F, gate_up + at,
                            gate_up + at + F, F);
    }
}

/*
 * The normal distribution function without erff, whose vector form not every glibc has:
 *
 *     Phi(-a) = exp(-a^2 / 2) * R(u),    Phi(a) = 1 - Phi(-a),    u = 0.31 a / (1 + 0.31 a)
 *
 * for a = |x|. R is a polynomial of degree 5, our own minimax fit of the error of Phi on 0 ... 13,
 * exact at 0: 2e-8. Close to 0, where Phi is large, u is small and its terms lose nothing; further
 * out the exponential makes their rounding small. In f32 the error of Phi stays below 1.5e-7. (A
 * polynomial in 1 / (1 + p a), as Abramowitz & Stegun 7.1.26, is rounded worst at 0: 2.1e-7.) The
 * backward pass uses the same exponential as the density.
 */
static inline float upper_tail(float a, float exponential)
{
    const float scaled = 0.31f * a, u = scaled / (1.0f + scaled);
    float r = 0.1408752353f;
    r = r * u - 0.1115030961f;
    r = r * u - 0.5473908152f;
    r = r * u + 1.314549813f;
    r = r * u - 1.286911557f;
    return (r * u + 0.5f) * exponential;
}

static inline float normal_distribution(float x, float exponential)
{
    const float tail = upper_tail(fabsf(x), exponential);
    return x < 0.0f ? tail : 1.0f - tail;
}

FT_KERNEL static void row_gelu(float *act, const float *pre, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        act[i] = pre[i] * normal_distribution(pre[i], expf(-0.5f * pre[i] * pre[i]));
}

FT_KERNEL static void row_bias_gelu(float *act, float *pre, const float *bias, int F)
{
#pragma omp simd
    for (int f = 0; f < F; f++) {
        const float x = pre[f] + bias[f];
        pre[f] = x;
        act[f] = x * normal_distribution(x, expf(-0.5f * x * x));
    }
}

FT_KERNEL static void row_gelu_backward(float *dpre, const float *dact, const float *pre, int64_t n)
{
    const float density_at_0 = 0.3989422804f; /* 1 / sqrt(2 pi) */
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        const float x = pre[i], exponential = expf(-0.5f * x * x);
        dpre[i] = dact[i] * (normal_distribution(x, exponential) + x * density_at_0 * exponential);
    }
}

FT_KERNEL static void row_tanh_backward(float *dx, const float *dy, const float *y, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        dx[i] = dy[i] * (1.0f - y[i] * y[i]);
}

static int64_t block_size(int64_t at, int64_t n)
{
    return n - at < BLOCK ? n - at : BLOCK;
}

void gelu_forward(float *act, const float *pre, int64_t n)
{
#pragma omp parallel for schedule(static)
    for (int64_t at = 0; at < n; at += BLOCK)
        row_gelu(act + at, pre + at, block_size(at, n));
}

void bias_gelu_forward(float *act, float *pre, const float *bias, int n, int F)
{
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++)
        row_bias_gelu(act + (int64_t)t * F, pre + (int64_t)t * F, bias, F);
}

void gelu_backward(float *dpre, const float *dact, const float *pre, int64_t n)
{
#pragma omp parallel for schedule(static)
    for (int64_t at = 0; at < n; at += BLOCK)
        row_gelu_backward(dpre + at, dact + at, pre + at, block_size(at, n));
}

void tanh_forward(float *y, const float *x, int64_t n)
{
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++)
        y[i] = tanhf(x[i]);
}

void tanh_backward(float *dx, const float *dy, const float *y, int64_t n)
{
#pragma omp parallel for schedule(static)
    for (int64_t at = 0; at < n; at += BLOCK)
        row_tanh_backward(dx + at, dy + at, y + at, block_size(at, n));
}
