/*
 * Rows of logits are contiguous over the documents, so that every loop is vectorised over
 * documents whatever the number of classes. Sums are taken per block and added in the order of the
 * blocks.
 */
#include "logistic_loss.h"

#include <math.h>

#include "math/kernel.h"

enum { BLOCK = 512 };

/* A block of documents from `at` on; rows of z and dz are n apart. */
struct block {
    int count, n, C;
    const int32_t *label;
    const float *weight;
    const float *z, *dz;
};

/* softplus(z) - y z, with e = exp(-|z|) for accuracy in both tails. */
FT_KERNEL static void binary_along(double out[2], const struct block *b, float t)
{
    const float *z = b->z, *dz = b->dz, *weight = b->weight;
    const int32_t *label = b->label;
    double loss = 0, slope = 0;
#pragma omp simd reduction(+ : loss, slope)
    for (int i = 0; i < b->count; i++) {
        const float y = (float)label[i], logit = z[i] + t * dz[i];
        const float e = expf(-fabsf(logit)), r = 1.0f / (1.0f + e);
        const float probability = logit >= 0 ? r : e * r;
        const float linear = (logit >= 0 ? logit : 0.0f) - y * logit;
        loss += (double)weight[i] * ((double)linear + log(1.0 + (double)e));
        slope += (double)weight[i] * (double)((probability - y) * dz[i]);
    }
    out[0] = loss;
    out[1] = slope;
}

FT_KERNEL static void binary_step(float *z, float *dz, const struct block *b, float t)
{
    const float *weight = b->weight;
    const int32_t *label = b->label;
#pragma omp simd
    for (int i = 0; i < b->count; i++) {
        const float logit = z[i] + t * dz[i];
        const float e = expf(-fabsf(logit)), r = 1.0f / (1.0f + e);
        z[i] = logit;
        dz[i] = weight[i] * ((logit >= 0 ? r : e * r) - (float)label[i]);
    }
}

FT_KERNEL static void softmax_along(double out[2], const struct block *b, float t)
{
    float top[BLOCK], sum[BLOCK], mean[BLOCK], own[BLOCK], own_slope[BLOCK];
    const int32_t *label = b->label;
    const int count = b->count;
    double loss = 0, slope = 0;
    for (int i = 0; i < count; i++)
        top[i] = -INFINITY, sum[i] = 0, mean[i] = 0, own[i] = 0, own_slope[i] = 0;
    for (int k = 0; k < b->C; k++) {
        const float *z = b->z + (int64_t)k * b->n, *dz = b->dz + (int64_t)k * b->n;
#pragma omp simd
        for (int i = 0; i < count; i++) {
            const float logit = z[i] + t * dz[i];
            top[i] = logit > top[i] ? logit : top[i];
            own[i] = label[i] == k ? logit : own[i];
            own_slope[i] = label[i] == k ? dz[i] : own_slope[i];
        }
    }
    for (int k = 0; k < b->C; k++) {
        const float *z = b->z + (int64_t)k * b->n, *dz = b->dz + (int64_t)k * b->n;
#pragma omp simd
        for (int i = 0; i < count; i++) {
            const float e = expf(z[i] + t * dz[i] - top[i]);
            sum[i] += e;
            mean[i] += e * dz[i];
        }
    }
#pragma omp simd reduction(+ : loss, slope)
    for (int i = 0; i < count; i++) {
        const double w = (double)b->weight[i];
        loss += w * (log((double)sum[i]) + (double)(top[i] - own[i]));
        slope += w * (double)(mean[i] / sum[i] - own_slope[i]);
    }
    out[0] = loss;
    out[1] = slope;
}

FT_KERNEL static void softmax_step(float *z_rows, float *dz_rows, const struct block *b, float t)
{
    float top[BLOCK], sum[BLOCK];
    const int32_t *label = b->label;
    const int count = b->count;
    for (int i = 0; i < count; i++)
        top[i] = -INFINITY, sum[i] = 0;
    for (int k = 0; k < b->C; k++) {
        float *z = z_rows + (int64_t)k * b->n, *dz = dz_rows + (int64_t)k * b->n;
#pragma omp simd
        for (int i = 0; i < count; i++) {
            z[i] += t * dz[i];
            top[i] = z[i] > top[i] ? z[i] : top[i];
        }
    }
    for (int k = 0; k < b->C; k++) {
        float *z = z_rows + (int64_t)k * b->n, *dz = dz_rows + (int64_t)k * b->n;
#pragma omp simd
        for (int i = 0; i < count; i++) {
            dz[i] = expf(z[i] - top[i]);
            sum[i] += dz[i];
        }
    }
    for (int i = 0; i < count; i++)
        sum[i] = 1.0f / sum[i];
    for (int k = 0; k < b->C; k++) {
        float *dz = dz_rows + (int64_t)k * b->n;
#pragma omp simd
        for (int i = 0; i < count; i++)
            dz[i] = b->weight[i] * (dz[i] * sum[i] - (label[i] == k ? 1.0f : 0.0f));
    }
}

static struct block make_block(const struct loss_rows *rows, const float *z, const float *dz,
                               int index)
{
    const int at = index * BLOCK, left = rows->n - at;
    return (struct block){.count = left < BLOCK ? left : BLOCK,
                          .n = rows->n,
                          .C = rows->C,
                          .label = rows->labels + at,
                          .weight = rows->row_weight + at,
                          .z = z + at,
                          .dz = dz + at};
}

static int count_blocks(int n)
{
    return n / BLOCK + (n % BLOCK > 0);
}

int loss_partial_count(int n)
{
    return 2 * count_blocks(n);
}

void loss_along(double *loss, double *slope, const struct loss_rows *rows, const float *z,
                const float *dz, double t, double *partial)
{
    const int blocks = count_blocks(rows->n);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < blocks; i++) {
        const struct block b = make_block(rows, z, dz, i);
        if (rows->C == 1)
            binary_along(partial + 2 * i, &b, (float)t);
        else
            softmax_along(partial + 2 * i, &b, (float)t);
    }
    *loss = *slope = 0;
    for (int i = 0; i < blocks; i++) {
        *loss += partial[2 * i];
        *slope += partial[2 * i + 1];
    }
}

void loss_step(const struct loss_rows *rows, float *z, float *dz, double t)
{
    const int blocks = count_blocks(rows->n);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < blocks; i++) {
        const struct block b = make_block(rows, z, dz, i);
        if (rows->C == 1)
            binary_step(z + i * BLOCK, dz + i * BLOCK, &b, (float)t);
        else
            softmax_step(z + i * BLOCK, dz + i * BLOCK, &b, (float)t);
    }
}
