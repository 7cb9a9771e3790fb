#include "row.h"

#include "math/kernel.h"

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

FT_KERNEL float row_max(const float *x, int n)
{
    float top = x[0];
#pragma omp simd reduction(max : top)
    for (int i = 0; i < n; i++)
        top = x[i] > top ? x[i] : top;
    return top;
}
