/** What a run folder or a head holds, for the inspect verb. Not collective. */
#ifndef FT_TRAIN_RUN_DESCRIBE_H
#define FT_TRAIN_RUN_DESCRIBE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"

/** Whether path is the output.dir of a run, which has left its settings there. */
bool run_recognises(const char *path);

/**
 * Prints mode, task, model, labels, and checkpoints or head of a run.
 *
 * @return FT_OK, also where a checkpoint is damaged (the text says so); FT_ERR_INPUT for damaged
 *         settings, labels or head
 */
ft_status run_describe(const char *path, FILE *to);

/** Whether path is the head.h5 of mode transfer, by its name. */
bool head_recognises(const char *path);

/**
 * Prints labels, layers, pooling and origin of a head, and which backbone it belongs to.
 *
 * @return FT_OK; FT_ERR_INPUT where it is no head, or damaged; FT_ERR_IO
 */
ft_status head_describe(const char *path, FILE *to);

#endif
