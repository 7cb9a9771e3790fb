#include "math/norm.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "math/kernel.h"
#include "math/row.h"

static int block_width(int at, int C)
{
    return C - at < COLUMN_BLOCK ? C - at : COLUMN_BLOCK;
}

/* sum = x + delta; returns the sum of its squares */
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

FT_KERNEL static void row_rmsnorm(float *y, const float *x, const float *w, float shift,
                                  float scale, int C)
{
#pragma omp simd
    for (int c = 0; c < C; c++)
        y[c] = x[c] * scale * (shift + w[c]);
}

/* A row of y and of y16, where they are wanted, piece by piece. */
static void store_rmsnorm(float *y, uint16_t *y16, int64_t at, const float *x, const float *w,
                          float shift, float rstd, int C)
{
    float buffer[PIECE];
    for (int c = 0; c < (y || y16 ? C : 0); c += PIECE) {
        float *out = y ? y + at + c : buffer;
        row_rmsnorm(out, x + c, w + c, shift, rstd, piece_of(c, C));
        if (y16)
            row_to_bf16(y16 + at + c, out, piece_of(c, C));
    }
}

void rmsnorm_forward(float *y, uint16_t *y16, float *sum, float *rstd, const float *x,
                     const float *delta, const float *w, float shift, int n, int C, float eps)
{
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++) {
        const int64_t at = (int64_t)t * C;
        const float *row = delta ? sum + at : x + at;
        const float square =
            delta ? row_add_square(sum + at, x + at, delta + at, C) : row_dot(row, row, C);
        rstd[t] = 1.0f / sqrtf(square / (float)C + eps);
        store_rmsnorm(y, y16, at, row, w, shift, rstd[t], C);
    }
}

void rmsnorm_recompute(float *y, uint16_t *y16, const float *x, const float *rstd, const float *w,
                       float shift, int n, int C)
{
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++)
        store_rmsnorm(y, y16, (int64_t)t * C, x + (int64_t)t * C, w, shift, rstd[t], C);
}

/* With h = x * rstd and w shifted: dx = rstd * (dy w - h * mean(dy w h)). */
FT_KERNEL static void row_rmsnorm_backward(float *dx, const float *dy, const float *x,
                                           const float *w, float shift, float rstd, int C)
{
    float dot = 0;
#pragma omp simd reduction(+ : dot)
    for (int c = 0; c < C; c++)
        dot += dy[c] * (shift + w[c]) * x[c];
    const float mean = dot * rstd * rstd * rstd / (float)C;
#pragma omp simd
    for (int c = 0; c < C; c++)
        dx[c] += rstd * dy[c] * (shift + w[c]) - mean * x[c];
}

FT_KERNEL static void columns_rmsnorm_backward(float *dw, const float *dy, const float *x,
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
                      const float *w, float shift, int n, int C)
{
#pragma omp parallel
    {
#pragma omp for schedule(static) nowait
        for (int t = 0; t < n; t++) {
            const int64_t at = (int64_t)t * C;
            row_rmsnorm_backward(dx + at, dy + at, x + at, w, shift, rstd[t], C);
        }
#pragma omp for schedule(static)
        for (int c = 0; c < (dw ? C : 0); c += COLUMN_BLOCK)
            columns_rmsnorm_backward(dw + c, dy + c, x + c, rstd, n, C, block_width(c, C));
    }
}

/* sum = x + delta where delta is given; returns the mean. */
FT_KERNEL static float row_add_mean(float *sum, const float *x, const float *delta, int C)
{
    float total = 0;
    if (!delta) {
#pragma omp simd reduction(+ : total)
        for (int c = 0; c < C; c++)
            total += x[c];
        return total / (float)C;
    }
#pragma omp simd reduction(+ : total)
    for (int c = 0; c < C; c++) {
        const float value = x[c] + delta[c];
        sum[c] = value;
        total += value;
    }
    return total / (float)C;
}

/* From the distances to the mean: the difference of two large sums would lose the low bits. */
FT_KERNEL static float row_variance(const float *x, float mean, int C)
{
    float square = 0;
#pragma omp simd reduction(+ : square)
    for (int c = 0; c < C; c++)
        square += (x[c] - mean) * (x[c] - mean);
    return square / (float)C;
}

FT_KERNEL static void row_layernorm(float *y, const float *x, const float *w, const float *b,
                                    float mean, float rstd, int C)
{
#pragma omp simd
    for (int c = 0; c < C; c++)
        y[c] = (x[c] - mean) * rstd * w[c] + b[c];
}

/* What a norm multiplies with and adds, if anything. */
struct affine {
    const float *w, *b;
};

static const float no_bias[PIECE];

/* A row of y and of y16, where they are wanted, piece by piece. */
static void store_layernorm(float *y, uint16_t *y16, int64_t at, const float *x,
                            const struct affine *a, float mean, float rstd, int C)
{
    float buffer[PIECE];
    for (int c = 0; c < (y || y16 ? C : 0); c += PIECE) {
        float *out = y ? y + at + c : buffer;
        row_layernorm(out, x + c, a->w + c, a->b ? a->b + c : no_bias, mean, rstd, piece_of(c, C));
        if (y16)
            row_to_bf16(y16 + at + c, out, piece_of(c, C));
    }
}

void layernorm_forward(float *y, uint16_t *y16, float *sum, float *mean, float *rstd,
                       const float *x, const float *delta, const float *w, const float *b, int n,
                       int C, float eps)
{
    const struct affine affine = {w, b};
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++) {
        const int64_t at = (int64_t)t * C;
        const float *row = delta ? sum + at : x + at;
        mean[t] = row_add_mean(delta ? sum + at : NULL, x + at, delta ? delta + at : NULL, C);
        rstd[t] = 1.0f / sqrtf(row_variance(row, mean[t], C) + eps);
        store_layernorm(y, y16, at, row, &affine, mean[t], rstd[t], C);
    }
}

void layernorm_recompute(float *y, uint16_t *y16, const float *x, const float *mean,
                         const float *rstd, const float *w, const float *b, int n, int C)
{
    const struct affine affine = {w, b};
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++)
        store_layernorm(y, y16, (int64_t)t * C, x + (int64_t)t * C, &affine, mean[t], rstd[t], C);
}

/* With h = (x - mean) * rstd, g = dy w: dx = rstd * (g - mean(g) - h * mean(g h)). */
FT_KERNEL static void row_layernorm_backward(float *dx, const float *dy, const float *x,
                                             const float *w, float mean, float rstd, int C)
{
    float sum = 0, dot = 0;
#pragma omp simd reduction(+ : sum, dot)
    for (int c = 0; c < C; c++) {
        const float g = dy[c] * w[c];
        sum += g;
        dot += g * (x[c] - mean);
    }
    sum /= (float)C;
    dot *= rstd * rstd / (float)C;
#pragma omp simd
    for (int c = 0; c < C; c++)
        dx[c] += rstd * (dy[c] * w[c] - sum - (x[c] - mean) * dot);
}

FT_KERNEL static void columns_layernorm_backward(float *dw, const float *dy, const float *x,
                                                 const float *mean, const float *rstd, int n,
                                                 int64_t stride, int width)
{
    float sum[COLUMN_BLOCK] = {0};
    for (int t = 0; t < n; t++) {
        const float center = mean[t], scale = rstd[t];
#pragma omp simd
        for (int c = 0; c < width; c++)
            sum[c] += dy[t * stride + c] * (x[t * stride + c] - center) * scale;
    }
    for (int c = 0; c < width; c++)
        dw[c] += sum[c];
}

void layernorm_backward(float *dx, float *dw, float *db, const float *dy, const float *x,
                        const float *mean, const float *rstd, const float *w, int n, int C)
{
#pragma omp parallel
    {
#pragma omp for schedule(static) nowait
        for (int t = 0; t < n; t++) {
            const int64_t at = (int64_t)t * C;
            row_layernorm_backward(dx + at, dy + at, x + at, w, mean[t], rstd[t], C);
        }
#pragma omp for schedule(static)
        for (int c = 0; c < C; c += COLUMN_BLOCK) {
            if (dw)
                columns_layernorm_backward(dw + c, dy + c, x + c, mean, rstd, n, C,
                                           block_width(c, C));
            for (int t = 0; t < (db ? n : 0); t++)
                row_add(db + c, dy + (int64_t)t * C + c, block_width(c, C));
        }
    }
}
