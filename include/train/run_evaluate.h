/** Evaluation of what a run has learnt, on data.test, else on the validation data. */
#ifndef FT_TRAIN_RUN_EVALUATE_H
#define FT_TRAIN_RUN_EVALUATE_H

#include "train/evaluate.h"

/** Is given the result; everything is borrowed. Local. */
typedef ft_status evaluation_user(void *context, const struct session *session,
                                  const struct dataset *set, const struct evaluation *e);

/**
 * Opens model, data and weights as settings say, evaluates, and hands the result to `use` on every
 * rank (mode transfer: on rank 0, which works alone). Collective; settings must agree.
 *
 * @param[in] base evaluate model.path as it is, whatever output.dir holds
 * @return FT_OK; FT_ERR_USAGE when there is nothing to evaluate on; FT_ERR_INPUT when nothing was
 *         learnt there yet (classification); what `use` returned
 */
ft_status run_evaluate(struct comm *comm, const struct settings *settings, bool base,
                       evaluation_user *use, void *context);

#endif
