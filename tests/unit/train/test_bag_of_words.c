/* TF-IDF rows equal to scikit-learn's (golden file), and texts that are hard on the code. */
#include "train/bag_of_words.h"

#include <stdlib.h>

#include "base/timer.h"
#include "format/json.h"
#include "support/check.h"

static void add_texts(struct bag_of_words *bag, const json_t *texts)
{
    for (size_t i = 0; i < json_array_size(texts); i++) {
        const json_t *text = json_array_get(texts, i);
        CHECK_STATUS(bag_of_words_add(bag, json_string_value(text), json_string_length(text)),
                     FT_OK);
    }
}

/* Value in a column of a row; 0 where there is none. */
static double value_at(const struct sparse_rows *rows, int64_t row, int64_t column)
{
    for (int64_t e = rows->row_start[row]; e < rows->row_start[row + 1]; e++)
        if (rows->column[e] == column)
            return (double)rows->value[e];
    return 0;
}

static void check_rows(struct bag_of_words *bag, const json_t *root, const char *key)
{
    const json_t *expected = json_object_get(root, key);
    struct sparse_rows rows;
    CHECK_STATUS(bag_of_words_take_rows(bag, &rows), FT_OK);
    CHECK(rows.n == (int64_t)json_array_size(expected));
    CHECK(rows.d == json_integer_value(json_object_get(root, "n_columns")));
    for (int64_t i = 0; i < rows.n; i++) {
        const json_t *row = json_array_get(expected, (size_t)i);
        const int64_t n = (int64_t)json_array_size(row);
        CHECK(rows.row_start[i + 1] - rows.row_start[i] == n);
        for (int64_t e = 0; e < n; e++) {
            const json_t *pair = json_array_get(row, (size_t)e);
            const int64_t column = json_integer_value(json_array_get(pair, 0));
            const double value = json_number_value(json_array_get(pair, 1));
            const double got = value_at(&rows, i, column);
            if (fabs(got - value) > 1e-6) {
                (void)fprintf(stderr, "%s %lld, column %lld: ", key, (long long)i,
                              (long long)column);
                CHECK_CLOSE(got, value, 1e-6);
            }
        }
    }
    sparse_rows_clear(&rows);
}

static void test_golden(void)
{
    json_t *root = NULL;
    struct bag_of_words *bag = NULL;
    CHECK_STATUS(json_read_file(&root, TESTS_DIR "/golden/solvers/bag_of_words.json", 1 << 20),
                 FT_OK);
    CHECK_STATUS(bag_of_words_create(&bag), FT_OK);
    add_texts(bag, json_object_get(root, "train"));
    CHECK_STATUS(bag_of_words_fit(bag), FT_OK);
    check_rows(bag, root, "train_rows");
    add_texts(bag, json_object_get(root, "test"));
    check_rows(bag, root, "test_rows");
    bag_of_words_destroy(&bag);
    json_decref(root);
}

static void test_nothing_common(void)
{
    struct bag_of_words *bag = NULL;
    CHECK_STATUS(bag_of_words_create(&bag), FT_OK);
    CHECK_STATUS(bag_of_words_add(bag, "one two", 7), FT_OK);
    CHECK_STATUS(bag_of_words_add(bag, "three", 5), FT_OK);
    CHECK_FAILS(bag_of_words_fit(bag), FT_ERR_INPUT, "no word stands in 2 of the 2 training texts");
    bag_of_words_destroy(&bag);
}

/* Megabytes of one kind: time must stay proportional. */
static void test_long_texts(void)
{
    static const char *const pieces[] = {"a",
                                         "ab ",
                                         "\xce\xa3",
                                         "\xce\xa3'",
                                         "'",
                                         "\xcc\x87",
                                         "\xce\xa3''''''''''''''''''''''''''''''''''"};
    enum { BYTES = 1 << 20 };
    char *text = mem_alloc(BYTES + 64, 1);
    struct bag_of_words *bag = NULL;
    const double start = timer_now();
    CHECK_STATUS(bag_of_words_create(&bag), FT_OK);
    for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
        const size_t length = strlen(pieces[p]);
        size_t used = 0;
        while (used + length <= BYTES) {
            memcpy(text + used, pieces[p], length);
            used += length;
        }
        for (int twice = 0; twice < 2; twice++)
            CHECK_STATUS(bag_of_words_add(bag, text, used), FT_OK);
    }
    CHECK_STATUS(bag_of_words_fit(bag), FT_OK);
    CHECK(timer_now() - start < 30); /* a quarter of a second; hours if it were quadratic */
    bag_of_words_destroy(&bag);
    mem_free(text);
}

static ft_status run(struct bag_of_words **bag, struct sparse_rows *rows)
{
    FT_TRY(bag_of_words_create(bag));
    for (int i = 0; i < 40; i++) {
        char text[64];
        const int n = snprintf(text, sizeof text, "common%d words no%d here", i % 3, i);
        FT_TRY(bag_of_words_add(*bag, text, (size_t)n));
    }
    FT_TRY(bag_of_words_fit(*bag));
    return bag_of_words_take_rows(*bag, rows);
}

static void test_memory(void)
{
    ft_status status = FT_ERR_INTERNAL;
    for (int nth = 1; status != FT_OK && nth < 200; nth++) {
        struct bag_of_words *bag = NULL;
        struct sparse_rows rows = {0};
        mem_fail_nth(nth, 0);
        status = run(&bag, &rows);
        mem_fail_nth(0, 0);
        bag_of_words_destroy(&bag);
        sparse_rows_clear(&rows);
    }
    CHECK(status == FT_OK);
}

int main(void)
{
    test_golden();
    test_nothing_common();
    test_long_texts();
    test_memory();
    return check_end();
}
