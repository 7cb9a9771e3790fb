/** labels.json of a run: the names of its labels in order, for verbs that come after training. */
#ifndef FT_TRAIN_LABELS_FILE_H
#define FT_TRAIN_LABELS_FILE_H

#include "data/label_names.h"

/** Writes output_dir/labels.json. Not collective. */
ft_status labels_file_write(const struct label_names *labels, const char *output_dir);

/**
 * Reads output_dir/labels.json. Not collective.
 *
 * @param[out] labels gives the names (label_names_clear)
 * @return FT_OK; FT_ERR_INPUT where there is none (no classification run was started there) or it
 *         is not what labels_file_write wrote
 */
ft_status labels_file_read(struct label_names *labels, const char *output_dir);

#endif
