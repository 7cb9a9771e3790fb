/** What a run folder holds, for the inspect verb. Not collective. */
#ifndef FT_TRAIN_RUN_DESCRIBE_H
#define FT_TRAIN_RUN_DESCRIBE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"

/** Whether path is the output.dir of a run, which has left its settings there. */
bool run_recognises(const char *path);

/**
 * Prints mode, task, model, labels and checkpoints of a run.
 *
 * @return FT_OK, also where a checkpoint is damaged (the text says so); FT_ERR_INPUT for damaged
 *         settings or labels
 */
ft_status run_describe(const char *path, FILE *to);

#endif
