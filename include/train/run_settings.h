/** The settings that a run was made with, for verbs that take its folder. */
#ifndef FT_TRAIN_RUN_SETTINGS_H
#define FT_TRAIN_RUN_SETTINGS_H

#include "comm/comm.h"
#include "config/settings.h"

/**
 * Reads RUN_DIR/resolved.cfg. output.dir is run_dir, wherever the run was made. Not collective.
 *
 * @param[out] out gives the settings (settings_destroy); NULL on failure
 * @return FT_OK; FT_ERR_INPUT where there is no run; FT_ERR_USAGE (unusable text); FT_ERR_IO
 */
ft_status run_settings_read(struct settings **out, const char *run_dir);

/** The task of a run, which rank 0 reads. Collective; returns as run_settings_read. */
ft_status run_settings_task(enum run_task *task, struct comm *comm, const char *run_dir);

#endif
