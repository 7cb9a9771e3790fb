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

int main(void)
{
    test_golden();
    return check_end();
}
