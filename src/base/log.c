#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_speaking = true;

void log_set_speaking(bool speaking)
{
    is_speaking = speaking;
}

static void write_line(const char *prefix, const char *format, va_list args)
{
    char line[4096]; /* one write a line, so that lines of several processes do not mix */
    if (!is_speaking)
        return;
    (void)vsnprintf(line, sizeof line, format, args);
    (void)fprintf(stderr, "%s%s\n", prefix, line);
}

void log_info(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line("finetune: ", format, args);
    va_end(args);
}

void log_warn(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_line("finetune: warning: ", format, args);
    va_end(args);
}

bool log_to_terminal(int fd)
{
    char path[64], target[64];
    if (!getenv("OMPI_COMM_WORLD_RANK"))
        return isatty(fd) == 1;
    (void)snprintf(path, sizeof path, "/proc/%ld/fd/%d", (long)getppid(), fd);
    const ssize_t n = readlink(path, target, sizeof target - 1);
    if (n <= 0)
        return false;
    target[n] = '\0';
    return strncmp(target, "/dev/pts/", 9) == 0 || strncmp(target, "/dev/tty", 8) == 0;
}
