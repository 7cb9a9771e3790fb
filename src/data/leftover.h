/** Names of what is being written, by which what a dead writer left is known. */
#ifndef FT_DATA_LEFTOVER_H
#define FT_DATA_LEFTOVER_H

#include <stdbool.h>
#include <time.h>

enum { LEFTOVER_BYTES = 96 };

/** "tmp.HOST.PID" of this process, to stand behind a name and a dot. */
void leftover_suffix(char suffix[LEFTOVER_BYTES]);

/**
 * Whether nobody writes "NAME.tmp.HOST.PID" any more: a process of this host that is no more, or
 * nothing was changed there for a day.
 */
bool leftover_is_dead(const char *name, time_t changed);

#endif
