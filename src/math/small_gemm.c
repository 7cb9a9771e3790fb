/*
 * Four rows of c times two vectors stay in registers over the whole of k: eight sums hide the
 * latency of a fused multiply-add, and nothing is packed. GCC keeps no array of sums in registers,
 * so the vectors are written as such; their type is lowered to what the instruction set has.
 */
#include "small_gemm.h"

#include <stdint.h>

#include "math/kernel.h"

enum { LANES = SMALL_GEMM_LANES, ROWS = 4 };

typedef float vector __attribute__((vector_size(LANES * sizeof(float))));
/* the same at any address */
typedef float loose_vector __attribute__((vector_size(LANES * sizeof(float)), aligned(4)));

#define FT_INLINE static inline __attribute__((always_inline))

/* Where a block of c lies, and its operands. */
struct product {
    float *c;
    const float *a, *b;
    int64_t ldc, a_row, a_column, ldb;
    int k;
};

/* rows (at most ROWS) x vectors (at most 2) of c, both known to the compiler. */
FT_INLINE void block_product(const struct product *p, int rows, int vectors)
{
    vector sum[ROWS][2] = {{{0}}};
    const float *a = p->a, *b = p->b;
    for (int k = 0; k < p->k; k++) {
        vector x[2];
        for (int v = 0; v < vectors; v++)
            x[v] = *(const loose_vector *)(b + v * LANES);
        for (int i = 0; i < rows; i++)
            for (int v = 0; v < vectors; v++)
                sum[i][v] += a[i * p->a_row] * x[v];
        a += p->a_column;
        b += p->ldb;
    }
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < vectors; v++)
            *(loose_vector *)(p->c + i * p->ldc + v * LANES) = sum[i][v];
}

/* All columns of up to ROWS rows. */
FT_INLINE void row_product(struct product p, int rows, int n)
{
    for (; n >= 2 * LANES; n -= 2 * LANES) {
        block_product(&p, rows, 2);
        p.b += 2 * LANES;
        p.c += 2 * LANES;
    }
    if (n > 0)
        block_product(&p, rows, 1);
}

FT_KERNEL void small_gemm(float *c, int ldc, const float *a, int a_row, int a_column,
                          const float *b, int ldb, int m, int n, int k)
{
    struct product p = {.c = c,
                        .a = a,
                        .b = b,
                        .ldc = ldc,
                        .a_row = a_row,
                        .a_column = a_column,
                        .ldb = ldb,
                        .k = k};
    for (; m >= ROWS; m -= ROWS) {
        row_product(p, ROWS, n);
        p.a += ROWS * p.a_row;
        p.c += ROWS * p.ldc;
    }
    if (m == 3)
        row_product(p, 3, n);
    else if (m == 2)
        row_product(p, 2, n);
    else if (m == 1)
        row_product(p, 1, n);
}

FT_KERNEL void small_copy(float *to, const float *x, int stride, int rows, int columns)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j += LANES)
            *(loose_vector *)(to + (int64_t)i * columns + j) =
                *(const loose_vector *)(x + (int64_t)i * stride + j);
}

FT_KERNEL void small_transpose(float *to, int ld, const float *x, int stride, int rows, int columns)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++)
            to[(int64_t)j * ld + i] = x[(int64_t)i * stride + j];
}
