#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

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
