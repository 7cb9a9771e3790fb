/* finetune: prolog, verb, epilog. The exit code is the agreed status, the same on every rank. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/usage.h"
#include "comm/comm.h"
#include "comm/watchdog.h"

/* Rank by the launcher's word, for what happens without MPI: one answer however many processes. */
static int launcher_rank(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *rank = getenv(names[i]);
        if (rank)
            return (int)strtol(rank, NULL, 10);
    }
    const char *slurm = getenv("SLURM_STEP_ID") ? getenv("SLURM_PROCID") : NULL;
    return slurm ? (int)strtol(slurm, NULL, 10) : 0;
}

/* A stop on request is no error, but nobody shall wonder why the program ended. */
static void print_error(ft_status status)
{
    if (status == FT_STOPPED)
        log_info("%s; start it again to go on", ft_error_text());
    else if (status != FT_OK)
        (void)fprintf(stderr, "finetune: error: %s\n", ft_error_text());
}

static ft_status flush_output(void)
{
    if (fflush(stdout) != 0 || ferror(stdout))
        return ft_fail(FT_ERR_IO, "cannot write to standard output: %s", strerror(errno));
    return FT_OK;
}

/* --help and its kin: no MPI, so that they work wherever the program can be started at all. */
static int answer(int argc, char **argv)
{
    if (launcher_rank() != 0)
        return FT_OK;
    ft_status status = usage_print(stdout, argc, argv);
    if (status == FT_OK)
        status = flush_output();
    print_error(status);
    return (int)status;
}

static ft_status run(struct comm *comm, int argc, char **argv)
{
    if (argc < 2)
        return ft_fail(FT_ERR_USAGE, "nothing to do: name a RUN.cfg or a verb; finetune --help "
                                     "explains them");
    /* rank 0 decides: a file may be visible on its node alone */
    int64_t number = -1;
    ft_status status = FT_OK;
    if (comm_rank(comm) == 0) {
        const struct verb *verb = usage_find_verb(argv[1]);
        number = verb ? verb - cli_verbs : -1;
        status = verb ? FT_OK : FT_ERR_USAGE;
    }
    FT_AGREE(comm, status);
    comm_bcast(comm, &number, sizeof number, 0);
    const struct verb *verb = &cli_verbs[number];
    const int skipped = *verb->name ? 2 : 1;
    return verb->run(comm, argc - skipped, argv + skipped);
}

int main(int argc, char **argv)
{
    struct comm *comm = NULL;
    if (usage_is_wanted(argc, argv))
        return answer(argc, argv);
    /* before comm_open: MPI sets these names itself, to 0, where it sees no launcher */
    const int launched_as = launcher_rank();
    ft_status status = comm_open(&comm, &argc, &argv);
    const bool is_speaking = comm_rank(comm) == 0 && launched_as == 0;
    log_set_speaking(is_speaking);
    if (status == FT_OK)
        status = run(comm, argc, argv);
    if (status == FT_OK)
        status = comm_agree(comm, flush_output());
    if (is_speaking)
        print_error(status);
    watchdog_stop(comm);
    comm_close(&comm);
    return (int)status;
}
