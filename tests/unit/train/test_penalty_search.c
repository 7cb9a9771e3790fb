/* The penalty that is chosen, and its scores, are those of a slow direct computation: each split
 * and penalty on its own, in double precision, by gradient descent. */
#include "train/penalty_search.h"

#include <omp.h>

#include "base/rng.h"
#include "optim/folds.h"
#include "support/check.h"

enum { N = 60, M = 25, D = 3, CLASSES = 3, PENALTIES = 5, STEPS = 800 };

static const double penalties[PENALTIES] = {1.0, 0.3, 0.1, 0.03, 0.01};

struct data {
    float x[N + M][D];
    int32_t labels[N + M];
    float class_weights[CLASSES];
};

/* -0.5 ... 0.5 */
static float uniform(int index)
{
    return (float)(rng_u64(7, 0, (uint64_t)index) >> 40) / (float)(1 << 24) - 0.5f;
}

/* Classes that overlap, of unequal sizes; the last M rows are validation data. */
static void make_data(struct data *t)
{
    for (int i = 0; i < N + M; i++) {
        t->labels[i] = i % 7 < 3 ? 0 : i % 7 < 5 ? 1 : 2;
        for (int j = 0; j < D; j++)
            t->x[i][j] = 3.0f * uniform(i * D + j) + (j == 1 ? 10.0f : 0.0f) +
                         0.7f * (float)(t->labels[i] == j);
    }
    for (int k = 0; k < CLASSES; k++)
        t->class_weights[k] = 0.5f + 0.4f * (float)k;
}

/* z (n, D): columns with mean 0 and deviation 1. */
static void standardise(double (*z)[D], const struct data *t, int n)
{
    for (int j = 0; j < D; j++) {
        double mean = 0, square = 0;
        for (int i = 0; i < n; i++)
            mean += (double)t->x[i][j] / n;
        for (int i = 0; i < n; i++)
            square += ((double)t->x[i][j] - mean) * ((double)t->x[i][j] - mean) / n;
        for (int i = 0; i < n; i++)
            z[i][j] = ((double)t->x[i][j] - mean) / sqrt(square);
    }
}

/* p (CLASSES): probabilities of a row under w (CLASSES, D + 1), the bias last. */
static void probabilities(double *p, double (*w)[D + 1], const double *z)
{
    double sum = 0;
    for (int k = 0; k < CLASSES; k++) {
        double logit = w[k][D];
        for (int j = 0; j < D; j++)
            logit += w[k][j] * z[j];
        p[k] = exp(logit);
        sum += p[k];
    }
    for (int k = 0; k < CLASSES; k++)
        p[k] /= sum;
}

/* w: the minimum over the rows of weight above 0. */
static void descend(double (*w)[D + 1], double (*z)[D], const int32_t *labels,
                    const double *weights, int n, double l2)
{
    double before[CLASSES][D + 1] = {{0}}, total = 0;
    for (int i = 0; i < n; i++)
        total += weights[i];
    memset(w, 0, sizeof before);
    for (int step = 0; step < STEPS; step++) { /* with momentum */
        double at[CLASSES][D + 1], g[CLASSES][D + 1] = {{0}}, p[CLASSES];
        for (int k = 0; k < CLASSES; k++)
            for (int j = 0; j <= D; j++) {
                at[k][j] = w[k][j] + 0.9 * (w[k][j] - before[k][j]);
                g[k][j] = j < D ? l2 * at[k][j] : 0.0;
            }
        for (int i = 0; i < n; i++) {
            if (weights[i] <= 0)
                continue;
            probabilities(p, at, z[i]);
            for (int k = 0; k < CLASSES; k++)
                for (int j = 0; j <= D; j++)
                    g[k][j] +=
                        weights[i] / total * (p[k] - (labels[i] == k)) * (j < D ? z[i][j] : 1.0);
        }
        memcpy(before, w, sizeof before);
        for (int k = 0; k < CLASSES; k++)
            for (int j = 0; j <= D; j++)
                w[k][j] = at[k][j] - 0.3 * g[k][j];
    }
}

static double slow_macro_f1(int (*confusion)[CLASSES])
{
    double sum = 0;
    for (int k = 0; k < CLASSES; k++) {
        int support = 0, predicted = 0;
        for (int j = 0; j < CLASSES; j++) {
            support += confusion[k][j];
            predicted += confusion[j][k];
        }
        sum += support + predicted ? 2.0 * confusion[k][k] / (support + predicted) : 0.0;
    }
    return sum / CLASSES;
}

/* The score of a penalty; with validation the last M rows judge, else five folds of N. */
static struct penalty_score slow_score(const struct data *t, bool has_validation, bool has_weights,
                                       double l2)
{
    struct penalty_score s = {.l2 = l2};
    const int n = has_validation ? N + M : N, n_judged = has_validation ? M : N;
    double z[N + M][D], w[CLASSES][D + 1], weights[N + M], p[CLASSES];
    int confusion[CLASSES][CLASSES] = {{0}};
    standardise(z, t, n);
    for (int split = 0; split < (has_validation ? 1 : SEARCH_FOLDS); split++) {
        bool is_out[N + M];
        for (int i = 0; i < n; i++) {
            is_out[i] = has_validation ? i >= N : folds_assign(11, N, i, SEARCH_FOLDS) == split;
            weights[i] = is_out[i]     ? 0.0
                         : has_weights ? (double)t->class_weights[t->labels[i]]
                                       : 1.0;
        }
        descend(w, z, t->labels, weights, n, l2);
        for (int i = 0; i < n; i++) {
            int best = 0;
            if (!is_out[i])
                continue;
            probabilities(p, w, z[i]);
            for (int k = 1; k < CLASSES; k++)
                best = p[k] > p[best] ? k : best;
            confusion[t->labels[i]][best]++;
            s.loss -= log(p[t->labels[i]]) / n_judged;
            s.accuracy += (best == t->labels[i]) / (double)n_judged;
        }
    }
    s.macro_f1 = slow_macro_f1(confusion);
    return s;
}

static struct penalty_score search(const struct data *t, bool has_validation, bool has_weights,
                                   const double *list, int n, enum best_metric metric,
                                   int64_t most_logits)
{
    struct penalty_score best = {0};
    struct judged_rows rows;
    struct design *design = NULL;
    CHECK_STATUS(judged_rows_create(&rows, t->labels, N, has_validation ? t->labels + N : NULL,
                                    has_validation ? M : 0, CLASSES,
                                    has_weights ? t->class_weights : NULL, 11),
                 FT_OK);
    CHECK(rows.n == (has_validation ? N + M : N));
    if (most_logits > 0)
        rows.most_logits = most_logits;
    CHECK_STATUS(design_create_dense(&design, t->x[0], rows.n, D, true), FT_OK);
    CHECK_STATUS(penalty_search(&best, design, &rows, list, n, metric), FT_OK);
    design_destroy(&design);
    judged_rows_clear(&rows);
    return best;
}

/* The search stops earlier than the slow way: a document on the border may fall otherwise. */
static void check_score(const struct penalty_score *got, const struct penalty_score *expected,
                        int n_judged)
{
    CHECK(got->l2 == expected->l2);
    CHECK_CLOSE(got->loss, expected->loss, 2e-3);
    CHECK(fabs(got->accuracy - expected->accuracy) < 1.01 / n_judged);
    CHECK(fabs(got->macro_f1 - expected->macro_f1) < 2.01 / n_judged);
}

static int index_of_best(const struct penalty_score *scores, enum best_metric metric)
{
    int best = 0;
    for (int i = 1; i < PENALTIES; i++) /* of equals the first */
        best = penalty_is_better(&scores[i], &scores[best], metric) ? i : best;
    return best;
}

/* Each penalty alone scores as computed slowly, and the search takes the best of them. */
static void test_choice(const struct data *t, bool has_validation, bool has_weights)
{
    struct penalty_score slow[PENALTIES], alone[PENALTIES];
    for (int i = 0; i < PENALTIES; i++) {
        slow[i] = slow_score(t, has_validation, has_weights, penalties[i]);
        alone[i] = search(t, has_validation, has_weights, &penalties[i], 1, BEST_METRIC_LOSS, 0);
        check_score(&alone[i], &slow[i], has_validation ? M : N);
    }
    CHECK(index_of_best(alone, BEST_METRIC_LOSS) == index_of_best(slow, BEST_METRIC_LOSS));
    for (int metric = BEST_METRIC_LOSS; metric <= BEST_METRIC_MACRO_F1; metric++) {
        const struct penalty_score *best = &alone[index_of_best(alone, (enum best_metric)metric)];
        const struct penalty_score found = search(t, has_validation, has_weights, penalties,
                                                  PENALTIES, (enum best_metric)metric, 0);
        CHECK(found.l2 == best->l2 && found.accuracy == best->accuracy);
        CHECK_CLOSE(found.macro_f1, best->macro_f1, 1e-12);
        CHECK_CLOSE(found.loss, best->loss, 1e-5);
    }
}

/* Penalties taken in groups of 1, 2, 3 give what all at once give. */
static void test_groups(const struct data *t, bool has_validation)
{
    const int64_t n = has_validation ? N + M : N, splits = has_validation ? 1 : SEARCH_FOLDS;
    for (int metric = BEST_METRIC_LOSS; metric <= BEST_METRIC_MACRO_F1; metric++) {
        const struct penalty_score whole =
            search(t, has_validation, false, penalties, PENALTIES, (enum best_metric)metric, 0);
        for (int size = 0; size <= 3; size++) { /* 0: not even one fits, which is one at a time */
            const struct penalty_score part =
                search(t, has_validation, false, penalties, PENALTIES, (enum best_metric)metric,
                       size == 0 ? 1 : size * (n * CLASSES * splits + 1));
            CHECK(part.l2 == whole.l2 && part.accuracy == whole.accuracy);
            CHECK_CLOSE(part.loss, whole.loss, 1e-5);
            CHECK_CLOSE(part.macro_f1, whole.macro_f1, 1e-12);
        }
    }
}

static void test_is_better(void)
{
    const struct penalty_score a = {1, 0.5, 0.8, 0.7}, b = {2, 0.6, 0.9, 0.6};
    CHECK(penalty_is_better(&a, &b, BEST_METRIC_LOSS) &&
          !penalty_is_better(&b, &a, BEST_METRIC_LOSS));
    CHECK(penalty_is_better(&b, &a, BEST_METRIC_ACCURACY) &&
          !penalty_is_better(&a, &b, BEST_METRIC_ACCURACY));
    CHECK(penalty_is_better(&a, &b, BEST_METRIC_MACRO_F1) &&
          !penalty_is_better(&b, &a, BEST_METRIC_MACRO_F1));
    for (int metric = BEST_METRIC_LOSS; metric <= BEST_METRIC_MACRO_F1; metric++)
        CHECK(!penalty_is_better(&a, &a, (enum best_metric)metric));
}

/* Every allocation fails once: an error, and nothing is kept. */
static void test_memory(const struct data *t)
{
    ft_status status = FT_ERR_INTERNAL;
    for (int n = 1; n < 200 && status != FT_OK; n++) {
        struct penalty_score best;
        struct judged_rows rows;
        struct design *design = NULL;
        const int64_t live = mem_live_bytes();
        mem_fail_nth(n, 0);
        status = judged_rows_create(&rows, t->labels, N, NULL, 0, CLASSES, NULL, 1);
        if (status == FT_OK)
            status = design_create_dense(&design, t->x[0], N, D, true);
        if (status == FT_OK)
            status = penalty_search(&best, design, &rows, penalties, 2, BEST_METRIC_LOSS);
        mem_fail_nth(0, 0);
        design_destroy(&design);
        judged_rows_clear(&rows);
        CHECK(status == FT_OK || status == FT_ERR_INTERNAL);
        CHECK(mem_live_bytes() == live);
    }
    CHECK(status == FT_OK);
}

int main(void)
{
    static struct data t;
    omp_set_num_threads(1); /* hundreds of tiny problems: threads would only wait for each other */
    make_data(&t);
    for (int i = 0; i < 4; i++)
        test_choice(&t, i % 2, i / 2);
    test_groups(&t, false);
    test_groups(&t, true);
    test_is_better();
    test_memory(&t);
    return check_end();
}
