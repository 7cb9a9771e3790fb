/*
 * The watchdog's thread comes and goes without a trace, and signals stay the main thread's. With an
 * argument the program hangs instead, and must be ended: "apart": rank 0 waits for the others in
 * another call than they do; "stuck": the last rank does nothing. watchdog.sh looks at its end.
 */
#include "comm/watchdog.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/pulse.h"
#include "base/timer.h"
#include "support/check.h"

static int count_entries(const char *path)
{
    DIR *folder = opendir(path);
    int n = 0;
    while (folder && readdir(folder))
        n++;
    if (folder)
        (void)closedir(folder);
    return n;
}

static void rest(double seconds)
{
    const double until = timer_now() + seconds;
    const struct timespec pause = {.tv_nsec = 1000 * 1000};
    while (timer_now() < until)
        (void)nanosleep(&pause, NULL);
}

/* MPI's own threads and sockets come when they are first needed: counted after a first exchange. */
static void test_traces(struct comm *comm)
{
    comm_barrier(comm);
    const size_t live = (size_t)mem_live_bytes();
    const int n_threads = count_entries("/proc/self/task"), n_fds = count_entries("/proc/self/fd");
    for (int round = 0; round < 3; round++) {
        CHECK_STATUS(watchdog_start(comm, 1), FT_OK);
        CHECK(count_entries("/proc/self/task") == n_threads + 1);
        watchdog_stop(comm);
        watchdog_stop(comm); /* nothing */
        CHECK(count_entries("/proc/self/task") == n_threads);
        CHECK(count_entries("/proc/self/fd") == n_fds);
        CHECK((size_t)mem_live_bytes() == live);
    }
    CHECK_STATUS(watchdog_start(comm, 0), FT_OK);
    CHECK(count_entries("/proc/self/task") == n_threads);
    watchdog_stop(comm);
}

/* Three times the limit at work, with rank 0 slower than the others, who wait for it. */
static void test_slow(struct comm *comm)
{
    CHECK_STATUS(watchdog_start(comm, 1), FT_OK);
    pulse_phase("slow");
    for (int i = 0; i < 10 && comm_rank(comm) == 0; i++) {
        rest(0.3);
        pulse_mark();
    }
    comm_barrier(comm);
    watchdog_stop(comm);
}

/* Threads of this process that leave SIGTERM, SIGINT and SIGUSR1 to others. */
static int count_deaf_threads(void)
{
    const unsigned long long wanted =
        1ULL << (SIGTERM - 1) | 1ULL << (SIGINT - 1) | 1ULL << (SIGUSR1 - 1);
    DIR *folder = opendir("/proc/self/task");
    int n = 0;
    for (struct dirent *entry; folder && (entry = readdir(folder)) != NULL;) {
        char path[512], line[256];
        unsigned long long blocked;
        (void)snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        FILE *file = fopen(path, "re");
        while (file && fgets(line, sizeof line, file))
            if (sscanf(line, "SigBlk: %llx", &blocked) == 1)
                n += (blocked & wanted) == wanted;
        if (file)
            (void)fclose(file);
    }
    if (folder)
        (void)closedir(folder);
    return n;
}

static void test_signals(struct comm *comm)
{
    const int n = count_deaf_threads();
    CHECK_STATUS(watchdog_start(comm, 600), FT_OK);
    CHECK(count_deaf_threads() == n + 1);
    watchdog_stop(comm);
    CHECK(count_deaf_threads() == n);
}

static void hang(struct comm *comm, const char *how)
{
    const int rank = comm_rank(comm);
    CHECK_STATUS(watchdog_start(comm, 1), FT_OK);
    pulse_phase(rank == 0 ? "one" : "another");
    if (strcmp(how, "stuck") == 0 && rank == comm_size(comm) - 1)
        rest(60);
    if (rank == 0)
        comm_barrier(comm);
    (void)comm_agree(comm, FT_OK);
    watchdog_stop(comm);
}

int main(int argc, char **argv)
{
    struct comm *comm = NULL;
    CHECK_STATUS(comm_open(&comm, &argc, &argv), FT_OK);
    if (argc > 1) {
        hang(comm, argv[1]);
    } else {
        test_traces(comm);
        test_signals(comm);
        test_slow(comm);
    }
    comm_close(&comm);
    return check_end();
}
