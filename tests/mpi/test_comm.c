/* Properties of comm at any number of ranks: agreement, and sums, gathers and scans against serial
 * ones. */
#include "comm/comm.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "comm/shared.h"
#include "support/check.h"

enum { CHUNK = 7, N = 101 };

/* what rank r holds at i */
static float value(int r, int64_t i)
{
    return (float)((r + 1) * (int)(i % 13) - 5 * r);
}

/* first[r]: r*N/size, with the second slice empty where there are four ranks */
static void cut(int64_t *first, int size)
{
    for (int r = 0; r <= size; r++)
        first[r] = (int64_t)r * N / size;
    if (size == 4)
        first[2] = first[1];
}

static void test_agreement(struct comm *comm)
{
    const int rank = comm_rank(comm), size = comm_size(comm), last = size - 1;
    char expected[64];
    CHECK_STATUS(comm_agree(comm, FT_OK), FT_OK);
    for (int bad = 0; bad < size; bad++) { /* one rank fails */
        const ft_status local =
            rank == bad ? ft_fail(FT_ERR_INPUT, "broken on %d", rank) : ft_fail(FT_OK, "stale");
        CHECK_STATUS(comm_agree(comm, local), FT_ERR_INPUT);
        (void)snprintf(expected, sizeof expected, bad ? "rank %d: broken on %d" : "broken on 0",
                       bad, bad);
        CHECK(strcmp(ft_error_text(), expected) == 0);
    }
    /* all fail: the lowest rank of the worst code speaks */
    (void)ft_fail(FT_ERR_INPUT, "worst of %d", rank);
    CHECK_STATUS(comm_agree(comm, rank == 0 && size > 1 ? FT_ERR_USAGE : FT_ERR_INPUT),
                 FT_ERR_INPUT);
    CHECK(strcmp(ft_error_text(), size > 1 ? "rank 1: worst of 1" : "worst of 0") == 0);
    (void)ft_fail(FT_ERR_IO, "from %d", rank);
    CHECK_STATUS(comm_agree(comm, rank == last ? FT_ERR_IO : FT_ERR_INPUT), FT_ERR_IO);
    (void)snprintf(expected, sizeof expected, last ? "rank %d: from %d" : "from 0", last, last);
    CHECK(strcmp(ft_error_text(), expected) == 0);
    /* a stop on request is agreed on, but any failure outranks it */
    CHECK_STATUS(comm_agree(comm, rank == 0 ? FT_STOPPED : FT_OK), FT_STOPPED);
    CHECK_STATUS(comm_agree(comm, rank == 0 ? FT_ERR_IO : FT_STOPPED), FT_ERR_IO);
}

static void test_slices(struct comm *comm)
{
    const int rank = comm_rank(comm), size = comm_size(comm);
    float values[N];
    int64_t *first = NULL;
    CHECK_STATUS(FT_ALLOC(first, size + 1), FT_OK);
    cut(first, size);
    for (int64_t i = 0; i < N; i++) /* what is not owned must come from its owner */
        values[i] = i < first[rank] || i >= first[rank + 1] ? -1e9f : value(0, i);
    comm_gather_slices_f32(comm, values, first, CHUNK);
    for (int64_t i = 0; i < N; i++)
        CHECK(values[i] == value(0, i));
    mem_free(first);
}

/* Each rank sends two messages to each other one, which receives them in that order. */
static void test_messages(struct comm *comm)
{
    const int rank = comm_rank(comm), size = comm_size(comm);
    struct comm_messages *m;
    float sent[2][N], got[2][N];
    CHECK_STATUS(comm_messages_create(&m, comm, 4), FT_OK);
    CHECK(comm_message_done(m, 3)); /* never started */
    for (int away = 1; away < size; away++) {
        const int to = (rank + away) % size, from = (rank + size - away) % size;
        for (int k = 0; k < 2; k++)
            for (int64_t i = 0; i < N; i++)
                sent[k][i] = value(rank + k, i);
        for (int k = 0; k < 2; k++) {
            comm_send_start(m, k, sent[k], sizeof sent[k], to);
            comm_receive_start(m, 2 + k, got[k], sizeof got[k], from);
        }
        for (int k = 0; k < 4; k++)
            while (!comm_message_done(m, k))
                ;
        for (int k = 0; k < 2; k++)
            for (int64_t i = 0; i < N; i++)
                CHECK(got[k][i] == value(from + k, i));
    }
    comm_messages_destroy(&m);
    CHECK(m == NULL);
}

static void test_shared(struct comm *comm)
{
    const int rank = comm_rank(comm), size = comm_size(comm);
    struct shared *s;
    CHECK_STATUS(shared_create(&s, comm, N * (int64_t)sizeof(int)), FT_OK);
    CHECK(s->n == comm_node_size(comm) && s->index == comm_node_rank(comm));
    CHECK(s->ranks[s->index] == rank && s->leaders[rank] == s->ranks[0]);
    int *mine = s->blocks[s->index];
    for (int i = 0; i < N; i++) {
        CHECK(mine[i] == 0);
        mine[i] = rank * N + i;
    }
    comm_barrier(comm);
    for (int k = 0; k < s->n; k++)
        for (int i = 0; i < N; i++)
            CHECK(((const int *)s->blocks[k])[i] == s->ranks[k] * N + i);
    shared_destroy(&s); /* the others may still read */
    CHECK(s == NULL && comm_size(comm) == size);
}

/* One rank has no file descriptor left for its peers' memory: all ranks stay alone. */
static void test_not_shared(struct comm *comm)
{
    const int rank = comm_rank(comm), size = comm_size(comm);
    struct rlimit kept, low;
    struct shared *s;
    CHECK(getrlimit(RLIMIT_NOFILE, &kept) == 0);
    const int next = open("/dev/null", O_RDONLY);
    CHECK(next >= 0 && close(next) == 0);
    low = kept;
    low.rlim_cur = (rlim_t)next + 1;
    if (rank == size - 1)
        CHECK(setrlimit(RLIMIT_NOFILE, &low) == 0);
    CHECK_STATUS(shared_create(&s, comm, N), FT_OK);
    CHECK(setrlimit(RLIMIT_NOFILE, &kept) == 0);
    CHECK(s->n == 1 && s->index == 0 && s->ranks[0] == rank);
    for (int r = 0; r < size; r++)
        CHECK(s->leaders[r] == r);
    memset(s->blocks[0], 1, N);
    shared_destroy(&s);
}

static void test_reductions(struct comm *comm)
{
    const int rank = comm_rank(comm), size = comm_size(comm);
    double sum[2] = {rank, 1}, most[1] = {rank}, least[1] = {rank};
    int64_t sums[2] = {rank, INT64_C(1) << 40}, largest[1] = {-rank};
    comm_sum_f64(comm, sum, 2);
    comm_max_f64(comm, most, 1);
    comm_min_f64(comm, least, 1);
    comm_sum_i64(comm, sums, 2);
    comm_max_i64(comm, largest, 1);
    CHECK(2 * sum[0] == size * (size - 1) && sum[1] == size);
    CHECK(most[0] == size - 1 && least[0] == 0 && largest[0] == 0);
    CHECK(sums[0] == size * (size - 1) / 2 && sums[1] == size * (INT64_C(1) << 40));
    CHECK(comm_exscan_i64(comm, 10 + rank) == 10 * rank + rank * (rank - 1) / 2);
}

/* rank r sends 3 * r bytes of 'a' + r: none from rank 0 */
static void test_gathers(struct comm *comm)
{
    const int rank = comm_rank(comm), size = comm_size(comm);
    char mine[16], *all = NULL;
    int64_t *counts = NULL, total = 0;
    CHECK_STATUS(FT_ALLOC(counts, size), FT_OK);
    CHECK_STATUS(FT_ALLOC(all, 3 * size * size), FT_OK);
    memset(mine, 'a' + rank, sizeof mine);
    comm_allgather_varying(comm, NULL, counts, mine, (int64_t)3 * rank);
    for (int r = 0; r < size; r++)
        CHECK(counts[r] == (int64_t)3 * r);
    comm_allgather_varying(comm, all, counts, mine, (int64_t)3 * rank);
    for (int r = 0; r < size; r++)
        for (int64_t i = 0; i < counts[r]; i++, total++)
            CHECK(all[total] == 'a' + r);
    CHECK(total == 3 * size * (size - 1) / 2);
    comm_allgather(comm, counts, &total, sizeof total);
    for (int r = 0; r < size; r++)
        CHECK(counts[r] == total);
    mem_free(all);
    mem_free(counts);
}

static void test_broadcast(struct comm *comm)
{
    for (int root = 0; root < comm_size(comm); root++) {
        int64_t data[3] = {0, 0, 0};
        if (comm_rank(comm) == root)
            data[0] = data[2] = root + 1;
        comm_bcast(comm, data, sizeof data, root);
        CHECK(data[0] == root + 1 && data[1] == 0 && data[2] == root + 1);
    }
    int64_t node = comm_node_rank(comm) == 0 ? 7 : 0;
    comm_node_bcast(comm, &node, sizeof node);
    CHECK(node == 7 && comm_node_rank(comm) < comm_node_size(comm));
}

int main(int argc, char **argv)
{
    struct comm *comm = NULL;
    CHECK_STATUS(comm_open(&comm, &argc, &argv), FT_OK);
    const char *wanted = getenv("TEST_RANKS"); /* as many ranks as the test was registered with */
    CHECK(!wanted || strtol(wanted, NULL, 10) == comm_size(comm));
    test_agreement(comm);
    test_slices(comm);
    test_messages(comm);
    test_shared(comm);
    test_not_shared(comm);
    test_reductions(comm);
    test_gathers(comm);
    test_broadcast(comm);
    comm_close(&comm);
    CHECK(comm == NULL);
    return check_end();
}
