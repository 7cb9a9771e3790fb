/* The four schedules at their corners. */
#include "optim/schedule.h"
#include "support/check.h"

static struct schedule make(enum schedule_kind kind, double warmup, int64_t total)
{
    return (struct schedule){.kind = kind,
                             .lr = 1.0,
                             .min_lr = 0.1,
                             .warmup_steps = schedule_warmup_steps(warmup, total),
                             .total_steps = total};
}

int main(void)
{
    CHECK(schedule_warmup_steps(0.03, 100) == 3 && schedule_warmup_steps(0.031, 100) == 4);
    CHECK(schedule_warmup_steps(0.0, 100) == 0 && schedule_warmup_steps(7.0, 100) == 7);
    struct schedule s = make(SCHEDULE_CONSTANT, 4, 20);
    CHECK_CLOSE(schedule_lr(&s, 1), 0.25, 1e-12);
    CHECK_CLOSE(schedule_lr(&s, 4), 1.0, 1e-12);
    CHECK_CLOSE(schedule_lr(&s, 20), 1.0, 1e-12);
    s = make(SCHEDULE_LINEAR, 4, 20);
    CHECK_CLOSE(schedule_lr(&s, 12), 0.55, 1e-12);
    CHECK_CLOSE(schedule_lr(&s, 20), 0.1, 1e-12);
    s = make(SCHEDULE_COSINE, 0, 20);
    CHECK_CLOSE(schedule_lr(&s, 10), 0.55, 1e-12);
    CHECK_CLOSE(schedule_lr(&s, 20), 0.1, 1e-12);
    CHECK_CLOSE(schedule_lr(&s, 30), 0.1, 1e-12);
    s = make(SCHEDULE_WSD, 4, 20);
    CHECK_CLOSE(schedule_lr(&s, 16), 1.0, 1e-12);
    CHECK_CLOSE(schedule_lr(&s, 18), 0.55, 1e-12);
    CHECK_CLOSE(schedule_lr(&s, 20), 0.1, 1e-12);
    return check_end();
}
