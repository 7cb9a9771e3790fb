/**
 * Scores of a classifier: confusion matrix, accuracy, macro F1, precision and recall of each class.
 *
 * Local; nothing here is collective. A confusion matrix is summed over ranks before the scores are
 * taken from it. K = number of the model's classes, 1 ... SCORES_CLASSES_MAX.
 *
 * - confusion: (K, K) document counts, row = true class, column = predicted class.
 * - precision of a class: correct / predicted; recall: correct / support; F1 = 2 correct /
 *   (predicted + support); each 0 where its denominator is 0.
 * - macro F1: mean of F1 over the classes that occur in the labels or in the predictions; classes
 *   that occur in neither say nothing. The same as sklearn.metrics.f1_score(labels, predictions,
 *   average="macro", zero_division=0), whose default set of classes is that union.
 */
#ifndef FT_TRAIN_SCORES_H
#define FT_TRAIN_SCORES_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

#define SCORES_CLASSES_MAX 32768 /**< so that a confusion matrix of int64 has at most 8 GiB */

struct class_score {
    double precision, recall, f1;
    int64_t support;   /**< documents whose label is this class */
    int64_t predicted; /**< documents predicted to be this class */
};

struct scores {
    int n_classes; /**< K */
    int64_t documents, correct;
    double accuracy; /**< correct / documents */
    double macro_f1;
    int64_t *confusion;          /**< (K, K); owned */
    struct class_score *classes; /**< (K); owned */
};

/**
 * Adds documents to a confusion matrix.
 *
 * @param[in,out] confusion (K, K)
 * @param[in]     labels, predictions (n) class numbers, 0 ... K-1 (asserted)
 */
void scores_count(int64_t *confusion, const int32_t *labels, const int32_t *predictions, int64_t n,
                  int n_classes);

/**
 * All scores of a confusion matrix.
 *
 * @param[out] out       released by scores_clear, also after a failure
 * @param[in]  confusion (K, K), copied
 * @return FT_OK; FT_ERR_INPUT when the matrix counts no document; FT_ERR_INTERNAL (memory)
 */
ft_status scores_from_confusion(struct scores *out, const int64_t *confusion, int n_classes);

/** Macro F1 alone from the margins of a confusion matrix: (K) counts each. No allocation. */
double scores_macro_f1(const int64_t *correct, const int64_t *support, const int64_t *predicted,
                       int n_classes);

/** Releases what the scores own. */
void scores_clear(struct scores *scores);

/**
 * Prints accuracy and macro F1, the per-class table and the confusion matrix as aligned text.
 *
 * Long names are cut with an ellipsis. Where the matrix with names over its columns would be wider
 * than 100 columns, the columns are headed by class numbers; beyond SCORES_PRINT_CLASSES classes it
 * is left to the JSON output, and a line says so.
 *
 * @param[in] names (K) class names, UTF-8; NULL: class numbers are printed
 * @return FT_OK, FT_ERR_IO, FT_ERR_INTERNAL (memory)
 */
ft_status scores_print(FILE *file, const struct scores *scores, const char *const *names);

#define SCORES_PRINT_CLASSES 30

/**
 * The result of an evaluation as one JSON object: {"loss", "accuracy", "macro_f1", "documents",
 * "labels": [K names], "confusion": [[K] ... K], "per_class": [{"label", "precision", "recall",
 * "f1", "support"} ... K]}.
 *
 * json_dumpf(object, file, 0) writes it as one line; its reals have 17 digits.
 *
 * @param[out] out  gives the object (json_decref)
 * @param[in]  loss mean over documents [nats]
 * @return FT_OK; FT_ERR_INTERNAL: not finite, a name that is not UTF-8, or memory
 */
ft_status scores_to_json(json_t **out, const struct scores *scores, double loss,
                         const char *const *names);

#endif
