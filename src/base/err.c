#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char text[FT_ERR_TEXT_MAX];

ft_status ft_fail(ft_status code, const char *format, ...)
{
    char fresh[FT_ERR_TEXT_MAX]; /* an argument may be the old text */
    va_list args;
    va_start(args, format);
    (void)vsnprintf(fresh, sizeof fresh, format, args);
    va_end(args);
    memcpy(text, fresh, sizeof text);
    return code;
}

ft_status ft_fail_within(ft_status code, const char *format, ...)
{
    char context[FT_ERR_TEXT_MAX / 2];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(context, sizeof context, format, args);
    va_end(args);
    return ft_fail(code, "%s: %s", context, text);
}

const char *ft_error_text(void)
{
    return text;
}
