/*
 * finetune-malloc: one command of the program again and again, the k-th allocation of one rank
 * failing, for k = FROM, FROM + STRIDE ... until it no longer meets one (or TO is passed).
 *
 *     mpirun -np N finetune-malloc RANK own|fragile once|always FROM TO STRIDE [VERB] ARGUMENT...
 *
 * Each turn starts from a copy of the folder "before" (what an earlier run left) as the folder
 * "now", which the command works in. Afterwards: a documented code, the same on all ranks; a
 * message; no live bytes; no checkpoint set aside; and, if need be after the same command
 * undisturbed, the file RESULT (environment; may be unset) has the bits of an undisturbed turn.
 *
 * The file "at" has the number of the turn. Prints a line for each turn that broke this ("lost: k
 * ..."), at the end what was tried. A process that dies or hangs says "died: k ..." with its stack,
 * if it still can; the caller goes on at k + STRIDE.
 */
#include <execinfo.h>
#include <fcntl.h>
#include <hdf5.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/usage.h"
#include "comm/comm.h"
#include "comm/watchdog.h"
#include "support/malloc_faults.h"

enum { TURN_S = 60, DIED = 99, CODES = 128, FRAMES = 64 };

static struct {
    struct comm *comm;
    int rank, argc;
    char **argv;
    int64_t k, live; /* bytes before this turn: the comm itself */
    int64_t tried, lost, codes[CODES];
    bool in_fragile, always;
    struct hash_value right; /* of the result of an undisturbed turn */
} loop;

static void die(int sig)
{
    void *frames[FRAMES];
    char line[160];
    (void)malloc_faults_disarm();
    const int n =
        snprintf(line, sizeof line, "died: k %lld, %s of an allocation by %s\n", (long long)loop.k,
                 sig == SIGALRM ? "hang" : strsignal(sig), malloc_faults_victim());
    (void)!write(STDERR_FILENO, line, (size_t)n);
    backtrace_symbols_fd(frames, backtrace(frames, FRAMES), STDERR_FILENO);
    _exit(DIED);
}

/* On a stack of its own: HDF5 may end in a recursion that uses up the other. */
static void watch_deaths(void)
{
    static const int deadly[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGALRM};
    static char own_stack[1 << 17];
    const stack_t stack = {.ss_sp = own_stack, .ss_size = sizeof own_stack};
    struct sigaction action = {.sa_handler = die, .sa_flags = SA_ONSTACK};
    (void)sigaltstack(&stack, NULL);
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++)
        (void)sigaction(deadly[i], &action, NULL);
}

/* Rank 0 alone. The file "at" tells of a turn that ends the process without a word. */
static void fresh_folder(void)
{
    char text[32];
    const int n = snprintf(text, sizeof text, "%lld\n", (long long)loop.k);
    if (file_write_synced("at", text, (size_t)n) != FT_OK)
        _exit(DIED);
    if (file_remove_folder("now") != FT_OK || system("cp -r before now") != 0)
        _exit(DIED);
}

/* Hash of the file that the command gives; 0 where it gives none. */
static struct hash_value result(void)
{
    char *data = NULL;
    size_t bytes = 0;
    struct hash_value hash = {0};
    const char *path = getenv("RESULT");
    if (path && file_read_all(&data, &bytes, path, UINT64_MAX) == FT_OK)
        hash = hash_bytes(data, bytes);
    mem_free(data);
    return hash;
}

static bool is_right(void)
{
    const struct hash_value got = result();
    return got.low == loop.right.low && got.high == loop.right.high;
}

/* As main() does. What HDF5 keeps between its calls goes too. */
static ft_status turn(int64_t nth)
{
    char *argv[64];
    memcpy(argv, loop.argv, (size_t)loop.argc * sizeof *argv);
    (void)alarm(TURN_S);
    if (comm_rank(loop.comm) == loop.rank)
        malloc_faults_arm(nth, loop.always, loop.in_fragile);
    const struct verb *verb = usage_find_verb(argv[0]);
    const int skipped = verb && *verb->name ? 1 : 0;
    ft_status status = comm_agree(loop.comm, verb ? FT_OK : FT_ERR_USAGE);
    if (status == FT_OK)
        status = verb->run(loop.comm, loop.argc - skipped, argv + skipped);
    watchdog_stop(loop.comm);
    (void)H5close();
    (void)alarm(0);
    return status;
}

static void lose(const char *why, ft_status status)
{
    loop.lost++;
    (void)fprintf(stderr, "lost: k %lld: %s (code %d: %s)\n", (long long)loop.k, why, (int)status,
                  ft_error_text());
}

static bool is_documented(ft_status status)
{
    return status == FT_OK || status == FT_ERR_INPUT || status == FT_ERR_INTERNAL ||
           status == FT_ERR_OUTPUT || status == FT_ERR_IO || status == FT_ERR_USAGE;
}

/* What must hold after a turn; on rank 0. */
static void check_turn(ft_status status, int64_t live, int64_t codes_differ)
{
    if (!is_documented(status))
        lose("no documented code", status);
    else if (status != FT_OK && !ft_error_text()[0])
        lose("no message", status);
    else if (live != 0)
        lose("memory is not released", status);
    else if (codes_differ)
        lose("ranks end with different codes", status);
    else if (system("test -z \"$(find now -name '*.corrupt*')\"") != 0)
        lose("a checkpoint is set aside", status);
}

static void say_outcome(ft_status status, const char *victim)
{
    loop.codes[status]++;
    if (status != FT_OK && getenv("VERBOSE"))
        (void)fprintf(stderr, "k %lld (%s): %d %s\n", (long long)loop.k, victim, (int)status,
                      ft_error_text());
}

/* Turn k; false when it met no k-th allocation. */
static bool try_one(void)
{
    struct comm *comm = loop.comm;
    int64_t met = 0;
    char victim[32];
    if (comm_rank(comm) == 0)
        fresh_folder();
    comm_barrier(comm);
    loop.live = mem_live_bytes();
    const ft_status status = turn(loop.k);
    if (comm_rank(comm) == loop.rank)
        met = malloc_faults_disarm() >= loop.k;
    (void)snprintf(victim, sizeof victim, "%s", malloc_faults_victim());
    comm_bcast(comm, &met, sizeof met, loop.rank);
    comm_bcast(comm, victim, sizeof victim, loop.rank);
    if (!met) {
        if (status != FT_OK && comm_rank(comm) == 0)
            lose("a failure before that allocation", status);
        return false;
    }
    double seen[3] = {(double)(mem_live_bytes() - loop.live), (double)status, -(double)status};
    comm_max_f64(comm, seen, 3);
    if (comm_rank(comm) == 0) {
        loop.tried++;
        say_outcome(status, victim);
        check_turn(status, (int64_t)seen[0], seen[1] != -seen[2]);
    }
    comm_barrier(comm);
    if (status != FT_OK && !(getenv("RESULT") && is_right())) { /* an export may be written whole */
        const ft_status again = turn(0);
        (void)malloc_faults_disarm();
        if (comm_rank(comm) == 0 && again != FT_OK)
            lose("the undisturbed run afterwards fails", again);
    }
    if (comm_rank(comm) == 0 && !is_right())
        lose("another result in the end", status);
    return true;
}

static void report(int64_t n_allocations)
{
    if (comm_rank(loop.comm) != 0)
        return;
    (void)fprintf(stderr, "tried %lld of %lld allocations, lost %lld; codes", (long long)loop.tried,
                  (long long)n_allocations, (long long)loop.lost);
    for (int code = 0; code < CODES; code++)
        if (loop.codes[code])
            (void)fprintf(stderr, " %d: %lld", code, (long long)loop.codes[code]);
    (void)fprintf(stderr, "\n");
}

/* The undisturbed command: how many allocations it makes, and what it gives. */
static int64_t count_allocations(void)
{
    if (comm_rank(loop.comm) == 0)
        fresh_folder();
    comm_barrier(loop.comm);
    const ft_status status = turn(0);
    int64_t n = malloc_faults_disarm();
    if (status != FT_OK || mem_live_bytes() != loop.live) {
        (void)fprintf(stderr, "the undisturbed command: code %d, %lld bytes live: %s\n",
                      (int)status, (long long)(mem_live_bytes() - loop.live), ft_error_text());
        _exit(DIED);
    }
    loop.right = result();
    comm_bcast(loop.comm, &n, sizeof n, loop.rank);
    return n;
}

int main(int argc, char **argv)
{
    if (argc < 8 || comm_open(&loop.comm, &argc, &argv) != FT_OK)
        return FT_ERR_USAGE;
    watch_deaths();
    log_set_speaking(getenv("SPEAKING") && comm_rank(loop.comm) == 0);
    loop.live = mem_live_bytes();
    loop.rank = (int)strtol(argv[1], NULL, 10);
    loop.in_fragile = strcmp(argv[2], "fragile") == 0;
    loop.always = strcmp(argv[3], "always") == 0;
    const int64_t to = strtoll(argv[5], NULL, 10), stride = strtoll(argv[6], NULL, 10);
    loop.argc = argc - 7;
    loop.argv = argv + 7;
    const int64_t n = count_allocations();
    for (loop.k = strtoll(argv[4], NULL, 10); loop.k <= to && try_one(); loop.k += stride) {
    }
    report(n);
    const bool failed = loop.lost > 0;
    comm_close(&loop.comm);
    return failed;
}
