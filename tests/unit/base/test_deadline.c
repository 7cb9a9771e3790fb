/* base/deadline: when a job's end asks for a stop, and which values are not believed. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/deadline.h"
#include "base/log.h"
#include "base/signals.h"
#include "support/check.h"

static void watch(const char *value)
{
    CHECK(setenv("SLURM_JOB_END_TIME", value, 1) == 0);
    deadline_watch();
}

static void watch_in(long long seconds)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%lld", (long long)time(NULL) + seconds);
    watch(text);
}

static void test_not_believed(void)
{
    static const char *const values[] = {"",         "soon",         "12 o'clock",
                                         "0",        "-1",           "1000000000",
                                         "0x7fffff", "nan",          "99999999999999999999999",
                                         "1e12",     "999999999999", "-99999999999999999999999"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        watch(values[i]);
        CHECK(!deadline_is_near());
    }
    watch_in(20LL * 366 * 24 * 3600);
    CHECK(!deadline_is_near());
}

static void test_near(void)
{
    watch_in(1000);
    CHECK(!deadline_is_near() && !signals_stop_requested());
    deadline_need(900);
    CHECK(!deadline_is_near());
    CHECK_STATUS(signals_check("counting"), FT_OK);
    deadline_need(1000 - DEADLINE_LEAST_S);
    CHECK(deadline_is_near() && signals_stop_requested());
    CHECK_STATUS(signals_check("counting"), FT_STOPPED);
    CHECK(strcmp(ft_error_text(), "stopped by the time limit of the job while counting") == 0);
    deadline_need(0);
    CHECK(deadline_is_near()); /* for good */
}

int main(void)
{
    log_set_speaking(false);
    test_not_believed();
    test_near();
    return check_end();
}
