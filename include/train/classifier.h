/** What a classification run has learnt, ready to give logits: its best weights, or its head on the
 * frozen model. Local: opened on a world of one rank. */
#ifndef FT_TRAIN_CLASSIFIER_H
#define FT_TRAIN_CLASSIFIER_H

#include "model/head_file.h"
#include "train/run_weights.h"
#include "train/session.h"

struct classifier {
    struct session session;    /**< with labels, tokenizer and model */
    struct model_shape shape;  /**< what a batch may hold */
    struct transfer_head head; /**< mode transfer; K = 0 in the other modes */
    float *pooled;             /**< (max_segments, C) */
    float *features;           /**< (max_segments, width of the head) */
    float *scratch;            /**< (max_segments, hidden) of an mlp head */
    float *logits;             /**< (max_segments, K) */
};

/**
 * Opens the run in settings->output.dir: model, tokenizer and labels; checks the memory plan, takes
 * the memory, and reads the weights.
 *
 * @param[out] c    classifier_close, also after a failure
 * @param[in]  solo borrowed, as settings, until classifier_close
 * @return FT_OK; FT_ERR_USAGE: the run's task has no labels, memory; FT_ERR_INPUT: nothing was
 *         learnt there yet, or the model is not the one that the head was made for; FT_ERR_IO
 */
ft_status classifier_open(struct classifier *c, struct comm *solo, const struct settings *settings);

/**
 * As classifier_open with weights of choice, and in f32 whatever model.precision says.
 *
 * @param[in]  choice mode transfer: its one head is all there is, another choice is FT_ERR_USAGE
 * @param[out] found  what was loaded; mode transfer: head.h5
 */
ft_status classifier_open_exact(struct classifier *c, struct comm *solo,
                                const struct settings *settings,
                                const struct weights_choice *choice, struct weights_found *found);

/** (n_segments, K) logits of the documents of a batch. Borrowed until the next call; no allocation.
 */
const float *classifier_logits(struct classifier *c, const struct batch *batch);

void classifier_close(struct classifier *c);

#endif
