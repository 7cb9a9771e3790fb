/* Logistic regression: against scikit-learn (golden files), and what holds for any data. */
#include "optim/logistic.h"

#include <omp.h>
#include <stdlib.h>

#include "base/rng.h"
#include "format/weights.h"
#include "support/check.h"

static const struct logistic_options precise = {.tolerance = 2e-7, .max_iterations = 500};

static void *read_tensor(struct weights *file, const char *name, const char *key, int64_t dims[2])
{
    char full[128];
    (void)snprintf(full, sizeof full, "%s/%s", name, key);
    const int index = weights_find(file, full);
    CHECK(index >= 0);
    if (index < 0)
        exit(1);
    const struct weight_info *info = weights_info(file, index);
    void *data = mem_alloc((size_t)info->n_elements, 4);
    CHECK_STATUS(weights_read_raw(file, index, data, 4 * (size_t)info->n_elements), FT_OK);
    dims[0] = info->dims[0];
    dims[1] = info->n_dims > 1 ? info->dims[1] : 1;
    return data;
}

/* Storage of results for n_problems problems. */
static struct logistic_result *make_results(int n_problems, int n, int d, int K)
{
    struct logistic_result *results = mem_alloc((size_t)n_problems, sizeof *results);
    for (int q = 0; q < n_problems; q++) {
        results[q].weight = mem_alloc((size_t)K * (size_t)d, sizeof(float));
        results[q].bias = mem_alloc((size_t)K, sizeof(float));
        results[q].logits = mem_alloc((size_t)n * (size_t)K, sizeof(float));
    }
    return results;
}

static void free_results(struct logistic_result *results, int n_problems)
{
    for (int q = 0; q < n_problems; q++) {
        mem_free(results[q].weight);
        mem_free(results[q].bias);
        mem_free(results[q].logits);
    }
    mem_free(results);
}

static void check_golden(struct weights *file, const char *name)
{
    int64_t shape[2], classes[2], other[2];
    float *x = read_tensor(file, name, "x", shape);
    int32_t *labels = read_tensor(file, name, "labels", other);
    float *row_weight = read_tensor(file, name, "row_weight", other);
    float *l2 = read_tensor(file, name, "l2", other);
    float *weight = read_tensor(file, name, "weight", classes);
    float *bias = read_tensor(file, name, "bias", other);
    float *objective = read_tensor(file, name, "objective", other);
    const int n = (int)shape[0], d = (int)shape[1], K = (int)classes[0];
    const struct logistic_problem problem = {.row_weight = row_weight, .l2 = (double)l2[0]};
    struct logistic_result *result = make_results(1, n, d, K);
    struct design *design = NULL;
    CHECK_STATUS(design_create_dense(&design, x, n, d, true), FT_OK);
    CHECK_STATUS(logistic_fit(result, design, labels, K, &problem, 1, &precise), FT_OK);
    printf("%-11s %3d iterations, gradient %.2g, objective %.9f\n", name, result->iterations,
           result->gradient, result->objective);
    CHECK(result->converged);
    CHECK_CLOSE(result->objective, (double)objective[0] + (double)objective[1], 1e-6);
    check_tensor(name, result->weight, weight, (long)K * d, 1e-3);
    check_tensor(name, result->bias, bias, K, 1e-3);
    for (int k = 0; k < K; k++)
        CHECK(result->weight[k * d + d - 1] == 0.0f); /* the constant column */
    for (int i = 0; i < n; i++)
        for (int k = 0; k < K; k++) {
            double logit = (double)result->bias[k];
            for (int j = 0; j < d; j++)
                logit += (double)x[i * d + j] * (double)result->weight[k * d + j];
            CHECK(fabs(logit - (double)result->logits[i * K + k]) < 2e-4);
        }
    design_destroy(&design);
    free_results(result, 1);
    void *blocks[] = {x, labels, row_weight, l2, weight, bias, objective};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        mem_free(blocks[i]);
}

static void test_golden(void)
{
    static const char *const names[] = {"two",        "three", "seven", "separable",
                                        "separable3", "wide",  "wide2"};
    struct weights *file = NULL;
    CHECK_STATUS(weights_open(&file, TESTS_DIR "/golden/solvers/logistic.safetensors"), FT_OK);
    if (!file)
        return;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        check_golden(file, names[i]);
    weights_close(&file);
}

/* Random features and labels that depend on them. */
struct sample {
    int n, d, K;
    float *x;
    int32_t *labels;
};

static float uniform(uint64_t stream, uint64_t index)
{
    return (float)(rng_u64(11, stream, index) >> 40) * 0x1p-23f - 1.0f;
}

static struct sample make_sample(int n, int d, int K)
{
    struct sample s = {.n = n, .d = d, .K = K};
    s.x = mem_alloc((size_t)n * (size_t)d, sizeof *s.x);
    s.labels = mem_alloc((size_t)n, sizeof *s.labels);
    for (int i = 0; i < n; i++) {
        double best = -1e30;
        for (int j = 0; j < d; j++)
            s.x[i * d + j] = uniform(1, (uint64_t)(i * d + j)) * (j % 2 ? 0.0f : 1.0f) +
                             (i % (j + 2) == 0 ? 0.5f : 0.0f);
        for (int k = 0; k < K; k++) {
            double score = 2 * (double)uniform(2, (uint64_t)(i * K + k));
            for (int j = 0; j < d; j++)
                score += (double)(s.x[i * d + j] * uniform(3, (uint64_t)(k * d + j)));
            s.labels[i] = score > best ? k : s.labels[i];
            best = score > best ? score : best;
        }
    }
    return s;
}

static void free_sample(struct sample *s)
{
    mem_free(s->x);
    mem_free(s->labels);
}

/* The entries that are not 0. */
static struct sparse_rows make_sparse(const struct sample *s)
{
    struct sparse_rows rows = {.n = s->n, .d = s->d};
    rows.row_start = mem_alloc((size_t)s->n + 1, sizeof *rows.row_start);
    rows.column = mem_alloc((size_t)s->n * (size_t)s->d, sizeof *rows.column);
    rows.value = mem_alloc((size_t)s->n * (size_t)s->d, sizeof *rows.value);
    for (int i = 0; i < s->n; i++) {
        int64_t at = rows.row_start[i];
        for (int j = 0; j < s->d; j++)
            if (s->x[i * s->d + j] != 0.0f) {
                rows.column[at] = j;
                rows.value[at++] = s->x[i * s->d + j];
            }
        rows.row_start[i + 1] = at;
    }
    return rows;
}

/* Row weights of one fold of three, by turns. */
static float *make_fold(int n, int fold)
{
    float *weight = mem_alloc((size_t)n, sizeof *weight);
    for (int i = 0; i < n; i++)
        weight[i] = i % 3 == fold ? 0.0f : 0.5f + (float)(i % 5);
    return weight;
}

enum { FOLDS = 3, PENALTIES = 2, PROBLEMS = FOLDS * PENALTIES };

static void test_batch(const struct sample *s)
{
    float *fold[FOLDS];
    struct logistic_problem problems[PROBLEMS];
    for (int f = 0; f < FOLDS; f++) {
        fold[f] = make_fold(s->n, f);
        for (int l = 0; l < PENALTIES; l++) /* not in the order of l2 */
            problems[f * PENALTIES + l] = (struct logistic_problem){fold[f], l ? 0.002 : 0.1};
    }
    struct logistic_result *batch = make_results(PROBLEMS, s->n, s->d, s->K);
    struct logistic_result *alone = make_results(1, s->n, s->d, s->K);
    struct design *design = NULL;
    CHECK_STATUS(design_create_dense(&design, s->x, s->n, s->d, true), FT_OK);
    CHECK_STATUS(logistic_fit(batch, design, s->labels, s->K, problems, PROBLEMS, &precise), FT_OK);
    for (int q = 0; q < PROBLEMS; q++) {
        CHECK_STATUS(logistic_fit(alone, design, s->labels, s->K, &problems[q], 1, &precise),
                     FT_OK);
        CHECK(batch[q].converged && alone->converged);
        CHECK_CLOSE(batch[q].objective, alone->objective, 1e-6);
        check_tensor("batch, weight", batch[q].weight, alone->weight, (long)s->K * s->d, 1e-3);
        check_tensor("batch, logits", batch[q].logits, alone->logits, (long)s->K * s->n, 1e-3);
    }
    design_destroy(&design);
    free_results(alone, 1);
    free_results(batch, PROBLEMS);
    for (int f = 0; f < FOLDS; f++)
        mem_free(fold[f]);
}

static void test_threads(const struct sample *s, bool sparse)
{
    float *fold = make_fold(s->n, 1);
    struct sparse_rows rows = make_sparse(s);
    const struct logistic_problem problems[] = {{fold, 0.01}, {NULL, 0.01}, {fold, 0.2}};
    struct logistic_result *results[2];
    for (int run = 0; run < 2; run++) {
        struct design *design = NULL;
        results[run] = make_results(3, s->n, s->d, s->K);
        omp_set_num_threads(run ? 3 : 1);
        CHECK_STATUS(sparse ? design_create_sparse(&design, &rows)
                            : design_create_dense(&design, s->x, s->n, s->d, true),
                     FT_OK);
        CHECK_STATUS(logistic_fit(results[run], design, s->labels, s->K, problems, 3, &precise),
                     FT_OK);
        design_destroy(&design);
    }
    for (int q = 0; q < 3; q++) {
        const size_t bytes = (size_t)s->K * (size_t)s->d * sizeof(float);
        CHECK(memcmp(results[0][q].weight, results[1][q].weight, bytes) == 0);
        CHECK(results[0][q].objective == results[1][q].objective);
        CHECK(results[0][q].iterations == results[1][q].iterations);
    }
    free_results(results[0], 3);
    free_results(results[1], 3);
    sparse_rows_clear(&rows);
    mem_free(fold);
}

/* Without standardisation both kinds of design pose the same problem. */
static void test_sparse(const struct sample *s)
{
    float *fold = make_fold(s->n, 0);
    const struct logistic_problem problem = {fold, 0.005};
    struct sparse_rows rows = make_sparse(s);
    struct design *sparse = NULL, *dense = NULL;
    struct logistic_result *results = make_results(2, s->n, s->d, s->K);
    CHECK_STATUS(design_create_sparse(&sparse, &rows), FT_OK);
    CHECK_STATUS(design_create_dense(&dense, s->x, s->n, s->d, false), FT_OK);
    CHECK_STATUS(logistic_fit(&results[0], sparse, s->labels, s->K, &problem, 1, &precise), FT_OK);
    CHECK_STATUS(logistic_fit(&results[1], dense, s->labels, s->K, &problem, 1, &precise), FT_OK);
    CHECK(results[0].converged && results[1].converged);
    CHECK(fabs(results[0].objective - results[1].objective) < 3e-7);
    check_tensor("sparse, weight", results[0].weight, results[1].weight, (long)s->K * s->d, 1e-3);
    check_tensor("sparse, logits", results[0].logits, results[1].logits, (long)s->K * s->n, 1e-3);
    design_destroy(&sparse);
    design_destroy(&dense);
    sparse_rows_clear(&rows);
    free_results(results, 2);
    mem_free(fold);
}

/* The objective by its definition, in f64, of weights (K, d) with biases. */
static double objective_of(const struct sample *s, const struct logistic_problem *problem,
                           const double *weight, const double *bias)
{
    double loss = 0, total = 0, square = 0;
    for (int i = 0; i < s->n; i++) {
        double sum = 0, own = 0;
        for (int k = 0; k < s->K; k++) {
            double logit = bias[k];
            for (int j = 0; j < s->d; j++)
                logit += weight[k * s->d + j] * (double)s->x[i * s->d + j];
            sum += exp(logit);
            own = s->labels[i] == k ? logit : own;
        }
        loss += (double)problem->row_weight[i] * (log(sum) - own);
        total += (double)problem->row_weight[i];
    }
    for (int e = 0; e < s->K * s->d; e++)
        square += weight[e] * weight[e];
    return loss / total + problem->l2 / 2 * square;
}

/* Central differences of the objective: the largest absolute one. Features must be centred. */
static double largest_difference(const struct sample *s, const struct logistic_problem *problem,
                                 double *parameters)
{
    const int n_weights = s->K * s->d, count = n_weights + s->K;
    double largest = 0;
    for (int e = 0; e < count; e++) {
        const double kept = parameters[e];
        parameters[e] = kept + 1e-4;
        const double up = objective_of(s, problem, parameters, parameters + n_weights);
        parameters[e] = kept - 1e-4;
        const double down = objective_of(s, problem, parameters, parameters + n_weights);
        parameters[e] = kept;
        largest = fmax(largest, fabs(up - down) / 2e-4);
    }
    return largest;
}

/* Stopped early and at the end: value and gradient are those of the definition. */
static void test_gradient(int K)
{
    struct sample s = make_sample(90, 5, K);
    for (int j = 0; j < s.d; j++) {
        double mean = 0;
        for (int i = 0; i < s.n; i++)
            mean += (double)s.x[i * s.d + j] / s.n;
        for (int i = 0; i < s.n; i++)
            s.x[i * s.d + j] -= (float)mean;
    }
    float *fold = make_fold(s.n, 2);
    const struct logistic_problem problem = {fold, 0.02};
    struct design *design = NULL;
    struct logistic_result *result = make_results(1, s.n, s.d, K);
    double *parameters = mem_alloc((size_t)(K * (s.d + 1)), sizeof *parameters);
    CHECK_STATUS(design_create_dense(&design, s.x, s.n, s.d, false), FT_OK);
    for (int iterations = 1; iterations < 50; iterations = iterations == 3 ? 49 : iterations + 1) {
        const struct logistic_options options = {1e-7, iterations};
        CHECK_STATUS(logistic_fit(result, design, s.labels, K, &problem, 1, &options), FT_OK);
        for (int e = 0; e < K * s.d; e++)
            parameters[e] = (double)result->weight[e];
        for (int k = 0; k < K; k++)
            parameters[K * s.d + k] = (double)result->bias[k];
        CHECK_CLOSE(result->objective, objective_of(&s, &problem, parameters, parameters + K * s.d),
                    1e-6);
        CHECK(fabs(result->gradient - largest_difference(&s, &problem, parameters)) < 1e-6);
        CHECK(iterations > 3 || (!result->converged && result->gradient > 1e-6));
    }
    design_destroy(&design);
    mem_free(parameters);
    free_results(result, 1);
    mem_free(fold);
    free_sample(&s);
}

/* Classes without a row, with one row, and a problem that holds out all but one class. */
static void test_rare_classes(const struct sample *s)
{
    float *only = mem_alloc((size_t)s->n, sizeof *only);
    int32_t *labels = mem_alloc((size_t)s->n, sizeof *labels);
    for (int i = 0; i < s->n; i++) {
        labels[i] = i == 7 ? 2 : i % 2;
        only[i] = i % 2 ? 1.0f : 0.0f;
    }
    const struct logistic_problem problems[] = {{NULL, 0.01}, {only, 0.01}};
    const struct logistic_options options = {.tolerance = 1e-5, .max_iterations = 200};
    struct logistic_result *results = make_results(2, s->n, s->d, 4); /* there is no class 3 */
    struct design *design = NULL;
    CHECK_STATUS(design_create_dense(&design, s->x, s->n, s->d, true), FT_OK);
    CHECK_STATUS(logistic_fit(results, design, labels, 4, problems, 2, &options), FT_OK);
    for (int q = 0; q < 2; q++) {
        CHECK(results[q].converged && results[q].objective >= 0);
        for (int i = 0; i < s->n; i++) {
            const float *logits = results[q].logits + i * 4;
            CHECK(isfinite(logits[3]) && logits[3] < logits[1]);
            CHECK(q == 0 || logits[1] > logits[0] + 4);
        }
    }
    CHECK(results[0].bias[2] < results[0].bias[0]);
    design_destroy(&design);
    free_results(results, 2);
    mem_free(only);
    mem_free(labels);
}

/* Wider than there are rows, and without a penalty that could help: it ends, and says how. */
static void test_hard(void)
{
    struct sample s = make_sample(30, 80, 3);
    const struct logistic_problem problem = {NULL, 0.0};
    const struct logistic_options options = {.tolerance = 1e-12, .max_iterations = 60};
    struct logistic_result *result = make_results(1, s.n, s.d, s.K);
    struct design *design = NULL;
    CHECK_STATUS(design_create_dense(&design, s.x, s.n, s.d, true), FT_OK);
    CHECK_STATUS(logistic_fit(result, design, s.labels, s.K, &problem, 1, &options), FT_OK);
    CHECK(!result->converged && result->gradient < 1e-3 && result->iterations <= 60);
    design_destroy(&design);
    free_results(result, 1);
    free_sample(&s);
}

static void test_failures(const struct sample *s)
{
    float *none = mem_alloc((size_t)s->n, sizeof *none);
    struct logistic_problem problem = {NULL, 0.01};
    const struct logistic_options options = {.tolerance = 1e-3, .max_iterations = 50};
    struct logistic_result *result = make_results(1, s->n, s->d, s->K);
    struct design *design = NULL;
    ft_status status = FT_ERR_INTERNAL;
    for (int nth = 1; status != FT_OK && nth < 100; nth++) {
        mem_fail_nth(nth, 0);
        status = design_create_dense(&design, s->x, s->n, s->d, true);
        if (status == FT_OK)
            status = logistic_fit(result, design, s->labels, s->K, &problem, 1, &options);
        mem_fail_nth(0, 0);
        design_destroy(&design);
    }
    CHECK(status == FT_OK);
    CHECK_STATUS(design_create_dense(&design, s->x, s->n, s->d, true), FT_OK);
    const int32_t label = s->labels[5];
    s->labels[5] = s->K;
    CHECK_FAILS(logistic_fit(result, design, s->labels, s->K, &problem, 1, &options),
                FT_ERR_INTERNAL, "of row 5 is not one of");
    s->labels[5] = label;
    problem.row_weight = none;
    CHECK_FAILS(logistic_fit(result, design, s->labels, s->K, &problem, 1, &options),
                FT_ERR_INTERNAL, "no rows");
    none[3] = -1.0f;
    CHECK_FAILS(logistic_fit(result, design, s->labels, s->K, &problem, 1, &options),
                FT_ERR_INTERNAL, "weight -1 of row 3");
    design_destroy(&design);
    const float kept = s->x[s->d + 2];
    s->x[s->d + 2] = NAN;
    CHECK_FAILS(design_create_dense(&design, s->x, s->n, s->d, true), FT_ERR_INTERNAL,
                "column 2 of the features is not finite");
    s->x[s->d + 2] = kept;
    struct sparse_rows rows = make_sparse(s);
    rows.column[4] = s->d;
    CHECK_FAILS(design_create_sparse(&design, &rows), FT_ERR_INTERNAL, "entry 4");
    sparse_rows_clear(&rows);
    free_results(result, 1);
    mem_free(none);
}

int main(void)
{
    test_golden();
    for (int K = 2; K <= 4; K += 2) {
        struct sample s = make_sample(1500, 21, K);
        test_batch(&s);
        test_threads(&s, false);
        test_threads(&s, true);
        test_sparse(&s);
        test_rare_classes(&s);
        test_failures(&s);
        test_gradient(K);
        free_sample(&s);
    }
    test_hard();
    struct sample widest = make_sample(60, 3100, 3); /* too wide for a factor */
    test_sparse(&widest);
    free_sample(&widest);
    return check_end();
}
