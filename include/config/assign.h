/** One value into one member of struct settings: type, range and words checked against the table.
 */
#ifndef FT_CONFIG_ASSIGN_H
#define FT_CONFIG_ASSIGN_H

#include <libconfig.h>

#include "config/keys.h"

/** Where a value was written: for messages, and for relative paths. */
struct origin {
    const char *name;   /**< file, or "override" */
    int line;           /**< 0 where there is none */
    const char *folder; /**< absolute */
};

/**
 * Sets the key's member from a libconfig setting; an old value is released. Integers are taken for
 * floats, never the other way round.
 *
 * @return FT_OK; FT_ERR_USAGE with origin, key, and what it accepts
 */
ft_status assign_setting(struct settings *s, const struct key *key, const config_setting_t *setting,
                         const struct origin *from);

/**
 * As assign_setting, from the text of an override or a default: numbers are parsed strictly; texts
 * stand as they are or in double quotes; lists as ["a", "b"] or ("a", "b").
 */
ft_status assign_text(struct settings *s, const struct key *key, const char *text,
                      const struct origin *from);

/** Releases what the key's member owns. */
void assign_clear(struct settings *s, const struct key *key);

#endif
