#include "math/ops.h"

#include "math/kernel.h"
#include "math/row.h"

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

void rope_rotate(void *x, int stride, const struct heads *heads, const struct rotation *rotation,
                 const int32_t *positions, int n, float direction, enum elem type)
{
    const int width = rotation->width;
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++) {
        const int64_t angle = (int64_t)positions[t] * (width / 2);
        for (int h = 0; h < heads->n; h++) {
            float buffer[PIECE];
            const int64_t at = (int64_t)t * stride + heads->at + (int64_t)h * heads->step;
            (void)row_read(buffer, x, type, at, width);
            float *head = row_place(buffer, x, type, at);
            head_rotate(head, rotation->cosine + angle, rotation->sine + angle, width / 2,
                        direction);
            row_write(x, type, at, head, width);
        }
    }
}

void bias_forward(void *x, const float *bias, int n, int C, enum elem type)
{
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++)
        for (int c = 0; c < C; c += PIECE) {
            float buffer[PIECE];
            const int64_t at = (int64_t)t * C + c;
            const int width = piece_of(c, C);
            (void)row_read(buffer, x, type, at, width);
            float *row = row_place(buffer, x, type, at);
            row_add(row, bias + c, width);
            row_write(x, type, at, row, width);
        }
}

void bias_backward(float *db, const void *dy, int stride, int n, int C, enum elem type)
{
#pragma omp parallel for schedule(static)
    for (int c = 0; c < C; c += COLUMN_BLOCK)
        for (int t = 0; t < n; t++) {
            float buffer[COLUMN_BLOCK];
            const int width = C - c < COLUMN_BLOCK ? C - c : COLUMN_BLOCK;
            row_add(db + c, row_read(buffer, dy, type, (int64_t)t * stride + c, width), width);
        }
}

void rows_to_bf16(uint16_t *y, const float *x, int64_t n)
{
    enum { BLOCK = 1 << 14 };
#pragma omp parallel for schedule(static)
    for (int64_t at = 0; at < n; at += BLOCK)
        row_to_bf16(y + at, x + at, n - at < BLOCK ? n - at : BLOCK);
}

void scale_in_place(float *x, float scale, int64_t n)
{
    enum { BLOCK = 1 << 14 };
#pragma omp parallel for schedule(static)
    for (int64_t at = 0; at < n; at += BLOCK)
        row_scale(x + at, x + at, scale, n - at < BLOCK ? (int)(n - at) : BLOCK);
}

void add_in_place(float *y, const float *x, int64_t n)
{
    enum { BLOCK = 1 << 14 };
#pragma omp parallel for schedule(static)
    for (int64_t at = 0; at < n; at += BLOCK)
        row_add(y + at, x + at, n - at < BLOCK ? n - at : BLOCK);
}
