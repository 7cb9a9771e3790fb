/*
 * Ranks that see each other's memory (comm/shared.h: a node) form a group. Every bucket has one
 * source in each group: its owner there, in other groups the rank whose turn it is (owner modulo
 * the group's size). Reduction and gathering are the same way, forth and back:
 *
 *     reduce   source += the same elements of its peers, read where they are;
 *              sources outside the owner's group send that to the owner, who adds it
 *     gather   the owner puts its values where its gradients were, and sends them to the sources;
 *              all others read them where their source has them
 *
 * On a board beside its gradients each rank says how far its gradients are final, which buckets
 * hold final values, and that it has read all. Peers look there; they never write to each other.
 *
 * Cost per rank, in p groups of n ranks: within a node N reads and N/n writes to reduce, N reads
 * and writes to gather, no copies in between. Between nodes each group sends and receives
 * N (1 - 1/p) elements each way, as the best algorithms do; but an owner gets one message from each
 * other group per bucket, where a tree would need log p. With slices in the order of the buffer the
 * last owner's reduction is through when the first one's begins: all wait for that one alone.
 *
 * Measured on 538 MB, 2 ranks on 2 cores of one node: 0.07 s to reduce, 0.09 s to gather; by this
 * file's messages alone (FT_NODE_RANKS=1) 0.11 and 0.08 s, which take a copy more but need no
 * common memory. The gradients' 4 KiB pages cost the backward pass nothing that could be measured.
 *
 * Rejected: MPI_Ireduce and MPI_Iallreduce, 1.5 to 8 s: Open MPI's non-blocking collectives take
 * fresh scratch memory for each call; they also know no bf16. MADV_DONTNEED on what was read of
 * peers, so that resident sizes are true: its page faults double the time.
 */
#include "optim/reducer.h"

#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "base/fault.h"
#include "base/mem.h"
#include "base/pulse.h"
#include "base/timer.h"
#include "base/usage.h"
#include "comm/shared.h"
#include "math/bf16.h"
#include "math/kernel.h"
#include "math/row.h"

/* Messages that a rank expects at a time, each with a buffer of its own. */
enum { RING = 4, PAGE = 4096, BLOCK = 1 << 12 };

struct bucket {
    int64_t from, to;
    int owner;
    int source; /* in this group: its place there */
};

/* What a rank tells its peers, in front of its gradients. */
struct board {
    _Atomic int64_t ready;     /* step * (N + 1) + elements that are final, counted from the end */
    _Atomic int64_t gathered;  /* steps of which everything was read */
    _Atomic int64_t offered[]; /* (n_buckets) steps whose values the bucket holds */
};

struct reducer {
    struct comm *comm;
    struct shared *shared;
    struct comm_messages *messages; /* NULL with one group */
    int rank, n_groups;
    int *heads; /* (n_groups - 1) world ranks: the lowest of each other group */
    int64_t N, step;
    size_t board_bytes;
    bool bf16_wire;
    int n_buckets, n_own;
    struct bucket *buckets; /* (n_buckets) from the end of the buffer to its beginning */
    int *own;               /* (n_own) numbers of this rank's buckets */
    int64_t *copied;        /* (n_buckets) steps whose values were gathered */
    char *ring;             /* (RING, piece_bytes) */
    size_t piece_bytes;
    double seconds;

    /* the reduction that is going on */
    int next_sum;                 /* first bucket that is not summed within the group */
    int n_sent;                   /* messages given to MPI */
    int64_t n_expected, n_posted; /* parts: of own buckets, from each other group */
    int64_t n_added;
};

static struct board *board_of(const struct reducer *r, int index)
{
    return r->shared->blocks[index];
}

static float *grads_of(const struct reducer *r, int index)
{
    return (float *)(void *)((char *)r->shared->blocks[index] + r->board_bytes);
}

/* ---- cutting ---- */

static int64_t count_buckets(const struct reducer_shape *s, int size, int64_t most)
{
    int64_t n = 0;
    for (int owner = 0; owner < size; owner++)
        n += (s->first[owner + 1] - s->first[owner] + most - 1) / most;
    return n;
}

/* The rank that stands for the owner in the group with this head. */
static int source_in(const struct reducer *r, int head, int owner)
{
    const int *leaders = r->shared->leaders, size = comm_size(r->comm);
    int n = 0, turn;
    if (leaders[owner] == head)
        return owner;
    for (int i = 0; i < size; i++)
        n += leaders[i] == head;
    turn = owner % n;
    for (int i = 0; i < size; i++)
        if (leaders[i] == head && turn-- == 0)
            return i;
    return head;
}

static int place_of(const struct shared *s, int rank)
{
    int i = 0;
    while (i < s->n - 1 && s->ranks[i] != rank)
        i++;
    return i;
}

static void cut(struct reducer *r, const struct reducer_shape *s, int64_t most)
{
    const int head = r->shared->leaders[r->rank];
    int n = 0;
    for (int owner = comm_size(r->comm) - 1; owner >= 0; owner--) {
        const int source = place_of(r->shared, source_in(r, head, owner));
        for (int64_t to = s->first[owner + 1]; to > s->first[owner];) {
            const int64_t from = to - s->first[owner] > most ? to - most : s->first[owner];
            if (owner == r->rank)
                r->own[r->n_own++] = n;
            r->buckets[n++] = (struct bucket){from, to, owner, source};
            to = from;
        }
    }
}

static int64_t ring_bytes(int64_t slice, int64_t most, bool bf16_wire)
{
    const int64_t piece = slice < most ? slice : most;
    return (piece * (bf16_wire ? 2 : 4) + 63) / 64 * 64;
}

int64_t reducer_extra_bytes(int size, int node_size, int64_t N, int bucket_mb, bool bf16_wire)
{
    if (node_size == size)
        return 0;
    return RING * ring_bytes((N + size - 1) / size + 15, (int64_t)bucket_mb << 18, bf16_wire);
}

static ft_status allocate_messages(struct reducer *r, const struct reducer_shape *s, int64_t most)
{
    const int64_t slice = s->first[r->rank + 1] - s->first[r->rank];
    int64_t n = RING + r->n_buckets;
    if (n < (int64_t)r->n_own * (r->n_groups - 1) + r->n_buckets)
        n = (int64_t)r->n_own * (r->n_groups - 1) + r->n_buckets;
    r->piece_bytes = (size_t)ring_bytes(slice, most, r->bf16_wire);
    r->n_expected = (int64_t)r->n_own * (r->n_groups - 1);
    FT_TRY(FT_ALLOC(r->ring, RING * r->piece_bytes));
    return comm_messages_create(&r->messages, r->comm, (int)n);
}

static ft_status allocate(struct reducer *r, const struct reducer_shape *s, int64_t most)
{
    const int size = comm_size(r->comm);
    const int *leaders = r->shared->leaders;
    FT_TRY(FT_ALLOC(r->buckets, r->n_buckets));
    FT_TRY(FT_ALLOC(r->own, r->n_buckets));
    FT_TRY(FT_ALLOC(r->copied, r->n_buckets));
    FT_TRY(FT_ALLOC(r->heads, size));
    for (int i = 0; i < size; i++)
        if (leaders[i] == i && leaders[r->rank] != i)
            r->heads[r->n_groups++] = i;
    r->n_groups++;
    cut(r, s, most);
    return r->n_groups > 1 ? allocate_messages(r, s, most) : FT_OK;
}

/* What this rank reads of its peers' blocks: their part of the buckets that it sums, and the values
 * of all others. */
static int64_t foreign_bytes(const struct reducer *r)
{
    int64_t n = 0;
    for (int i = 0; i < r->n_buckets; i++) {
        const struct bucket *b = &r->buckets[i];
        n += (b->to - b->from) * (b->source == r->shared->index ? r->shared->n - 1 : 1);
    }
    return 4 * n;
}

ft_status reducer_create(struct reducer **out, struct comm *comm, const struct reducer_shape *shape)
{
    struct reducer *r = NULL;
    const int64_t most = (int64_t)shape->bucket_mb << 18;
    *out = NULL;
    FT_AGREE(comm, FT_ALLOC(r, 1));
    r->comm = comm;
    r->rank = comm_rank(comm);
    r->N = shape->first[comm_size(comm)];
    r->bf16_wire = shape->bf16_wire;
    r->n_buckets = (int)count_buckets(shape, comm_size(comm), most);
    r->board_bytes = sizeof(struct board) + (size_t)r->n_buckets * sizeof(int64_t);
    r->board_bytes = (r->board_bytes + PAGE - 1) / PAGE * PAGE;
    ft_status status = shared_create(&r->shared, comm, (int64_t)r->board_bytes + 4 * r->N);
    if (status == FT_OK)
        status = comm_agree(comm, allocate(r, shape, most));
    if (status == FT_OK)
        usage_count_foreign(foreign_bytes(r));
    else
        reducer_destroy(&r);
    *out = r;
    return status;
}

void reducer_destroy(struct reducer **reducer)
{
    struct reducer *r = *reducer;
    if (!r)
        return;
    comm_messages_destroy(&r->messages);
    shared_destroy(&r->shared);
    mem_free(r->ring);
    mem_free(r->heads);
    mem_free(r->copied);
    mem_free(r->own);
    mem_free(r->buckets);
    FT_FREE(*reducer);
}

float *reducer_gradients(const struct reducer *r)
{
    return grads_of(r, r->shared->index);
}

double reducer_take_seconds(struct reducer *r)
{
    const double seconds = r->seconds;
    r->seconds = 0;
    return seconds;
}

/* ---- arithmetic: element by element, so that threads do not matter ---- */

FT_KERNEL static void add_bf16(float *to, const uint16_t *from, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        to[i] += bf16_to_f32(from[i]);
}

static int64_t block_length(int64_t at, int64_t to)
{
    return to - at < BLOCK ? to - at : BLOCK;
}

/* The peers' gradients of a bucket onto this rank's, in the order of their places. */
static void sum_peers(const struct reducer *r, const struct bucket *b)
{
    const struct shared *s = r->shared;
    float *mine = grads_of(r, s->index);
#pragma omp parallel for schedule(static)
    for (int64_t at = b->from; at < b->to; at += BLOCK)
        for (int i = 1; i < s->n; i++)
            row_add(mine + at, grads_of(r, (s->index + i) % s->n) + at, block_length(at, b->to));
}

static void add_part(const struct reducer *r, const struct bucket *b, const void *part)
{
    float *mine = reducer_gradients(r);
    const float *whole = part;
    const uint16_t *half = part;
#pragma omp parallel for schedule(static)
    for (int64_t at = b->from; at < b->to; at += BLOCK)
        if (r->bf16_wire)
            add_bf16(mine + at, half + (at - b->from), block_length(at, b->to));
        else
            row_add(mine + at, whole + (at - b->from), block_length(at, b->to));
}

/* The bucket as it travels: with bf16 in the first half of its place, which nobody needs now. */
static const void *pack(const struct reducer *r, const struct bucket *b)
{
    float *values = reducer_gradients(r) + b->from;
    if (r->bf16_wire)
        row_shrink(values, (int)(b->to - b->from));
    return values;
}

static void copy_values(float *to, uint16_t *to16, const float *from, const struct bucket *b)
{
#pragma omp parallel for schedule(static)
    for (int64_t at = b->from; at < b->to; at += BLOCK) {
        const int64_t n = block_length(at, b->to);
        memcpy(to + at, from + at, (size_t)n * sizeof *to);
        if (to16)
            row_to_bf16(to16 + at, from + at, n);
    }
}

/* ---- reduction ---- */

static void post(_Atomic int64_t *place, int64_t value)
{
    atomic_store_explicit(place, value, memory_order_release);
}

static int64_t look(_Atomic int64_t *place)
{
    return atomic_load_explicit(place, memory_order_acquire);
}

static bool all_ready(const struct reducer *r, const struct bucket *b)
{
    const int64_t needed = r->step * (r->N + 1) + r->N - b->from;
    for (int i = 0; i < r->shared->n; i++)
        if (look(&board_of(r, i)->ready) < needed)
            return false;
    return true;
}

/* Sums the buckets whose turn it is within this group, as far as all its ranks are. */
static void sum_ready(struct reducer *r)
{
    for (; r->next_sum < r->n_buckets; r->next_sum++) {
        const struct bucket *b = &r->buckets[r->next_sum];
        if (b->source != r->shared->index)
            continue;
        if (!all_ready(r, b))
            return;
        sum_peers(r, b);
        if (b->owner == r->rank)
            continue;
        comm_send_start(r->messages, RING + r->n_sent++, pack(r, b),
                        (b->to - b->from) * (r->bf16_wire ? 2 : 4), b->owner);
    }
}

/* Parts from other groups: bucket by bucket, in the order of the groups. */
static void take_parts(struct reducer *r)
{
    const int n_others = r->n_groups - 1;
    for (; r->n_posted < r->n_expected && r->n_posted < r->n_added + RING; r->n_posted++) {
        const int slot = (int)(r->n_posted % RING);
        const struct bucket *b = &r->buckets[r->own[r->n_posted / n_others]];
        comm_receive_start(r->messages, slot, r->ring + (size_t)slot * r->piece_bytes,
                           (b->to - b->from) * (r->bf16_wire ? 2 : 4),
                           source_in(r, r->heads[r->n_posted % n_others], r->rank));
    }
    while (r->n_added < r->n_posted) {
        const int slot = (int)(r->n_added % RING), number = r->own[r->n_added / n_others];
        if (number >= r->next_sum || !comm_message_done(r->messages, slot))
            return;
        add_part(r, &r->buckets[number], r->ring + (size_t)slot * r->piece_bytes);
        r->n_added++;
    }
}

static bool all_done(const struct reducer *r, int first, int n)
{
    bool done = true;
    for (int i = first; i < first + n; i++)
        done = comm_message_done(r->messages, i) && done;
    return done;
}

/* Whether nothing is left to do for this rank. */
static bool advance(struct reducer *r)
{
    sum_ready(r);
    if (!r->messages)
        return r->next_sum == r->n_buckets;
    take_parts(r);
    return all_done(r, RING, r->n_sent) && r->next_sum == r->n_buckets &&
           r->n_added == r->n_expected;
}

static void tell(const struct reducer *r, int64_t from)
{
    post(&board_of(r, r->shared->index)->ready, r->step * (r->N + 1) + r->N - from);
}

void reducer_ready(struct reducer *r, int64_t from)
{
    const double started = timer_now();
    tell(r, from);
    (void)advance(r);
    r->seconds += timer_now() - started;
}

void reducer_finish(struct reducer *r)
{
    const double started = timer_now();
    tell(r, 0);
    (void)fault_point("exchange"); /* what fails here is the process; a call cannot */
    pulse_wait_begin();
    while (!advance(r))
        (void)sched_yield();
    pulse_wait_end();
    r->next_sum = r->n_sent = 0;
    r->n_posted = r->n_added = 0;
    r->step++;
    r->seconds += timer_now() - started;
}

/* ---- handing out ---- */

int reducer_n_own(const struct reducer *r)
{
    return r->n_own;
}

void reducer_own(const struct reducer *r, int i, int64_t *from, int64_t *to)
{
    *from = r->buckets[r->own[i]].from;
    *to = r->buckets[r->own[i]].to;
}

void reducer_offer(struct reducer *r, int i, const float *values)
{
    const double started = timer_now();
    const int number = r->own[i], n_others = r->n_groups - 1;
    const struct bucket *b = &r->buckets[number];
    float *mine = reducer_gradients(r);
    if (values != mine && comm_size(r->comm) > 1)
        copy_values(mine, NULL, values, b);
    post(&board_of(r, r->shared->index)->offered[number], r->step);
    for (int g = 0; g < n_others; g++)
        comm_send_start(r->messages, r->n_buckets + i * n_others + g, mine + b->from,
                        (b->to - b->from) * 4, source_in(r, r->heads[g], b->owner));
    r->seconds += timer_now() - started;
}

/* Starts to receive what this rank passes on to its group. */
static void expect_values(struct reducer *r)
{
    for (int number = 0; number < r->n_buckets; number++) {
        const struct bucket *b = &r->buckets[number];
        if (b->source == r->shared->index && b->owner != r->rank)
            comm_receive_start(r->messages, number, reducer_gradients(r) + b->from,
                               (b->to - b->from) * 4, b->owner);
    }
}

/* Whether the bucket's values stand in the source's memory; the source says so to its group. */
static bool is_offered(struct reducer *r, int number)
{
    const struct bucket *b = &r->buckets[number];
    _Atomic int64_t *offered = &board_of(r, b->source)->offered[number];
    if (look(offered) == r->step)
        return true;
    if (b->source != r->shared->index || !comm_message_done(r->messages, number))
        return false;
    post(offered, r->step);
    return true;
}

/* Copies what its source has; true once every bucket is copied. */
static bool copy_offered(struct reducer *r, float *values, uint16_t *values16)
{
    bool all_copied = true;
    for (int number = 0; number < r->n_buckets; number++) {
        const struct bucket *b = &r->buckets[number];
        if (b->owner == r->rank || r->copied[number] == r->step)
            continue;
        if (!is_offered(r, number)) {
            all_copied = false;
            continue;
        }
        const float *from = grads_of(r, b->source);
        if (values != from)
            copy_values(values, values16, from, b);
        r->copied[number] = r->step;
    }
    return all_copied;
}

static bool all_gathered(const struct reducer *r)
{
    for (int i = 0; i < r->shared->n; i++)
        if (look(&board_of(r, i)->gathered) < r->step)
            return false;
    return true;
}

void reducer_gather(struct reducer *r, float *values, uint16_t *values16)
{
    const double started = timer_now();
    if (r->messages)
        expect_values(r);
    pulse_wait_begin();
    while (!copy_offered(r, values, values16))
        (void)sched_yield();
    post(&board_of(r, r->shared->index)->gathered, r->step);
    while (!all_done(r, r->n_buckets, r->n_own * (r->n_groups - 1)) || !all_gathered(r))
        (void)sched_yield();
    pulse_wait_end();
    r->seconds += timer_now() - started;
}
