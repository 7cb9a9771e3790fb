#include "math/group_norm.h"

#include <math.h>
#include <string.h>

#include "math/kernel.h"
#include "math/row.h"

static int64_t group_at(const struct group_norm *g, int stride, int t, int group)
{
    return (int64_t)t * stride + g->groups.at + (int64_t)group * g->groups.step;
}

static float square_sum(const void *x, int64_t at, int width, enum elem type)
{
    float buffer[PIECE], sum = 0;
    for (int c = 0; c < width; c += PIECE) {
        const float *row = row_read(buffer, x, type, at + c, piece_of(c, width));
        sum += row_dot(row, row, piece_of(c, width));
    }
    return sum;
}

FT_KERNEL static void row_scale_by(float *y, const float *w, float shift, float rstd, int n)
{
#pragma omp simd
    for (int i = 0; i < n; i++)
        y[i] *= rstd * (shift + w[i]);
}

void group_norm_forward(void *x, int stride, void *raw, float *rstd, const float *w,
                        const struct group_norm *g, int n, enum elem type)
{
    const size_t bytes = elem_bytes(type);
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++)
        for (int k = 0; k < g->groups.n; k++) {
            const int64_t at = group_at(g, stride, t, k), i = (int64_t)t * g->groups.n + k;
            memcpy(elem_at(raw, type, i * g->width), elem_const_at(x, type, at),
                   (size_t)g->width * bytes);
            rstd[i] = 1.0f / sqrtf(square_sum(x, at, g->width, type) / (float)g->width + g->eps);
            for (int c = 0; c < g->width; c += PIECE) {
                float buffer[PIECE];
                (void)row_read(buffer, x, type, at + c, piece_of(c, g->width));
                float *row = row_place(buffer, x, type, at + c);
                row_scale_by(row, w + c, g->shift, rstd[i], piece_of(c, g->width));
                row_write(x, type, at + c, row, piece_of(c, g->width));
            }
        }
}

/* sum of dy * (shift + w) * x */
FT_KERNEL static float row_weighted_dot(const float *dy, const float *x, const float *w,
                                        float shift, int n)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int i = 0; i < n; i++)
        sum += dy[i] * (shift + w[i]) * x[i];
    return sum;
}

/* dy becomes rstd * dy * (shift + w) - mean * x */
FT_KERNEL static void row_group_backward(float *dy, const float *x, const float *w, float shift,
                                         float rstd, float mean, int n)
{
#pragma omp simd
    for (int i = 0; i < n; i++)
        dy[i] = rstd * dy[i] * (shift + w[i]) - mean * x[i];
}

static void group_backward(void *dx, int64_t at, const void *raw, int64_t from, const float *w,
                           const struct group_norm *g, float rstd, enum elem type)
{
    float d_buffer[PIECE], x_buffer[PIECE], dot = 0;
    for (int c = 0; c < g->width; c += PIECE) {
        const int n = piece_of(c, g->width);
        dot += row_weighted_dot(row_read(d_buffer, dx, type, at + c, n),
                                row_read(x_buffer, raw, type, from + c, n), w + c, g->shift, n);
    }
    const float mean = dot * rstd * rstd * rstd / (float)g->width;
    for (int c = 0; c < g->width; c += PIECE) {
        const int n = piece_of(c, g->width);
        (void)row_read(d_buffer, dx, type, at + c, n);
        float *d = row_place(d_buffer, dx, type, at + c);
        row_group_backward(d, row_read(x_buffer, raw, type, from + c, n), w + c, g->shift, rstd,
                           mean, n);
        row_write(dx, type, at + c, d, n);
    }
}

FT_KERNEL static void row_add_weighted(float *sum, const float *dy, const float *x, float rstd,
                                       int n)
{
#pragma omp simd
    for (int i = 0; i < n; i++)
        sum[i] += dy[i] * x[i] * rstd;
}

/* dw += sum over rows and groups of dy * x * rstd; threads share columns. */
static void weight_gradient(float *dw, const void *dx, int stride, const void *raw,
                            const float *rstd, const struct group_norm *g, int n, enum elem type)
{
#pragma omp parallel for schedule(static)
    for (int c = 0; c < g->width; c += COLUMN_BLOCK) {
        const int width = g->width - c < COLUMN_BLOCK ? g->width - c : COLUMN_BLOCK;
        float sum[COLUMN_BLOCK] = {0};
        for (int64_t i = 0; i < (int64_t)n * g->groups.n; i++) {
            float d[COLUMN_BLOCK], x[COLUMN_BLOCK];
            const int64_t at = group_at(g, stride, (int)(i / g->groups.n), (int)(i % g->groups.n));
            row_add_weighted(sum, row_read(d, dx, type, at + c, width),
                             row_read(x, raw, type, i * g->width + c, width), rstd[i], width);
        }
        row_add(dw + c, sum, width);
    }
}

void group_norm_backward(void *dx, int stride, float *dw, const void *raw, const float *rstd,
                         const float *w, const struct group_norm *g, int n, enum elem type)
{
    if (dw)
        weight_gradient(dw, dx, stride, raw, rstd, g, n, type);
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++)
        for (int k = 0; k < g->groups.n; k++) {
            const int64_t i = (int64_t)t * g->groups.n + k;
            group_backward(dx, group_at(g, stride, t, k), raw, i * g->width, w, g, rstd[i], type);
        }
}
