#include "cli/verbs.h"

#include "cli/usage.h"

const struct verb cli_verbs[] = {
    {"check", verb_check, "RUN.cfg [section.key=value ...]",
     "check the configuration and print the values in force; no training",
     "The values in force go to stdout as a configuration file.\n"},
    {.name = NULL},
};
