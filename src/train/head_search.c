/*
 * All folds and penalties of one feature matrix are one batch of problems that share every product
 * (optim/logistic.h). The loss of a held-out document is taken at the solution of the fold that did
 * not see it, so each document counts once for each penalty.
 */
#include "train/head_search.h"

#include <math.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/signals.h"
#include "base/timer.h"
#include "math/gemm.h"
#include "math/ops.h"
#include "optim/folds.h"
#include "optim/logistic.h"
#include "train/classify.h"
#include "train/scores.h"

static const double penalties[] = {1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003};
enum { N_PENALTIES = sizeof penalties / sizeof *penalties };

struct search {
    const struct labelled_features *train, *validation;
    const struct settings *settings;
    const struct model_config *config;
    int K, n_penalties, n_splits; /* n_splits: folds, or 1 with validation data */
    const double *penalties;
    float *row_weights; /* (n_splits, n) 0 = held out */
    int *fold;          /* (n) of each training document; NULL with validation data */
    struct logistic_problem *problems; /* (n_splits, n_penalties) */
    struct logistic_result *results;
    float *x, *x_validation; /* (n, width) of the widest choice */
    struct search_result best;
};

int feature_width(const struct feature_choice *choice, const struct model_config *config)
{
    return choice->layer == LAYER_LAST4 ? SEARCH_LAST * config->C : config->C;
}

/* Reads one layer's vectors into columns at ... at+C-1 of rows that are `width` wide. */
static ft_status read_columns(float *x, int width, int at, struct features *features, int layer,
                              enum pooling pooling, int C, float *scratch)
{
    const int64_t n = features_count(features);
    FT_TRY(features_read(features, layer, pooling, scratch));
    for (int64_t i = 0; i < n; i++)
        memcpy(x + i * width + at, scratch + i * C, (size_t)C * sizeof *x);
    return FT_OK;
}

ft_status feature_matrix(float *x, struct features *features, const struct feature_choice *choice,
                         const struct model_config *config)
{
    float *scratch;
    const int C = config->C, width = feature_width(choice, config);
    if (choice->layer != LAYER_LAST4)
        return features_read(features, choice->layer, choice->pooling, x);
    FT_TRY(FT_ALLOC(scratch, features_count(features) * C));
    ft_status status = FT_OK;
    for (int i = 0; i < SEARCH_LAST && status == FT_OK; i++)
        status = read_columns(x, width, i * C, features, config->L - SEARCH_LAST + 1 + i,
                              choice->pooling, C, scratch);
    mem_free(scratch);
    return status;
}

/* Scores of the held-out documents of all splits at one penalty. */
struct tally {
    double loss;
    int64_t n, *correct, *support, *predicted; /* (K) each */
};

/* fold: NULL, or only rows whose fold is `wanted` count. */
static void tally_rows(struct tally *t, const float *logits, const int32_t *labels, int64_t n,
                       int K, const int *fold, int wanted)
{
    for (int64_t i = 0; i < n; i++) {
        if (fold && fold[i] != wanted)
            continue;
        const int32_t guess = class_of_logits(logits + i * K, K);
        t->loss += class_loss(logits + i * K, K, labels[i]);
        t->correct[guess] += guess == labels[i];
        t->predicted[guess]++;
        t->support[labels[i]]++;
        t->n++;
    }
}

static void finish_tally(struct search_result *out, const struct tally *t, int K)
{
    int64_t n_correct = 0;
    for (int k = 0; k < K; k++)
        n_correct += t->correct[k];
    out->loss = t->loss / (double)t->n;
    out->accuracy = (double)n_correct / (double)t->n;
    out->macro_f1 = scores_macro_f1(t->correct, t->support, t->predicted, K);
}

static bool is_better(const struct search_result *a, const struct search_result *b,
                      enum best_metric metric)
{
    if (b->n_tried == 0)
        return true;
    return metric == BEST_METRIC_LOSS       ? a->loss < b->loss
           : metric == BEST_METRIC_ACCURACY ? a->accuracy > b->accuracy
                                            : a->macro_f1 > b->macro_f1;
}

/* logits (n, K) of the validation documents at problem p's solution. */
static void validation_logits(float *logits, const struct search *s, int p, int width)
{
    const int n = (int)s->validation->documents->n_documents, K = s->K;
    const struct logistic_result *r = &s->results[p];
    gemm_nt(logits, K, s->x_validation, width, r->weight, width, n, K, width, 0.0f);
    bias_forward(logits, r->bias, n, K);
}

/* The score of penalty `at` with this choice. logits: (validation documents, K). */
static ft_status score(struct search_result *out, const struct search *s, int at, int width,
                       float *logits)
{
    struct tally t = {0};
    const struct document_set *set = s->fold ? s->train->documents : s->validation->documents;
    FT_TRY(FT_ALLOC(t.correct, 3 * (int64_t)s->K));
    t.support = t.correct + s->K;
    t.predicted = t.support + s->K;
    for (int split = 0; split < s->n_splits; split++) {
        const int p = split * s->n_penalties + at;
        if (!s->fold)
            validation_logits(logits, s, p, width);
        tally_rows(&t, s->fold ? s->results[p].logits : logits, set->labels, set->n_documents, s->K,
                   s->fold, split);
    }
    finish_tally(out, &t, s->K);
    mem_free(t.correct);
    return FT_OK;
}

static ft_status solve(struct search *s, int width)
{
    struct design *design = NULL;
    const struct document_set *set = s->train->documents;
    const struct logistic_options options = {.tolerance = 1e-3, .max_iterations = 100};
    ft_status status = design_create_dense(&design, s->x, set->n_documents, width, true);
    if (status == FT_OK)
        status = logistic_fit(s->results, design, set->labels, s->K, s->problems,
                              s->n_splits * s->n_penalties, &options);
    design_destroy(&design);
    return status;
}

static void log_choice(const struct search_result *r, const struct search *s, double seconds)
{
    char layer[32] = "last four layers";
    if (r->choice.layer != LAYER_LAST4)
        (void)snprintf(layer, sizeof layer, "layer %d", r->choice.layer);
    log_info("%s, %s: accuracy %.4f, macro F1 %.4f, loss %.4f at L2 %g (%s, %.2f s)", layer,
             pooling_name(r->choice.pooling), r->accuracy, r->macro_f1, r->loss, r->l2,
             s->fold ? "5-fold" : "validation", seconds);
}

/* All penalties of one choice; the best one so far is kept. */
static ft_status try_choice(struct search *s, const struct feature_choice *choice)
{
    struct search_result mine = {.choice = *choice}, best = {0};
    const int width = feature_width(choice, s->config);
    const double started = timer_now();
    float *logits = NULL;
    if (signals_stop_requested())
        return ft_fail(FT_STOPPED, "stopped by a signal while the head was chosen");
    FT_TRY(feature_matrix(s->x, s->train->features, choice, s->config));
    if (!s->fold) {
        FT_TRY(feature_matrix(s->x_validation, s->validation->features, choice, s->config));
        FT_TRY(FT_ALLOC(logits, s->validation->documents->n_documents * s->K));
    }
    ft_status status = solve(s, width);
    for (int p = 0; p < s->n_penalties && status == FT_OK; p++) {
        mine.l2 = s->penalties[p];
        status = score(&mine, s, p, width, logits);
        if (is_better(&mine, &best, s->settings->training.best_metric))
            best = mine;
        best.n_tried = 1;
    }
    mem_free(logits);
    if (status != FT_OK)
        return status;
    log_choice(&best, s, timer_now() - started);
    const int n_tried = s->best.n_tried;
    if (is_better(&best, &s->best, s->settings->training.best_metric))
        s->best = best;
    s->best.n_tried = n_tried + s->n_penalties;
    return FT_OK;
}

/* Row weights of each split, and the problems made of them. */
static ft_status plan_problems(struct search *s, const float *class_weights)
{
    const struct document_set *set = s->train->documents;
    const int64_t n = set->n_documents;
    FT_TRY(FT_ALLOC(s->row_weights, s->n_splits * n));
    FT_TRY(FT_ALLOC(s->problems, (int64_t)s->n_splits * s->n_penalties));
    if (!s->validation->features) {
        FT_TRY(FT_ALLOC(s->fold, n));
        folds_assign(s->fold, n, SEARCH_FOLDS, s->settings->seed);
    }
    for (int split = 0; split < s->n_splits; split++) {
        float *weights = s->row_weights + split * n;
        for (int64_t i = 0; i < n; i++) {
            const float weight = class_weights ? class_weights[set->labels[i]] : 1.0f;
            weights[i] = s->fold && s->fold[i] == split ? 0.0f : weight;
        }
        for (int p = 0; p < s->n_penalties; p++)
            s->problems[split * s->n_penalties + p] =
                (struct logistic_problem){.row_weight = weights, .l2 = s->penalties[p]};
    }
    return FT_OK;
}

static ft_status plan_results(struct search *s, int width)
{
    const int64_t n = s->train->documents->n_documents;
    const int n_problems = s->n_splits * s->n_penalties;
    FT_TRY(FT_ALLOC(s->results, n_problems));
    for (int p = 0; p < n_problems; p++) {
        FT_TRY(FT_ALLOC(s->results[p].weight, (int64_t)s->K * width));
        FT_TRY(FT_ALLOC(s->results[p].bias, s->K));
        if (s->fold)
            FT_TRY(FT_ALLOC(s->results[p].logits, n * s->K));
    }
    FT_TRY(FT_ALLOC(s->x, n * width));
    return s->fold ? FT_OK
                   : FT_ALLOC(s->x_validation, s->validation->documents->n_documents * width);
}

static void clear(struct search *s)
{
    for (int p = 0; s->results && p < s->n_splits * s->n_penalties; p++) {
        mem_free(s->results[p].weight);
        mem_free(s->results[p].bias);
        mem_free(s->results[p].logits);
    }
    mem_free(s->results);
    mem_free(s->problems);
    mem_free(s->row_weights);
    mem_free(s->fold);
    mem_free(s->x);
    mem_free(s->x_validation);
}

int feature_choices(struct feature_choice *out, const struct settings *settings,
                    const struct model_config *config)
{
    const int wanted = settings->transfer.layer, L = config->L;
    const enum pooling pooling = settings->transfer.pooling;
    const enum pooling open[2] = {POOLING_MEAN, config->is_encoder ? POOLING_CLS : POOLING_LAST};
    int n = 0;
    const int fixed = wanted == LAYER_AUTO || wanted == LAYER_LAST4 ? 0
                      : wanted < 0                                  ? L + 1 + wanted
                                                                    : wanted;
    for (int layer = 1; layer <= L + 1; layer++) {
        const bool is_last4 = layer > L;
        const bool is_wanted =
            wanted == LAYER_AUTO || (is_last4 ? wanted == LAYER_LAST4 : layer == fixed);
        if (!is_wanted || (is_last4 && L < SEARCH_LAST))
            continue;
        for (int i = 0; i < (pooling == POOLING_AUTO ? 2 : 1); i++)
            out[n++] =
                (struct feature_choice){.layer = is_last4 ? LAYER_LAST4 : layer,
                                        .pooling = pooling == POOLING_AUTO ? open[i] : pooling};
    }
    return n;
}

static ft_status try_all(struct search *s, const struct feature_choice *choices, int n_choices,
                         const float *class_weights)
{
    int width = 0;
    for (int i = 0; i < n_choices; i++) {
        const int mine = feature_width(&choices[i], s->config);
        width = mine > width ? mine : width;
    }
    FT_TRY(plan_problems(s, class_weights));
    FT_TRY(plan_results(s, width));
    for (int i = 0; i < n_choices; i++)
        FT_TRY(try_choice(s, &choices[i]));
    return FT_OK;
}

int feature_choices_max(const struct model_config *config)
{
    return 2 * (config->L + 1);
}

ft_status head_search(struct search_result *out, const struct labelled_features *train,
                      const struct labelled_features *validation, const struct settings *settings,
                      const struct model_config *config, const float *class_weights, int K)
{
    const bool has_l2 = settings->transfer.l2 != L2_AUTO;
    struct search s = {.train = train,
                       .validation = validation,
                       .settings = settings,
                       .config = config,
                       .K = K,
                       .penalties = has_l2 ? &settings->transfer.l2 : penalties,
                       .n_penalties = has_l2 ? 1 : N_PENALTIES,
                       .n_splits = validation->features ? 1 : SEARCH_FOLDS};
    struct feature_choice *choices = NULL;
    FT_TRY(FT_ALLOC(choices, feature_choices_max(config)));
    const int n_choices = feature_choices(choices, settings, config);
    ft_status status = try_all(&s, choices, n_choices, class_weights);
    *out = s.best;
    clear(&s);
    mem_free(choices);
    return status;
}
