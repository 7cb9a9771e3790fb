/** One training run from its settings to what it leaves in output.dir, whatever its mode. */
#ifndef FT_TRAIN_RUN_H
#define FT_TRAIN_RUN_H

#include "comm/comm.h"
#include "config/settings.h"

/**
 * Trains as mode and task say, going on from what output.dir holds; a finished run says so.
 * Collective; settings must agree. Holds output.dir's lock meanwhile.
 *
 * @return FT_OK; FT_STOPPED after a checkpoint on SIGTERM, SIGINT or SIGUSR1, or shortly before
 *         the end of the job's time; or a failure
 */
ft_status run_train(struct comm *comm, const struct settings *settings);

/** What an output.dir holds. */
enum run_folder { RUN_FOLDER_TRAINING, RUN_FOLDER_TRANSFER, RUN_FOLDER_COMPARE, N_RUN_FOLDERS };

/** FT_ERR_USAGE where output_dir holds another kind of run than the wanted one: a folder holds one.
 * Not collective. */
ft_status run_check_folder(const char *output_dir, enum run_folder wanted);

/** Writes output.dir/resolved.cfg. Not collective. */
ft_status run_write_settings(const struct settings *settings);

#endif
