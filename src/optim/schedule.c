#include "optim/schedule.h"

#include <math.h>

int64_t schedule_warmup_steps(double warmup, int64_t total_steps)
{
    return (int64_t)(warmup < 1.0 ? ceil(warmup * (double)total_steps) : warmup);
}

/* How far `step` is from `from` to the end, in 0 ... 1. */
static double progress(int64_t from, int64_t step, int64_t total)
{
    if (step <= from || total <= from)
        return step <= from ? 0.0 : 1.0;
    const double done = (double)(step - from) / (double)(total - from);
    return done < 1.0 ? done : 1.0;
}

double schedule_lr(const struct schedule *s, int64_t step)
{
    const double range = s->lr - s->min_lr;
    if (step <= s->warmup_steps)
        return s->lr * (double)step / (double)s->warmup_steps;
    const double done = progress(s->warmup_steps, step, s->total_steps);
    switch (s->kind) {
    case SCHEDULE_LINEAR:
        return s->lr - range * done;
    case SCHEDULE_COSINE:
        return s->min_lr + range * 0.5 * (1.0 + cos(acos(-1.0) * done));
    case SCHEDULE_WSD: {
        const int64_t decay = (int64_t)ceil(0.2 * (double)s->total_steps);
        const int64_t stable_end = s->total_steps - decay;
        const int64_t from = stable_end > s->warmup_steps ? stable_end : s->warmup_steps;
        return s->lr - range * progress(from, step, s->total_steps);
    }
    case SCHEDULE_CONSTANT:
        break;
    }
    return s->lr;
}
