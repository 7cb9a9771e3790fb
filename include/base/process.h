/** What Linux tells of a process of this machine. */
#ifndef FT_BASE_PROCESS_H
#define FT_BASE_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

struct process_info {
    char name[32]; /**< of its program, cut by Linux; may hold blanks and brackets */
    char state;    /**< 'R', 'S' ...; 'Z': it has ended, and its parent was not told yet */
    pid_t parent;
};

/** Reads /proc/PID/stat; false where there is no such process, or nothing is told of it. */
bool process_read(struct process_info *out, pid_t process);

#endif
