/*
 * What stands in for the parts of the program that no parser needs: comm/comm.h for a world whose
 * ranks are one process in turn, so that parsers inside collective functions need no MPI; and
 * functions that are never called, so that BLAS and the corpus need not be linked.
 */
#include "comm/comm.h"
#include "data/corpus.h"
#include "fuzz.h"
#include "math/activation.h"
#include "math/gemm.h"
#include "math/ops.h"

enum { RANKS_MAX = 4, GATHERED_MAX = 64 };

struct comm {
    int rank, size;
};

struct comm *fuzz_comm(void)
{
    return fuzz_comm_of(0, 1);
}

struct comm *fuzz_comm_of(int rank, int size)
{
    static struct comm world;
    FUZZ_CHECK(rank < size && size <= RANKS_MAX);
    world = (struct comm){rank, size};
    return &world;
}

int comm_rank(const struct comm *comm)
{
    return comm->rank;
}

int comm_size(const struct comm *comm)
{
    return comm->size;
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
    static char latest[RANKS_MAX][GATHERED_MAX];
    FUZZ_CHECK(bytes <= GATHERED_MAX);
    memcpy(latest[comm->rank], mine, (size_t)bytes);
    for (int rank = 0; rank < comm->size; rank++)
        memcpy((char *)all + rank * bytes, latest[rank], (size_t)bytes);
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
