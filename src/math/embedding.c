#include "math/embedding.h"

#include <string.h>

#include "math/row.h"

void embedding_forward(float *x, const float *table, const int32_t *ids, int n, int C)
{
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++)
        memcpy(x + (int64_t)t * C, table + (int64_t)ids[t] * C, (size_t)C * sizeof *x);
}

void embedding_add_forward(float *x, const float *table, const int32_t *ids, int n, int C)
{
#pragma omp parallel for schedule(static)
    for (int t = 0; t < n; t++)
        row_add(x + (int64_t)t * C, table + (int64_t)ids[t] * C, C);
}

/* An id may occur many times: threads share columns, not rows. */
void embedding_backward(float *dtable, const float *dx, const int32_t *ids, int n, int C)
{
#pragma omp parallel for schedule(static)
    for (int c = 0; c < C; c += COLUMN_BLOCK)
        for (int t = 0; t < n; t++)
            row_add(dtable + (int64_t)ids[t] * C + c, dx + (int64_t)t * C + c,
                    C - c < COLUMN_BLOCK ? C - c : COLUMN_BLOCK);
}
