#include "math/ops.h"

#include <math.h>
#include <string.h>

#include "math/kernel.h"

enum { COLUMN_BLOCK = 64 };

FT_KERNEL static float row_add_square(float *sum, const float *x, const float *delta, int C)
{
    float square = 0;
#pragma omp simd reduction(+ : square)
    for (int c = 0; c < C; c++) {
        const float value = x[c] + delta[c];
        sum[c] = value;
        square += value * value;
    }
    return square;
}

FT_KERNEL static float row_dot(const float *a, const float *b, int C)
{
    float dot = 0;
#pragma omp simd reduction(+ : dot)
    for (int c = 0; c < C; c++)
        dot += a[c] * b[c];
    return dot;
}

FT_KERNEL static void row_scale(float *y, const float *x, const float *w, float scale, int C)
{
#pragma omp simd
    for (int c = 0; c < C; c++)
        y[c] = x[c] * scale * w[c];
}

void rmsnorm_forward(float *y, float *sum, float *rstd, const float *x, const float *delta,
                     const float *w, int n, int C, float eps)
{
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++) {
        const int64_t at = (int64_t)t * C;
        const float *row = delta ? sum + at : x + at;
        const float square =
            delta ? row_add_square(sum + at, x + at, delta + at, C) : row_dot(row, row, C);
        rstd[t] = 1.0f / sqrtf(square / (float)C + eps);
        if (y)
            row_scale(y + at, row, w, rstd[t], C);
    }
}

void rmsnorm_recompute(float *y, const float *x, const float *rstd, const float *w, int n, int C)
{
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++)
        row_scale(y + (int64_t)t * C, x + (int64_t)t * C, w, rstd[t], C);
}

/* With h = x * rstd: dx = rstd * (dy w - h * mean(dy w h)). */
FT_KERNEL static void row_norm_backward(float *dx, const float *dy, const float *x, const float *w,
                                        float rstd, int C)
{
    float dot = 0;
#pragma omp simd reduction(+ : dot)
    for (int c = 0; c < C; c++)
        dot += dy[c] * w[c] * x[c];
    const float mean = dot * rstd * rstd * rstd / (float)C;
#pragma omp simd
    for (int c = 0; c < C; c++)
        dx[c] += rstd * dy[c] * w[c] - mean * x[c];
}

FT_KERNEL static void columns_norm_backward(float *dw, const float *dy, const float *x,
                                            const float *rstd, int n, int64_t stride, int width)
{
    float sum[COLUMN_BLOCK] = {0};
    for (int t = 0; t < n; t++) {
        const float scale = rstd[t];
#pragma omp simd
        for (int c = 0; c < width; c++)
            sum[c] += dy[t * stride + c] * x[t * stride + c] * scale;
    }
    for (int c = 0; c < width; c++)
        dw[c] += sum[c];
}

void rmsnorm_backward(float *dx, float *dw, const float *dy, const float *x, const float *rstd,
                      const float *w, int n, int C)
{
#pragma omp parallel
    {
#pragma omp for schedule(static) nowait
        for (int t = 0; t < n; t++) {
            const int64_t at = (int64_t)t * C;
            row_norm_backward(dx + at, dy + at, x + at, w, rstd[t], C);
        }
#pragma omp for schedule(static)
        for (int c = 0; c < C; c += COLUMN_BLOCK)
            columns_norm_backward(dw + c, dy + c, x + c, rstd, n, C,
                                  C - c < COLUMN_BLOCK ? C - c : COLUMN_BLOCK);
    }
}

FT_KERNEL static void head_rotate(float *x, const float *cosine, const float *sine, int half,
                                  float direction)
{
#pragma omp simd
    for (int i = 0; i < half; i++) {
        const float a = x[i], b = x[i + half], s = direction * sine[i];
        x[i] = a * cosine[i] - b * s;
        x[i + half] = b * cosine[i] + a * s;
    }
}

void rope_rotate(float *x, int stride, int n_heads, int D, const float *cosine, const float *sine,
                 const int32_t *positions, int n, float direction)
{
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++) {
        const int64_t angle = (int64_t)positions[t] * (D / 2);
        for (int h = 0; h < n_heads; h++)
            head_rotate(x + (int64_t)t * stride + (int64_t)h * D, cosine + angle, sine + angle,
                        D / 2, direction);
    }
}

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

FT_KERNEL static void row_add(float *y, const float *x, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] += x[i];
}

void bias_forward(float *x, const float *bias, int n, int C)
{
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++)
        row_add(x + (int64_t)t * C, bias, C);
}

void bias_backward(float *db, const float *dy, int stride, int n, int C)
{
#pragma omp parallel for schedule(static)
    for (int c = 0; c < C; c += COLUMN_BLOCK)
        for (int t = 0; t < n; t++)
            row_add(db + c, dy + (int64_t)t * stride + c,
                    C - c < COLUMN_BLOCK ? C - c : COLUMN_BLOCK);
}

void embedding_forward(float *x, const float *table, const int32_t *tokens, int n, int C)
{
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++)
        memcpy(x + (int64_t)t * C, table + (int64_t)tokens[t] * C, (size_t)C * sizeof *x);
}

/* A token may occur many times: threads share columns, not rows. */
void embedding_backward(float *dtable, const float *dx, const int32_t *tokens, int n, int C)
{
#pragma omp parallel for schedule(static)
    for (int c = 0; c < C; c += COLUMN_BLOCK)
        for (int t = 0; t < n; t++)
            row_add(dtable + (int64_t)tokens[t] * C + c, dx + (int64_t)t * C + c,
                    C - c < COLUMN_BLOCK ? C - c : COLUMN_BLOCK);
}

FT_KERNEL static float row_max(const float *x, int n)
{
    float top = x[0];
#pragma omp simd reduction(max : top)
    for (int i = 0; i < n; i++)
        top = x[i] > top ? x[i] : top;
    return top;
}

/* In blocks, so that the f32 sum over a large vocabulary does not lose low bits. */
FT_KERNEL static float row_exp_sum(float *x, float top, int n)
{
    double total = 0;
    for (int at = 0; at < n; at += 1024) {
        const int end = n - at < 1024 ? n : at + 1024;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int i = at; i < end; i++) {
            const float e = expf(x[i] - top);
            x[i] = e;
            sum += e;
        }
        total += (double)sum;
    }
    return (float)total;
}

FT_KERNEL static void row_multiply(float *x, float factor, int n)
{
#pragma omp simd
    for (int i = 0; i < n; i++)
        x[i] *= factor;
}

void cross_entropy(float *logits, float *losses, const int32_t *targets, int n, int V,
                   int want_gradient)
{
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++) {
        float *row = logits + (int64_t)t * V;
        losses[t] = 0.0f;
        if (targets[t] < 0) {
            if (want_gradient)
                memset(row, 0, (size_t)V * sizeof *row);
            continue;
        }
        const float top = row_max(row, V), right = row[targets[t]];
        const float sum = row_exp_sum(row, top, V);
        losses[t] = logf(sum) - (right - top);
        if (want_gradient) {
            row_multiply(row, 1.0f / sum, V);
            row[targets[t]] -= 1.0f;
        }
    }
}

void add_in_place(float *y, const float *x, int64_t n)
{
    enum { BLOCK = 1 << 14 };
#pragma omp parallel for schedule(static)
    for (int64_t at = 0; at < n; at += BLOCK)
        row_add(y + at, x + at, n - at < BLOCK ? n - at : BLOCK);
}
