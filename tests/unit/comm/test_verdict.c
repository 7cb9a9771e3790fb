/* The watchdog's rules on made-up reports: who is named, and above all who is not. */
#include "comm/verdict.h"

#include "support/check.h"

enum { MANY = 512 };
static const double limit = 600, now = 10000;

static struct rank_report heard(double ago, double idle, bool waits, const char *phase)
{
    struct rank_report r = {.heard = now - ago, .idle = idle, .waits = waits};
    (void)snprintf(r.phase, sizeof r.phase, "%s", phase);
    return r;
}

static struct verdict judge(const struct rank_report *reports, int n)
{
    return verdict_of(reports, n, now, limit);
}

static void test_one_rank(void)
{
    struct rank_report r = heard(0, 599.9, false, "data");
    CHECK(judge(&r, 1).kind == VERDICT_FINE);
    r.idle = 600.1;
    const struct verdict v = judge(&r, 1);
    CHECK(v.kind == VERDICT_STUCK && v.rank == 0 && v.n_more == 0);
    CHECK_CLOSE(v.seconds, 600.1, 1e-12);
    r.waits = true; /* in a collective of its own: no deadlock of one */
    CHECK(judge(&r, 1).kind == VERDICT_FINE);
}

static void test_stuck(void)
{
    struct rank_report r[4];
    for (int i = 0; i < 4; i++)
        r[i] = heard(0.5, 700, true, "step");
    r[2] = heard(0.5, 599, false, "step");
    CHECK(judge(r, 4).kind == VERDICT_FINE); /* slow, and waited for longer than the limit */
    r[2].idle = 601;
    CHECK(judge(r, 4).kind == VERDICT_STUCK && judge(r, 4).rank == 2);
    r[1] = heard(0.5, 1, false, "step"); /* that another one works is no excuse */
    CHECK(judge(r, 4).rank == 2);
    r[0] = heard(0.5, 650, false, "checkpoint"); /* a file system that is stuck: the longest */
    CHECK(judge(r, 4).rank == 0 && judge(r, 4).n_more == 1);
}

static void test_silent(void)
{
    struct rank_report r[3] = {heard(0, 600, true, "step"), heard(601, 0, false, "step"),
                               heard(0.5, 600, true, "step")};
    struct verdict v = judge(r, 3);
    CHECK(v.kind == VERDICT_SILENT && v.rank == 1 && v.n_more == 0);
    CHECK_CLOSE(v.seconds, 601, 1e-12);
    r[1].heard = now - 599;
    CHECK(judge(r, 3).kind == VERDICT_FINE);
    r[1] = heard(601, 0, true, "step"); /* stopped while it waited */
    CHECK(judge(r, 3).rank == 1);
    r[0].idle = 0.1; /* the network of datagrams is down, the job goes on */
    CHECK(judge(r, 3).kind == VERDICT_FINE);
    r[0].idle = 600;
    r[1].heard = -1; /* never heard: no silence to be judged by, no deadlock either */
    CHECK(judge(r, 3).kind == VERDICT_FINE);
    r[0] = heard(0, 700, false, "evaluate"); /* hangs itself, seen from its own thread */
    CHECK(judge(r, 3).kind == VERDICT_STUCK && judge(r, 3).rank == 0);
}

/* Rank 0 works alone for hours, as in mode transfer. */
static void test_alone(void)
{
    struct rank_report r[2] = {heard(0, 5, false, "features"), heard(0.5, 9000, true, "start")};
    CHECK(judge(r, 2).kind == VERDICT_FINE);
    r[0].waits = true; /* for a moment, in its world of one */
    CHECK(judge(r, 2).kind == VERDICT_FINE);
    r[1].heard = now - 700; /* stopped: nobody waits for it yet */
    CHECK(judge(r, 2).kind == VERDICT_FINE);
    r[0].idle = 601;
    r[1].heard = now - 0.5;
    r[0].waits = false;
    CHECK(judge(r, 2).kind == VERDICT_STUCK && judge(r, 2).rank == 0);
}

static void test_deadlock(void)
{
    struct rank_report r[3] = {heard(0, 700, true, "step"), heard(0.5, 650, true, "step"),
                               heard(0.5, 800, true, "export")};
    const struct verdict v = judge(r, 3);
    CHECK(v.kind == VERDICT_DEADLOCK && v.other == 2);
    CHECK_CLOSE(v.seconds, 650, 1e-12);
    r[1].idle = 599;
    CHECK(judge(r, 3).kind == VERDICT_FINE);
    r[1] = heard(350, 650, true, "step"); /* not sure that it still waits */
    CHECK(judge(r, 3).kind == VERDICT_FINE);
}

static void test_many(void)
{
    static struct rank_report r[MANY];
    for (int i = 0; i < MANY; i++)
        r[i] = heard(0.5, 610, true, "step");
    r[MANY - 1] = heard(605, 0.1, false, "step");
    CHECK(judge(r, MANY).kind == VERDICT_SILENT && judge(r, MANY).rank == MANY - 1);
    for (int i = MANY / 2; i < MANY; i++) /* nodes that are gone */
        r[i] = heard(605, 0.1, false, "step");
    CHECK(judge(r, MANY).rank == MANY / 2 && judge(r, MANY).n_more == MANY / 2 - 1);
}

int main(void)
{
    test_one_rank();
    test_stuck();
    test_silent();
    test_alone();
    test_deadlock();
    test_many();
    return check_end();
}
