/* The baseline on the example data: accuracy of scikit-learn's TfidfVectorizer with
 * LogisticRegression(C=10). */
#include "base/timer.h"
#include "format/json.h"
#include "optim/logistic.h"
#include "support/example_files.h"
#include "train/bag_of_words.h"

struct set {
    struct sparse_rows rows;
    int32_t *labels;
};

struct labels {
    char names[64][64];
    int n;
};

/* Index of a name; new ones are added. */
static int32_t label_index(struct labels *labels, const char *name)
{
    int k = 0;
    while (k < labels->n && strcmp(labels->names[k], name) != 0)
        k++;
    if (k == labels->n && k < 64)
        (void)snprintf(labels->names[labels->n++], sizeof labels->names[0], "%s", name);
    return k;
}

static void add_line(struct bag_of_words *bag, struct labels *labels, int32_t *label,
                     const char *line, size_t bytes)
{
    json_t *root = NULL;
    CHECK_STATUS(json_parse(&root, line, bytes, "line"), FT_OK);
    const json_t *text = json_object_get(root, "text");
    CHECK_STATUS(bag_of_words_add(bag, json_string_value(text), json_string_length(text)), FT_OK);
    *label = label_index(labels, json_string_value(json_object_get(root, "label")));
    json_decref(root);
}

static struct set read_set(struct bag_of_words *bag, struct labels *labels, const char *path,
                           bool fit)
{
    struct set set = {0};
    char *text = NULL;
    size_t bytes;
    int64_t n = 0;
    CHECK_STATUS(file_read_all(&text, &bytes, path, 1 << 30), FT_OK);
    set.labels = mem_alloc(bytes, sizeof *set.labels);
    for (char *line = text; line && *line;) {
        char *end = strchr(line, '\n');
        add_line(bag, labels, &set.labels[n++], line, end ? (size_t)(end - line) : strlen(line));
        line = end ? end + 1 : NULL;
    }
    mem_free(text);
    if (fit)
        CHECK_STATUS(bag_of_words_fit(bag), FT_OK);
    CHECK_STATUS(bag_of_words_take_rows(bag, &set.rows), FT_OK);
    CHECK(set.rows.n == n);
    return set;
}

/* Accuracy and macro F1 of W x + b on a set. */
static void score(double *accuracy, double *macro_f1, const struct set *set,
                  const struct logistic_result *head, int K)
{
    int64_t count[64][64] = {{0}}, right = 0;
    for (int64_t i = 0; i < set->rows.n; i++) {
        double best = -1e300;
        int label = 0;
        for (int k = 0; k < K; k++) {
            double logit = (double)head->bias[k];
            for (int64_t e = set->rows.row_start[i]; e < set->rows.row_start[i + 1]; e++)
                logit += (double)(head->weight[(int64_t)k * set->rows.d + set->rows.column[e]] *
                                  set->rows.value[e]);
            label = logit > best ? k : label;
            best = logit > best ? logit : best;
        }
        count[set->labels[i]][label]++;
        right += label == set->labels[i];
    }
    *macro_f1 = 0;
    for (int k = 0; k < K; k++) {
        int64_t row = 0, column = 0;
        for (int other = 0; other < K; other++) {
            row += count[k][other];
            column += count[other][k];
        }
        *macro_f1 += row + column ? 2.0 * (double)count[k][k] / (double)(row + column) / K : 0.0;
    }
    *accuracy = (double)right / (double)set->rows.n;
}

static void check_data(const char *train_path, const char *test_path, double accuracy,
                       double macro_f1)
{
    struct labels labels = {.n = 0};
    struct bag_of_words *bag = NULL;
    struct design *design = NULL;
    struct logistic_result head = {0};
    double got, got_f1;
    const double start = timer_now();
    if (!check_example_file(train_path) || !check_example_file(test_path))
        return;
    CHECK_STATUS(bag_of_words_create(&bag), FT_OK);
    struct set train = read_set(bag, &labels, train_path, true);
    struct set test = read_set(bag, &labels, test_path, false);
    const double read = timer_now();
    const int K = labels.n;
    const struct logistic_problem problem = {NULL, logistic_l2(10, train.rows.n, K)};
    const struct logistic_options options = {.tolerance = 1e-5, .max_iterations = 300};
    head.weight = mem_alloc((size_t)K * (size_t)train.rows.d, sizeof(float));
    head.bias = mem_alloc((size_t)K, sizeof(float));
    CHECK_STATUS(design_create_sparse(&design, &train.rows), FT_OK);
    CHECK_STATUS(logistic_fit(&head, design, train.labels, K, &problem, 1, &options), FT_OK);
    score(&got, &got_f1, &test, &head, K);
    printf("%s: %d terms, %lld entries, %.2f s; %d iterations, gradient %.2g, objective %.7f, "
           "%.2f s; accuracy %.4f, macro F1 %.4f\n",
           file_base_name(train_path), train.rows.d, (long long)train.rows.row_start[train.rows.n],
           read - start, head.iterations, head.gradient, head.objective, timer_now() - read, got,
           got_f1);
    CHECK(head.converged);
    CHECK(fabs(got - accuracy) < 0.003 && fabs(got_f1 - macro_f1) < 0.003);
    design_destroy(&design);
    bag_of_words_destroy(&bag);
    sparse_rows_clear(&train.rows);
    sparse_rows_clear(&test.rows);
    mem_free(train.labels);
    mem_free(test.labels);
    mem_free(head.weight);
    mem_free(head.bias);
}

int main(void)
{
    check_data(SOURCE_DIR "/data/sentiment_train.jsonl", SOURCE_DIR "/data/sentiment_test.jsonl",
               0.821, 0.820);
    check_data(SOURCE_DIR "/data/legal_train.jsonl", SOURCE_DIR "/data/legal_test.jsonl", 0.740,
               0.567);
    return check_end();
}
