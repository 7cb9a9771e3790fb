/** Labels of new texts by what a run has learnt: from texts to logits. */
#ifndef FT_TRAIN_PREDICT_H
#define FT_TRAIN_PREDICT_H

#include <stdint.h>

#include "comm/comm.h"
#include "data/label_names.h"

/** The answers to some texts, in the order of the texts. Everything is borrowed. */
struct answers {
    const struct label_names *labels; /**< K of them */
    int n;
    const int32_t *n_tokens; /**< (n) of each text, template included; 0: nothing to classify */
    const float *logits;     /**< (n, K) finite; those of a text without tokens mean nothing */
};

/** Takes answers while more may follow: what they are written to is to be flushed. Local. */
typedef ft_status answers_user(void *context, const struct answers *answers);

/**
 * Classifies texts with the best, else the newest weights of a classification run, mode transfer:
 * with its head. Rank 0 works alone. Texts that come slowly are answered one by one; of plentiful
 * ones many are computed together. What was read before a bad text is answered. Says at the end on
 * stderr how many texts there were, were cut, and had no tokens. Collective; arguments must agree.
 *
 * @param[in] run_dir output.dir of the run, wherever it is now
 * @param[in] path    file of texts; NULL or "-": standard input (data/text_input.h)
 * @return FT_OK; FT_ERR_USAGE: the run's task has no labels, memory; FT_ERR_INPUT: no such run or
 *         file, nothing learnt yet, a bad text (message: file, line, byte); FT_ERR_IO;
 *         FT_ERR_INTERNAL when a logit is not finite; what `use` returned
 */
ft_status predict_texts(struct comm *comm, const char *run_dir, const char *path, answers_user *use,
                        void *context);

#endif
