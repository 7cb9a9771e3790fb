/* train/scores, bootstrap, mcnemar against scikit-learn, numpy, scipy and statsmodels; and how the
 * tables look. */
#include "train/scores.h"

#include <omp.h>
#include <stdlib.h>

#include "base/timer.h"
#include "format/json.h"
#include "support/check.h"
#include "train/bootstrap.h"
#include "train/columns.h"
#include "train/mcnemar.h"

static json_t *golden;

static double real_at(const json_t *object, const char *key, size_t index)
{
    return json_number_value(json_array_get(json_object_get(object, key), index));
}

static int64_t read_classes(int32_t *out, int64_t max, const json_t *object, const char *key)
{
    const json_t *array = json_object_get(object, key);
    const int64_t n = (int64_t)json_array_size(array);
    CHECK(n > 0 && n <= max);
    for (int64_t i = 0; i < n && i < max; i++)
        out[i] = (int32_t)json_integer_value(json_array_get(array, (size_t)i));
    return n;
}

/* The documents of a confusion matrix (K, K), last cell first. */
struct documents {
    int64_t n;
    int32_t labels[40000], predictions[40000];
};

static const struct documents *documents_of(const int64_t *confusion, int K)
{
    static struct documents d;
    d.n = 0;
    for (int cell = K * K - 1; cell >= 0; cell--)
        for (int64_t i = 0; i < confusion[cell]; i++, d.n++) {
            d.labels[d.n] = cell / K;
            d.predictions[d.n] = cell % K;
        }
    return &d;
}

static ft_status scores_from(struct scores *out, const int64_t *confusion, int K)
{
    const struct documents *d = documents_of(confusion, K);
    return scores_of(out, d->labels, d->predictions, d->n, K);
}

static void check_scores(const struct scores *s, const json_t *c)
{
    const json_t *rows = json_object_get(c, "confusion");
    CHECK_CLOSE(s->accuracy, json_number_value(json_object_get(c, "accuracy")), 1e-15);
    CHECK_CLOSE(s->macro_f1, json_number_value(json_object_get(c, "macro_f1")), 1e-14);
    for (int k = 0; k < s->n_classes; k++) {
        const size_t at = (size_t)k;
        CHECK_CLOSE(s->classes[k].precision, real_at(c, "precision", at), 1e-14);
        CHECK_CLOSE(s->classes[k].recall, real_at(c, "recall", at), 1e-14);
        CHECK_CLOSE(s->classes[k].f1, real_at(c, "f1", at), 1e-14);
        CHECK((double)s->classes[k].support == real_at(c, "support", at));
        for (int j = 0; j < s->n_classes; j++)
            CHECK(s->confusion[k * s->n_classes + j] ==
                  json_integer_value(json_array_get(json_array_get(rows, at), (size_t)j)));
    }
}

static void check_intervals(const struct bootstrap *b, const json_t *c)
{
    CHECK_CLOSE(b->accuracy.low, real_at(c, "accuracy_interval", 0), 1e-12);
    CHECK_CLOSE(b->accuracy.high, real_at(c, "accuracy_interval", 1), 1e-12);
    CHECK_CLOSE(b->macro_f1.low, real_at(c, "f1_interval", 0), 1e-12);
    CHECK_CLOSE(b->macro_f1.high, real_at(c, "f1_interval", 1), 1e-12);
    /* another generator: equal within the error of 2000 resamples */
    CHECK_CLOSE(b->accuracy.low, real_at(c, "scipy_accuracy_interval", 0), 0.01);
    CHECK_CLOSE(b->accuracy.high, real_at(c, "scipy_accuracy_interval", 1), 0.01);
    CHECK_CLOSE(b->macro_f1.low, real_at(c, "scipy_f1_interval", 0), 0.01);
    CHECK_CLOSE(b->macro_f1.high, real_at(c, "scipy_f1_interval", 1), 0.01);
}

static void test_cases(void)
{
    enum { MAX = 512 };
    size_t i;
    json_t *c;
    CHECK(json_array_size(json_object_get(golden, "cases")) == 3);
    json_array_foreach(json_object_get(golden, "cases"), i, c)
    {
        int32_t labels[MAX], predictions[MAX];
        const int K = (int)json_integer_value(json_object_get(c, "classes"));
        const int64_t n = read_classes(labels, MAX, c, "labels");
        struct scores s;
        struct bootstrap b, again;
        CHECK(read_classes(predictions, MAX, c, "predictions") == n);
        CHECK_STATUS(scores_of(&s, labels, predictions, n, K), FT_OK);
        CHECK(s.documents == n);
        check_scores(&s, c);
        omp_set_num_threads(1);
        CHECK_STATUS(bootstrap_intervals(&b, labels, predictions, n, K, 42), FT_OK);
        check_intervals(&b, c);
        omp_set_num_threads(3);
        CHECK_STATUS(bootstrap_intervals(&again, labels, predictions, n, K, 42), FT_OK);
        CHECK(memcmp(&b, &again, sizeof b) == 0);
        scores_clear(&s);
    }
}

static void test_speed(void)
{
    enum { K = 10 };
    int64_t confusion[K * K];
    struct bootstrap b, again;
    for (int i = 0; i < K * K; i++)
        confusion[i] = i % (K + 1) == 0 ? 820 : 20; /* 10,000 documents, 82 % right */
    const struct documents *d = documents_of(confusion, K);
    omp_set_num_threads(1);
    const double start = timer_now();
    CHECK_STATUS(bootstrap_intervals(&b, d->labels, d->predictions, d->n, K, 1), FT_OK);
    const double seconds = timer_now() - start;
    (void)printf("bootstrap of 10,000 documents, 10 classes: %.3f s\n", seconds);
    CHECK(seconds < 5.0); /* 0.5 s on a machine with nothing else to do */
    /* normal approximation: 1.96 sqrt(0.82 * 0.18 / 10000) = 0.00753 */
    CHECK_CLOSE(b.accuracy.high - 0.82, 0.00753, 0.08);
    CHECK_CLOSE(0.82 - b.accuracy.low, 0.00753, 0.08);
    CHECK(b.macro_f1.low < 0.82 && b.macro_f1.high > 0.82);
    omp_set_num_threads(3);
    CHECK_STATUS(bootstrap_intervals(&again, d->labels, d->predictions, d->n, K, 1), FT_OK);
    CHECK(memcmp(&b, &again, sizeof b) == 0);
}

static void test_mcnemar(void)
{
    size_t i;
    json_t *pair;
    CHECK(json_array_size(json_object_get(golden, "mcnemar")) > 10);
    json_array_foreach(json_object_get(golden, "mcnemar"), i, pair)
    {
        const int64_t a = json_integer_value(json_object_get(pair, "a_only"));
        const int64_t b = json_integer_value(json_object_get(pair, "b_only"));
        CHECK_CLOSE(mcnemar_exact(a, b), json_number_value(json_object_get(pair, "p")), 1e-8);
        CHECK(mcnemar_exact(a, b) == mcnemar_exact(b, a));
    }
    const uint8_t x[] = {1, 1, 1, 1, 1, 1, 0, 0}, y[] = {0, 0, 0, 0, 0, 1, 1, 0};
    const struct mcnemar m = mcnemar_test(x, y, sizeof x);
    CHECK(m.a_only == 5 && m.b_only == 1);
    CHECK_CLOSE(m.p, 0.21875, 1e-12);
    CHECK(mcnemar_exact(INT64_C(1) << 20, 0) == 0.0);
}

static void test_refused(void)
{
    const int32_t one[1] = {0};
    struct scores s;
    struct bootstrap b;
    CHECK_FAILS(scores_of(&s, one, one, 0, 2), FT_ERR_INPUT, "no documents");
    scores_clear(&s);
    CHECK_FAILS(bootstrap_intervals(&b, one, one, 0, 2, 1), FT_ERR_INPUT, "no documents");
    CHECK_FAILS(bootstrap_intervals(&b, one, one, INT64_C(1) << 31, 2, 1), FT_ERR_INPUT,
                "more than 2147483647");
}

static void check_column(const char *text, int width, bool to_the_right, const char *expected)
{
    struct buffer out = {0};
    CHECK_STATUS(columns_put(&out, text, width, to_the_right), FT_OK);
    CHECK_STATUS(buffer_append(&out, "", 1), FT_OK);
    if (strcmp(out.data, expected) != 0) {
        (void)fprintf(stderr, "\"%s\" in %d columns: \"%s\", expected \"%s\"\n", text, width,
                      out.data, expected);
        check_failures++;
    }
    buffer_clear(&out);
}

static void test_columns(void)
{
    check_column("abc", 6, false, "abc   ");
    check_column("abc", 6, true, "   abc");
    check_column("abcdef", 6, true, "abcdef");
    check_column("abcdefghij", 7, false, "abcd\u2026ij");
    check_column("\u4e2d\u6587\u5b57\u7b26\u6570", 7, false, "\u4e2d\u6587\u2026\u6570");
    check_column("\u4e2d\u6587\u5b57\u7b26\u6570", 8, false, "\u4e2d\u6587\u2026\u6570 ");
    check_column("e\u0301e\u0301e\u0301e\u0301e\u0301", 4, true, "e\u0301e\u0301\u2026e\u0301");
    check_column("a\nb\tc", 5, false, "a b c");
    check_column("a\xff", 3, false, "a\xef\xbf\xbd ");
    check_column("", 3, false, "   ");
    CHECK(columns_width("\u4e2d\u6587 e\u0301") == 6);
}

/* What scores_print writes, in a buffer of the caller. */
static void print_into(char *out, size_t bytes, const struct scores *s, const char *const *names)
{
    FILE *file = tmpfile();
    CHECK(file);
    if (!file)
        return;
    CHECK_STATUS(scores_print(file, s, names), FT_OK);
    rewind(file);
    const size_t n = fread(out, 1, bytes - 1, file);
    out[n] = '\0';
    (void)fclose(file);
}

static void check_text(const char *got, const char *expected)
{
    if (strcmp(got, expected) != 0) {
        (void)fprintf(stderr, "got:\n%s\nexpected:\n%s\n", got, expected);
        check_failures++;
    }
}

static void test_print(void)
{
    static const char *const names[] = {"yes", "caf\u00e9",
                                        "a name that is longer than any column of the table"};
    const int64_t confusion[9] = {120, 3, 0, 7, 20, 0, 0, 1, 0};
    char text[4096];
    struct scores s;
    CHECK_STATUS(scores_from(&s, confusion, 3), FT_OK);
    print_into(text, sizeof text, &s, names);
    check_text(
        text,
        "accuracy 0.9272 (140 of 151 documents), macro F1 0.5814\n"
        "\n"
        "class                             precision  recall      F1  documents  predicted\n"
        "yes                                  0.9449  0.9756  0.9600        123        127\n"
        "caf\u00e9                                 0.8333  0.7407  0.7843         27         24\n"
        "a name that is longer\u2026 the table     0.0000  0.0000  0.0000          1          0\n"
        "\n"
        "confusion matrix, row: true class, column: predicted class\n"
        "                                           yes          caf\u00e9  a name t\u2026ble\n"
        "yes                                        120             3             0\n"
        "caf\u00e9                                         7            20             0\n"
        "a name that is longer\u2026 the table             0             1             0\n");
    print_into(text, sizeof text, &s, NULL);
    CHECK(strstr(text, "\n         0    1    2\n0      120    3    0\n"));
    scores_clear(&s);
}

static void test_print_many(void)
{
    enum { K = SCORES_PRINT_CLASSES + 1 };
    static int64_t confusion[K * K];
    static const char *names[K];
    static char text[1 << 16];
    struct scores s;
    for (int k = 0; k < K; k++) {
        names[k] = "some class";
        confusion[k * K + k] = 1000 + k;
    }
    CHECK_STATUS(scores_from(&s, confusion, K), FT_OK);
    print_into(text, sizeof text, &s, names);
    CHECK(strstr(text, "confusion matrix: 31 x 31, too large to print"));
    scores_clear(&s);
    memset(confusion, 0, sizeof confusion);
    for (int k = 0; k < 12; k++)
        confusion[k * 12 + k] = 1000 + k;
    CHECK_STATUS(scores_from(&s, confusion, 12), FT_OK);
    print_into(text, sizeof text, &s, names); /* columns by number */
    CHECK(strstr(text, "\n                   0     1     2     3"));
    CHECK(strstr(text, "\n  1 some class     0  1001     0"));
    scores_clear(&s);
}

static void test_json(void)
{
    static const char *const names[] = {"no", "yes \"\u00e9\""}, *const bad[] = {"no", "\xff"};
    const int64_t confusion[4] = {3, 1, 0, 4};
    struct scores s;
    json_t *json;
    CHECK_STATUS(scores_from(&s, confusion, 2), FT_OK);
    CHECK_STATUS(scores_to_json(&json, &s, 0.25, names), FT_OK);
    char *text = NULL;
    CHECK_STATUS(json_print(&text, json, 0, "scores"), FT_OK);
    check_text(text, "{\"loss\": 0.25, \"accuracy\": 0.875, \"macro_f1\": 0.87301587301587302, "
                     "\"documents\": 8, \"labels\": [\"no\", \"yes \\\"\u00e9\\\"\"], "
                     "\"confusion\": [[3, 1], [0, 4]], \"per_class\": [{\"label\": \"no\", "
                     "\"precision\": 1.0, \"recall\": 0.75, \"f1\": 0.8571428571428571, "
                     "\"support\": 4}, {\"label\": \"yes \\\"\u00e9\\\"\", \"precision\": "
                     "0.80000000000000004, \"recall\": 1.0, \"f1\": 0.88888888888888884, "
                     "\"support\": 4}]}");
    free(text);
    json_decref(json);
    CHECK_FAILS(scores_to_json(&json, &s, (double)NAN, names), FT_ERR_INTERNAL, "not finite");
    CHECK_FAILS(scores_to_json(&json, &s, 0.25, bad), FT_ERR_INTERNAL, "not UTF-8");
    CHECK(!json);
    scores_clear(&s);
}

/* 100,000 classes: no confusion matrix, whose cells would fill 80 GB; the same scores. */
static void test_many_classes(void)
{
    enum { K = 100000, N = 3000 };
    static int32_t labels[N], predictions[N];
    static const char *names[K];
    static char text[1 << 12];
    struct scores s;
    struct bootstrap b;
    json_t *json;
    for (int i = 0; i < N; i++) { /* each label once; every third document is another's */
        labels[i] = K - 1 - 7 * i;
        predictions[i] = i % 3 ? labels[i] : i;
    }
    for (int k = 0; k < K; k++)
        names[k] = "some class";
    CHECK_STATUS(scores_of(&s, labels, predictions, N, K), FT_OK);
    CHECK(!s.confusion && s.correct == 2000 && s.documents == N);
    CHECK_CLOSE(s.macro_f1, 2000.0 / 4000.0, 1e-12);
    print_into(text, sizeof text, &s, names);
    CHECK(strstr(text, "\n100000 classes: their scores are in the JSON output\n"));
    CHECK_STATUS(scores_to_json(&json, &s, 0.25, names), FT_OK);
    CHECK(!json_object_get(json, "confusion"));
    CHECK(json_array_size(json_object_get(json, "per_class")) == K);
    json_decref(json);
    scores_clear(&s);
    omp_set_num_threads(2);
    CHECK_STATUS(bootstrap_intervals(&b, labels, predictions, N, K, 1), FT_OK);
    CHECK(b.accuracy.low > 0.64 && b.accuracy.high < 0.69 && b.macro_f1.low > 0.45);
}

int main(void)
{
    CHECK_STATUS(json_read_file(&golden, TESTS_DIR "/golden/scores.json", 1 << 20), FT_OK);
    test_cases();
    test_speed();
    test_mcnemar();
    test_refused();
    test_columns();
    test_print();
    test_print_many();
    test_json();
    test_many_classes();
    json_decref(golden);
    return check_end();
}
