#include "train/head_search.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/signals.h"
#include "base/timer.h"

/* Over standardised features; tried where transfer.l2 is auto. */
static const double grid[] = {0.5, 0.1, 0.02, 0.004, 0.0008};

struct search {
    const struct labelled_features *train, *validation;
    const struct settings *settings;
    const struct model_config *config;
    struct judged_rows rows;
    float *x; /* (rows.n, width of the widest choice): training documents, then validation */
    bool has_best;
    struct search_result best;
};

int feature_choice_width(const struct feature_choice *choice, const struct model_config *config)
{
    return choice->layer == LAYER_LAST4 ? SEARCH_LAST * config->C : config->C;
}

ft_status feature_choice_read(float *x, struct features *features,
                              const struct feature_choice *choice,
                              const struct model_config *config)
{
    float *one;
    const int64_t n = features_count(features);
    const int C = config->C, width = feature_choice_width(choice, config);
    if (choice->layer != LAYER_LAST4)
        return features_read(features, choice->layer, choice->pooling, x);
    FT_TRY(FT_ALLOC(one, n * C));
    ft_status status = FT_OK;
    for (int k = 0; k < SEARCH_LAST && status == FT_OK; k++) {
        status = features_read(features, config->L - SEARCH_LAST + 1 + k, choice->pooling, one);
        for (int64_t i = 0; i < n; i++)
            memcpy(x + i * width + k * C, one + i * C, (size_t)C * sizeof *x);
    }
    mem_free(one);
    return status;
}

/* The single layers that settings leave open: out (2 L); returns their number. */
static int list_layers(struct feature_choice *out, const struct settings *settings,
                       const struct model_config *config)
{
    const int L = config->L, wanted = settings->transfer.layer;
    const bool is_open = settings->transfer.pooling == POOLING_AUTO;
    const enum pooling poolings[2] = {is_open ? POOLING_MEAN : settings->transfer.pooling,
                                      config->is_encoder ? POOLING_CLS : POOLING_LAST};
    int n = 0;
    for (int layer = 1; layer <= L; layer++)
        for (int i = 0; i < (is_open ? 2 : 1); i++)
            if (wanted == LAYER_AUTO || layer == (wanted < 0 ? L + 1 + wanted : wanted))
                out[n++] = (struct feature_choice){.layer = layer, .pooling = poolings[i]};
    return n;
}

/* The last four layers: with each pooling where they alone are asked for, else with the one that
 * was best on single layers. out (2); returns their number. */
static int list_last(struct feature_choice *out, const struct search *s)
{
    const struct settings *settings = s->settings;
    const int wanted = settings->transfer.layer;
    const enum pooling pooling = settings->transfer.pooling;
    if (s->config->L < SEARCH_LAST || (wanted != LAYER_AUTO && wanted != LAYER_LAST4))
        return 0;
    out[0] = out[1] = (struct feature_choice){.layer = LAYER_LAST4, .pooling = pooling};
    if (pooling != POOLING_AUTO)
        return 1;
    out[0].pooling = s->has_best ? s->best.choice.pooling : POOLING_MEAN;
    out[1].pooling = s->config->is_encoder ? POOLING_CLS : POOLING_LAST;
    return s->has_best ? 1 : 2;
}

static void log_result(const struct search *s, const struct search_result *r, double seconds)
{
    static const char *const poolings[] = {"auto", "cls", "mean", "last"};
    char layer[32] = "last four layers";
    if (r->choice.layer != LAYER_LAST4)
        (void)snprintf(layer, sizeof layer, "layer %d", r->choice.layer);
    log_info("%s, %s: accuracy %.4f, macro F1 %.4f, loss %.4f at L2 %g (%s, %.2f s)", layer,
             poolings[r->choice.pooling], r->score.accuracy, r->score.macro_f1, r->score.loss,
             r->score.l2, s->validation->features ? "validation" : "5-fold", seconds);
}

static ft_status read_rows(struct search *s, const struct feature_choice *choice)
{
    const int64_t n_train = s->train->documents->n_documents;
    FT_TRY(feature_choice_read(s->x, s->train->features, choice, s->config));
    if (!s->validation->features)
        return FT_OK;
    return feature_choice_read(s->x + n_train * feature_choice_width(choice, s->config),
                               s->validation->features, choice, s->config);
}

/* Keeps a result that is better than the best so far, with its design: the head is fitted on it. */
static void consider(struct search *s, const struct search_result *mine, struct design **design,
                     double seconds)
{
    const enum best_metric metric = s->settings->training.best_metric;
    log_result(s, mine, seconds);
    if (s->has_best && !penalty_is_better(&mine->score, &s->best.score, metric))
        return;
    design_destroy(&s->best.design);
    s->best = *mine;
    s->has_best = true;
    if (!s->validation->features) {
        s->best.design = *design; /* takes */
        *design = NULL;
    }
}

static ft_status try_choice(struct search *s, const struct feature_choice *choice)
{
    struct design *design = NULL;
    struct search_result mine = {.choice = *choice};
    const enum best_metric metric = s->settings->training.best_metric;
    const double *l2 = &s->settings->transfer.l2;
    const bool is_open = *l2 == L2_AUTO;
    const double started = timer_now();
    FT_TRY(signals_check("the head was chosen"));
    FT_TRY(read_rows(s, choice));
    FT_TRY(design_create_dense(&design, s->x, s->rows.n, feature_choice_width(choice, s->config),
                               true));
    const ft_status status =
        penalty_search(&mine.score, design, &s->rows, is_open ? grid : l2,
                       is_open ? (int)(sizeof grid / sizeof *grid) : 1, metric);
    if (status == FT_OK)
        consider(s, &mine, &design, timer_now() - started);
    design_destroy(&design);
    return status;
}

static ft_status try_all(struct search *s, struct feature_choice *choices)
{
    const int wanted = s->settings->transfer.layer;
    const bool is_wide = wanted == LAYER_AUTO || wanted == LAYER_LAST4;
    const int n = list_layers(choices, s->settings, s->config);
    FT_TRY(FT_ALLOC(s->x, s->rows.n * s->config->C * (is_wide ? SEARCH_LAST : 1)));
    for (int i = 0; i < n; i++)
        FT_TRY(try_choice(s, &choices[i]));
    const int n_last = list_last(choices, s);
    for (int i = 0; i < n_last; i++)
        FT_TRY(try_choice(s, &choices[i]));
    return FT_OK;
}

ft_status head_search(struct search_result *out, const struct labelled_features *train,
                      const struct labelled_features *validation, const struct settings *settings,
                      const struct model_config *config, const float *class_weights, int K)
{
    struct search s = {
        .train = train, .validation = validation, .settings = settings, .config = config};
    struct feature_choice *choices = NULL;
    const bool has_validation = validation->features != NULL;
    FT_TRY(judged_rows_create(&s.rows, train->documents->labels, train->documents->n_documents,
                              has_validation ? validation->documents->labels : NULL,
                              has_validation ? validation->documents->n_documents : 0, K,
                              class_weights, settings->seed));
    ft_status status = FT_ALLOC(choices, 2 * config->L + 2);
    if (status == FT_OK)
        status = try_all(&s, choices);
    *out = s.best; /* on failure too: the caller clears it */
    mem_free(choices);
    mem_free(s.x);
    judged_rows_clear(&s.rows);
    return status;
}
