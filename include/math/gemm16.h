/**
 * Matrix products of row-major bf16 matrices, accumulated in f32: the twins of math/gemm.h.
 *
 * Where the processor multiplies bf16 (AMX or AVX512-BF16) they run through oneDNN, elsewhere the
 * operands are widened block by block and go through sgemm, which is exact but for the order of
 * summation and somewhat slower than f32 itself. Both give f32 or bf16 results.
 *
 * Local. Called from one thread they use all threads; inside a parallel region each call runs on
 * its own thread alone. Nothing of ours is allocated in a product; oneDNN builds a kernel the first
 * time it meets a shape and keeps it.
 */
#ifndef FT_MATH_GEMM16_H
#define FT_MATH_GEMM16_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "math/elem.h"

struct gemm16;

/** Whether this program was built with oneDNN. */
bool gemm16_is_built(void);

/** Whether oneDNN multiplies bf16 on this processor by instructions made for it. */
bool gemm16_is_native(void);

/** "oneDNN 2.6.3, AMX", or how it is done without. */
const char *gemm16_name(void);

/** Gives what the products need: scratch and kernels for so many threads. FT_OK or
 * FT_ERR_INTERNAL. */
ft_status gemm16_create(struct gemm16 **out, int n_threads);

/** Takes *g (may be NULL), sets NULL. */
void gemm16_destroy(struct gemm16 **g);

/** Bytes that gemm16_create takes through FT_ALLOC. */
int64_t gemm16_bytes(int n_threads);

/** What is written: rows of ld elements; with `adds` an f32 matrix is added to. */
struct gemm16_result {
    void *c;
    int ld;
    enum elem type;
    bool adds; /**< ELEM_F32 only */
};

/** c (m, n) = a (m, k) * b (n, k)^T. */
void gemm16_nt(struct gemm16 *g, struct gemm16_result c, const uint16_t *a, int lda,
               const uint16_t *b, int ldb, int m, int n, int k);

/** c (m, n) = a (m, k) * b (k, n). */
void gemm16_nn(struct gemm16 *g, struct gemm16_result c, const uint16_t *a, int lda,
               const uint16_t *b, int ldb, int m, int n, int k);

/** c (m, n) = a (k, m)^T * b (k, n). */
void gemm16_tn(struct gemm16 *g, struct gemm16_result c, const uint16_t *a, int lda,
               const uint16_t *b, int ldb, int m, int n, int k);

#endif
