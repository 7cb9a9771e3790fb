/**
 * Scores of a classifier: confusion matrix, accuracy, macro F1, precision and recall of each class.
 *
 * Local; nothing here is collective. K = number of the model's classes. Memory grows with K; only
 * up to SCORES_MATRIX_CLASSES there is a confusion matrix too.
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

#define SCORES_MATRIX_CLASSES 1000 /**< a million cells, 50 MB as JSON objects */

struct class_score {
    double precision, recall, f1;
    int64_t support;   /**< documents whose label is this class */
    int64_t predicted; /**< documents predicted to be this class */
    int64_t correct;   /**< documents of this class that were recognised */
};

struct scores {
    int n_classes; /**< K */
    int64_t documents, correct;
    double accuracy; /**< correct / documents */
    double macro_f1;
    int64_t *confusion;          /**< (K, K), or NULL where K > SCORES_MATRIX_CLASSES; owned */
    struct class_score *classes; /**< (K); owned */
};

/**
 * All scores of classified documents.
 *
 * @param[out] out       released by scores_clear, also after a failure
 * @param[in]  labels, predictions (n) class numbers, 0 ... K-1 (asserted)
 * @return FT_OK; FT_ERR_INPUT when there is no document; FT_ERR_INTERNAL (memory)
 */
ft_status scores_of(struct scores *out, const int32_t *labels, const int32_t *predictions,
                    int64_t n, int n_classes);

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
 * is left to the JSON output, and a line says so. Beyond SCORES_MATRIX_CLASSES classes so is the
 * per-class table.
 *
 * @param[in] names (K) class names, UTF-8; NULL: class numbers are printed
 * @return FT_OK, FT_ERR_IO, FT_ERR_INTERNAL (memory)
 */
ft_status scores_print(FILE *file, const struct scores *scores, const char *const *names);

#define SCORES_PRINT_CLASSES 30

/**
 * The result of an evaluation as one JSON object: {"loss", "accuracy", "macro_f1", "documents",
 * "labels": [K names], "confusion": [[K] ... K], "per_class": [{"label", "precision", "recall",
 * "f1", "support"} ... K]}; without "confusion" where K > SCORES_MATRIX_CLASSES.
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
