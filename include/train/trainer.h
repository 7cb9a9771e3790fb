/**
 * Fine-tuning of all weights or the last layers, data-parallel: steps, evaluation, checkpoints,
 * resume, and the final model.
 *
 * Everything here is collective over the session's comm.
 */
#ifndef FT_TRAIN_TRAINER_H
#define FT_TRAIN_TRAINER_H

#include <stdio.h>

#include "ckpt/checkpoint.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "train/metrics.h"
#include "train/progress.h"
#include "train/session.h"

struct trainer {
    struct session *session; /**< borrowed, with model and corpora open */
    struct optimizer *optimizer;
    struct schedule schedule;
    struct batch batch;
    int64_t steps_per_epoch, total_steps;
    struct ckpt_meta meta; /**< where the run is: step, position, best, loss history */
    double last_checkpoint_s;
    int64_t last_checkpoint_step;
    double slowest_step_s; /**< of late: a tenth less with each step that is faster */
    double checkpoint_s;   /**< what the last one took; before that, what one may take */
    FILE *metrics;         /**< rank 0 */
    struct progress progress;
};

/** Takes optimizer and batch memory. The session's model holds the base
 * parameters. */
ft_status trainer_open(struct trainer *t, struct session *session);

/** Goes on from the newest valid checkpoint of output.dir, if there is one. */
ft_status trainer_resume(struct trainer *t);

/** Whether there is nothing left to train: the last step is done, or patience is over. Local. */
bool trainer_is_done(const struct trainer *t);

/**
 * Trains to the last step and leaves a checkpoint there.
 *
 * @return FT_OK; FT_STOPPED after a checkpoint on SIGTERM, SIGINT or SIGUSR1, or shortly before
 *         the end of the job's time; or a failure
 */
ft_status trainer_run(struct trainer *t);

/** Writes final/ from the best weights, else the last, and timers.json. */
ft_status trainer_finish(struct trainer *t);

/** Not collective. */
void trainer_close(struct trainer *t);

/** One optimizer step; of one that failed only metrics of a spike are there. */
struct step_outcome {
    struct step_metrics metrics;
    bool stop_requested; /**< on any rank */
    bool checkpoint_due; /**< rank 0's clock says so */
};

/**
 * @param[in] step from 1
 * @return FT_OK; FT_ERR_INTERNAL where loss or gradient are not finite, or the loss jumps, and
 *         training.on_spike ends the run: the same on all ranks, parameters untouched
 */
ft_status trainer_step(struct step_outcome *out, struct trainer *t, int64_t step);

/** Writes a checkpoint of the current state. */
ft_status trainer_checkpoint(struct trainer *t);

#endif
