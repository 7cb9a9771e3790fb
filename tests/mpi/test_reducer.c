/*
 * The exchange of gradients against serial sums: sizes that divide nothing, slices without
 * elements, ranks without work, buckets smaller than slices. The bits depend neither on the moment
 * at which gradients are said to be final nor on the run. FT_NODE_RANKS of the environment says how
 * many ranks share memory; between such groups the same holds by messages.
 */
#include "optim/reducer.h"

#include <stdlib.h>
#include <time.h>

#include "base/rng.h"
#include "math/bf16.h"
#include "optim/optimizer.h"
#include "support/check.h"

/* What a rank does before it waits: nothing; says at once that all is final; or says so bit by bit,
 * in steps and after pauses of its own. */
enum timing { SILENT, AT_ONCE, BIT_BY_BIT, N_TIMINGS };

struct world {
    struct comm *comm;
    struct reducer *reducer;
    int64_t N, *first;
    float *grads, *values;
    uint16_t *values16;
};

/* Small whole numbers: every order of summation gives the same sum. */
static float whole(int rank, int64_t step, int64_t i)
{
    return (float)((rank + 1) * (int)((i + 5 * step) % 13) - 5 * rank);
}

/* Anything: the order of summation shows in the last bits. */
static float any(int rank, int64_t step, int64_t i)
{
    return (float)(rng_u64((uint64_t)rank, (uint64_t)step, (uint64_t)i) >> 40) * 1e-7f - 0.8f;
}

static void open_world(struct world *w, struct comm *comm, int64_t N, bool bf16_wire)
{
    *w = (struct world){.comm = comm, .N = N};
    CHECK_STATUS(FT_ALLOC(w->first, comm_size(comm) + 1), FT_OK);
    CHECK_STATUS(FT_ALLOC(w->values, N), FT_OK);
    CHECK_STATUS(FT_ALLOC(w->values16, N), FT_OK);
    optimizer_slices(w->first, N, comm_size(comm));
    const struct reducer_shape shape = {w->first, 1, bf16_wire};
    CHECK_STATUS(reducer_create(&w->reducer, comm, &shape), FT_OK);
    w->grads = reducer_gradients(w->reducer);
}

static void close_world(struct world *w)
{
    reducer_destroy(&w->reducer);
    CHECK(w->reducer == NULL);
    mem_free(w->values16);
    mem_free(w->values);
    mem_free(w->first);
}

/* Gradients appear from the end to the beginning, as in a backward pass. */
static void reduce(struct world *w, enum timing timing, int64_t step,
                   float (*value)(int rank, int64_t step, int64_t i))
{
    const int rank = comm_rank(w->comm);
    const uint64_t seed = (uint64_t)rank + 100 * (uint64_t)timing;
    const bool is_idle = timing == SILENT && rank == 1;
    memset(w->grads, 0, (size_t)w->N * sizeof *w->grads);
    for (int64_t from, to = w->N, k = 0; to > 0; to = from, k++) {
        const struct timespec pause = {
            .tv_nsec = (long)(rng_u64(seed, (uint64_t)step, (uint64_t)k) % 500000)};
        from = to - (int64_t)(rng_u64(seed, 7, (uint64_t)k) % (uint64_t)(w->N / 8 + 2));
        from = from > 0 && timing == BIT_BY_BIT ? from : 0;
        for (int64_t i = from; i < to && !is_idle; i++)
            w->grads[i] = value(rank, step, i);
        if (timing == SILENT)
            continue;
        (void)nanosleep(&pause, NULL);
        reducer_ready(w->reducer, from);
    }
    reducer_finish(w->reducer);
}

/* Hands out twice the sums, as an optimizer would its parameters. */
static void hand_out(struct world *w)
{
    for (int i = 0; i < reducer_n_own(w->reducer); i++) {
        int64_t from, to;
        reducer_own(w->reducer, i, &from, &to);
        for (int64_t k = from; k < to; k++) {
            w->values[k] = 2.0f * w->grads[k];
            w->values16[k] = bf16_from_f32(w->values[k]);
        }
        reducer_offer(w->reducer, i, w->values);
    }
    reducer_gather(w->reducer, w->values, w->values16);
}

static float serial_sum(const struct world *w, int64_t step, int64_t i, int without)
{
    float sum = 0;
    for (int rank = 0; rank < comm_size(w->comm); rank++)
        sum += rank == without ? 0.0f : whole(rank, step, i);
    return sum;
}

static void check_step(struct world *w, enum timing timing, int64_t step)
{
    const int rank = comm_rank(w->comm);
    int64_t n_wrong = 0;
    reduce(w, timing, step, whole);
    for (int64_t i = w->first[rank]; i < w->first[rank + 1]; i++)
        n_wrong += w->grads[i] != serial_sum(w, step, i, timing == SILENT ? 1 : -1);
    CHECK(n_wrong == 0);
    comm_barrier(w->comm);
    hand_out(w);
    for (int64_t i = 0; i < w->N; i++) {
        const float expected = 2.0f * serial_sum(w, step, i, timing == SILENT ? 1 : -1);
        n_wrong += w->values[i] != expected || w->values16[i] != bf16_from_f32(expected);
    }
    CHECK(n_wrong == 0);
}

static void test_sums(struct comm *comm, int64_t N)
{
    struct world w;
    int64_t from, to, n = 0;
    open_world(&w, comm, N, false);
    for (int i = 0; i < reducer_n_own(w.reducer); i++, n += to - from)
        reducer_own(w.reducer, i, &from, &to);
    CHECK(n == w.first[comm_rank(comm) + 1] - w.first[comm_rank(comm)]);
    const int64_t allocations = mem_alloc_count();
    for (int64_t step = 0; step < 6; step++)
        check_step(&w, (enum timing)(step % N_TIMINGS), step);
    CHECK(mem_alloc_count() == allocations);
    CHECK(reducer_take_seconds(w.reducer) > 0);
    CHECK(reducer_take_seconds(w.reducer) == 0);
    close_world(&w);
}

/* Gradients themselves are handed out, as with zero = 0, twice with other timing: the same bits. */
static void test_bits(struct comm *comm, int64_t N)
{
    struct world w;
    open_world(&w, comm, N, false);
    for (int timing = AT_ONCE; timing < N_TIMINGS; timing++) {
        reduce(&w, (enum timing)timing, 3, any);
        comm_barrier(comm);
        for (int i = 0; i < reducer_n_own(w.reducer); i++)
            reducer_offer(w.reducer, i, w.grads);
        reducer_gather(w.reducer, w.grads, NULL);
        if (timing > AT_ONCE)
            CHECK(memcmp(w.values, w.grads, (size_t)N * sizeof *w.grads) == 0);
        memcpy(w.values, w.grads, (size_t)N * sizeof *w.grads);
        comm_bcast(comm, w.values, N * (int64_t)sizeof *w.values, 0);
        CHECK(memcmp(w.values, w.grads, (size_t)N * sizeof *w.grads) == 0); /* on all ranks */
    }
    close_world(&w);
}

/* Off by at most 2^-8 of what comes from other nodes, but for f32's own rounding; off at all only
 * where there are any; what is not finite stays so. */
static void test_wire(struct comm *comm, int64_t N)
{
    const int rank = comm_rank(comm), size = comm_size(comm);
    const bool has_others = comm_node_size(comm) < size;
    struct world w;
    int64_t n_wrong = 0, n_off = 0;
    open_world(&w, comm, N, true);
    reduce(&w, BIT_BY_BIT, 9, any);
    for (int64_t i = w.first[rank]; i < w.first[rank + 1]; i++) {
        double sum = 0, size_of_parts = 0;
        for (int r = 0; r < size; r++) {
            sum += (double)any(r, 9, i);
            size_of_parts += fabs((double)any(r, 9, i));
        }
        const double error = fabs((double)w.grads[i] - sum);
        n_wrong += error > size_of_parts * (has_others ? 1.0 / 256 + 1e-6 : 1e-6);
        n_off += error > size_of_parts * 1e-4;
    }
    CHECK(n_wrong == 0 && (n_off > 0) == (has_others && w.first[rank + 1] > w.first[rank]));
    comm_barrier(comm);
    for (int64_t i = 0; i < N; i++)
        w.grads[i] = rank == size - 1 ? (i % 2 ? INFINITY : NAN) : 1.0f;
    reducer_finish(w.reducer);
    for (int64_t i = w.first[rank]; i < w.first[rank + 1]; i++)
        n_wrong += i % 2 ? !isinf(w.grads[i]) : !isnan(w.grads[i]);
    CHECK(n_wrong == 0);
    close_world(&w);
}

int main(int argc, char **argv)
{
    struct comm *comm = NULL;
    CHECK_STATUS(comm_open(&comm, &argc, &argv), FT_OK);
    const char *wanted = getenv("FT_NODE_RANKS"); /* as registered */
    CHECK(comm_node_size(comm) <= (wanted ? strtol(wanted, NULL, 10) : comm_size(comm)));
    CHECK(comm_node_rank(comm) < comm_node_size(comm));
    for (int64_t N = 5; N < 2000000; N = 37 * N + 3) { /* 5 ... 257203: less than a bucket */
        test_sums(comm, N);
        test_bits(comm, N);
        test_wire(comm, N);
    }
    test_sums(comm, 1500007);
    test_bits(comm, 1500007);
    test_wire(comm, 1500007);
    comm_close(&comm);
    return check_end();
}
