/** The baseline of `compare`: words and pairs of words, without any model. */
#ifndef FT_TRAIN_BAG_OF_WORDS_RUN_H
#define FT_TRAIN_BAG_OF_WORDS_RUN_H

#include "train/run_evaluate.h"

/**
 * Fits TF-IDF and logistic regression on data.train, chooses L2 as mode transfer does, and hands
 * the result on data.test to `use`. Collective over world: rank 0 works, the others sleep.
 */
ft_status bag_of_words_run(struct comm *world, const struct settings *settings,
                           evaluation_user *use, void *context);

#endif
