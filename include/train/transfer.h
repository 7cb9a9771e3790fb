/**
 * Mode transfer: a new head on frozen features, fitted by rank 0 alone; and that head as the start
 * of mode transfer-then-finetune.
 */
#ifndef FT_TRAIN_TRANSFER_H
#define FT_TRAIN_TRANSFER_H

#include "model/head_file.h"
#include "train/evaluate.h"

/**
 * One run of mode transfer, from the settings to output.dir/head.h5; a finished one says so.
 * Collective over world: rank 0 works, the others sleep (train/alone.h). The caller holds
 * output.dir's lock.
 *
 * @return FT_OK; FT_STOPPED when a signal asked for a stop: features that are done are kept
 */
ft_status transfer_run(struct comm *world, const struct settings *settings);

/** Reads output.dir/head.h5 (transfer_head_clear). FT_ERR_INPUT where there is none. Not
 * collective. */
ft_status transfer_read_head(struct transfer_head *head, const struct settings *settings);

/** The labels of output.dir/head.h5 (label_names_clear). Not collective. */
ft_status transfer_read_labels(struct label_names *labels, const struct settings *settings);

/**
 * Evaluates output.dir/head.h5 on a set, whose features go to the cache as in training. Rank 0
 * alone: s was opened on a world of one rank.
 */
ft_status transfer_evaluate(struct evaluation *e, struct session *s, const struct dataset *set);

/**
 * Mode transfer-then-finetune: fits the head on the frozen model as the session's pooling gives its
 * vectors, and puts it into the session's model, on all ranks. Collective.
 *
 * Source: Kumar et al. 2022, "Fine-Tuning can Distort Pretrained Features" (LP-FT).
 */
ft_status transfer_start_head(struct session *s);

#endif
