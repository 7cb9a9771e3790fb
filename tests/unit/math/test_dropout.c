/* The mask against one Philox call at a time, its statistics, and its independence of the batch. */
#include <stdlib.h>

#include "math/dropout.h"
#include "support/derivative.h"

static struct dropout of_rate(double rate)
{
    return (struct dropout){.rate = rate, .key = dropout_key(42, 3)};
}

/* Element e of the stream by the definition in dropout.c. */
static float slow_mask(const struct dropout *d, uint64_t sample, uint64_t site, uint64_t lane,
                       uint64_t e)
{
    uint32_t words[4];
    const uint64_t counter = e / 128 * 16 + e % 16, slot = e % 128 / 16;
    rng_philox(words, d->key, site << 48 | sample, lane << 32 | counter);
    const uint32_t bits = words[slot / 2] >> (slot % 2 * 16) & 0xffff;
    return bits < (uint32_t)(d->rate * 65536.0 + 0.5) ? 0.0f : (float)(1.0 / (1.0 - d->rate));
}

static void test_definition(void)
{
    enum { N = 700 };
    const struct dropout d = of_rate(0.25);
    float mask[N];
    const struct {
        int64_t from;
        int n;
    } parts[] = {
        {0, N}, {0, 1}, {127, 2}, {5, 123}, {128, 128}, {300, 399}, {INT64_C(1) << 34, 300}};
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        dropout_mask(mask, &d, 123456789012, 77, 4000000000, parts[p].from, parts[p].n);
        for (int i = 0; i < parts[p].n; i++)
            CHECK(mask[i] ==
                  slow_mask(&d, 123456789012, 77, 4000000000, (uint64_t)(parts[p].from + i)));
    }
}

/* Shares of kept elements, and of kept neighbours at several distances, within five deviations. */
static void test_statistics(void)
{
    enum { N = 1 << 18 };
    const double rates[] = {0.1, 0.5, 0.9};
    float *mask = mem_alloc_raw(N, sizeof *mask);
    for (int r = 0; r < 3; r++) {
        const struct dropout d = of_rate(rates[r]);
        const double p = 1.0 - rates[r];
        dropout_mask(mask, &d, 1, 2, 3, 0, N);
        const int distances[] = {0, 1, 16, 128, 384};
        for (int k = 0; k < 5; k++) {
            const int distance = distances[k];
            const double expected = distance ? p * p : p, n = N - distance;
            double kept = 0, total = 0;
            for (int i = 0; i + distance < N; i++) {
                kept += mask[i] > 0 && mask[i + distance] > 0;
                total += (double)mask[i];
            }
            CHECK(fabs(kept / n - expected) < 5.0 * sqrt(expected * (1.0 - expected) / n) * 1.5);
            CHECK(fabs(total / n - 1.0) < 0.02);
        }
    }
    mem_free(mask);
}

/* How many of n elements two streams treat alike: everything is a key, also the epoch. */
static void test_streams_differ(void)
{
    enum { N = 4096 };
    const struct dropout d = of_rate(0.5), later = {.rate = 0.5, .key = dropout_key(42, 4)},
                         other = {.rate = 0.5, .key = dropout_key(43, 3)};
    float mask[6][N];
    dropout_mask(mask[0], &d, 1, 2, 3, 0, N);
    dropout_mask(mask[1], &d, 2, 2, 3, 0, N);
    dropout_mask(mask[2], &d, 1, 3, 3, 0, N);
    dropout_mask(mask[3], &d, 1, 2, 4, 0, N);
    dropout_mask(mask[4], &later, 1, 2, 3, 0, N);
    dropout_mask(mask[5], &other, 1, 2, 3, 0, N);
    for (int a = 0; a < 6; a++)
        for (int b = a + 1; b < 6; b++) {
            int same = 0;
            for (int i = 0; i < N; i++)
                same += mask[a][i] == mask[b][i];
            CHECK(abs(same - N / 2) < 5 * 32);
        }
}

enum { WIDTH = 700, ROWS = 9 };
static float rows[ROWS * WIDTH];
static const int32_t starts[4] = {0, 1, 6, ROWS};
static const int64_t ids[3] = {17, 5, 1000000007};

static void rows_run(void)
{
    const struct dropout d = of_rate(0.1);
    for (int i = 0; i < ROWS * WIDTH; i++)
        rows[i] = 1.0f;
    dropout_rows(rows, WIDTH, &d, 12, starts, ids, 3);
}

/* A sample's mask is the same whatever else is in the batch. */
static void test_rows(void)
{
    static float alone[5 * WIDTH], expected[WIDTH];
    const struct dropout d = of_rate(0.1), none = of_rate(0.0), all = of_rate(1.0);
    const int32_t one[2] = {0, 5};
    check_threads("dropout", rows_run, rows, ROWS * WIDTH);
    for (int i = 0; i < 5 * WIDTH; i++)
        alone[i] = 2.0f;
    dropout_rows(alone, WIDTH, &d, 12, one, ids + 1, 1);
    for (int i = 0; i < 5 * WIDTH; i++)
        CHECK(alone[i] == 2.0f * rows[WIDTH + i]);
    dropout_mask(expected, &d, 5, 12, 4, 0, WIDTH);
    CHECK(memcmp(expected, rows + 5 * WIDTH, sizeof expected) == 0);
    for (int i = 0; i < 3 * WIDTH; i++)
        alone[i] = 1.0f;
    dropout_rows(alone, WIDTH, &d, 12, NULL, ids, 3); /* every row a segment */
    for (int s = 0; s < 3; s++)
        CHECK(memcmp(alone + s * WIDTH, rows + starts[s] * WIDTH, WIDTH * sizeof *rows) == 0);
    dropout_rows(rows, WIDTH, &none, 12, starts, ids, 3);
    CHECK(memcmp(expected, rows + 5 * WIDTH, sizeof expected) == 0);
    dropout_rows(rows, WIDTH, &all, 12, starts, ids, 3);
    for (int i = 0; i < ROWS * WIDTH; i++)
        CHECK(rows[i] == 0.0f);
}

int main(void)
{
    test_definition();
    test_statistics();
    test_streams_differ();
    test_rows();
    return check_end();
}
