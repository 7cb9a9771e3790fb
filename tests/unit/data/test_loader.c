/*
 * data/loader: windows, batches, and who computes what. The corpus is replaced by one in memory:
 * token t of it has id 1000 + t, and documents start where the test says.
 */
#include "data/loader.h"
#include "data/split.h"
#include "support/check.h"

struct corpus {
    struct corpus_stats stats;
    int64_t starts[64];
    int64_t n_starts;
};

const struct corpus_stats *corpus_stats(const struct corpus *c)
{
    return &c->stats;
}

ft_status corpus_read(struct corpus *c, int32_t *out, int64_t first, int64_t n)
{
    CHECK(first >= 0 && n >= 1 && first + n <= c->stats.n_tokens);
    for (int64_t i = 0; i < n; i++)
        out[i] = (int32_t)(1000 + first + i);
    return FT_OK;
}

ft_status corpus_document_starts(struct corpus *c, int64_t first, int64_t n, int64_t *starts,
                                 int64_t capacity, int64_t *n_starts)
{
    *n_starts = 0;
    for (int64_t i = 0; i < c->n_starts; i++)
        if (c->starts[i] >= first && c->starts[i] < first + n && *n_starts < capacity)
            starts[(*n_starts)++] = c->starts[i];
    return FT_OK;
}

static struct corpus corpus_of(int64_t n_tokens)
{
    return (struct corpus){.stats.n_tokens = n_tokens};
}

static void test_window_counts(void)
{
    struct window_set set;
    for (int64_t n = 2; n < 60; n++) {
        struct corpus c = corpus_of(n);
        for (int T = 1; T < 12; T++) {
            CHECK_STATUS(window_set_init(&set, &c, T, false, 0, false), FT_OK);
            CHECK(set.n_windows * T >= n - 1 && (set.n_windows - 1) * T < n - 1);
            if (n - 1 < T) {
                CHECK_FAILS(window_set_init(&set, &c, T, true, 0, false), FT_ERR_INPUT, "one full");
                continue;
            }
            CHECK_STATUS(window_set_init(&set, &c, T, true, 0, false), FT_OK);
            CHECK(set.n_windows * T <= n - 1 && (set.n_windows + 1) * T > n - 1);
        }
    }
    struct corpus one = corpus_of(1), many = corpus_of(100);
    CHECK_FAILS(window_set_init(&set, &one, 4, false, 0, false), FT_ERR_INPUT, "1 tokens");
    CHECK_STATUS(window_set_init(&set, &many, 4, false, 7, false), FT_OK);
    CHECK(set.n_windows == 7);
    CHECK_STATUS(window_set_init(&set, &many, 4, false, 1000, false), FT_OK);
    CHECK(set.n_windows == 25);
}

/* Every token but the first is predicted once, from the one before it, at its place in the window.
 */
static void test_targets(void)
{
    enum { T = 5, MICRO = 3 };
    for (int64_t n = 2; n < 40; n++) {
        struct corpus c = corpus_of(n);
        struct window_set set;
        struct batch batch;
        int predicted[40] = {0};
        CHECK_STATUS(window_set_init(&set, &c, T, false, 0, false), FT_OK);
        CHECK_STATUS(batch_create(&batch, MICRO, T), FT_OK);
        const int64_t n_before = mem_alloc_count();
        for (int64_t w = 0; w < set.n_windows; w += MICRO) {
            int k = 0;
            for (; k < MICRO && w + k < set.n_windows; k++)
                batch.windows[k] = w + k;
            CHECK_STATUS(batch_fill(&batch, &set, batch.windows, k), FT_OK);
            CHECK(batch.n_segments == k && batch.segment_start[k] == batch.n_tokens);
            CHECK(batch.n_supervised == batch.n_tokens);
            for (int i = 0; i < batch.n_tokens; i++) {
                CHECK(batch.targets[i] == batch.tokens[i] + 1);
                CHECK(batch.positions[i] == (batch.tokens[i] - 1000) % T);
                predicted[batch.targets[i] - 1000]++;
            }
        }
        CHECK(mem_alloc_count() == n_before);
        CHECK(predicted[0] == 0);
        for (int64_t t = 1; t < n; t++)
            CHECK(predicted[t] == 1);
        batch_destroy(&batch);
    }
}

static void test_batch_limits(void)
{
    struct corpus c = corpus_of(21);
    struct window_set set;
    struct batch batch;
    const int64_t windows[3] = {0, 4, 5};
    CHECK_STATUS(window_set_init(&set, &c, 4, false, 0, false), FT_OK);
    CHECK_STATUS(batch_create(&batch, 2, 4), FT_OK);
    CHECK_STATUS(batch_fill(&batch, &set, windows, 0), FT_OK);
    CHECK(batch.n_tokens == 0 && batch.n_segments == 0 && batch.n_supervised == 0);
    CHECK_FAILS(batch_fill(&batch, &set, windows, 3), FT_ERR_INTERNAL, "cannot hold 3 windows");
    CHECK_FAILS(batch_fill(&batch, &set, windows + 1, 2), FT_ERR_INTERNAL, "window 5 of 5");
    batch_destroy(&batch);
    CHECK_FAILS(batch_create(&batch, 1 << 16, 1 << 16), FT_ERR_USAGE, "not possible");
    for (int64_t nth = 1; nth <= 7; nth++) {
        mem_fail_nth(nth, 0);
        CHECK_STATUS(batch_create(&batch, 2, 4), FT_ERR_INTERNAL);
    }
    mem_fail_nth(0, 0);
}

/* Documents at 0, 3, 4, 10 and 15; windows of 5: borders inside, side by side, and on a window's
 * edge. */
static void test_isolation(void)
{
    struct corpus c = corpus_of(18);
    struct window_set set;
    struct batch batch;
    const int64_t starts[] = {0, 3, 4, 10, 15}, windows[] = {0, 1, 2, 3};
    const int32_t targets[] = {1001, 1002, -1,   -1,   1005, 1006, 1007, 1008, 1009,
                               -1,   1011, 1012, 1013, 1014, -1,   1016, 1017};
    const int32_t positions[] = {0, 1, 2, 0, 0, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1};
    const int32_t segments[] = {0, 3, 4, 5, 10, 15, 17};
    const int64_t ids[] = {0, 3, 4, 5, 10, 15}, turned[] = {3, 1};
    memcpy(c.starts, starts, sizeof starts);
    c.n_starts = 5;
    CHECK_STATUS(window_set_init(&set, &c, 5, false, 0, true), FT_OK);
    CHECK(set.n_windows == 4);
    CHECK_STATUS(batch_create(&batch, 4, 5), FT_OK);
    CHECK_STATUS(batch_fill(&batch, &set, windows, 4), FT_OK);
    CHECK(batch.n_tokens == 17 && batch.n_segments == 6 && batch.n_supervised == 13);
    CHECK(memcmp(batch.targets, targets, sizeof targets) == 0);
    CHECK(memcmp(batch.positions, positions, sizeof positions) == 0);
    CHECK(memcmp(batch.segment_start, segments, sizeof segments) == 0);
    CHECK(memcmp(batch.segment_ids, ids, sizeof ids) == 0 && !batch.labels);
    for (int i = 0; i < 17; i++)
        CHECK(batch.tokens[i] == 1000 + i);
    CHECK_STATUS(batch_fill(&batch, &set, turned, 2), FT_OK); /* the same names in another batch */
    CHECK(batch.n_segments == 2 && batch.segment_ids[0] == 15 && batch.segment_ids[1] == 5);
    CHECK_STATUS(batch_fill(&batch, &set, windows, 4), FT_OK);
    /* every token a document of its own: as many segments as tokens, nothing supervised */
    for (int i = 0; i < 18; i++)
        c.starts[i] = i;
    c.n_starts = 18;
    CHECK_STATUS(batch_fill(&batch, &set, windows, 4), FT_OK);
    CHECK(batch.n_segments == 17 && batch.n_supervised == 0 && batch.segment_start[17] == 17);
    batch_destroy(&batch);
}

/* Steps of one epoch: every position once, on one rank, in micro-batches as equal as possible. */
static void check_epoch(int64_t n_windows, int global_batch, int micro_batch, int size)
{
    int seen[64] = {0};
    const int64_t n_steps = loader_steps_per_epoch(n_windows, global_batch);
    CHECK((n_steps - 1) * global_batch < n_windows && n_windows <= n_steps * global_batch);
    for (int64_t step = n_steps + 1; step <= 2 * n_steps; step++) {
        int64_t total = 0;
        for (int rank = 0; rank < size; rank++) {
            struct step_plan plan;
            int64_t at = 0, sum = 0;
            int least = micro_batch, most = 0;
            loader_plan(&plan, step, n_windows, global_batch, micro_batch, rank, size);
            const int64_t B = plan.step_count;
            CHECK(plan.epoch == 1);
            CHECK(plan.first_position == (step - n_steps - 1) * global_batch + rank * B / size);
            for (int micro = 0; micro < plan.n_micro; micro++) {
                const int n = loader_micro(&at, &plan, micro);
                CHECK(n >= 1 && n <= micro_batch && at == plan.first_position + sum);
                least = n < least ? n : least;
                most = n > most ? n : most;
                for (int i = 0; i < n; i++)
                    seen[at + i]++;
                sum += n;
            }
            CHECK(sum == plan.count && most - least <= (plan.n_micro ? 1 : micro_batch));
            CHECK(plan.n_micro == (plan.count + micro_batch - 1) / micro_batch);
            total += plan.count;
        }
        CHECK(total ==
              (step < 2 * n_steps ? global_batch : n_windows - (n_steps - 1) * global_batch));
    }
    for (int64_t i = 0; i < n_windows; i++)
        CHECK(seen[i] == 1);
}

static void test_plan(void)
{
    for (int64_t n_windows = 1; n_windows < 50; n_windows += 3)
        for (int global_batch = 1; global_batch < 12; global_batch++)
            for (int micro_batch = 1; micro_batch < 5; micro_batch++)
                for (int size = 1; size < 7; size++)
                    check_epoch(n_windows, global_batch, micro_batch, size);
}

static void test_order(void)
{
    enum { N = 997 };
    int64_t n_fixed = 0, n_same = 0;
    static int seen[3][N];
    for (int64_t i = 0; i < N; i++) {
        const int64_t a = loader_window(42, true, N, 0, i), b = loader_window(42, true, N, 1, i),
                      c = loader_window(43, true, N, 0, i);
        seen[0][a]++, seen[1][b]++, seen[2][c]++;
        n_fixed += a == i;
        n_same += (a == b) + (a == c) + (b == c);
        CHECK(loader_window(42, false, N, 5, i) == i);
    }
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < N; i++)
            CHECK(seen[k][i] == 1);
    CHECK(n_fixed < 12 && n_same < 20);
}

static void test_split(void)
{
    int n = 0, n_other = 0;
    for (int64_t i = 0; i < 10000; i++) {
        CHECK(!split_is_validation(1, i, 0.0) && split_is_validation(1, i, 1.0));
        const bool is = split_is_validation(1, i, 0.1);
        CHECK(!is || split_is_validation(1, i, 0.2)); /* a larger share keeps the smaller one */
        n += is;
        n_other += is != split_is_validation(2, i, 0.1);
    }
    CHECK(n > 880 && n < 1120 && n_other > 1500 && n_other < 2100);
}

int main(void)
{
    test_window_counts();
    test_targets();
    test_batch_limits();
    test_isolation();
    test_plan();
    test_order();
    test_split();
    return check_end();
}
