#include "math/activation.h"

#include <math.h>

#include "math/kernel.h"
#include "math/row.h"

FT_KERNEL static void row_swiglu(float *act, const float *gate, const float *up, int F)
{
#pragma omp simd
    for (int f = 0; f < F; f++)
        act[f] = gate[f] / (1.0f + expf(-gate[f])) * up[f];
}

void swiglu_forward(void *act, const void *gate_up, int n, int F, enum elem type)
{
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++)
        for (int f = 0; f < F; f += PIECE) {
            float buffers[3][PIECE];
            const int64_t to = (int64_t)t * F + f, from = (int64_t)t * 2 * F + f;
            const int width = piece_of(f, F);
            const float *gate = row_read(buffers[0], gate_up, type, from, width);
            const float *up = row_read(buffers[1], gate_up, type, from + F, width);
            float *out = row_place(buffers[2], act, type, to);
            row_swiglu(out, gate, up, width);
            row_write(act, type, to, out, width);
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

void swiglu_backward(void *dgate_up, const void *dact, const void *gate_up, int n, int F,
                     enum elem type)
{
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++)
        for (int f = 0; f < F; f += PIECE) {
            float buffers[5][PIECE];
            const int64_t at = (int64_t)t * 2 * F + f;
            const int width = piece_of(f, F);
            const float *gate = row_read(buffers[0], gate_up, type, at, width);
            const float *up = row_read(buffers[1], gate_up, type, at + F, width);
            const float *d = row_read(buffers[2], dact, type, (int64_t)t * F + f, width);
            float *dgate = row_place(buffers[3], dgate_up, type, at);
            float *dup = row_place(buffers[4], dgate_up, type, at + F);
            row_swiglu_backward(dgate, dup, d, gate, up, width);
            row_write(dgate_up, type, at, dgate, width);
            row_write(dgate_up, type, at + F, dup, width);
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

void gelu_forward(void *act, const void *pre, int n, int F, enum elem type)
{
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++)
        for (int f = 0; f < F; f += PIECE) {
            float x_buffer[PIECE], y_buffer[PIECE];
            const int64_t at = (int64_t)t * F + f;
            const int width = piece_of(f, F);
            const float *x = row_read(x_buffer, pre, type, at, width);
            float *y = row_place(y_buffer, act, type, at);
            row_gelu(y, x, width);
            row_write(act, type, at, y, width);
        }
}

void bias_gelu_forward(void *act, void *pre, const float *bias, int n, int F, enum elem type)
{
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++)
        for (int f = 0; f < F; f += PIECE) {
            float x_buffer[PIECE], y_buffer[PIECE];
            const int64_t at = (int64_t)t * F + f;
            const int width = piece_of(f, F);
            (void)row_read(x_buffer, pre, type, at, width);
            float *x = row_place(x_buffer, pre, type, at);
            float *y = row_place(y_buffer, act, type, at);
            row_bias_gelu(y, x, bias + f, width);
            row_write(pre, type, at, x, width);
            row_write(act, type, at, y, width);
        }
}

void gelu_backward(void *dpre, const void *dact, const void *pre, int n, int F, enum elem type)
{
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++)
        for (int f = 0; f < F; f += PIECE) {
            float buffers[3][PIECE];
            const int64_t at = (int64_t)t * F + f;
            const int width = piece_of(f, F);
            const float *d = row_read(buffers[0], dact, type, at, width);
            const float *x = row_read(buffers[1], pre, type, at, width);
            float *dx = row_place(buffers[2], dpre, type, at);
            row_gelu_backward(dx, d, x, width);
            row_write(dpre, type, at, dx, width);
        }
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
    for (int64_t at = 0; at < n; at += PIECE)
        row_tanh_backward(dx + at, dy + at, y + at, n - at < PIECE ? n - at : PIECE);
}
