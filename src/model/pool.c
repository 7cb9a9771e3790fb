#include <string.h>

#include "math/kernel.h"
#include "model/blocks.h"

FT_KERNEL static void row_mean(float *out, const float *rows, int n, int C)
{
    memcpy(out, rows, (size_t)C * sizeof *out);
    for (int t = 1; t < n; t++) {
#pragma omp simd
        for (int c = 0; c < C; c++)
            out[c] += rows[(int64_t)t * C + c];
    }
    const float scale = 1.0f / (float)n;
#pragma omp simd
    for (int c = 0; c < C; c++)
        out[c] *= scale;
}

FT_KERNEL static void row_mean_backward(float *drows, const float *dout, int n, int C)
{
    const float scale = 1.0f / (float)n;
    for (int t = 0; t < n; t++) {
#pragma omp simd
        for (int c = 0; c < C; c++)
            drows[(int64_t)t * C + c] = dout[c] * scale;
    }
}

/* The row of a segment that cls or last takes. */
static int64_t chosen_row(const struct batch *batch, int segment, enum pooling pooling)
{
    return pooling == POOLING_LAST ? batch->segment_start[segment + 1] - 1
                                   : batch->segment_start[segment];
}

void pool_forward(float *out, const float *rows, const struct batch *batch, enum pooling pooling,
                  int C)
{
#pragma omp parallel for schedule(static)
    for (int s = 0; s < batch->n_segments; s++) {
        const int64_t first = batch->segment_start[s];
        if (pooling == POOLING_MEAN)
            row_mean(out + (int64_t)s * C, rows + first * C,
                     batch->segment_start[s + 1] - batch->segment_start[s], C);
        else
            memcpy(out + (int64_t)s * C, rows + chosen_row(batch, s, pooling) * C,
                   (size_t)C * sizeof *out);
    }
}

void pool_backward(float *drows, const float *dout, const struct batch *batch, enum pooling pooling,
                   int C)
{
#pragma omp parallel for schedule(static)
    for (int s = 0; s < batch->n_segments; s++) {
        const int64_t first = batch->segment_start[s];
        const int n = batch->segment_start[s + 1] - batch->segment_start[s];
        if (pooling == POOLING_MEAN) {
            row_mean_backward(drows + first * C, dout + (int64_t)s * C, n, C);
            continue;
        }
        memset(drows + first * C, 0, (size_t)n * (size_t)C * sizeof *drows);
        memcpy(drows + chosen_row(batch, s, pooling) * C, dout + (int64_t)s * C,
               (size_t)C * sizeof *drows);
    }
}

void model_pool(const struct model *model, float *out, const float *hidden,
                const struct batch *batch, int layer, enum pooling pooling)
{
    const struct model_config *c = &model->config;
    const struct head_stage *pooler = &model->head.stages[0];
    const bool has_pooler = layout_offset(model->layout, ROLE_POOLER, -1) >= 0;
    if (pooling != POOLING_CLS || layer != c->L || !has_pooler) {
        pool_forward(out, hidden, batch, pooling, c->C);
        return;
    }
    pool_forward(model->head.pooled, hidden, batch, pooling, c->C);
    stage_forward(out, out, model->head.pooled, model, pooler, batch->n_segments);
}
