/**
 * The results of `compare`: what each method won on the same test documents and what it cost.
 *
 * Local; nothing here is collective. A method's result is filled by comparison_score and by the
 * caller's measurements; comparison_test then finds the cheapest method and tests all pairs.
 */
#ifndef FT_TRAIN_COMPARISON_H
#define FT_TRAIN_COMPARISON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "train/bootstrap.h"
#include "train/mcnemar.h"

enum compare_method {
    COMPARE_BAG_OF_WORDS,
    COMPARE_TRANSFER,
    COMPARE_LAST_LAYERS,
    COMPARE_FINETUNE,
    N_COMPARE_METHODS
};

struct method_result {
    bool done; /**< the other members mean something only then */

    int64_t documents; /**< of the test set */
    double accuracy, macro_f1;
    struct bootstrap interval;   /**< 95 % of both */
    uint8_t *correct;            /**< (documents) 1 where classified right, else 0; owned */
    char labels_hash[HASH_TEXT]; /**< of the true labels: methods compare only on equal ones */

    char key[HASH_TEXT];  /**< caller's: hash of all that the result depends on (settings, model,
                               data), to tell whether a stored result still holds; "" = none */
    double wall_s;        /**< wall time of the whole method, reading to scoring [s] */
    double core_s;        /**< processor time of all ranks and threads [core-seconds]; including
                               what an earlier run has left in a cache */
    int64_t peak_bytes;   /**< largest resident memory, summed over the ranks */
    int64_t stored_bytes; /**< what must be kept to predict later, shared backbone not counted */
};

struct comparison {
    struct method_result methods[N_COMPARE_METHODS];

    /* by comparison_test */
    int cheapest; /**< method of the fewest core-seconds among those done; -1 = none */
    struct mcnemar pairs[N_COMPARE_METHODS][N_COMPARE_METHODS]; /**< p = 1 where one is not done */
};

/** "bag-of-words", "transfer", "last-layers", "finetune": also the folder in output.dir/compare. */
const char *comparison_method_name(int method);

/** Method of this name, or -1. */
int comparison_method_of(const char *name);

/**
 * Scores, intervals and correctness of a method: sets all members above `key`, and done.
 *
 * @param[in,out] out         its measurements and key are kept
 * @param[in]     labels, predictions (n) class numbers, 0 ... n_classes-1
 * @param[in]     seed        the run's seed, for the bootstrap
 * @return FT_OK; FT_ERR_INPUT when n is 0 or above 2^31 - 1; FT_ERR_INTERNAL (memory)
 */
ft_status comparison_score(struct method_result *out, const int32_t *labels,
                           const int32_t *predictions, int64_t n, int n_classes, uint64_t seed);

/**
 * Finds the cheapest method and tests every pair of methods that are done by McNemar's test.
 *
 * @return FT_OK, also when none is done; FT_ERR_INPUT when two were measured on other test labels
 */
ft_status comparison_test(struct comparison *comparison);

/** Releases a result: the method is not done. */
void method_result_clear(struct method_result *result);

/** Releases the results. */
void comparison_clear(struct comparison *comparison);

#endif
