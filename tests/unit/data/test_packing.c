/* data/: sequences are packed into windows that hold them, fully, once each, and always alike. */
#include "base/rng.h"
#include "data/packing.h"
#include "support/check.h"

/* Every sequence once; no window too full; windows and members in order. */
static int64_t check_packing(const int32_t *lengths, int64_t n, int32_t capacity)
{
    int64_t *order = NULL, *first = NULL, n_windows = 0, n_seen = 0;
    char *seen = NULL;
    CHECK_STATUS(FT_ALLOC(order, n), FT_OK);
    CHECK_STATUS(FT_ALLOC(first, n + 1), FT_OK);
    CHECK_STATUS(FT_ALLOC(seen, n), FT_OK);
    CHECK_STATUS(packing_best_fit(order, first, &n_windows, lengths, n, capacity), FT_OK);
    CHECK(first[0] == 0 && first[n_windows] == n);
    for (int64_t w = 0; w < n_windows; w++) {
        int64_t sum = 0;
        CHECK(first[w] < first[w + 1]);
        CHECK(w == 0 || order[first[w]] > order[first[w - 1]]);
        for (int64_t i = first[w]; i < first[w + 1]; i++) {
            sum += lengths[order[i]];
            n_seen += !seen[order[i]];
            seen[order[i]] = 1;
            CHECK(i == first[w] || order[i] > order[i - 1]);
        }
        CHECK(sum <= capacity);
    }
    CHECK(n_seen == n);
    mem_free(order);
    mem_free(first);
    mem_free(seen);
    return n_windows;
}

int main(void)
{
    const int32_t exact[] = {3, 7, 5, 5, 10, 1, 9};
    CHECK(check_packing(exact, 7, 10) == 4);
    const int32_t one[] = {64};
    CHECK(check_packing(one, 1, 64) == 1);
    CHECK(check_packing(one, 1, 4096) == 1);
    enum { N = 5000 };
    static int32_t lengths[N];
    int64_t total = 0;
    for (int i = 0; i < N; i++) {
        lengths[i] = 1 + (int32_t)rng_permute(7, 1, 700, i % 700);
        total += lengths[i];
    }
    const int64_t n = check_packing(lengths, N, 700);
    CHECK(n <= total / 700 + total / 7000); /* within 10 % of what could be */
    const int32_t halves[] = {6, 6, 6, 6};
    CHECK(check_packing(halves, 4, 11) == 4);
    return check_end();
}
