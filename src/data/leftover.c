#include "leftover.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/process.h"

enum { STALE_SECONDS = 86400, HOST_BYTES = 65 };

static void host_name(char host[HOST_BYTES])
{
    if (gethostname(host, HOST_BYTES) != 0)
        (void)snprintf(host, HOST_BYTES, "unknown");
    host[HOST_BYTES - 1] = '\0';
}

void leftover_suffix(char suffix[LEFTOVER_BYTES])
{
    char host[HOST_BYTES];
    host_name(host);
    (void)snprintf(suffix, LEFTOVER_BYTES, "tmp.%s.%ld", host, (long)getpid());
}

static bool is_gone(pid_t process)
{
    struct process_info info;
    return (kill(process, 0) != 0 && errno == ESRCH) ||
           (process_read(&info, process) && info.state == 'Z');
}

bool leftover_is_dead(const char *name, time_t changed)
{
    char host[HOST_BYTES];
    const char *marker = strstr(name, ".tmp."), *dot = strrchr(name, '.');
    if (!marker)
        return false;
    host_name(host);
    const size_t n = strlen(host), at = (size_t)(marker - name) + 5;
    const bool is_ours =
        dot > marker + 4 && (size_t)(dot - name) == at + n && strncmp(name + at, host, n) == 0;
    const pid_t process = (pid_t)strtol(dot + 1, NULL, 10);
    if (is_ours && process > 0 && process != getpid() && is_gone(process))
        return true;
    return time(NULL) - changed > STALE_SECONDS;
}
