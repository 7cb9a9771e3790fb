/*
 * One thread a process, so its state is one too. The main thread fills it before the thread starts
 * and takes it back after the thread ended; between, the thread alone touches it, but for `stop`.
 */
#include "comm/watchdog.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/pulse.h"
#include "base/timer.h"
#include "comm/beacon.h"
#include "comm/verdict.h"

static const double BEATS_OF_LIMIT = 16, PERIOD_MIN_S = 0.05, PERIOD_MAX_S = 0.5;
static const double BEATS_A_SECOND = 512; /* of all ranks: what rank 0 answers */
static const double JUMP_S = 1;   /* beyond a period: more of a gap is no time of this process */
static const double TURN_S = 2;   /* between ranks that take rank 0's part */
static const double HELLO_S = 30; /* until it is said that a rank was never heard */
enum { ANSWERS_MISSED = 3, END_ROUNDS = 3 };

/* Rank 0 has reports and addresses of all; another rank knows of rank 0, [0], and itself, [1]. */
static struct {
    int rank, size, limit_s, self;
    int n_reports;
    struct rank_report *reports;  /* (n_reports) */
    struct sockaddr_in *heard_at; /* (n_reports) where the latest message came from */
    struct beacon_card *cards;    /* (size) */
    uint64_t token;
    int fd, wake;
    double period, real, clock, moved;
    uint64_t marks;
    int n_unanswered, turn; /* which of rank 0's addresses is tried */
    bool is_running, said_unheard;
    pthread_t thread;
    atomic_bool stop;
} w = {.fd = -1, .wake = -1};

/* ---- time and what this rank does ---- */

static void tick(void)
{
    const double real = timer_now(), gap = real - w.real, most = w.period + JUMP_S;
    w.real = real;
    w.clock += gap < most ? gap : most;
}

static void observe(void)
{
    const struct pulse pulse = pulse_read();
    struct rank_report *own = &w.reports[w.self];
    if (pulse.marks != w.marks)
        w.moved = w.clock;
    w.marks = pulse.marks;
    own->heard = w.clock;
    own->idle = w.clock - w.moved;
    own->waits = pulse.waits;
    (void)snprintf(own->phase, sizeof own->phase, "%s", pulse.phase);
}

/* ---- messages ---- */

static void send_to(const struct sockaddr_in *to, enum beacon_kind kind)
{
    struct beacon_message message;
    memset(&message, 0, sizeof message);
    message.token = w.token;
    message.kind = kind;
    message.rank = w.rank;
    message.report = w.reports[w.self];
    beacon_send(w.fd, to, &message);
}

/* To rank 0, by the address from which it answered, else by one after the other. */
static void report(void)
{
    const struct beacon_card *own = &w.cards[w.rank], *first = &w.cards[0];
    if (beacon_n_addresses(own, first) == 0)
        return;
    if (++w.n_unanswered > ANSWERS_MISSED) {
        w.n_unanswered = 0;
        w.turn = (w.turn + 1) % beacon_n_addresses(own, first);
    }
    const struct sockaddr_in to = beacon_address(own, first, w.turn);
    send_to(&to, BEACON_REPORT);
}

static void send_end(int rank)
{
    const struct beacon_card *own = &w.cards[w.rank], *card = &w.cards[rank];
    if (w.rank == 0 && w.reports[rank].heard >= 0) {
        send_to(&w.heard_at[rank], BEACON_END);
        return;
    }
    for (int i = 0; i < beacon_n_addresses(own, card); i++) {
        const struct sockaddr_in to = beacon_address(own, card, i);
        send_to(&to, BEACON_END);
    }
}

static void receive(void)
{
    struct beacon_message message;
    struct sockaddr_in from;
    while (w.fd >= 0 && beacon_receive(w.fd, w.token, &message, &from)) {
        const int at = message.rank;
        if (message.kind == BEACON_END)
            _exit(FT_ERR_HANG);
        if (at < 0 || at >= w.n_reports || at == w.self ||
            message.kind != (w.rank == 0 ? BEACON_REPORT : BEACON_ANSWER))
            continue;
        w.reports[at] = message.report;
        w.reports[at].heard = w.clock;
        w.heard_at[at] = from;
        w.n_unanswered = 0;
        if (w.rank == 0)
            send_to(&from, BEACON_ANSWER);
    }
}

/* ---- the end ---- */

static int world_rank(int at)
{
    return w.rank > 0 && at == w.self ? w.rank : at;
}

static const char *host_of(int at)
{
    return w.cards[world_rank(at)].host;
}

static int describe(char *line, size_t room, const struct verdict *v)
{
    char more[40] = "", other[VERDICT_PHASE_BYTES + BEACON_HOST_BYTES + 40] = "";
    const struct rank_report *r = &w.reports[v->rank < 0 ? 0 : v->rank];
    if (v->n_more > 0)
        (void)snprintf(more, sizeof more, " (and %d more)", v->n_more);
    if (v->kind == VERDICT_DEADLOCK && v->other >= 0)
        (void)snprintf(other, sizeof other, ", rank %d on %s in phase %s", v->other,
                       host_of(v->other), w.reports[v->other].phase);
    switch (v->kind) {
    case VERDICT_SILENT:
        return snprintf(line, room,
                        "rank %d on %s%s hangs, in phase %s when it was heard last, %.1f s ago: "
                        "its process is stopped, or cut off",
                        world_rank(v->rank), host_of(v->rank), more,
                        r->phase[0] ? r->phase : "start", v->seconds);
    case VERDICT_STUCK:
        return snprintf(line, room,
                        "rank %d on %s%s hangs in phase %s: its work has not moved for %.1f s",
                        world_rank(v->rank), host_of(v->rank), more, r->phase, v->seconds);
    default:
        return snprintf(line, room,
                        "all ranks have waited for each other for %.1f s: rank 0 on %s in phase "
                        "%s%s",
                        v->seconds, host_of(0), w.reports[0].phase, other);
    }
}

/* One write, so that the line stays one. Three rounds, because a datagram may get lost. */
_Noreturn static void end_job(const struct verdict *v)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    char text[512], line[768];
    (void)describe(text, sizeof text, v);
    const int n = snprintf(line, sizeof line,
                           "finetune: error: %s (distributed.watchdog_s = %d); checkpoints are "
                           "intact, start again to go on\n",
                           text, w.limit_s);
    if (write(STDERR_FILENO, line, (size_t)n) != n)
        (void)fprintf(stderr, "\n");
    for (int round = 0; round < END_ROUNDS && w.size > 1; round++) {
        for (int r = 0; r < w.size && w.fd >= 0; r++)
            if (r != w.rank)
                send_end(r);
        (void)nanosleep(&pause, NULL);
    }
    _exit(FT_ERR_HANG);
}

/* ---- judging ---- */

static void judge_all(void)
{
    const struct verdict v = verdict_of(w.reports, w.n_reports, w.clock, w.limit_s);
    if (v.kind != VERDICT_FINE)
        end_job(&v);
}

/* Of rank 0 by its silence, and of this rank itself where rank 0 does not see it. */
static void judge_two(void)
{
    const struct rank_report *first = &w.reports[0];
    const double limit = w.limit_s + TURN_S * (w.rank - 1);
    const bool sees_first = first->heard >= 0 && w.clock - first->heard < limit / 2;
    const struct verdict v = verdict_of(w.reports, w.n_reports, w.clock, limit);
    if (!sees_first && (v.kind == VERDICT_SILENT || v.kind == VERDICT_STUCK))
        end_job(&v);
}

static void say_unheard(void)
{
    int first = -1, n = 0;
    if (w.said_unheard || w.clock < HELLO_S)
        return;
    w.said_unheard = true;
    for (int r = w.size - 1; r > 0; r--) {
        n += w.reports[r].heard < 0;
        first = w.reports[r].heard < 0 ? r : first;
    }
    if (n > 0)
        log_warn("the watchdog does not hear rank %d on %s (%d of %d ranks): is UDP between them "
                 "blocked? Such a rank looks after itself, but nobody sees when it is stopped",
                 first, w.cards[first].host, n, w.size);
}

static void beat(void)
{
    observe();
    if (w.rank == 0) {
        judge_all();
        say_unheard();
        return;
    }
    report();
    judge_two();
}

static void *watch(void *unused)
{
    double next = 0;
    while (!atomic_load(&w.stop)) {
        struct pollfd fds[2] = {{.fd = w.wake, .events = POLLIN}, {.fd = w.fd, .events = POLLIN}};
        const double left = next - w.clock;
        (void)poll(fds, 2, left > 0 ? (int)(1e3 * left) + 1 : 0);
        tick();
        receive();
        if (w.clock < next)
            continue;
        next = w.clock + w.period;
        beat();
    }
    return unused;
}

/* ---- start and end ---- */

static ft_status prepare(const struct comm *comm, int limit_s)
{
    const int size = comm_size(comm), rank = comm_rank(comm);
    w.rank = rank;
    w.size = size;
    w.limit_s = limit_s;
    w.self = rank > 0;
    w.n_reports = rank > 0 ? 2 : size;
    w.period = limit_s / BEATS_OF_LIMIT;
    w.period = w.period < PERIOD_MIN_S ? PERIOD_MIN_S : w.period;
    w.period = w.period > PERIOD_MAX_S ? PERIOD_MAX_S : w.period;
    w.period = w.period < size / BEATS_A_SECOND ? size / BEATS_A_SECOND : w.period;
    FT_TRY(FT_ALLOC(w.cards, size));
    FT_TRY(FT_ALLOC(w.reports, w.n_reports));
    FT_TRY(FT_ALLOC(w.heard_at, w.n_reports));
    for (int i = 0; i < w.n_reports; i++)
        w.reports[i].heard = -1;
    w.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w.wake < 0)
        return ft_fail(FT_ERR_INTERNAL, "the watchdog gets no event descriptor: %s",
                       strerror(errno));
    return FT_OK;
}

static void release(void)
{
    if (w.fd >= 0)
        (void)close(w.fd);
    if (w.wake >= 0)
        (void)close(w.wake);
    w.fd = w.wake = -1;
    FT_FREE(w.heard_at);
    FT_FREE(w.reports);
    FT_FREE(w.cards);
}

/* Where every rank is reached, and the number that their messages carry. Collective. */
static void exchange(struct comm *comm)
{
    struct beacon_card own = {0};
    (void)snprintf(own.host, sizeof own.host, "%s", comm_host(comm));
    const bool is_deaf = w.size > 1 && beacon_open(&w.fd, &own) != FT_OK;
    const ft_status status = comm_agree(comm, is_deaf ? FT_ERR_IO : FT_OK);
    if (status != FT_OK)
        log_warn("watchdog: %s: such a rank looks after itself, but nobody sees when it is stopped",
                 ft_error_text());
    if (w.rank == 0 && getrandom(&w.token, sizeof w.token, 0) != (ssize_t)sizeof w.token)
        w.token = (uint64_t)getpid() ^ (uint64_t)(1e9 * timer_now());
    comm_bcast(comm, &w.token, sizeof w.token, 0);
    comm_allgather(comm, w.cards, &own, sizeof own);
}

/* Signals are the main thread's. */
static ft_status start_thread(void)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(&w.thread, NULL, watch, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed ? ft_fail(FT_ERR_INTERNAL, "the watchdog gets no thread: %s", strerror(failed))
                  : FT_OK;
}

static void stop_thread(void)
{
    const uint64_t one = 1;
    atomic_store(&w.stop, true);
    if (write(w.wake, &one, sizeof one) == (ssize_t)sizeof one || errno == EAGAIN)
        (void)pthread_join(w.thread, NULL);
}

ft_status watchdog_start(struct comm *comm, int limit_s)
{
    if (limit_s == 0 || w.is_running)
        return FT_OK;
    ft_status status = comm_agree(comm, prepare(comm, limit_s));
    if (status == FT_OK) {
        exchange(comm);
        w.real = timer_now();
        w.clock = w.moved = 0;
        w.said_unheard = false;
        atomic_store(&w.stop, false);
        const ft_status local = start_thread();
        status = comm_agree(comm, local);
        if (status != FT_OK && local == FT_OK)
            stop_thread();
    }
    w.is_running = status == FT_OK;
    if (status != FT_OK)
        release();
    return status;
}

void watchdog_stop(struct comm *comm)
{
    if (!w.is_running)
        return;
    comm_barrier(comm);
    stop_thread();
    w.is_running = false;
    release();
}
