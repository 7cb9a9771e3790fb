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

#endif
