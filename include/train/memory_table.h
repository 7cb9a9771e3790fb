/** Memory that full fine-tuning of a model takes at many numbers of ranks: for the inspect verb. */
#ifndef FT_TRAIN_MEMORY_TABLE_H
#define FT_TRAIN_MEMORY_TABLE_H

#include <stdio.h>

#include "base/err.h"
#include "model/config.h"

/**
 * Prints the memory of one rank at 1, 2, 4, ... 64 ranks with zero = 1 in fp32, by the plan of
 * train/plan.h: with the default micro-batch and length, and with one sequence of all positions of
 * the model. A model without a head is one for classification with two labels if it is an encoder.
 * Not collective.
 */
ft_status memory_table_print(const struct model_config *config, FILE *to);

#endif
