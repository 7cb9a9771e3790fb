/**
 * One plain English sentence that says which method to use, computed from the results of `compare`.
 * Local; not collective.
 *
 * Rule. Methods are ordered by core-seconds. A method beats another when it is more accurate and
 * McNemar's test of the two gives p < 0.05 (no correction for the number of pairs: at most six).
 * - Chosen: the cheapest method that no other method beats. (The most accurate one is never
 *   beaten, so there is always one.)
 * - Alternative below: the same rule among the methods cheaper than the chosen one; what the chosen
 *   one gains on it and costs in core-seconds is said.
 * - Alternative above: the most accurate of the costlier methods, if more accurate at all; that
 *   its gain is within chance is said, and its cost.
 * - Undecided: no method beats another, and there are fewer than ADVICE_DOCUMENTS test documents or
 *   the 95 % interval of the chosen method's accuracy is wider than ADVICE_WIDTH. The cheapest
 *   method is advised until there are more test documents.
 * What the four outcomes mean in the terms of the subject: the bag of words: the pretrained model
 * adds nothing measurable; transfer: the task is similar to what the model knows, fit for few
 * resources and little data; last layers: the middle way; full fine-tuning: the task differs from
 * what the model knows, fit where accuracy is worth its cost.
 * Added where true: a method whose interval of macro F1 lies wholly above the chosen one's; wide
 * intervals; methods that have not run.
 */
#ifndef FT_TRAIN_ADVICE_H
#define FT_TRAIN_ADVICE_H

#include "base/buffer.h"
#include "train/comparison.h"

#define ADVICE_P 0.05
#define ADVICE_DOCUMENTS 100
#define ADVICE_WIDTH 0.10

/**
 * Appends the sentence, terminated by a full stop, without a line end.
 *
 * @param[in] c tested by comparison_test; any subset of the methods may be done
 * @return FT_OK, FT_ERR_INTERNAL (memory)
 */
ft_status advice_put(struct buffer *out, const struct comparison *c);

/** Appends "p = 0.034", or "p < 0.001". */
ft_status advice_put_p(struct buffer *out, double p);

#endif
