/** A look at the raw text of a configuration file for what libconfig would misread in silence. */
#ifndef FT_CONFIG_SCAN_H
#define FT_CONFIG_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/**
 * Refuses what libconfig 1.5 accepts and reads as something else: integers beyond 32 bits without
 * L, numbers that overflow or underflow a double, leading zeros, digits run into a word, a lone
 * dot, NUL bytes and \x00 escapes, adjacent strings (they are joined: mostly a forgotten comma),
 * and @include.
 *
 * @param[in] name what messages call the text
 * @return FT_OK; FT_ERR_USAGE with name, line, and what to write instead
 */
ft_status scan_text(const char *text, size_t bytes, const char *name);

/** Strict decimal integer of length bytes: optional sign, no leading zero, nothing behind it. */
bool scan_integer(int64_t *value, const char *text, size_t length);

/** Strict finite number of length bytes: as scan_integer, or with a fraction or an exponent. */
bool scan_number(double *value, const char *text, size_t length);

#endif
