#include "train/alone.h"

#include <limits.h>
#include <omp.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/cores.h"
#include "base/log.h"
#include "math/blas_info.h"

/* Threads that the batch system allows on this node. */
static int thread_bound(void)
{
    const char *text = getenv("SLURM_CPUS_ON_NODE");
    const long n = text ? strtol(text, NULL, 10) : 0;
    return n > 0 && n < INT_MAX ? (int)n : INT_MAX;
}

static void report(int n_threads, const struct core_set *used)
{
    char text[CORES_TEXT_BYTES];
    const int n_cores = cores_count(used);
    cores_format(text, used);
    log_info("rank 0 works alone with %d thread%s on core%s %s", n_threads,
             n_threads == 1 ? "" : "s", n_cores == 1 ? "" : "s", text);
}

/* Rank 0, with the cores of all ranks of its node. */
static void widen(const struct comm *world, struct core_set *cores)
{
    struct core_set launcher, used;
    const bool is_bound = omp_get_proc_bind() != omp_proc_bind_false;
    const bool has_launcher = cores_of_launcher(&launcher);
    if (!has_launcher && comm_size(world) == 1 && !getenv("SLURM_STEP_ID")) {
        report(omp_get_max_threads(), cores);
        return;
    }
    cores_unite(cores, &launcher);
    const int n_threads = cores_take(&used, cores, thread_bound());
    blas_set_threads(n_threads);
    if (is_bound && cores_count(&used) < cores_count(cores))
        log_warn("OMP_PROC_BIND or OMP_PLACES keeps rank 0 on %d of the %d cores that it may use: "
                 "unset them for what one rank does alone",
                 cores_count(&used), cores_count(cores));
    report(n_threads, &used);
}

/* What ranks do together next finds each on its own cores again. */
static void give_back(const struct core_set *own, int n_threads)
{
    struct core_set used;
    (void)cores_take(&used, own, n_threads);
    omp_set_num_threads(n_threads);
    blas_set_threads(n_threads);
}

ft_status alone_run(struct comm *world, ft_status (*work)(struct comm *solo, void *context),
                    void *context)
{
    struct core_set own, cores;
    const int n_threads = omp_get_max_threads();
    (void)cores_of_process(&own, 0);
    cores = own;
    comm_node_or(world, &cores, sizeof cores);
    if (comm_rank(world) == 0)
        widen(world, &cores);
    const ft_status status = comm_alone(world, work, context);
    if (comm_rank(world) == 0)
        give_back(&own, n_threads);
    return status;
}
