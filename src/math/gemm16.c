/*
 * Without bf16 instructions: blocks of BLOCK x BLOCK elements of both operands are widened to f32,
 * which fit into the second-level cache, and multiplied by sgemm; the sum over k stays in f32 until
 * a block of the result is complete. Widening costs 1 / BLOCK of the multiplications.
 */
#include "math/gemm16.h"

#include <omp.h>
#include <string.h>

#include "base/mem.h"
#include "gemm16_onednn.h"
#include "math/gemm.h"
#include "math/row.h"

enum { BLOCK = 384 };

struct gemm16 {
    struct onednn *onednn; /* NULL where the processor has no bf16 */
    float *scratch;        /* three blocks a thread */
};

static int64_t scratch_count(int n_threads)
{
    return (int64_t)3 * BLOCK * BLOCK * n_threads;
}

bool gemm16_is_built(void)
{
    return onednn_is_built();
}

bool gemm16_is_native(void)
{
    return onednn_is_native(ELEM_BF16);
}

const char *gemm16_name(void)
{
    return gemm16_is_native() ? onednn_name() : "bf16 widened to f32";
}

int64_t gemm16_bytes(int n_threads)
{
    return scratch_count(n_threads) * (int64_t)sizeof(float);
}

ft_status gemm16_create(struct gemm16 **out, int n_threads)
{
    struct gemm16 *g;
    *out = NULL;
    FT_TRY(FT_ALLOC(g, 1));
    ft_status status = FT_ALLOC(g->scratch, scratch_count(n_threads));
    if (status == FT_OK && gemm16_is_native())
        status = onednn_create(&g->onednn, n_threads);
    if (status != FT_OK)
        gemm16_destroy(&g);
    *out = g;
    return status;
}

void gemm16_destroy(struct gemm16 **g)
{
    if (!*g)
        return;
    onednn_destroy(&(*g)->onednn);
    mem_free((*g)->scratch);
    FT_FREE(*g);
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* to (rows, columns) = x, rows of ld elements */
static void widen(float *to, const uint16_t *x, int ld, int rows, int columns)
{
#pragma omp parallel for schedule(static)
    for (int i = 0; i < rows; i++)
        row_from_bf16(to + (int64_t)i * columns, x + (int64_t)i * ld, columns);
}

/* An operand as it is stored: rows of ld elements, transposed or not. */
struct operand {
    const uint16_t *x;
    int ld;
    bool is_transposed;
};

/* to = the block of op(x) at (row, column), stored as x is; returns its leading dimension. */
static int widen_block(float *to, const struct operand *o, int row, int column, int rows,
                       int columns)
{
    if (o->is_transposed)
        widen(to, o->x + (int64_t)column * o->ld + row, o->ld, columns, rows);
    else
        widen(to, o->x + (int64_t)row * o->ld + column, o->ld, rows, columns);
    return o->is_transposed ? rows : columns;
}

/* The block of the result, complete, goes where it belongs. */
static void store_block(const struct gemm16_result *c, const float *block, int row, int column,
                        int rows, int columns)
{
#pragma omp parallel for schedule(static)
    for (int i = 0; i < rows; i++) {
        const int64_t at = (int64_t)(row + i) * c->ld + column;
        const float *from = block + (int64_t)i * columns;
        if (c->type == ELEM_BF16)
            row_to_bf16((uint16_t *)c->c + at, from, columns);
        else if (c->adds)
            row_add((float *)c->c + at, from, columns);
        else
            memcpy((float *)c->c + at, from, (size_t)columns * sizeof *from);
    }
}

static void multiply_widened(float *scratch, const struct gemm16_result *c, const struct operand *a,
                             const struct operand *b, int m, int n, int k)
{
    float *x = scratch, *y = x + (int64_t)BLOCK * BLOCK, *sum = y + (int64_t)BLOCK * BLOCK;
    for (int i = 0; i < m; i += BLOCK)
        for (int j = 0; j < n; j += BLOCK) {
            const int rows = least(m - i, BLOCK), columns = least(n - j, BLOCK);
            for (int l = 0; l < k; l += BLOCK) {
                const int depth = least(k - l, BLOCK);
                const int ldx = widen_block(x, a, i, l, rows, depth);
                const int ldy = widen_block(y, b, l, j, depth, columns);
                const float beta = l > 0 ? 1.0f : 0.0f;
                (a->is_transposed ? gemm_tn
                 : b->is_transposed
                     ? gemm_nt
                     : gemm_nn)(sum, columns, x, ldx, y, ldy, rows, columns, depth, beta);
            }
            store_block(c, sum, i, j, rows, columns);
        }
}

static void multiply(struct gemm16 *g, struct gemm16_result c, struct operand a, struct operand b,
                     int m, int n, int k)
{
    const int thread = omp_get_thread_num();
    const struct product p = {.m = m,
                              .n = n,
                              .k = k,
                              .a_row = a.is_transposed ? 1 : a.ld,
                              .a_column = a.is_transposed ? a.ld : 1,
                              .b_row = b.is_transposed ? 1 : b.ld,
                              .b_column = b.is_transposed ? b.ld : 1,
                              .ldc = c.ld,
                              .in = ELEM_BF16,
                              .out = c.type,
                              .adds = c.adds};
    if (g->onednn && onednn_multiply(g->onednn, thread, &p, c.c, a.x, b.x))
        return;
    multiply_widened(g->scratch + scratch_count(thread), &c, &a, &b, m, n, k);
}

void gemm16_nt(struct gemm16 *g, struct gemm16_result c, const uint16_t *a, int lda,
               const uint16_t *b, int ldb, int m, int n, int k)
{
    multiply(g, c, (struct operand){a, lda, false}, (struct operand){b, ldb, true}, m, n, k);
}

void gemm16_nn(struct gemm16 *g, struct gemm16_result c, const uint16_t *a, int lda,
               const uint16_t *b, int ldb, int m, int n, int k)
{
    multiply(g, c, (struct operand){a, lda, false}, (struct operand){b, ldb, false}, m, n, k);
}

void gemm16_tn(struct gemm16 *g, struct gemm16_result c, const uint16_t *a, int lda,
               const uint16_t *b, int ldb, int m, int n, int k)
{
    multiply(g, c, (struct operand){a, lda, true}, (struct operand){b, ldb, false}, m, n, k);
}
