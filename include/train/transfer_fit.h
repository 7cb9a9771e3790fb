/** From frozen features to a fitted head. Local. */
#ifndef FT_TRAIN_TRANSFER_FIT_H
#define FT_TRAIN_TRANSFER_FIT_H

#include "model/head_file.h"
#include "train/head_search.h"
#include "train/session.h"

/**
 * Fits the head that settings ask for on the vectors that a search has chosen: linear by L-BFGS to
 * convergence, or linear and mlp by AdamW.
 *
 * @param[out] head       gives the head, labels and hashes filled in (transfer_head_clear, also
 *                        after a failure)
 * @param[in]  s          with training documents, labels and hashes
 * @param[in]  validation features NULL: none; judges early stopping of adamw
 * @return FT_OK; FT_STOPPED; what reading features gives; FT_ERR_INTERNAL
 */
ft_status transfer_fit(struct transfer_head *head, const struct session *s,
                       const struct search_result *found, const struct labelled_features *train,
                       const struct labelled_features *validation);

#endif
