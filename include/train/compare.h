/** The verb `compare`: four ways to learn the same labels, side by side on the same documents. */
#ifndef FT_TRAIN_COMPARE_H
#define FT_TRAIN_COMPARE_H

#include "comm/comm.h"
#include "config/settings.h"

/**
 * Runs a bag of words, transfer, last-layers and finetune, each as a run of its own in
 * output.dir/compare/METHOD, and scores all on data.test (else the validation data). What is done
 * already is not done again; what was interrupted goes on. Prints the table on rank 0's stdout and
 * writes output.dir/compare.json after each method. Collective; settings must agree.
 *
 * Each method makes its own cache, so that it pays for all it needs; data.cache is not used.
 *
 * @return FT_OK; FT_ERR_USAGE (task is not classification, or no data to judge on); FT_STOPPED; a
 *         method's failure
 */
ft_status compare_run(struct comm *comm, const struct settings *settings);

#endif
