/*
 * Rank 0 alone: status and message reach every rank, the others use no core, a signal is not lost,
 * and rank 0 has the cores that its launcher has. "test_mpi_alone hang" ends after a minute: rank 0
 * prints its process number for alone.sh, which kills it. "test_mpi_alone cores N" checks that
 * rank 0 has exactly N cores and threads.
 */
#include <omp.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/cores.h"
#include "base/signals.h"
#include "base/timer.h"
#include "comm/comm.h"
#include "support/check.h"
#include "train/alone.h"

static void pause_ms(int ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    (void)nanosleep(&pause, NULL);
}

/* Seconds that this process has computed so far, all threads. */
static double cpu_seconds(void)
{
    char text[1024];
    unsigned long long user = 0, system = 0;
    FILE *file = fopen("/proc/self/stat", "re");
    CHECK(file != NULL);
    const size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    text[n] = '\0';
    if (file)
        (void)fclose(file);
    const char *rest = strrchr(text, ')');
    CHECK(rest && sscanf(rest + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user,
                         &system) == 2);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

struct task {
    ft_status status;
    int calls;
    double seconds;
};

/* Every kind of collective call works in the world of one. */
static void use_solo(struct comm *solo)
{
    double sum = 3;
    int64_t all = 0, mine = 7, count = 0;
    CHECK(comm_rank(solo) == 0 && comm_size(solo) == 1);
    CHECK(comm_node_rank(solo) == 0 && comm_node_size(solo) == 1 && comm_host(solo)[0]);
    CHECK_STATUS(comm_agree(solo, FT_OK), FT_OK);
    CHECK_STATUS(comm_agree(solo, ft_fail(FT_ERR_INPUT, "alone")), FT_ERR_INPUT);
    CHECK(strcmp(ft_error_text(), "alone") == 0);
    comm_barrier(solo);
    comm_bcast(solo, &mine, sizeof mine, 0);
    comm_node_bcast(solo, &mine, sizeof mine);
    comm_sum_f64(solo, &sum, 1);
    comm_allgather(solo, &all, &mine, sizeof mine);
    comm_allgather_varying(solo, &all, &count, &mine, sizeof mine);
    CHECK(sum == 3 && all == 7 && count == 8 && comm_exscan_i64(solo, 5) == 0);
}

static ft_status work(struct comm *solo, void *context)
{
    struct task *task = context;
    task->calls++;
    use_solo(solo);
    for (const double end = timer_now() + task->seconds; timer_now() < end;)
        ;
    return task->status == FT_OK ? FT_OK : ft_fail(task->status, "ended with %d", task->status);
}

static void test_status(struct comm *world)
{
    static const ft_status statuses[] = {FT_OK, FT_ERR_INPUT, FT_STOPPED, FT_ERR_IO, FT_OK};
    char expected[64];
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        struct task task = {.status = statuses[i]};
        CHECK_STATUS(comm_alone(world, work, &task), statuses[i]);
        CHECK(task.calls == (comm_rank(world) == 0 ? 1 : 0));
        (void)snprintf(expected, sizeof expected, "ended with %d", (int)statuses[i]);
        if (statuses[i] != FT_OK)
            CHECK(strcmp(ft_error_text(), expected) == 0);
    }
}

/* Two seconds of work, a signal to a waiting rank after half a second. */
static void test_waiting(struct comm *world)
{
    enum { SECONDS = 2 };
    struct task task = {.seconds = SECONDS};
    signals_watch();
    comm_barrier(world);
    if (comm_rank(world) == 1) {
        const pid_t parent = getpid(), child = fork();
        if (child == 0) {
            pause_ms(500);
            (void)kill(parent, SIGUSR1);
            _exit(0);
        }
    }
    const double start = timer_now(), cpu = cpu_seconds();
    CHECK_STATUS(comm_alone(world, work, &task), FT_OK);
    const double seconds = timer_now() - start, used = cpu_seconds() - cpu;
    CHECK(seconds > SECONDS - 0.1 && signals_stop_requested() == (comm_rank(world) == 1));
    if (comm_rank(world) > 0 && used > 0.02 * seconds) {
        (void)fprintf(stderr, "rank %d used %.3f s of a core in %.1f s of waiting\n",
                      comm_rank(world), used, seconds);
        check_failures++;
    }
}

static ft_status hang(struct comm *solo, void *context)
{
    (void)solo;
    (void)context;
    (void)printf("%ld\n", (long)getpid());
    (void)fflush(stdout);
    pause_ms(60 * 1000);
    return FT_OK;
}

struct found {
    int n_cores, n_threads, n_seen; /* n_seen: cores of every thread of a team */
};

static ft_status look(struct comm *solo, void *context)
{
    struct found *found = context;
    struct core_set set;
    CHECK(comm_size(solo) == 1 && cores_of_process(&set, 0));
    found->n_cores = cores_count(&set);
    found->n_threads = omp_get_max_threads();
    found->n_seen = found->n_cores;
#pragma omp parallel
    {
        struct core_set mine;
        (void)cores_of_process(&mine, 0);
#pragma omp critical
        if (cores_count(&mine) < found->n_seen)
            found->n_seen = cores_count(&mine);
    }
    return FT_OK;
}

/* What this process or its launcher has, by a way of its own; n_expected < 0: not given. */
static void test_cores(struct comm *world, int n_expected)
{
    struct core_set launcher, before, after;
    struct found found = {0};
    const int n_threads = omp_get_max_threads();
    CHECK(cores_of_launcher(&launcher)); /* ctest starts us by mpirun */
    CHECK(cores_of_process(&before, 0));
    CHECK_STATUS(alone_run(world, look, &found), FT_OK);
    const int expected = n_expected > 0 ? n_expected : cores_count(&launcher);
    if (comm_rank(world) == 0) {
        CHECK(found.n_cores == expected && found.n_threads == expected);
        CHECK(found.n_seen == expected);
    }
    /* afterwards every rank is where it was */
    CHECK(cores_of_process(&after, 0) && memcmp(&before, &after, sizeof after) == 0);
    CHECK(omp_get_max_threads() == n_threads);
}

int main(int argc, char **argv)
{
    struct comm *comm = NULL;
    CHECK_STATUS(comm_open(&comm, &argc, &argv), FT_OK);
    if (argc > 1 && strcmp(argv[1], "hang") == 0) {
        CHECK_STATUS(comm_alone(comm, hang, NULL), FT_OK);
    } else if (argc > 2) {
        test_cores(comm, (int)strtol(argv[2], NULL, 10));
    } else {
        unsigned char bits[2] = {(unsigned char)(1 << comm_node_rank(comm)), 0x80};
        comm_node_or(comm, bits, sizeof bits);
        CHECK(bits[0] == (1 << comm_node_size(comm)) - 1 && bits[1] == 0x80);
        test_status(comm);
        test_waiting(comm);
        test_cores(comm, -1);
    }
    comm_close(&comm);
    return check_end();
}
