/**
 * The optional groups compare.METHOD of a configuration: what one method of `compare` does
 * otherwise than the rest of the file says. Used by config/ itself; others see settings_for_method.
 *
 *     compare: { last-layers: { training: { lr = 1e-4; }; }; };
 *
 * On the command line: compare.last-layers.training.lr=1e-4
 */
#ifndef FT_CONFIG_METHODS_H
#define FT_CONFIG_METHODS_H

#include <libconfig.h>

#include "config/assign.h"

/** Reads the group compare of a file into s->compare: checked as the keys themselves are. */
ft_status methods_read(struct settings *s, const config_setting_t *group, struct origin *from);

/** An override "compare.METHOD.section.key" and its value. */
ft_status methods_read_override(struct settings *s, const char *name, const char *value,
                                const struct origin *from);

/** Appends the group as it is written in a file; nothing where it is empty. */
ft_status methods_format(const struct settings *s, struct buffer *out);

void methods_clear(struct settings *s);

#endif
