/** Learning-rate schedules: a pure function of the step. */
#ifndef FT_OPTIM_SCHEDULE_H
#define FT_OPTIM_SCHEDULE_H

#include <stdint.h>

#include "config/settings.h"

struct schedule {
    enum schedule_kind kind;
    double lr, min_lr;
    int64_t warmup_steps, total_steps;
};

/** Steps of warm-up: a fraction below 1 of total_steps, rounded up, or a number of steps from 1. */
int64_t schedule_warmup_steps(double warmup, int64_t total_steps);

/**
 * Learning rate of step s (from 1): lr * s / warmup_steps up to warmup_steps; then constant, linear
 * or cosine to min_lr at total_steps; wsd: constant, then linear to min_lr over the last 20 % of
 * all steps.
 */
double schedule_lr(const struct schedule *schedule, int64_t step);

#endif
