/* train/comparison and compare_report: scoring, pairs, the table, compare.json there and back, and
 * files that someone has changed. */
#include "train/compare_report.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rng.h"
#include "support/check.h"
#include "train/advice.h"

enum { N = 2390 };

static char folder[] = "/tmp/test_compare_XXXXXX", path[64];

/* Three classes; each method errs on its own documents, about one in `rate`. */
static ft_status score(struct method_result *r, uint64_t stream, uint64_t rate, int64_t n,
                       uint64_t label_seed)
{
    int32_t labels[N], predictions[N];
    for (int64_t i = 0; i < n; i++) {
        labels[i] = (int32_t)(rng_u64(label_seed, 1, (uint64_t)i) % 3);
        const bool wrong = rng_u64(2, stream, (uint64_t)i) % rate == 0;
        predictions[i] = wrong ? (labels[i] + 1) % 3 : labels[i];
    }
    return comparison_score(r, labels, predictions, n, 3, 42);
}

static void set_costs(struct method_result *r, double wall_s, double core_s, int64_t peak_bytes,
                      int64_t stored_bytes)
{
    r->wall_s = wall_s;
    r->core_s = core_s;
    r->peak_bytes = peak_bytes;
    r->stored_bytes = stored_bytes;
}

/* Last layers did not run. */
static void make(struct comparison *c)
{
    *c = (struct comparison){.cheapest = -1};
    set_costs(c->methods + COMPARE_BAG_OF_WORDS, 1.0 / 3.0, 0.7, 90 << 20, 1234);
    set_costs(c->methods + COMPARE_TRANSFER, 130.25, 250.5, INT64_C(700) << 20, 46 << 10);
    set_costs(c->methods + COMPARE_FINETUNE, 7200, 14321.125, INT64_C(5) << 30, INT64_C(87) << 20);
    CHECK_STATUS(score(c->methods + COMPARE_BAG_OF_WORDS, 1, 5, N, 1), FT_OK);
    CHECK_STATUS(score(c->methods + COMPARE_TRANSFER, 2, 6, N, 1), FT_OK);
    CHECK_STATUS(score(c->methods + COMPARE_FINETUNE, 3, 9, N, 1), FT_OK);
    (void)snprintf(c->methods[COMPARE_TRANSFER].key, HASH_TEXT, "0123456789abcdef0123456789abcdef");
    CHECK_STATUS(comparison_test(c), FT_OK);
}

static void test_score(void)
{
    struct comparison c;
    make(&c);
    const struct method_result *bag = c.methods + COMPARE_BAG_OF_WORDS;
    const struct method_result *full = c.methods + COMPARE_FINETUNE;
    int64_t right = 0, bag_only = 0, full_only = 0;
    for (int i = 0; i < N; i++) {
        right += full->correct[i];
        bag_only += bag->correct[i] > full->correct[i];
        full_only += bag->correct[i] < full->correct[i];
    }
    CHECK(full->done && full->documents == N && full->accuracy == (double)right / N);
    CHECK(full->interval.accuracy.low < full->accuracy);
    CHECK(full->interval.macro_f1.high > full->macro_f1);
    CHECK(c.cheapest == COMPARE_BAG_OF_WORDS);
    const struct mcnemar *m = &c.pairs[COMPARE_FINETUNE][COMPARE_BAG_OF_WORDS];
    CHECK(m->a_only == full_only && m->b_only == bag_only);
    CHECK(m->p == mcnemar_exact(full_only, bag_only) && m->p < 1e-6);
    CHECK(c.pairs[COMPARE_BAG_OF_WORDS][COMPARE_FINETUNE].a_only == bag_only);
    CHECK(c.pairs[COMPARE_BAG_OF_WORDS][COMPARE_FINETUNE].p == m->p);
    CHECK(c.pairs[COMPARE_LAST_LAYERS][COMPARE_FINETUNE].p == 1.0);
    CHECK_STATUS(score(c.methods + COMPARE_LAST_LAYERS, 4, 7, N, 99), FT_OK); /* other labels */
    CHECK_FAILS(comparison_test(&c), FT_ERR_INPUT, "different test sets");
    CHECK_STATUS(score(c.methods + COMPARE_LAST_LAYERS, 4, 7, N - 1, 1), FT_OK);
    CHECK_FAILS(comparison_test(&c), FT_ERR_INPUT, "last-layers (2389)");
    CHECK_FAILS(score(c.methods + COMPARE_LAST_LAYERS, 4, 7, 0, 1), FT_ERR_INPUT, "no documents");
    CHECK(!c.methods[COMPARE_LAST_LAYERS].done);
    comparison_clear(&c);
    CHECK_STATUS(comparison_test(&c), FT_OK);
    CHECK(c.cheapest == -1);
}

static void check_equal(const struct comparison *a, const struct comparison *b)
{
    CHECK(a->cheapest == b->cheapest);
    CHECK(memcmp(a->pairs, b->pairs, sizeof a->pairs) == 0);
    for (int m = 0; m < N_COMPARE_METHODS; m++) {
        const struct method_result *x = a->methods + m, *y = b->methods + m;
        CHECK(x->done == y->done);
        if (!x->done || !y->done)
            continue;
        CHECK(x->documents == y->documents && x->accuracy == y->accuracy);
        CHECK(x->macro_f1 == y->macro_f1);
        CHECK(memcmp(&x->interval, &y->interval, sizeof x->interval) == 0);
        CHECK(x->wall_s == y->wall_s && x->core_s == y->core_s);
        CHECK(x->peak_bytes == y->peak_bytes && x->stored_bytes == y->stored_bytes);
        CHECK(strcmp(x->key, y->key) == 0 && strcmp(x->labels_hash, y->labels_hash) == 0);
        CHECK(memcmp(x->correct, y->correct, (size_t)x->documents) == 0);
    }
}

static void test_round_trip(void)
{
    struct comparison c, again;
    char *first, *second;
    size_t n, m;
    CHECK_STATUS(compare_report_read(&again, path), FT_OK); /* no file: nothing done */
    CHECK(again.cheapest == -1);
    CHECK_FAILS(compare_report_write(&again, path), FT_ERR_INTERNAL, "no method has a result");
    make(&c);
    CHECK_STATUS(compare_report_write(&c, path), FT_OK);
    CHECK_STATUS(compare_report_read(&again, path), FT_OK);
    check_equal(&c, &again);
    CHECK_STATUS(file_read_all(&first, &n, path, 1 << 20), FT_OK);
    CHECK_STATUS(compare_report_write(&again, path), FT_OK);
    CHECK_STATUS(file_read_all(&second, &m, path, 1 << 20), FT_OK);
    CHECK(n == m && memcmp(first, second, n) == 0);
    CHECK(n > 0 && first[n - 1] == '\n');
    mem_free(first);
    mem_free(second);
    comparison_clear(&again);
    c.methods[COMPARE_TRANSFER].wall_s = (double)INFINITY; /* the old file stays */
    CHECK_FAILS(compare_report_write(&c, path), FT_ERR_INTERNAL, "not finite");
    CHECK_STATUS(compare_report_read(&again, path), FT_OK);
    CHECK(again.methods[COMPARE_TRANSFER].wall_s == 130.25);
    comparison_clear(&again);
    comparison_clear(&c);
}

/* Documents of which the last byte of bits is not whole: 1 ... 17. */
static void test_bits(void)
{
    for (int64_t n = 1; n <= 17; n++) {
        struct comparison c = {.cheapest = -1}, again;
        CHECK_STATUS(score(c.methods + COMPARE_TRANSFER, 5, 2, n, 1), FT_OK);
        CHECK_STATUS(comparison_test(&c), FT_OK);
        CHECK_STATUS(compare_report_write(&c, path), FT_OK);
        CHECK_STATUS(compare_report_read(&again, path), FT_OK);
        check_equal(&c, &again);
        comparison_clear(&c);
        comparison_clear(&again);
    }
}

/* The report of two methods on 9 documents with `from` replaced by `to` is refused so. */
static void check_changed(const char *from, const char *to, const char *part)
{
    const int32_t labels[9] = {0, 1, 0, 1, 0, 1, 0, 1, 0}, a[9] = {0, 1, 0, 1, 0, 1, 0, 0, 0};
    struct comparison c = {.cheapest = -1}, again;
    struct buffer changed = {0};
    char *text;
    size_t bytes;
    CHECK_STATUS(comparison_score(c.methods, labels, labels, 9, 2, 1), FT_OK);
    CHECK_STATUS(comparison_score(c.methods + 1, labels, a, 9, 2, 1), FT_OK);
    c.methods[1].core_s = 12.5;
    CHECK_STATUS(comparison_test(&c), FT_OK);
    CHECK_STATUS(compare_report_write(&c, path), FT_OK);
    CHECK_STATUS(file_read_all(&text, &bytes, path, 1 << 20), FT_OK);
    char *at = strstr(text, from);
    CHECK(at);
    if (at) {
        CHECK_STATUS(buffer_append(&changed, text, (size_t)(at - text)), FT_OK);
        CHECK_STATUS(buffer_print(&changed, "%s%s", to, at + strlen(from)), FT_OK);
        CHECK_STATUS(file_replace(path, changed.data, changed.used), FT_OK);
        CHECK_FAILS(compare_report_read(&again, path), FT_ERR_INPUT, part);
        CHECK(strstr(ft_error_text(), path) == ft_error_text());
        CHECK(strstr(ft_error_text(), "move the file away"));
        comparison_clear(&again);
    }
    buffer_clear(&changed);
    mem_free(text);
    comparison_clear(&c);
}

static void test_hostile(void)
{
    check_changed("{", "", "line ");
    check_changed("finetune-compare", "other", "key \"format\" is \"other\"");
    check_changed("\"version\": 1", "\"version\": 2", "key \"version\" is 2");
    check_changed("\"methods\": [", "\"methods\": [7, ", "methods[0] is no object");
    check_changed("\"name\": \"transfer\"", "\"name\": \"best\"", "there is no method \"best\"");
    check_changed("\"name\": \"transfer\"", "\"name\": \"bag-of-words\"", "occurs twice");
    check_changed("\"documents\": 9", "\"documents\": 0", "method \"bag-of-words\": key");
    check_changed("\"documents\": 9", "\"documents\": 4294967296", "key \"documents\"");
    check_changed("\"documents\": 9", "\"documents\": 2147483647", "\"correct\" has 4 digits");
    check_changed("\"documents\": 9", "\"documents\": 10", "key \"accuracy\" is 1, but 9 of 10");
    check_changed("\"documents\": 9", "\"documents\": 8", "\"correct\" has 4 digits");
    check_changed("\"accuracy\": 1.0", "\"accuracy\": 0.9", "but 9 of 9 are correct");
    check_changed("\"accuracy\": 1.0", "\"accuracy\": 1.5", "key \"accuracy\" is 1.5");
    check_changed("\"accuracy_high\": 1.0", "\"accuracy_high\": 0.5", "key \"accuracy_high\"");
    check_changed("\"core_s\": 12.5", "\"core_s\": -12.5", "method \"transfer\": key \"core_s\"");
    check_changed("\"core_s\": 12.5", "\"core_s\": \"12.5\"", "a number is needed");
    check_changed("\"peak_bytes\": 0", "\"peak_bytes\": -1", "key \"peak_bytes\" is -1");
    check_changed("\"stored_bytes\": 0,", "", "key \"stored_bytes\" is missing");
    check_changed("\"key\": \"\"", "\"key\": \"abc\"", "key \"key\" is no hash");
    check_changed("\"labels_hash\": \"", "\"labels_hash\": \"x", "\"labels_hash\" is no hash");
    check_changed("\"correct\": \"ff80\"", "\"correct\": \"ff8x\"", "digit 4 is 'x'");
    check_changed("\"correct\": \"ff80\"", "\"correct\": \"ff81\"", "digit 4 is '1'");
    check_changed("\"correct\": \"ff80\"", "\"correct\": \"ff00\"", "but 8 of 9 are correct");
}

static void test_print(void)
{
    struct comparison c;
    char text[8192];
    struct buffer advice = {0};
    make(&c);
    FILE *file = tmpfile();
    CHECK(file);
    if (!file)
        return;
    CHECK_STATUS(compare_report_print(file, &c), FT_OK);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    (void)fclose(file);
    CHECK_STATUS(advice_put(&advice, &c), FT_OK);
    char *end = strstr(text, advice.data);
    CHECK(end && strcmp(end + advice.used, "\n") == 0);
    if (end)
        *end = '\0';
    const char *expected =
        "method        accuracy, %             macro F1                       p  wall t"
        "ime  core-seconds  peak memory    to store\n"
        "bag-of-words  80.3 (78.7 to 82.0)     0.803 (0.787 to 0.820)  cheapest      0."
        "3 s           0.7     90.0 MiB     1.2 KiB\n"
        "transfer      83.7 (82.2 to 85.2)     0.837 (0.821 to 0.852)     0.003    2.2 "
        "min         250.5    700.0 MiB    46.0 KiB\n"
        "last-layers   has not run\n"
        "finetune      88.2 (86.9 to 89.5)     0.882 (0.869 to 0.895)   < 0.001      2."
        "0 h       14321.1      5.0 GiB    87.0 MiB\n"
        "2390 test documents; in parentheses: 95 % bootstrap intervals; p: McNemar's ex"
        "act test against bag-of-words\n"
        "\n";
    if (strcmp(text, expected) != 0) {
        (void)fprintf(stderr, "got:\n%s\nexpected:\n%s\n", text, expected);
        check_failures++;
    }
    buffer_clear(&advice);
    comparison_clear(&c);
}

static ft_status write_and_read(struct comparison *c, struct comparison *again, FILE *file)
{
    FT_TRY(score(c->methods + COMPARE_TRANSFER, 5, 2, 20, 1));
    FT_TRY(comparison_test(c));
    FT_TRY(compare_report_write(c, path));
    FT_TRY(compare_report_print(file, c));
    return compare_report_read(again, path);
}

/* Every allocation fails once: a status, no leak (check_end), and in the end it works. */
static void test_memory(void)
{
    ft_status status = FT_ERR_INTERNAL;
    FILE *file = tmpfile();
    CHECK(file);
    for (int64_t nth = 1; file && nth < 1000 && status != FT_OK; nth++) {
        struct comparison c = {.cheapest = -1}, again = {.cheapest = -1};
        mem_fail_nth(nth, 0);
        status = write_and_read(&c, &again, file);
        mem_fail_nth(0, 0);
        CHECK(status == FT_OK || status == FT_ERR_INTERNAL);
        CHECK(nth > 10 || status != FT_OK);
        comparison_clear(&c);
        comparison_clear(&again);
    }
    CHECK(status == FT_OK);
    if (file)
        (void)fclose(file);
}

int main(void)
{
    CHECK(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/compare.json", folder);
    test_score();
    test_round_trip();
    test_bits();
    test_hostile();
    test_print();
    test_memory();
    CHECK_STATUS(file_remove_folder(folder), FT_OK);
    return check_end();
}
