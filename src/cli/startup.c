/*
 * Rank 0 reads the file and resolves it, and the others parse the resolved text: no second rank
 * touches the file or its own current folder, so the values cannot differ between ranks.
 */
#include "cli/startup.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cores.h"
#include "base/deadline.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "comm/watchdog.h"
#include "math/blas_info.h"
#include "train/precision.h"
#include "train/version.h"

enum { RANKS_LISTED = 16 };

/* Where a rank runs: what every rank tells rank 0. */
struct place {
    char host[64];
    char cores[CORES_TEXT_BYTES]; /* "0-1,4" */
    int n_cores, n_threads, n_online;
};

static ft_status load_first(struct settings **out, struct buffer *text, int argc, char **argv)
{
    FT_TRY(fault_point("config"));
    FT_TRY(settings_load(out, argv[0], argc - 1, argv + 1));
    return settings_format(*out, text);
}

static ft_status load_other(struct settings **out, struct buffer *text)
{
    FT_TRY(fault_point("config-parse"));
    return settings_parse(out, text->data, text->used, "rank 0's configuration", "/", 0, NULL);
}

static ft_status share(struct settings **out, struct comm *comm, struct buffer *text)
{
    int64_t bytes = (int64_t)text->used;
    const bool is_first = comm_rank(comm) == 0;
    comm_bcast(comm, &bytes, sizeof bytes, 0);
    FT_AGREE(comm, buffer_reserve(text, (size_t)bytes - text->used)); /* room on rank 0 already */
    comm_bcast(comm, text->data, bytes, 0);
    text->used = (size_t)bytes;
    text->data[bytes] = '\0';
    return comm_agree(comm, is_first ? FT_OK : load_other(out, text));
}

ft_status startup_load(struct settings **out, struct comm *comm, int argc, char **argv)
{
    struct buffer text = {0};
    ft_status status = FT_OK;
    *out = NULL;
    if (argc < 1)
        return ft_fail(FT_ERR_USAGE, "name the configuration file: RUN.cfg");
    if (comm_rank(comm) == 0)
        deadline_watch();
    if (comm_rank(comm) == 0)
        status = load_first(out, &text, argc, argv);
    status = comm_agree(comm, status);
    if (status == FT_OK)
        status = share(out, comm, &text);
    if (status == FT_OK)
        status = precision_settle(*out, comm);
    if (status == FT_OK)
        status = watchdog_start(comm, (*out)->distributed.watchdog_s);
    if (status != FT_OK)
        settings_destroy(out);
    buffer_clear(&text);
    return status;
}

static ft_status find_place(struct place *place, const struct comm *comm)
{
    struct core_set set;
    FT_TRY(fault_point("startup"));
    (void)snprintf(place->host, sizeof place->host, "%s", comm_host(comm));
    place->n_threads = omp_get_max_threads();
    place->n_online = (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (cores_of_process(&set, 0)) {
        place->n_cores = cores_count(&set);
        cores_format(place->cores, &set);
    } else { /* not known: no complaint */
        place->n_cores = place->n_online;
        (void)snprintf(place->cores, sizeof place->cores, "unknown");
    }
    return FT_OK;
}

static void list_places(const struct place *all, int n)
{
    for (int r = 0; r < n && r < RANKS_LISTED; r++)
        log_info("rank %d: %s, core%s %s, %d thread%s", r, all[r].host,
                 all[r].n_cores == 1 ? "" : "s", all[r].cores, all[r].n_threads,
                 all[r].n_threads == 1 ? "" : "s");
    if (n > RANKS_LISTED)
        log_info("... and %d ranks more", n - RANKS_LISTED);
}

/* The first rank that has more threads than cores, and how many do. */
static void warn_of_ranks(const struct place *all, int n)
{
    int first = -1, count = 0;
    for (int r = 0; r < n; r++) {
        if (all[r].n_threads <= all[r].n_cores)
            continue;
        first = first < 0 ? r : first;
        count++;
    }
    if (count > 0)
        log_warn("rank %d%s has %d threads but may run on %d core%s only; bind ranks to more cores "
                 "(mpirun --map-by slot:PE=%d, or --bind-to none) or lower OMP_NUM_THREADS",
                 first, count > 1 ? " (and others)" : "", all[first].n_threads, all[first].n_cores,
                 all[first].n_cores == 1 ? "" : "s", all[first].n_threads);
}

static bool is_first_of_host(const struct place *all, int rank)
{
    for (int r = 0; r < rank; r++)
        if (strcmp(all[r].host, all[rank].host) == 0)
            return false;
    return true;
}

/* The first host on which the ranks' threads together outnumber the cores. */
static void warn_of_hosts(const struct place *all, int n)
{
    for (int r = 0; r < n; r++) {
        int n_threads = 0;
        if (!is_first_of_host(all, r))
            continue;
        for (int other = r; other < n; other++)
            if (strcmp(all[other].host, all[r].host) == 0)
                n_threads += all[other].n_threads;
        if (n_threads <= all[r].n_online)
            continue;
        log_warn(
            "%s has %d cores for %d threads of all its ranks: start fewer ranks there or lower "
            "OMP_NUM_THREADS",
            all[r].host, all[r].n_online, n_threads);
        return;
    }
}

static void report(const struct place *all, int n, const struct settings *settings)
{
    log_info("%s (%s), %d rank%s x %d thread%s; output %s", FT_PROGRAM, FT_REVISION, n,
             n == 1 ? "" : "s", all[0].n_threads, all[0].n_threads == 1 ? "" : "s",
             settings->output.dir);
    list_places(all, n);
    log_info("BLAS: %s", blas_description());
    if (!blas_is_openmp())
        log_warn("this OpenBLAS is not the OpenMP build, and slower here: install "
                 "libopenblas-openmp-dev and build again");
    warn_of_ranks(all, n);
    warn_of_hosts(all, n);
}

ft_status startup_report(struct comm *comm, const struct settings *settings)
{
    struct place mine = {0}, *all = NULL;
    const int n = comm_size(comm);
    ft_status status = FT_ALLOC(all, n);
    if (status == FT_OK)
        status = find_place(&mine, comm);
    status = comm_agree(comm, status);
    if (status == FT_OK) {
        comm_allgather(comm, all, &mine, sizeof mine);
        if (comm_rank(comm) == 0)
            report(all, n, settings);
    }
    mem_free(all);
    return status;
}
