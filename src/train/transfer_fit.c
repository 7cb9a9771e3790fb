#include "train/transfer_fit.h"

#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "optim/logistic.h"
#include "train/version.h"

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
    (void)snprintf(head->program, sizeof head->program, "%s %s", FT_PROGRAM, FT_REVISION);
    return transfer_head_allocate(head, s->labels.names);
}

/* The linear head to convergence. */
static ft_status fit_lbfgs(struct transfer_head *head, const struct session *s, const float *x)
{
    const struct document_set *set = &s->train.documents;
    const struct logistic_options options = {.tolerance = 1e-5, .max_iterations = 1000};
    struct logistic_result result = {.weight = head->out_weight, .bias = head->out_bias};
    struct design *design = NULL;
    float *weights = NULL;
    ft_status status = FT_OK;
    if (s->class_weights) {
        status = FT_ALLOC(weights, set->n_documents);
        for (int64_t i = 0; status == FT_OK && i < set->n_documents; i++)
            weights[i] = s->class_weights[set->labels[i]];
    }
    const struct logistic_problem problem = {.row_weight = weights, .l2 = head->l2};
    if (status == FT_OK)
        status = design_create_dense(&design, x, set->n_documents, transfer_head_width(head), true);
    if (status == FT_OK)
        status = logistic_fit(&result, design, set->labels, head->K, &problem, 1, &options);
    head->gradient = result.gradient;
    if (status == FT_OK)
        log_info("head: L2 %g, loss with penalty %.6f, gradient %.1e after %d iterations%s",
                 head->l2, result.objective, result.gradient, result.iterations,
                 result.converged ? "" : " (as near as 32-bit features allow)");
    design_destroy(&design);
    mem_free(weights);
    return status;
}

ft_status transfer_fit(struct transfer_head *head, const struct session *s,
                       const struct search_result *found, const struct labelled_features *train,
                       const struct labelled_features *validation)
{
    float *x = NULL;
    (void)validation;
    FT_TRY(describe(head, s, found));
    ft_status status = FT_ALLOC(x, train->documents->n_documents * transfer_head_width(head));
    if (status == FT_OK)
        status = feature_choice_read(x, train->features, &found->choice, &s->config);
    if (status == FT_OK)
        status = fit_lbfgs(head, s, x);
    mem_free(x);
    return status;
}
