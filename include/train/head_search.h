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

enum { SEARCH_FOLDS = 5, SEARCH_LAST = 4 /**< layers side by side in "last4" */ };

/** One way to make a document's vector. */
struct feature_choice {
    int layer; /**< 1 ... L, or LAYER_LAST4 */
    enum pooling pooling;
};

/**
 * What settings leave open: each layer and the last four, mean and cls (decoders: mean and last).
 * A layer that the model does not have gives none.
 *
 * @param[out] out (feature_choices_max)
 * @return their number
 */
int feature_choices(struct feature_choice *out, const struct settings *settings,
                    const struct model_config *config);
int feature_choices_max(const struct model_config *config);

/** Elements of a document's vector. */
int feature_width(const struct feature_choice *choice, const struct model_config *config);

/** x (n, feature_width): the vectors of all documents. */
ft_status feature_matrix(float *x, struct features *features, const struct feature_choice *choice,
                         const struct model_config *config);

/** The features of a set and its labels. */
struct labelled_features {
    struct features *features;
    const struct document_set *documents;
};

struct search_result {
    struct feature_choice choice;
    double l2;
    double loss, accuracy, macro_f1; /**< of the choice, on the documents held out */
    int n_tried;                     /**< combinations of layer, pooling and L2 */
};

/**
 * Tries every combination that settings leave open and keeps the one that training.best_metric
 * prefers; of equals the one that was tried first: lower layers and larger L2 come first.
 *
 * @param[in] validation    features is NULL: cross-validation on train
 * @param[in] class_weights (K) or NULL
 * @param[in] K             labels, at least 2
 * @return FT_OK; FT_ERR_USAGE (a layer that the model does not have); what reading features gives;
 *         FT_ERR_INTERNAL
 */
ft_status head_search(struct search_result *out, const struct labelled_features *train,
                      const struct labelled_features *validation, const struct settings *settings,
                      const struct model_config *config, const float *class_weights, int K);

#endif
