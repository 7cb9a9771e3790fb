/**
 * Limited-memory BFGS for convex problems, as parts: the memory of curvature pairs, and a line
 * search that asks for values. The caller owns the loop, so that the products of many problems can
 * be taken at once, and may put a preconditioner between the two halves of the recursion.
 *
 * Local; vectors f32, sums f64; nothing is allocated.
 *
 * Source: Nocedal & Wright 2006, algorithms 7.4 (two loops) and 3.5 (strong Wolfe conditions).
 */
#ifndef FT_OPTIM_LBFGS_H
#define FT_OPTIM_LBFGS_H

#include <stdbool.h>
#include <stdint.h>

enum { LBFGS_MEMORY = 10 };

/** The latest pairs of a problem of n unknowns. Zero but for n, s, y to start. */
struct lbfgs {
    int64_t n;
    float *s, *y;     /**< (LBFGS_MEMORY, n) steps and gradient differences; the caller's */
    int used, newest; /**< pairs held; place of the latest */
    double inverse[LBFGS_MEMORY]; /**< 1 / (s . y) */
    double alpha[LBFGS_MEMORY];   /**< between the halves */
};

/** Sum of a[i] * b[i] in f64. */
double lbfgs_dot(const float *a, const float *b, int64_t n);

/** q (n), a gradient, on its way to the inverse Hessian times it: what comes before H0. */
void lbfgs_first_half(struct lbfgs *memory, float *q);

/** The rest, after the caller has multiplied q by H0. */
void lbfgs_second_half(struct lbfgs *memory, float *q);

/**
 * Remembers the step t * direction, over which the gradient went from `before` to `after`. A pair
 * without positive curvature is left out: then false.
 */
bool lbfgs_push(struct lbfgs *memory, double t, const float *direction, const float *after,
                const float *before);

/** Forgets all pairs. */
void lbfgs_forget(struct lbfgs *memory);

/** A search for t > 0 along a direction of descent of a convex function. */
struct line_search {
    double f0, slope0;                       /**< value and derivative at t = 0 */
    double t;                                /**< where the caller shall evaluate */
    double low, slope_low, high, slope_high; /**< bracket; high 0 while there is none */
    int evaluations;
};

enum search_result { SEARCH_AGAIN, SEARCH_DONE, SEARCH_FAILED };

void line_search_start(struct line_search *search, double f0, double slope0, double t);

/**
 * Takes value and derivative at search->t. SEARCH_DONE: t satisfies the strong Wolfe conditions, up
 * to rounding; SEARCH_AGAIN: t is another place; SEARCH_FAILED: no step makes progress.
 */
enum search_result line_search_next(struct line_search *search, double f, double slope);

#endif
