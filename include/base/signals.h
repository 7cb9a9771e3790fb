/** Signals that ask for a checkpoint: the handler only sets a flag. The end of a job's time
 * (base/deadline.h) asks in the same way. */
#ifndef FT_BASE_SIGNALS_H
#define FT_BASE_SIGNALS_H

#include <stdbool.h>

#include "base/err.h"

/** From now on SIGTERM, SIGINT and SIGUSR1 set the stop flag; a third SIGTERM or SIGINT exits at
 * once. */
void signals_watch(void);

/** Whether a stop was asked for on this process. Local: agree before acting on it. */
bool signals_stop_requested(void);

/** Who asked for it, for a message: "a signal" or "the time limit of the job". */
const char *signals_cause(void);

/** FT_OK, or FT_STOPPED "stopped by ... while DOING" where a stop was asked for. A local call:
 * in collective code it goes through agreement. */
ft_status signals_check(const char *doing);

#endif
