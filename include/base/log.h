/** Progress and warnings on stderr. Errors are not logged here: cli/ prints the one error line. */
#ifndef FT_BASE_LOG_H
#define FT_BASE_LOG_H

#include <stdbool.h>

/** Only the speaking process writes; others are silent. Default: speaking. */
void log_set_speaking(bool speaking);

/** One line "finetune: ..." on stderr when this process speaks. */
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** One line "finetune: warning: ..." on stderr when this process speaks. */
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/**
 * Whether what this process writes to stdout (1) or stderr (2) ends at a terminal. mpirun hands a
 * rank's output on, stdout through a terminal of its own: then the file of mpirun decides, which is
 * the parent of rank 0 where both are on one node.
 */
bool log_to_terminal(int fd);

#endif
