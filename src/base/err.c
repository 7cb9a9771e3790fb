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

void ft_failure_note(struct ft_failure *failure, int64_t place, ft_status status)
{
    if (status == FT_OK)
        return;
#pragma omp critical(ft_failure)
    if (place < failure->place) {
        failure->status = status;
        (void)snprintf(failure->text, sizeof failure->text, "%s", ft_error_text());
#pragma omp atomic write
        failure->place = place;
    }
}

bool ft_failure_before(const struct ft_failure *failure, int64_t place)
{
    int64_t first;
#pragma omp atomic read
    first = failure->place;
    return first < place;
}

ft_status ft_failure_give(const struct ft_failure *failure)
{
    return failure->status == FT_OK ? FT_OK : ft_fail(failure->status, "%s", failure->text);
}
