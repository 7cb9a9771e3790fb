/** The weights that evaluate and export use: those of a run where there is one, else the base
 * model's. */
#ifndef FT_TRAIN_RUN_WEIGHTS_H
#define FT_TRAIN_RUN_WEIGHTS_H

#include <stdbool.h>

#include "train/session.h"

/**
 * Fills the model's parameters on all ranks: of output.dir's best checkpoint, else of its newest
 * valid one, else of model.path. Reads only: no lock is taken, nothing is renamed. Collective.
 *
 * Logs one line that says which.
 *
 * @param[in] base use model.path whatever output.dir holds
 * @return FT_OK; FT_ERR_INPUT when checkpoints exist and none of them is valid, and in
 *         classification when there is none; FT_ERR_IO
 */
ft_status run_weights_load(struct session *s, bool base);

#endif
