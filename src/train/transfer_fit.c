#include "train/transfer_fit.h"

#include <math.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "optim/logistic.h"
#include "optim/mlp_head.h"
#include "train/version.h"

/* Learning rate of a head that learns alone, where training.head_lr does not say. */
static const double ALONE_LR = 1e-3;

/* What the head says of itself, and memory for its weights. */
static ft_status describe(struct transfer_head *head, const struct session *s,
                          const struct search_result *found)
{
    const struct settings *settings = s->settings;
    const struct feature_choice *choice = &found->choice;
    const bool is_last4 = choice->layer == LAYER_LAST4,
               is_mlp = settings->transfer.head == HEAD_MLP;
    *head = (struct transfer_head){.kind = settings->transfer.head,
                                   .K = s->labels.n,
                                   .C = s->config.C,
                                   .n_layers = is_last4 ? SEARCH_LAST : 1,
                                   .pooling = choice->pooling,
                                   .hidden = is_mlp ? s->config.C : 0,
                                   .seq_len = settings->data.seq_len,
                                   .solver = is_mlp ? SOLVER_ADAMW : settings->transfer.solver,
                                   .l2 = found->score.l2};
    for (int i = 0; i < head->n_layers; i++)
        head->layers[i] = is_last4 ? s->config.L - SEARCH_LAST + 1 + i : choice->layer;
    (void)snprintf(head->backbone_hash, HASH_TEXT, "%s", s->model_hash);
    hash_format(head->tokenizer_hash, tokenizer_hash(s->tokenizer));
    (void)snprintf(head->data_hash, HASH_TEXT, "%s", corpus_stats(s->train.corpus)->data_hash);
    (void)snprintf(head->program, sizeof head->program, "%s %s", FT_PROGRAM, FT_REVISION);
    return transfer_head_allocate(head, s->labels.names);
}

/* The linear head to convergence. */
static ft_status fit_lbfgs(struct transfer_head *head, const struct session *s,
                           struct design *design)
{
    const struct document_set *set = &s->train.documents;
    const struct logistic_options options = {.tolerance = 1e-5, .max_iterations = 1000};
    struct logistic_result result = {.weight = head->out_weight, .bias = head->out_bias};
    float *weights = NULL;
    ft_status status = FT_OK;
    if (s->class_weights) {
        status = FT_ALLOC(weights, set->n_documents);
        for (int64_t i = 0; status == FT_OK && i < set->n_documents; i++)
            weights[i] = s->class_weights[set->labels[i]];
    }
    const struct logistic_problem problem = {.row_weight = weights, .l2 = head->l2};
    if (status == FT_OK)
        status = logistic_fit(&result, design, set->labels, head->K, &problem, 1, &options);
    head->gradient = result.gradient;
    if (status == FT_OK)
        log_info("head: L2 %g, loss with penalty %.6f, gradient %.1e after %d iterations%s",
                 head->l2, result.objective, result.gradient, result.iterations,
                 result.converged ? "" : " (as near as 32-bit features allow)");
    mem_free(weights);
    return status;
}

static int at_least_one(double x)
{
    return x < 1 ? 1 : x > 1e6 ? 1000000 : (int)ceil(x);
}

/* Mini-batches by AdamW, linear or mlp; the validation documents, if any, keep the best epoch. */
static ft_status fit_adamw(struct transfer_head *head, const struct session *s,
                           const struct labelled_rows *train,
                           const struct labelled_rows *validation)
{
    const struct settings *settings = s->settings;
    struct mlp_head_report report = {0};
    struct mlp_head mlp = {.d = transfer_head_width(head),
                           .K = head->K,
                           .dense_weight = head->dense_weight,
                           .dense_bias = head->dense_bias,
                           .out_weight = head->out_weight,
                           .out_bias = head->out_bias};
    const struct mlp_head_hyper hyper = {
        .hidden = head->hidden,
        .epochs = at_least_one(settings->training.epochs),
        .batch = settings->training.global_batch,
        .lr = settings->training.head_lr > 0 ? settings->training.head_lr : ALONE_LR,
        .weight_decay = settings->training.weight_decay,
        .beta1 = settings->training.beta1,
        .beta2 = settings->training.beta2,
        .eps = settings->training.eps,
        .label_smoothing = settings->training.label_smoothing,
        .patience = settings->training.patience,
        .seed = settings->seed};
    FT_TRY(mlp_head_fit(&mlp, &report, train, validation, s->class_weights, &hyper));
    log_info("head: %d epochs of AdamW, loss %.4f", report.epochs, report.loss);
    if (validation->n > 0)
        log_info("head: validation loss %.4f at epoch %d, which is kept", report.validation_loss,
                 report.best_epoch);
    return FT_OK;
}

/* The vectors of a set that was chosen; none where it has no features. Gives rows->x. */
static ft_status read_rows(struct labelled_rows *rows, float **x,
                           const struct labelled_features *set, const struct search_result *found,
                           const struct session *s)
{
    *rows = (struct labelled_rows){0};
    if (!set->features)
        return FT_OK;
    const int64_t n = set->documents->n_documents;
    FT_TRY(FT_ALLOC(*x, n * feature_choice_width(&found->choice, &s->config)));
    FT_TRY(feature_choice_read(*x, set->features, &found->choice, &s->config));
    *rows = (struct labelled_rows){.x = *x, .labels = set->documents->labels, .n = n};
    return FT_OK;
}

/* On the search's own design where it has one, else on one of the training documents alone. */
static ft_status solve_linear(struct transfer_head *head, const struct session *s,
                              const struct search_result *found,
                              const struct labelled_features *train)
{
    struct labelled_rows rows;
    struct design *design = NULL;
    float *x = NULL;
    if (found->design)
        return fit_lbfgs(head, s, found->design);
    ft_status status = read_rows(&rows, &x, train, found, s);
    if (status == FT_OK)
        status = design_create_dense(&design, x, rows.n, transfer_head_width(head), true);
    mem_free(x);
    if (status == FT_OK)
        status = fit_lbfgs(head, s, design);
    design_destroy(&design);
    return status;
}

ft_status transfer_fit(struct transfer_head *head, const struct session *s,
                       const struct search_result *found, const struct labelled_features *train,
                       const struct labelled_features *validation)
{
    struct labelled_rows rows, judges;
    float *x = NULL, *x_judges = NULL;
    FT_TRY(describe(head, s, found));
    if (head->solver == SOLVER_LBFGS)
        return solve_linear(head, s, found, train);
    ft_status status = read_rows(&rows, &x, train, found, s);
    if (status == FT_OK)
        status = read_rows(&judges, &x_judges, validation, found, s);
    if (status == FT_OK)
        status = fit_adamw(head, s, &rows, &judges);
    mem_free(x_judges);
    mem_free(x);
    return status;
}
