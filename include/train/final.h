/** The model that a run leaves: final/, a Hugging Face folder with tokenizer. */
#ifndef FT_TRAIN_FINAL_H
#define FT_TRAIN_FINAL_H

#include "train/trainer.h"

/** Whether output.dir/final is there. Not collective. */
bool final_exists(const char *output_dir);

/**
 * Writes final/ through a temporary folder and a rename; replaces an older one. Collective: rank 0
 * works. Parameters come from checkpoint best where there is one, else from the session's model.
 */
ft_status final_write(struct trainer *t);

#endif
