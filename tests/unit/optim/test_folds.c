/* Folds: equal sizes, pure, different for another seed, and unrelated to the order of documents. */
#include "optim/folds.h"
#include "support/check.h"

static void test_sizes(int64_t n, int n_folds)
{
    int64_t count[16] = {0}, neighbours = 0, moved = 0;
    for (int64_t i = 0; i < n; i++) {
        const int fold = folds_assign(42, n, i, n_folds);
        CHECK(fold >= 0 && fold < n_folds && fold == folds_assign(42, n, i, n_folds));
        count[fold]++;
        neighbours += i > 0 && fold == folds_assign(42, n, i - 1, n_folds);
        moved += fold != folds_assign(43, n, i, n_folds);
    }
    for (int f = 0; f < n_folds; f++)
        CHECK(count[f] >= n / n_folds && count[f] <= (n + n_folds - 1) / n_folds);
    if (n < 1000)
        return;
    CHECK_CLOSE((double)neighbours * n_folds / (double)n, 1.0, 0.15);
    CHECK_CLOSE((double)moved / (double)n, 1.0 - 1.0 / n_folds, 0.1);
}

int main(void)
{
    test_sizes(1, 5);
    test_sizes(7, 5);
    test_sizes(10, 2);
    test_sizes(9238, 5);
    test_sizes(10000, 10);
    return check_end();
}
