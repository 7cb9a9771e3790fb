/** The common beginning of every verb that takes RUN.cfg. */
#ifndef FT_CLI_STARTUP_H
#define FT_CLI_STARTUP_H

#include "comm/comm.h"
#include "config/settings.h"

/**
 * Reads RUN.cfg on rank 0, gives every rank the same settings and starts the watchdog that they ask
 * for. Collective. Relative paths in overrides start from rank 0's current folder.
 *
 * @param[out] out  gives the settings (settings_destroy); NULL on failure
 * @param[in]  argv (argc) RUN.cfg, then overrides section.key=value
 * @return FT_OK; FT_ERR_USAGE, the same on all ranks
 */
ft_status startup_load(struct settings **out, struct comm *comm, int argc, char **argv);

/**
 * First lines of a run on stderr: version, ranks x threads, where they run, OpenBLAS; with warnings
 * where threads outnumber cores or OpenBLAS is the wrong build. Collective.
 *
 * @return FT_OK; FT_ERR_INTERNAL when memory is short
 */
ft_status startup_report(struct comm *comm, const struct settings *settings);

#endif
