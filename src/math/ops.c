#include "math/ops.h"

#include "math/kernel.h"
#include "row.h"

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

void add_in_place(float *y, const float *x, int64_t n)
{
    enum { BLOCK = 1 << 14 };
#pragma omp parallel for schedule(static)
    for (int64_t at = 0; at < n; at += BLOCK)
        row_add(y + at, x + at, n - at < BLOCK ? n - at : BLOCK);
}
