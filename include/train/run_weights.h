/** The weights that evaluate and export use: those of a run where there is one, else the base
 * model's. */
#ifndef FT_TRAIN_RUN_WEIGHTS_H
#define FT_TRAIN_RUN_WEIGHTS_H

#include <stdbool.h>

#include "base/file.h"
#include "train/session.h"

/** Which weights are asked for. */
enum weights_source {
    WEIGHTS_AUTO,    /**< the best checkpoint, else the newest valid one, else model.path */
    WEIGHTS_BASE,    /**< model.path, whatever output.dir holds */
    WEIGHTS_TRAINED, /**< as AUTO, but final/ in place of model.path */
    WEIGHTS_BEST,    /**< the best checkpoint */
    WEIGHTS_STEP     /**< the checkpoint of one step */
};

struct weights_choice {
    enum weights_source source;
    int64_t step; /**< WEIGHTS_STEP */
};

/** What was loaded. */
struct weights_found {
    char path[FILE_PATH_MAX];
    int64_t step; /**< of a checkpoint; -1: it is none */
};

/**
 * Fills the model's parameters on all ranks. Reads only: no lock is taken, nothing is renamed. Logs
 * one line that says from where. Collective; arguments must agree.
 *
 * @param[out] found may be NULL
 * @return FT_OK; FT_ERR_INPUT when what is asked for is not there: checkpoints exist and none of
 *         them is valid; no checkpoint for a classification, WEIGHTS_TRAINED, BEST or STEP;
 *         FT_ERR_IO
 */
ft_status run_weights_find(struct session *s, const struct weights_choice *choice,
                           struct weights_found *found);

/** run_weights_find with WEIGHTS_BASE, else WEIGHTS_AUTO. */
ft_status run_weights_load(struct session *s, bool base);

#endif
