#include "math/activation.h"

#include <math.h>

#include "math/kernel.h"
#include "math/row.h"
#include "math/tanh.h"

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

/* y = f(x); y may be x. */
typedef void value_kernel(float *y, const float *x, int n);

/* y = f(x), slope = f'(x); no two of them are the same. */
typedef void slope_kernel(float *y, float *slope, const float *x, int n);

FT_KERNEL static void row_silu(float *y, const float *x, int n)
{
#pragma omp simd
    for (int i = 0; i < n; i++)
        y[i] = x[i] / (1.0f + expf(-x[i]));
}

FT_KERNEL static void row_silu_slope(float *y, float *slope, const float *x, int n)
{
#pragma omp simd
    for (int i = 0; i < n; i++) {
        const float sigmoid = 1.0f / (1.0f + expf(-x[i])), silu = x[i] * sigmoid;
        y[i] = silu;
        slope[i] = sigmoid + silu * (1.0f - sigmoid);
    }
}

FT_KERNEL static void row_gelu(float *y, const float *x, int n)
{
#pragma omp simd
    for (int i = 0; i < n; i++)
        y[i] = x[i] * normal_distribution(x[i], expf(-0.5f * x[i] * x[i]));
}

FT_KERNEL static void row_gelu_slope(float *y, float *slope, const float *x, int n)
{
    const float density_at_0 = 0.3989422804f; /* 1 / sqrt(2 pi) */
#pragma omp simd
    for (int i = 0; i < n; i++) {
        const float exponential = expf(-0.5f * x[i] * x[i]);
        const float phi = normal_distribution(x[i], exponential);
        y[i] = x[i] * phi;
        slope[i] = phi + x[i] * density_at_0 * exponential;
    }
}

/* (1 + tanh(u)) / 2 is the logistic function of 2 u. */
#define GELU_TANH_TWICE 1.5957691216f /* 2 sqrt(2 / pi) */
#define GELU_TANH_CUBE 0.044715f

FT_KERNEL static void row_gelu_tanh(float *y, const float *x, int n)
{
#pragma omp simd
    for (int i = 0; i < n; i++) {
        const float twice = GELU_TANH_TWICE * (x[i] + GELU_TANH_CUBE * x[i] * x[i] * x[i]);
        y[i] = x[i] / (1.0f + expf(-twice));
    }
}

FT_KERNEL static void row_gelu_tanh_slope(float *y, float *slope, const float *x, int n)
{
#pragma omp simd
    for (int i = 0; i < n; i++) {
        const float square = x[i] * x[i];
        const float twice = GELU_TANH_TWICE * (x[i] + GELU_TANH_CUBE * x[i] * square);
        const float inner = GELU_TANH_TWICE * (1.0f + 3.0f * GELU_TANH_CUBE * square);
        const float sigmoid = 1.0f / (1.0f + expf(-twice)), value = x[i] * sigmoid;
        y[i] = value;
        slope[i] = sigmoid + value * (1.0f - sigmoid) * inner;
    }
}

FT_KERNEL static void row_relu(float *y, const float *x, int n)
{
#pragma omp simd
    for (int i = 0; i < n; i++)
        y[i] = x[i] > 0.0f ? x[i] : 0.0f;
}

FT_KERNEL static void row_relu_slope(float *y, float *slope, const float *x, int n)
{
#pragma omp simd
    for (int i = 0; i < n; i++) {
        y[i] = x[i] > 0.0f ? x[i] : 0.0f;
        slope[i] = x[i] > 0.0f ? 1.0f : 0.0f;
    }
}

FT_KERNEL static void row_tanh(float *y, const float *x, int n)
{
#pragma omp simd
    for (int i = 0; i < n; i++)
        y[i] = smooth_tanh(x[i]);
}

FT_KERNEL static void row_tanh_slope(float *y, float *slope, const float *x, int n)
{
#pragma omp simd
    for (int i = 0; i < n; i++) {
        const float value = smooth_tanh(x[i]);
        y[i] = value;
        slope[i] = 1.0f - value * value;
    }
}

static const struct {
    value_kernel *value;
    slope_kernel *slope;
} functions[N_FUNCTIONS] = {[FUNCTION_SILU] = {row_silu, row_silu_slope},
                            [FUNCTION_GELU] = {row_gelu, row_gelu_slope},
                            [FUNCTION_GELU_TANH] = {row_gelu_tanh, row_gelu_tanh_slope},
                            [FUNCTION_RELU] = {row_relu, row_relu_slope},
                            [FUNCTION_TANH] = {row_tanh, row_tanh_slope}};

void activation_forward(enum function f, void *act, const void *pre, int n, int F, enum elem type)
{
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++)
        for (int at = 0; at < F; at += PIECE) {
            float x_buffer[PIECE], y_buffer[PIECE];
            const int64_t from = (int64_t)t * F + at;
            const int width = piece_of(at, F);
            const float *x = row_read(x_buffer, pre, type, from, width);
            float *y = row_place(y_buffer, act, type, from);
            functions[f].value(y, x, width);
            row_write(act, type, from, y, width);
        }
}

void bias_activation_forward(enum function f, void *act, void *pre, const float *bias, int n, int F,
                             enum elem type)
{
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++)
        for (int at = 0; at < F; at += PIECE) {
            float x_buffer[PIECE], y_buffer[PIECE];
            const int64_t from = (int64_t)t * F + at;
            const int width = piece_of(at, F);
            (void)row_read(x_buffer, pre, type, from, width);
            float *x = row_place(x_buffer, pre, type, from);
            float *y = row_place(y_buffer, act, type, from);
            row_add(x, bias + at, width);
            functions[f].value(y, x, width);
            row_write(pre, type, from, x, width);
            row_write(act, type, from, y, width);
        }
}

void activation_backward(enum function f, void *dpre, const void *dact, const void *pre, int n,
                         int F, enum elem type)
{
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++)
        for (int at = 0; at < F; at += PIECE) {
            float d_buffer[PIECE], x_buffer[PIECE], value[PIECE], slope[PIECE];
            const int64_t from = (int64_t)t * F + at;
            const int width = piece_of(at, F);
            const float *d = row_read(d_buffer, dact, type, from, width);
            const float *x = row_read(x_buffer, pre, type, from, width);
            float *dx = row_place(d_buffer, dpre, type, from);
            functions[f].slope(value, slope, x, width);
            row_product(dx, d, slope, width);
            row_write(dpre, type, from, dx, width);
        }
}

void gated_forward(enum function f, void *act, const void *gate_up, int n, int F, enum elem type)
{
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++)
        for (int at = 0; at < F; at += PIECE) {
            float buffers[3][PIECE];
            const int64_t to = (int64_t)t * F + at, from = (int64_t)t * 2 * F + at;
            const int width = piece_of(at, F);
            const float *gate = row_read(buffers[0], gate_up, type, from, width);
            const float *up = row_read(buffers[1], gate_up, type, from + F, width);
            float *out = row_place(buffers[2], act, type, to);
            functions[f].value(out, gate, width);
            row_multiply(out, up, width);
            row_write(act, type, to, out, width);
        }
}

/* dup = dact * value, dgate = dact * up * slope; any of them may be where dact or up is. */
FT_KERNEL static void row_gated_backward(float *dgate, float *dup, const float *dact,
                                         const float *up, const float *value, const float *slope,
                                         int n)
{
#pragma omp simd
    for (int i = 0; i < n; i++) {
        const float d = dact[i], u = up[i];
        dup[i] = d * value[i];
        dgate[i] = d * u * slope[i];
    }
}

void gated_backward(enum function f, void *dgate_up, const void *dact, const void *gate_up, int n,
                    int F, enum elem type)
{
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++)
        for (int c = 0; c < F; c += PIECE) {
            float buffers[5][PIECE], value[PIECE], slope[PIECE];
            const int64_t at = (int64_t)t * 2 * F + c;
            const int width = piece_of(c, F);
            const float *gate = row_read(buffers[0], gate_up, type, at, width);
            const float *up = row_read(buffers[1], gate_up, type, at + F, width);
            const float *d = row_read(buffers[2], dact, type, (int64_t)t * F + c, width);
            float *dgate = row_place(buffers[3], dgate_up, type, at);
            float *dup = row_place(buffers[4], dgate_up, type, at + F);
            functions[f].slope(value, slope, gate, width);
            row_gated_backward(dgate, dup, d, up, value, slope, width);
            row_write(dgate_up, type, at, dgate, width);
            row_write(dgate_up, type, at + F, dup, width);
        }
}

FT_KERNEL static void row_tanh_backward(float *dx, const float *dy, const float *y, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        dx[i] = dy[i] * (1.0f - y[i] * y[i]);
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
