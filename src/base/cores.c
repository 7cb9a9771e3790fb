#include "base/cores.h"

#include <dirent.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/process.h"

enum { ANCESTORS_MAX = 16 };

static bool is_in(const struct core_set *set, int core)
{
    return CPU_ISSET_S((size_t)core, sizeof *set, set->bits);
}

bool cores_of_process(struct core_set *out, pid_t process)
{
    *out = (struct core_set){0};
    return sched_getaffinity(process, sizeof *out, out->bits) == 0;
}

static bool is_launcher(const char *name)
{
    static const char *const names[] = {"mpirun", "mpiexec", "orterun", "orted", "prte"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncmp(name, names[i], strlen(names[i])) == 0) /* mpirun.openmpi too */
            return true;
    return false;
}

bool cores_of_launcher(struct core_set *out)
{
    struct process_info info;
    pid_t process = getppid();
    *out = (struct core_set){0};
    for (int i = 0; i < ANCESTORS_MAX && process > 1; i++, process = info.parent) {
        if (!process_read(&info, process))
            return false;
        if (is_launcher(
                info.name)) /* --cpu-set names the cores to use, which the ranks then have */
            return getenv("OMPI_MCA_hwloc_base_cpu_set") || cores_of_process(out, process);
    }
    return false;
}

int cores_count(const struct core_set *set)
{
    return CPU_COUNT_S(sizeof *set, set->bits);
}

void cores_unite(struct core_set *set, const struct core_set *other)
{
    CPU_OR_S(sizeof *set, set->bits, set->bits, other->bits);
}

/* cores first ... last behind what text holds already; false where there is no room */
static bool add_range(char *text, size_t room, int first, int last)
{
    const size_t used = strlen(text);
    const char *comma = used ? "," : "";
    const int n = first == last ? snprintf(text + used, room - used, "%s%d", comma, first)
                                : snprintf(text + used, room - used, "%s%d-%d", comma, first, last);
    if (n >= 0 && (size_t)n < room - used)
        return true;
    text[used] = '\0';
    return false;
}

void cores_format(char text[CORES_TEXT_BYTES], const struct core_set *set)
{
    bool fits = true;
    text[0] = '\0';
    for (int first = 0; first < CORES_MAX && fits; first++) {
        if (!is_in(set, first))
            continue;
        int last = first;
        while (last + 1 < CORES_MAX && is_in(set, last + 1))
            last++;
        fits = add_range(text, CORES_TEXT_BYTES - 4, first, last); /* 4: for the dots */
        first = last;
    }
    if (!fits)
        memcpy(text + strlen(text), "...", 4);
}

/* Threads inherit the cores of the one that starts them, so those there already are moved one by
 * one. What cannot be moved stays where it is: the work is the same, only slower. */
static void move_threads(const struct core_set *set)
{
    DIR *folder = opendir("/proc/self/task");
    if (!folder) {
        (void)sched_setaffinity(0, sizeof *set, set->bits);
        return;
    }
    for (const struct dirent *entry; (entry = readdir(folder));) {
        const pid_t thread = (pid_t)strtol(entry->d_name, NULL, 10);
        if (thread > 0)
            (void)sched_setaffinity(thread, sizeof *set, set->bits);
    }
    (void)closedir(folder);
}

/* Cores of all places that OpenMP binds its threads to. */
static void places(struct core_set *out)
{
    int list[256];
    *out = (struct core_set){0};
    for (int place = 0; place < omp_get_num_places(); place++) {
        const int n = omp_get_place_num_procs(place);
        if (n > (int)(sizeof list / sizeof *list))
            continue;
        omp_get_place_proc_ids(place, list);
        for (int i = 0; i < n; i++)
            if (list[i] >= 0 && list[i] < CORES_MAX)
                CPU_SET_S((size_t)list[i], sizeof *out, out->bits);
    }
}

int cores_take(struct core_set *used, const struct core_set *set, int n_max)
{
    if (omp_get_proc_bind() != omp_proc_bind_false) {
        places(used);
    } else {
        move_threads(set);
        (void)cores_of_process(used, 0);
    }
    int n = cores_count(used);
    n = n > n_max ? n_max : n;
    n = n > omp_get_thread_limit() ? omp_get_thread_limit() : n;
    n = n < 1 ? 1 : n;
    omp_set_num_threads(n);
    return n;
}
