/** Help texts. */
#ifndef FT_CLI_USAGE_H
#define FT_CLI_USAGE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"
#include "comm/comm.h"

struct verb {
    const char *name; /**< "" is training, which is asked for by naming RUN.cfg */
    ft_status (*run)(struct comm *comm, int argc, char **argv);
    const char *arguments; /**< behind the name */
    const char *summary;   /**< one line */
    const char *help;      /**< the rest, lines */
};

/** The table of verbs, ended by a name of NULL. */
extern const struct verb cli_verbs[];

/**
 * The verb that the first argument asks for: by name, or training when it ends in .cfg or names a
 * file. NULL with FT_ERR_USAGE's message set, naming the nearest verb.
 */
const struct verb *usage_find_verb(const char *name);

/** Whether the arguments ask for a text instead of work: --help, --help-config, --version. */
bool usage_is_wanted(int argc, char **argv);

/** Prints the text asked for. */
ft_status usage_print(FILE *to, int argc, char **argv);

#endif
