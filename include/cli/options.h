/** Options of verbs on the command line. */
#ifndef FT_CLI_OPTIONS_H
#define FT_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/** "--name VALUE" or "--name=VALUE" at argv[*i]: gives the value and moves on to it; false where
 * argv[*i] is something else. A missing value is "". */
bool options_take_value(const char **value, const char *name, int argc, char **argv, int *i);

/** A whole number in [min, max]; NULL leaves *out as it is. FT_ERR_USAGE names the option. */
ft_status options_int(int64_t *out, const char *name, const char *text, int64_t min, int64_t max);

/** A number in [min, max]; NULL leaves *out as it is. */
ft_status options_real(double *out, const char *name, const char *text, double min, double max);

#endif
