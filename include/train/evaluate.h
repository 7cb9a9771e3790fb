/** Loss of a set, data-parallel; of labelled documents the predicted labels and scores too. */
#ifndef FT_TRAIN_EVALUATE_H
#define FT_TRAIN_EVALUATE_H

#include "train/session.h"

/** The same on all ranks. */
struct evaluation {
    double loss; /**< mean over tokens or documents [nats]; without smoothing and class weights */
    int64_t n;   /**< supervised tokens; in classification documents */
    double accuracy, macro_f1; /**< classification */
    int32_t *predictions;      /**< (n) classification: predicted label of each document, owned */
    int64_t stored_bytes; /**< what must be kept to predict later, a frozen backbone not counted */
};

/**
 * Every window or document once; rank r takes floor(r n / size) ... floor((r+1) n / size) - 1 of n
 * windows, or of n batches of documents in order of their length. Collective.
 *
 * @param[out] out   evaluation_clear, also after a failure
 * @param[in]  batch made by batch_create; as many samples as fit are computed at a time
 * @return FT_OK; FT_ERR_IO / FT_ERR_INPUT of a shard; FT_ERR_INTERNAL when the loss is not finite;
 *         FT_STOPPED within a batch or about a second after a signal to any rank
 */
ft_status evaluate_set(struct evaluation *out, struct comm *comm, struct model *model,
                       const struct dataset *set, struct batch *batch);

/** Fills accuracy and macro_f1 from predictions and the set's labels. Local. */
ft_status evaluation_score(struct evaluation *e, const struct document_set *set, int n_labels);

/** Releases what the evaluation owns. */
void evaluation_clear(struct evaluation *e);

#endif
