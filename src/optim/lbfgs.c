#include "optim/lbfgs.h"

#include <math.h>

#include "math/kernel.h"

/* Values along the line cost no matrix product (see logistic.c), so the search is rather exact. */
static const double decrease = 1e-4, curvature = 0.3, rounding = 1e-7;
enum { EVALUATIONS_MAX = 40 };

FT_KERNEL double lbfgs_dot(const float *a, const float *b, int64_t n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

FT_KERNEL static void add_scaled(float *y, double scale, const float *x, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)((double)y[i] + scale * (double)x[i]);
}

/* Place of the pair that is `age` steps old. */
static int place(const struct lbfgs *l, int age)
{
    return (l->newest - age + LBFGS_MEMORY) % LBFGS_MEMORY;
}

void lbfgs_first_half(struct lbfgs *l, float *q)
{
    for (int age = 0; age < l->used; age++) {
        const int i = place(l, age);
        l->alpha[i] = l->inverse[i] * lbfgs_dot(l->s + i * l->n, q, l->n);
        add_scaled(q, -l->alpha[i], l->y + i * l->n, l->n);
    }
}

void lbfgs_second_half(struct lbfgs *l, float *q)
{
    for (int age = l->used - 1; age >= 0; age--) {
        const int i = place(l, age);
        const double beta = l->inverse[i] * lbfgs_dot(l->y + i * l->n, q, l->n);
        add_scaled(q, l->alpha[i] - beta, l->s + i * l->n, l->n);
    }
}

bool lbfgs_push(struct lbfgs *l, double t, const float *direction, const float *after,
                const float *before)
{
    const int i = (l->newest + 1) % LBFGS_MEMORY;
    float *s = l->s + i * l->n, *y = l->y + i * l->n;
    for (int64_t e = 0; e < l->n; e++) {
        s[e] = (float)(t * (double)direction[e]);
        y[e] = after[e] - before[e];
    }
    const double sy = lbfgs_dot(s, y, l->n);
    if (!(sy > 1e-10 * sqrt(lbfgs_dot(s, s, l->n) * lbfgs_dot(y, y, l->n))))
        return false;
    l->inverse[i] = 1.0 / sy;
    l->newest = i;
    l->used += l->used < LBFGS_MEMORY;
    return true;
}

void lbfgs_forget(struct lbfgs *l)
{
    l->used = 0;
}

void line_search_start(struct line_search *s, double f0, double slope0, double t)
{
    *s = (struct line_search){.f0 = f0, .slope0 = slope0, .t = t, .slope_low = slope0};
}

/* Where the line through both derivatives is zero, kept off the bracket's ends. */
static double between(const struct line_search *s)
{
    const double width = s->high - s->low;
    const double share = s->slope_low / (s->slope_low - s->slope_high);
    return s->low + width * (share > 0.1 ? share < 0.9 ? share : 0.9 : 0.1);
}

/* The same beyond the farthest point so far. */
static double beyond(const struct line_search *s, double from, double slope_from)
{
    const double share = slope_from / (slope_from - s->slope_low);
    const double t = s->low + (s->low - from) * (share > 1.0 ? share - 1.0 : 0.0);
    return slope_from < s->slope_low && t < 10 * s->low ? fmax(t, 1.5 * s->low) : 10 * s->low;
}

enum search_result line_search_next(struct line_search *s, double f, double slope)
{
    const double slack = rounding * fabs(s->f0);
    const bool falls = f <= s->f0 + decrease * s->t * s->slope0 + slack; /* false for NaN */
    if (falls && fabs(slope) <= -curvature * s->slope0)
        return SEARCH_DONE;
    if (++s->evaluations == EVALUATIONS_MAX) {
        s->t = s->low;
        return s->low > 0 ? SEARCH_DONE : SEARCH_FAILED;
    }
    if (falls && slope < 0) {
        const double from = s->low, slope_from = s->slope_low;
        s->low = s->t;
        s->slope_low = slope;
        s->t = s->high > 0 ? between(s) : beyond(s, from, slope_from);
    } else {
        s->high = s->t;
        s->slope_high = slope > 0 ? slope : -s->slope_low;
        s->t = between(s);
    }
    return SEARCH_AGAIN;
}
