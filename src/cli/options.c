#include "cli/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool options_take_value(const char **value, const char *name, int argc, char **argv, int *i)
{
    const size_t n = strlen(name);
    if (strncmp(argv[*i], name, n) != 0 || (argv[*i][n] != '=' && argv[*i][n] != '\0'))
        return false;
    if (argv[*i][n] == '=')
        *value = argv[*i] + n + 1;
    else
        *value = *i + 1 < argc ? argv[++*i] : "";
    return true;
}

ft_status options_int(int64_t *out, const char *name, const char *text, int64_t min, int64_t max)
{
    char *end;
    if (!text)
        return FT_OK;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < min || value > max)
        return ft_fail(FT_ERR_USAGE, "%s is a whole number from %lld to %lld, not \"%.40s\"", name,
                       (long long)min, (long long)max, text);
    *out = value;
    return FT_OK;
}

ft_status options_real(double *out, const char *name, const char *text, double min, double max)
{
    char *end;
    if (!text)
        return FT_OK;
    const double value = strtod(text, &end);
    if (end == text || *end || !(value >= min && value <= max))
        return ft_fail(FT_ERR_USAGE, "%s is a number from %g to %g, not \"%.40s\"", name, min, max,
                       text);
    *out = value;
    return FT_OK;
}
