/** Sets of processor cores: where processes may run, and moving this process to more of them. */
#ifndef FT_BASE_CORES_H
#define FT_BASE_CORES_H

#include <sched.h>
#include <stdbool.h>
#include <sys/types.h>

enum {
    CORES_MAX = 8192,     /**< highest core number that is seen, plus 1 */
    CORES_TEXT_BYTES = 96 /**< room of cores_format */
};

/** Plain bits: sets can be combined byte by byte. Zero-initialise for an empty one. */
struct core_set {
    cpu_set_t bits[CORES_MAX / CPU_SETSIZE];
};

/** Cores that a process may run on (0: the calling thread); false, and empty, when not known. */
bool cores_of_process(struct core_set *out, pid_t process);

/**
 * Cores that Open MPI's launcher on this node (mpirun, or its daemon) may run on: it binds the
 * processes it starts, not itself, so these are what the job may use here. The launcher is looked
 * for among the ancestors of this process. Empty under mpirun --cpu-set, which says that the ranks'
 * cores are all. False, and empty, when there is no launcher.
 */
bool cores_of_launcher(struct core_set *out);

int cores_count(const struct core_set *set);

/** Adds the cores of other to set. */
void cores_unite(struct core_set *set, const struct core_set *other);

/** Writes "0-3,8"; what does not fit is replaced by "...". */
void cores_format(char text[CORES_TEXT_BYTES], const struct core_set *set);

/**
 * Lets every thread of this process run on a set of cores, and OpenMP have a thread on each.
 *
 * The kernel leaves out what the job's control group does not hold. Where OMP_PROC_BIND or
 * OMP_PLACES binds threads, OpenMP fixed their places when the process started: they are then left
 * alone, and only as many threads are used as there are places.
 *
 * @param[out] used   the cores in use afterwards
 * @param[in]  n_max  threads at most (>= 1)
 * @return the number of threads that OpenMP uses from now on
 */
int cores_take(struct core_set *used, const struct core_set *set, int n_max);

#endif
