/*
 * A split and a penalty are one problem; the problems of a design share every product. The logits
 * of all rows are wanted from each, so penalties are taken in groups whose logits fit.
 */
#include "train/penalty_search.h"

#include <string.h>

#include "base/mem.h"
#include "optim/folds.h"
#include "optim/logistic.h"
#include "train/classify.h"
#include "train/scores.h"

enum { LOGITS_MAX = 1 << 26 };

static ft_status allocate_rows(struct judged_rows *rows)
{
    FT_TRY(FT_ALLOC(rows->labels, rows->n));
    FT_TRY(FT_ALLOC(rows->split, rows->n));
    return FT_ALLOC(rows->weights, rows->n);
}

ft_status judged_rows_create(struct judged_rows *rows, const int32_t *train_labels, int64_t n_train,
                             const int32_t *validation_labels, int64_t n_validation, int K,
                             const float *class_weights, int64_t seed)
{
    const bool has_validation = n_validation > 0;
    *rows = (struct judged_rows){.n = n_train + n_validation,
                                 .n_splits = has_validation ? 1 : SEARCH_FOLDS,
                                 .K = K,
                                 .most_logits = LOGITS_MAX};
    const ft_status status = allocate_rows(rows);
    if (status != FT_OK) {
        judged_rows_clear(rows);
        return status;
    }
    memcpy(rows->labels, train_labels, (size_t)n_train * sizeof *train_labels);
    for (int64_t i = 0; i < n_validation; i++)
        rows->labels[n_train + i] = validation_labels[i];
    for (int64_t i = 0; i < rows->n; i++) {
        rows->weights[i] = class_weights ? class_weights[rows->labels[i]] : 1.0f;
        if (has_validation)
            rows->split[i] = i < n_train ? -1 : 0;
        else
            rows->split[i] = folds_assign(seed, n_train, i, SEARCH_FOLDS);
    }
    return FT_OK;
}

void judged_rows_clear(struct judged_rows *rows)
{
    mem_free(rows->labels);
    mem_free(rows->split);
    mem_free(rows->weights);
    *rows = (struct judged_rows){0};
}

bool penalty_is_better(const struct penalty_score *a, const struct penalty_score *b,
                       enum best_metric metric)
{
    return metric == BEST_METRIC_LOSS       ? a->loss < b->loss
           : metric == BEST_METRIC_ACCURACY ? a->accuracy > b->accuracy
                                            : a->macro_f1 > b->macro_f1;
}

/* Problems of a group of penalties: problem p is penalty p / n_splits in split p % n_splits. */
struct group {
    const struct judged_rows *rows;
    int d, n_problems;
    float *weights; /* (n_splits, n): 0 where held out */
    struct logistic_problem *problems;
    struct logistic_result *results;
    float *solution; /* (n_problems, K, d + 1) */
    float *logits;   /* (n_problems, n, K) */
};

static void group_clear(struct group *g)
{
    mem_free(g->weights);
    mem_free(g->problems);
    mem_free(g->results);
    mem_free(g->solution);
    mem_free(g->logits);
}

static ft_status group_allocate(struct group *g, int n_penalties)
{
    const int64_t n = g->rows->n, K = g->rows->K;
    g->n_problems = n_penalties * g->rows->n_splits;
    FT_TRY(FT_ALLOC(g->weights, g->rows->n_splits * n));
    FT_TRY(FT_ALLOC(g->problems, g->n_problems));
    FT_TRY(FT_ALLOC(g->results, g->n_problems));
    FT_TRY(FT_ALLOC(g->solution, g->n_problems * K * (g->d + 1)));
    return FT_ALLOC(g->logits, g->n_problems * n * K);
}

static void group_fill(struct group *g, const double *penalties)
{
    const struct judged_rows *rows = g->rows;
    const int64_t n = rows->n, K = rows->K;
    for (int split = 0; split < rows->n_splits; split++)
        for (int64_t i = 0; i < n; i++)
            g->weights[split * n + i] = rows->split[i] == split ? 0.0f : rows->weights[i];
    for (int p = 0; p < g->n_problems; p++) {
        float *solution = g->solution + p * K * (g->d + 1);
        g->problems[p] = (struct logistic_problem){
            .row_weight = g->weights + p % rows->n_splits * n, .l2 = penalties[p / rows->n_splits]};
        g->results[p] = (struct logistic_result){
            .weight = solution, .bias = solution + K * g->d, .logits = g->logits + p * n * K};
    }
}

/* Counts the rows that the problem's split judges. counts: correct, support, predicted. */
static void tally(double *loss, int64_t *n_judged, int64_t *counts, const struct group *g, int p)
{
    const struct judged_rows *rows = g->rows;
    const int K = rows->K;
    const float *logits = g->results[p].logits;
    for (int64_t i = 0; i < rows->n; i++, logits += K) {
        if (rows->split[i] != p % rows->n_splits)
            continue;
        const int32_t truth = rows->labels[i], guess = class_of_logits(logits, K);
        *loss += class_loss(logits, K, truth);
        counts[guess] += guess == truth;
        counts[K + truth]++;
        counts[2 * K + guess]++;
        ++*n_judged;
    }
}

/* The score of the group's penalty number `at`. counts: (3 K) scratch. */
static void score(struct penalty_score *out, const struct group *g, int at, int64_t *counts)
{
    const int K = g->rows->K, n_splits = g->rows->n_splits;
    int64_t n = 0, n_correct = 0;
    double loss = 0;
    memset(counts, 0, 3 * (size_t)K * sizeof *counts);
    for (int split = 0; split < n_splits; split++)
        tally(&loss, &n, counts, g, at * n_splits + split);
    for (int k = 0; k < K; k++)
        n_correct += counts[k];
    *out =
        (struct penalty_score){.l2 = g->problems[at * n_splits].l2,
                               .loss = loss / (double)n,
                               .accuracy = (double)n_correct / (double)n,
                               .macro_f1 = scores_macro_f1(counts, counts + K, counts + 2 * K, K)};
}

/* Solves and scores a group of penalties; *best is replaced where one is better. */
static ft_status try_group(struct penalty_score *best, bool *has_best, struct design *design,
                           const struct judged_rows *rows, const double *penalties, int n,
                           enum best_metric metric)
{
    const struct logistic_options options = {.tolerance = 1e-3, .max_iterations = 100};
    struct group g = {.rows = rows, .d = design->d};
    int64_t *counts = NULL;
    ft_status status = group_allocate(&g, n);
    if (status == FT_OK)
        status = FT_ALLOC(counts, 3 * (int64_t)rows->K);
    if (status == FT_OK) {
        group_fill(&g, penalties);
        status = logistic_fit(g.results, design, rows->labels, rows->K, g.problems, g.n_problems,
                              &options);
    }
    for (int at = 0; at < n && status == FT_OK; at++) {
        struct penalty_score mine;
        score(&mine, &g, at, counts);
        if (!*has_best || penalty_is_better(&mine, best, metric))
            *best = mine;
        *has_best = true;
    }
    mem_free(counts);
    group_clear(&g);
    return status;
}

ft_status penalty_search(struct penalty_score *best, struct design *design,
                         const struct judged_rows *rows, const double *penalties, int n,
                         enum best_metric metric)
{
    const int64_t fit = rows->most_logits / (rows->n * rows->K * rows->n_splits + 1);
    const int most = fit < 1 ? 1 : fit > n ? n : (int)fit;
    bool has_best = false;
    for (int at = 0; at < n; at += most)
        FT_TRY(try_group(best, &has_best, design, rows, penalties + at,
                         n - at < most ? n - at : most, metric));
    return FT_OK;
}
