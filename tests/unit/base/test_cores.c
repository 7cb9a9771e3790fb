/* Sets of cores: text, union, and that every thread of the process follows cores_take. */
#include "base/cores.h"

#include <dirent.h>
#include <omp.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/check.h"

static struct core_set set_of(const int *cores, int n)
{
    struct core_set set = {0};
    for (int i = 0; i < n; i++)
        CPU_SET_S((size_t)cores[i], sizeof set, set.bits);
    return set;
}

static void test_text(void)
{
    char text[CORES_TEXT_BYTES];
    const int few[] = {0, 1, 2, 7, 8191};
    struct core_set set = set_of(few, 5), other = {0}, many = {0};
    cores_format(text, &set);
    CHECK(strcmp(text, "0-2,7,8191") == 0);
    cores_format(text, &other);
    CHECK(text[0] == '\0' && cores_count(&other) == 0);
    CPU_SET_S(3, sizeof other, other.bits);
    cores_unite(&set, &other);
    cores_format(text, &set);
    CHECK(strcmp(text, "0-3,7,8191") == 0 && cores_count(&set) == 6);
    for (int i = 0; i < 200; i += 2)
        CPU_SET_S((size_t)i, sizeof many, many.bits);
    cores_format(text, &many);
    CHECK(strlen(text) < CORES_TEXT_BYTES && strncmp(text, "0,2,4,", 6) == 0);
    CHECK(strcmp(text + strlen(text) - 4, "...") > 0 && text[strlen(text) - 1] == '.');
}

/* How many threads of this process may run on exactly these cores, and how many there are. */
static int count_threads(const struct core_set *set, int *n_threads)
{
    int n_equal = 0;
    struct core_set found;
    DIR *folder = opendir("/proc/self/task");
    CHECK(folder != NULL);
    *n_threads = 0;
    for (const struct dirent *entry; folder && (entry = readdir(folder));) {
        const pid_t thread = (pid_t)strtol(entry->d_name, NULL, 10);
        if (thread <= 0)
            continue;
        (*n_threads)++;
        n_equal += cores_of_process(&found, thread) && memcmp(&found, set, sizeof found) == 0;
    }
    if (folder)
        (void)closedir(folder);
    return n_equal;
}

/* A process that was bound to one core and has threads there already. */
static void test_take(void)
{
    struct core_set all, one = {0}, used;
    int n_threads = 0, n_team = 0, first = 0;
    CHECK(cores_of_process(&all, 0));
    const int n = cores_count(&all);
    while (!CPU_ISSET_S((size_t)first, sizeof all, all.bits))
        first++;
    CPU_SET_S((size_t)first, sizeof one, one.bits);
    CHECK(sched_setaffinity(0, sizeof one, one.bits) == 0);
#pragma omp parallel num_threads(3)
#pragma omp atomic
    n_team++;
    CHECK(n_team == 3 && count_threads(&one, &n_threads) == n_threads && n_threads >= 3);

    CHECK(cores_take(&used, &all, 1000) == n && omp_get_max_threads() == n);
    CHECK(memcmp(&used, &all, sizeof used) == 0);
    CHECK(count_threads(&all, &n_threads) == n_threads && n_threads >= 3);
    n_team = 0;
#pragma omp parallel num_threads(5) /* two of them are new */
#pragma omp atomic
    n_team++;
    CHECK(n_team == 5 && count_threads(&all, &n_threads) == n_threads && n_threads >= 5);

    CHECK(cores_take(&used, &all, 1) == 1 && omp_get_max_threads() == 1);
    CHECK(cores_count(&used) == n);
    CHECK(cores_take(&used, &one, 1000) == 1); /* never beyond the set */
    CHECK(cores_count(&used) == 1 && count_threads(&one, &n_threads) == n_threads);
}

int main(void)
{
    struct core_set set;
    test_text();
    CHECK(!cores_of_process(&set, 0x7ffffffe) && cores_count(&set) == 0);
    test_take();
    return check_end();
}
