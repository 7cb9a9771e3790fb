/*
 * What stands in for the parts of the program that no parser needs: comm/comm.h for a world of one
 * rank, so that parsers inside collective functions need no MPI; and functions that are never
 * called, so that BLAS and the corpus need not be linked.
 */
#include "comm/comm.h"
#include "data/corpus.h"
#include "fuzz.h"
#include "math/activation.h"
#include "math/gemm.h"
#include "math/ops.h"

struct comm {
    int rank;
};

struct comm *fuzz_comm(void)
{
    static struct comm world;
    return &world;
}

int comm_rank(const struct comm *comm)
{
    return comm->rank;
}

int comm_size(const struct comm *comm)
{
    return comm->rank + 1;
}

ft_status comm_agree(struct comm *comm, ft_status local)
{
    (void)comm;
    return local;
}

void comm_bcast(struct comm *comm, void *data, int64_t bytes, int root)
{
    (void)comm, (void)data, (void)bytes, (void)root;
}

void comm_sum_i64(struct comm *comm, int64_t *values, int64_t n)
{
    (void)comm, (void)values, (void)n;
}

void comm_allgather(struct comm *comm, void *all, const void *mine, int64_t bytes)
{
    (void)comm;
    memcpy(all, mine, (size_t)bytes);
}

void comm_allgather_varying(struct comm *comm, void *all, int64_t *counts, const void *mine,
                            int64_t bytes)
{
    (void)comm;
    counts[0] = bytes;
    if (all && bytes > 0)
        memcpy(all, mine, (size_t)bytes);
}

void gemm_nt(float *c, int ldc, const float *a, int lda, const float *b, int ldb, int m, int n,
             int k, float beta)
{
    (void)c, (void)ldc, (void)a, (void)lda, (void)b, (void)ldb, (void)m, (void)n, (void)k;
    (void)beta;
    FUZZ_CHECK(!"no parser multiplies");
}

void bias_forward(void *x, const float *bias, int n, int C, enum elem type)
{
    (void)x, (void)bias, (void)n, (void)C, (void)type;
    FUZZ_CHECK(!"no parser adds a bias");
}

void tanh_forward(float *y, const float *x, int64_t n)
{
    (void)y, (void)x, (void)n;
    FUZZ_CHECK(!"no parser applies a function");
}

struct token_set *corpus_tokens(struct corpus *c)
{
    (void)c;
    FUZZ_CHECK(!"no parser opens a corpus");
}
