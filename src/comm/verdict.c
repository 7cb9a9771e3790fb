#include "comm/verdict.h"

#include <string.h>

/* Seconds that a rank has hung by its own fault; 0 where it does not. */
static double hung_for(const struct rank_report *r, double now, double limit, bool anyone_moves)
{
    if (r->heard < 0)
        return 0;
    if (now - r->heard > limit)
        return anyone_moves ? 0 : now - r->heard;
    return !r->waits && r->idle > limit ? r->idle : 0;
}

/* Whether a rank that is heard did something lately: half the limit, because whoever meets a
 * stopped rank does so only after its own part. */
static bool some_work_moves(const struct rank_report *reports, int n, double now, double limit)
{
    for (int i = 0; i < n; i++)
        if (reports[i].heard >= 0 && now - reports[i].heard <= limit && reports[i].idle < limit / 2)
            return true;
    return false;
}

static bool all_wait(const struct rank_report *reports, int n, double now, double limit)
{
    for (int i = 0; i < n; i++)
        if (reports[i].heard < 0 || now - reports[i].heard > limit / 2 || !reports[i].waits ||
            reports[i].idle <= limit)
            return false;
    return true;
}

static struct verdict deadlock(const struct rank_report *reports, int n)
{
    struct verdict v = {.kind = VERDICT_DEADLOCK, .other = -1, .seconds = reports[0].idle};
    for (int i = 1; i < n; i++) {
        if (v.other < 0 && strcmp(reports[i].phase, reports[0].phase) != 0)
            v.other = i;
        if (reports[i].idle < v.seconds)
            v.seconds = reports[i].idle;
    }
    return v;
}

struct verdict verdict_of(const struct rank_report *reports, int n, double now, double limit)
{
    struct verdict v = {.kind = VERDICT_FINE, .rank = -1, .other = -1, .n_more = -1};
    const bool anyone_moves = some_work_moves(reports, n, now, limit);
    for (int i = 0; i < n; i++) {
        const double seconds = hung_for(&reports[i], now, limit, anyone_moves);
        if (seconds <= 0)
            continue;
        v.n_more++;
        if (seconds <= v.seconds)
            continue;
        v.kind = now - reports[i].heard > limit ? VERDICT_SILENT : VERDICT_STUCK;
        v.rank = i;
        v.seconds = seconds;
    }
    if (v.kind == VERDICT_FINE && n > 1 && all_wait(reports, n, now, limit))
        return deadlock(reports, n);
    return v;
}
