#include "math/row.h"

#include <string.h>

#include "math/bf16.h"
#include "math/kernel.h"
#include "math/tanh.h"

FT_KERNEL void row_add(float *y, const float *x, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] += x[i];
}

FT_KERNEL float row_dot(const float *a, const float *b, int n)
{
    float dot = 0;
#pragma omp simd reduction(+ : dot)
    for (int i = 0; i < n; i++)
        dot += a[i] * b[i];
    return dot;
}

FT_KERNEL void row_scale(float *y, const float *x, float scale, int n)
{
#pragma omp simd
    for (int i = 0; i < n; i++)
        y[i] = x[i] * scale;
}

FT_KERNEL void row_multiply(float *y, const float *x, int n)
{
#pragma omp simd
    for (int i = 0; i < n; i++)
        y[i] *= x[i];
}

FT_KERNEL void row_product(float *y, const float *a, const float *b, int n)
{
#pragma omp simd
    for (int i = 0; i < n; i++)
        y[i] = a[i] * b[i];
}

FT_KERNEL float row_max(const float *x, int n)
{
    float top = x[0];
#pragma omp simd reduction(max : top)
    for (int i = 0; i < n; i++)
        top = x[i] > top ? x[i] : top;
    return top;
}

FT_KERNEL void row_softcap(float *x, float scale, float cap, int n)
{
    const float inside = scale / cap;
#pragma omp simd
    for (int i = 0; i < n; i++)
        x[i] = cap * smooth_tanh(x[i] * inside);
}

FT_KERNEL void row_from_bf16(float *y, const uint16_t *x, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = bf16_to_f32(x[i]);
}

FT_KERNEL void row_to_bf16(uint16_t *y, const float *x, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = bf16_from_f32(x[i]);
}

void row_shrink(float *row, int n)
{
    uint16_t piece[PIECE];
    for (int at = 0; at < n; at += PIECE) {
        const size_t width = (size_t)piece_of(at, n);
        row_to_bf16(piece, row + at, (int64_t)width);
        memcpy((char *)row + (size_t)at * sizeof *piece, piece, width * sizeof *piece);
    }
}
