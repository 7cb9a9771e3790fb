/** One training run from its settings to what it leaves in output.dir, whatever its mode. */
#ifndef FT_TRAIN_RUN_H
#define FT_TRAIN_RUN_H

#include "comm/comm.h"
#include "config/settings.h"

/**
 * Trains as mode and task say, going on from what output.dir holds; a finished run says so.
 * Collective; settings must agree. Holds output.dir's lock meanwhile.
 *
 * @return FT_OK; FT_STOPPED after a checkpoint on SIGTERM, SIGINT or SIGUSR1; or a failure
 */
ft_status run_train(struct comm *comm, const struct settings *settings);

/** Writes output.dir/resolved.cfg. Not collective. */
ft_status run_write_settings(const struct settings *settings);

#endif
