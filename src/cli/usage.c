#include "cli/usage.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "config/settings.h"
#include "train/version.h"

static bool ends_in(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static const struct verb *find_named(const char *name)
{
    for (const struct verb *verb = cli_verbs; verb->name; verb++)
        if (strcmp(verb->name, name) == 0)
            return verb;
    return NULL;
}

/* the verb that shares most of its letters, in order, with name; NULL where none does */
static const struct verb *nearest(const char *name)
{
    const struct verb *best = NULL;
    int most = 0;
    for (const struct verb *verb = cli_verbs; verb->name; verb++) {
        int shared = 0;
        for (const char *at = name, *letter = verb->name; *letter; letter++) {
            const char *found = strchr(at, *letter);
            shared += found != NULL;
            at = found ? found + 1 : at;
        }
        const int surplus = (int)strlen(verb->name) + (int)strnlen(name, 64) - 2 * shared;
        if (3 * shared - surplus > most) {
            most = 3 * shared - surplus;
            best = verb;
        }
    }
    return best;
}

const struct verb *usage_find_verb(const char *name)
{
    const struct verb *verb = *name ? find_named(name) : NULL;
    if (!verb && (ends_in(name, ".cfg") || file_is_regular(name)))
        verb = find_named("");
    if (verb)
        return verb;
    const struct verb *near = nearest(name);
    (void)ft_fail(FT_ERR_USAGE, "unknown verb %.80s%s%s; finetune --help lists the verbs", name,
                  near ? "; the nearest one is " : "", near ? near->name : "");
    return NULL;
}

static bool is_option(const char *text)
{
    return strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0 ||
           strcmp(text, "--help-config") == 0 || strcmp(text, "--version") == 0;
}

/* "--help VERB" and "VERB --help" are the same; only the first two arguments count */
bool usage_is_wanted(int argc, char **argv)
{
    return (argc > 1 && is_option(argv[1])) || (argc > 2 && is_option(argv[2]));
}

static void print_synopsis(FILE *to, const struct verb *verb)
{
    (void)fprintf(to, "  finetune %s%s%s\n      %s\n", verb->name, *verb->name ? " " : "",
                  verb->arguments, verb->summary);
}

static void print_all(FILE *to)
{
    (void)fprintf(to, "finetune: fine-tunes large language models on CPU clusters\n\n");
    for (const struct verb *verb = cli_verbs; verb->name; verb++)
        print_synopsis(to, verb);
    (void)fprintf(
        to, "  finetune --help [VERB] | --help-config | --version\n\n"
            "Run it as mpirun -np N finetune ..., or alone: one rank. OMP_NUM_THREADS sets the "
            "threads of a rank.\n"
            "RUN.cfg is described by --help-config; section.key=value overrides it.\n"
            "Results go to stdout, progress and messages to stderr.\n"
            "Exit codes: 0 done; 64 bad usage or configuration; 65 bad input file; 70 numeric "
            "or internal\nfailure; 73 output directory busy or not creatable; 74 I/O error, "
            "last checkpoint intact;\n75 checkpointed, please requeue; 76 a rank hung, please "
            "requeue.\n");
}

static ft_status print_verb(FILE *to, const char *name)
{
    const struct verb *verb = usage_find_verb(name);
    if (!verb)
        return FT_ERR_USAGE;
    print_synopsis(to, verb);
    (void)fprintf(to, "\n%s", verb->help);
    return FT_OK;
}

ft_status usage_print(FILE *to, int argc, char **argv)
{
    const bool is_first = is_option(argv[1]);
    const char *option = is_first ? argv[1] : argv[2];
    const char *name = !is_first ? argv[1] : argc > 2 && !is_option(argv[2]) ? argv[2] : NULL;
    if (strcmp(option, "--version") == 0)
        (void)fprintf(to, "%s (%s)\n", FT_PROGRAM, FT_REVISION);
    else if (strcmp(option, "--help-config") == 0)
        FT_TRY(settings_print_help(to));
    else if (name)
        FT_TRY(print_verb(to, name));
    else
        print_all(to);
    return FT_OK;
}
