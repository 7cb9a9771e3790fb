#include "base/deadline.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "base/timer.h"

static const char *const variable = "SLURM_JOB_END_TIME";

enum { TEN_YEARS_S = 10 * 366 * 24 * 3600 };

static double end = INFINITY; /* by timer_now */
static double needed = DEADLINE_LEAST_S;
static atomic_bool is_near; /* asked by threads that tokenise, too */

/* *left: seconds from now to the time that text says. What is wrong with it, or NULL. */
static const char *read_end(double *left, const char *text)
{
    char *rest;
    errno = 0;
    const long long at = strtoll(text, &rest, 10);
    *left = (double)at - (double)time(NULL);
    if (rest == text || *rest)
        return "no number of seconds";
    if (*left <= 0)
        return "in the past";
    return errno != 0 || *left > TEN_YEARS_S ? "too far in the future" : NULL;
}

void deadline_watch(void)
{
    double left;
    const char *text = getenv(variable);
    if (!text || !*text)
        return;
    const char *wrong = read_end(&left, text);
    if (wrong) {
        log_warn("%s is \"%.64s\", which is %s: the end of the job's time is not known", variable,
                 text, wrong);
        return;
    }
    end = timer_now() + left;
    log_info("%lld min %02lld s of the job's time are left: work is saved before its end",
             (long long)left / 60, (long long)left % 60);
}

void deadline_need(double seconds)
{
    needed = DEADLINE_LEAST_S + seconds;
}

bool deadline_is_near(void)
{
    if (!atomic_load(&is_near) && timer_now() >= end - needed)
        atomic_store(&is_near, true);
    return atomic_load(&is_near);
}
