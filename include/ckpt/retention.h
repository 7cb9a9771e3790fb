/** Names of step folders in a run, and which of them stay. Nothing here is collective. */
#ifndef FT_CKPT_RETENTION_H
#define FT_CKPT_RETENTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/file.h"

/** "output_dir/checkpoints" and "output_dir/checkpoints/step-00000100". */
ft_status retention_folder(char path[FILE_PATH_MAX], const char *output_dir);
ft_status retention_step_folder(char path[FILE_PATH_MAX], const char *output_dir, int64_t step);

/** Step of a folder name "step-00000100"; -1 for any other name. */
int64_t retention_step_of(const char *name);

/**
 * Steps of all step folders, newest first, whatever their state.
 *
 * @param[out] steps     gives (*n) steps (mem_free)
 * @param[out] n_corrupt folders set aside as .corrupt
 */
ft_status retention_list(int64_t **steps, int64_t *n, int64_t *n_corrupt, const char *output_dir);

/** Step that the link output_dir/best points to; -1 when there is none. */
int64_t retention_best(const char *output_dir);

/** Removes what saves and deletions of dead runs left behind: step-*.tmp.* and step-*.del. */
ft_status retention_purge(const char *output_dir);

/**
 * Deletes complete checkpoints older than the newest `keep` complete ones (at least 2), but never
 * the target of `best`. Oldest first. What is not a complete checkpoint is neither counted nor
 * touched.
 */
ft_status retention_apply(const char *output_dir, int keep);

/** Renames a step folder to step-....corrupt (or .corrupt.2, ...) and gives the new name. */
ft_status retention_set_aside(char name[FILE_PATH_MAX], const char *output_dir, int64_t step);

/** Points output_dir/best to the step's folder, atomically and durably. */
ft_status retention_set_best(const char *output_dir, int64_t step);

#endif
