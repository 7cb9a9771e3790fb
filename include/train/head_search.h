/**
 * Which frozen features a linear head is fitted on: layer, pooling and L2 are chosen on validation
 * data, or by 5-fold cross-validation on the training data, never on test. Local.
 */
#ifndef FT_TRAIN_HEAD_SEARCH_H
#define FT_TRAIN_HEAD_SEARCH_H

#include <stdint.h>

#include "base/err.h"
#include "config/settings.h"
#include "data/documents.h"
#include "data/features.h"
#include "model/config.h"
#include "train/penalty_search.h"

enum { SEARCH_LAST = 4 /**< layers side by side in "last4" */ };

/** One way to make a document's vector. */
struct feature_choice {
    int layer; /**< 1 ... L, or LAYER_LAST4 */
    enum pooling pooling;
};

/** Elements of a document's vector. */
int feature_choice_width(const struct feature_choice *choice, const struct model_config *config);

/** x (n, width): the vectors of all documents. */
ft_status feature_choice_read(float *x, struct features *features,
                              const struct feature_choice *choice,
                              const struct model_config *config);

/** The features of a set and its labels. */
struct labelled_features {
    struct features *features; /**< NULL: there is no such set */
    const struct document_set *documents;
};

struct search_result {
    struct feature_choice choice;
    struct penalty_score score; /**< on the documents held out */
    struct design
        *design; /**< of the choice, all training documents; NULL with validation data, whose
                                rows a search's design holds too. Owned: design_destroy */
};

/**
 * Tries each layer with each pooling (mean and cls; decoders: mean and last), then the last four
 * side by side with the pooling that did best, as far as settings leave them open, and L2 with
 * each; keeps what training.best_metric prefers, of equals the lower layer.
 *
 * @param[in] validation    without features: cross-validation on train
 * @param[in] class_weights (K) or NULL
 * @param[in] K             labels, at least 2
 * @return FT_OK; what reading features gives; FT_STOPPED; FT_ERR_INTERNAL
 */
ft_status head_search(struct search_result *out, const struct labelled_features *train,
                      const struct labelled_features *validation, const struct settings *settings,
                      const struct model_config *config, const float *class_weights, int K);

#endif
