/*
 * L-BFGS, all problems in step. Per iteration and problem:
 *
 *     direction p = -H g          two-loop recursion around the preconditioner      d^2 + 20 d
 *     dz = X p                    one product for all problems                      n d
 *     t: strong Wolfe along z + t dz   no product: the logits are linear in t       n per value
 *     z += t dz, r = residuals
 *     g = X^T r                   one product for all problems                      n d
 *
 * So an iteration is two products however long the line search, which may be accurate. Finished
 * problems leave the products: the others close up.
 *
 *     slot          0        1        ...  n_active-1
 *     z, dz         (C, n)   (C, n)        logits, and their change or the residuals
 *     p, grad       (C, d+1) (C, d+1)      operands of the products; bias last in each row
 *     h0            (C)      (C)           what the preconditioner has to know of a row
 *
 * Two classes need one row of logits, the difference v of both: W = (-v/2, v/2), and l2 / 2 |W|^2
 * is l2 / 4 |v|^2. z is kept up to date in f32 and computed anew every REFRESH iterations.
 */
#include "optim/logistic.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/mem.h"
#include "base/pulse.h"
#include "base/signals.h"
#include "logistic_loss.h"
#include "optim/lbfgs.h"
#include "precondition.h"

enum { REFRESH = 50 };

static const double rarest = 1e-4;

struct task {
    int index;    /* of the problem and its result */
    double l2;    /* on the C rows that are kept */
    double total; /* sum of row weights */
    struct loss_rows rows;
    float *w, *g;    /* (C, d + 1) */
    double *partial; /* (loss_partial_count) */
    struct lbfgs memory;
    double scale; /* of H0 */
    double f, t, gradient;
    int iterations;
    bool is_stuck;
};

struct work {
    struct design *design;
    struct logistic_result *results;
    const struct logistic_options *options;
    int K, C, n_active;
    int64_t N, n_logits; /* elements of a problem's coefficients, and of its logits */
    struct task *tasks, **active;
    struct precondition *precondition;
    struct h0_row *h0;
    float *ones, *z, *dz, *p, *grad, *scratch;
    struct arena arena;
};

double logistic_l2(double c, int64_t n, int K)
{
    return (K == 2 ? 2.0 : 1.0) / (c * (double)n);
}

/* Hands out all buffers; the first pass measures. */
static void place_buffers(struct work *w, int n_problems)
{
    struct arena *a = &w->arena;
    const size_t Q = (size_t)n_problems, N = (size_t)w->N, f32 = sizeof(float);
    const int n = w->design->n;
    w->ones = arena_push(a, (size_t)n, f32);
    w->z = arena_push(a, Q * (size_t)w->n_logits, f32);
    w->dz = arena_push(a, Q * (size_t)w->n_logits, f32);
    w->p = arena_push(a, Q * N, f32);
    w->grad = arena_push(a, Q * N, f32);
    w->scratch = arena_push(a, design_scratch_count(w->design, n_problems * w->C), f32);
    for (int q = 0; q < n_problems; q++) {
        struct task *task = &w->tasks[q];
        task->w = arena_push(a, N, f32);
        task->g = arena_push(a, N, f32);
        task->memory.n = w->N;
        task->memory.s = arena_push(a, LBFGS_MEMORY * N, f32);
        task->memory.y = arena_push(a, LBFGS_MEMORY * N, f32);
        task->partial = arena_push(a, (size_t)loss_partial_count(n), sizeof(double));
    }
}

static ft_status check_labels(const int32_t *labels, int n, int K)
{
    for (int i = 0; i < n; i++)
        if (labels[i] < 0 || labels[i] >= K)
            return ft_fail(FT_ERR_INTERNAL, "label %d of row %d is not one of %d classes",
                           (int)labels[i], i, K);
    return FT_OK;
}

static ft_status sum_weights(double *total, const float *weight, int n, int index)
{
    *total = weight ? 0.0 : n;
    for (int i = 0; weight && i < n; i++) {
        if (!(weight[i] >= 0))
            return ft_fail(FT_ERR_INTERNAL, "problem %d: weight %g of row %d", index,
                           (double)weight[i], i);
        *total += (double)weight[i];
    }
    if (!(*total > 0) || !isfinite(*total))
        return ft_fail(FT_ERR_INTERNAL, "problem %d has no rows to be fitted on", index);
    return FT_OK;
}

/* Starts from the bias that fits the frequencies of the classes, which are H0's curvatures too. A
 * class without rows counts as a rare one. */
static void start_from_frequencies(const struct work *w, struct task *task, struct h0_row *h0)
{
    const struct loss_rows *rows = &task->rows;
    const int d = w->design->d;
    double mean = 0;
    memset(task->w, 0, (size_t)w->N * sizeof *task->w);
    for (int k = 0; k < w->C; k++)
        h0[k].curvature = 0;
    for (int i = 0; i < rows->n; i++)
        if (w->C > 1 || rows->labels[i] == 1)
            h0[w->C > 1 ? rows->labels[i] : 0].curvature +=
                (double)rows->row_weight[i] / task->total;
    for (int k = 0; k < w->C; k++) {
        const double f = fmin(fmax(h0[k].curvature, rarest), 1 - rarest);
        const double bias = w->C > 1 ? log(f) : log(f / (1 - f));
        task->w[(int64_t)k * (d + 1) + d] = (float)bias;
        mean += w->C > 1 ? bias / w->C : 0.0;
        h0[k].curvature = w->C > 1 ? f : f * (1 - f);
        h0[k].l2 = task->l2;
    }
    for (int k = 0; k < w->C; k++)
        task->w[(int64_t)k * (d + 1) + d] -= (float)mean;
}

static ft_status prepare_task(const struct work *w, struct task *task, const int32_t *labels,
                              const struct logistic_problem *problem, int index)
{
    if (!(problem->l2 >= 0) || !isfinite(problem->l2))
        return ft_fail(FT_ERR_INTERNAL, "problem %d: l2 %g", index, problem->l2);
    task->index = index;
    task->scale = 1.0;
    task->l2 = w->C == 1 ? problem->l2 / 2 : problem->l2;
    task->rows = (struct loss_rows){.n = w->design->n, .C = w->C, .labels = labels};
    task->rows.row_weight = problem->row_weight ? problem->row_weight : w->ones;
    return sum_weights(&task->total, problem->row_weight, w->design->n, index);
}

static ft_status prepare(struct work *w, const int32_t *labels,
                         const struct logistic_problem *problems, int n_problems)
{
    FT_TRY(check_labels(labels, w->design->n, w->K));
    FT_TRY(FT_ALLOC(w->tasks, n_problems));
    FT_TRY(FT_ALLOC(w->active, n_problems));
    FT_TRY(FT_ALLOC(w->h0, n_problems * w->C));
    place_buffers(w, n_problems);
    FT_TRY(arena_commit(&w->arena));
    place_buffers(w, n_problems);
    for (int i = 0; i < w->design->n; i++)
        w->ones[i] = 1.0f;
    for (int q = 0; q < n_problems; q++) {
        FT_TRY(prepare_task(w, &w->tasks[q], labels, &problems[q], q));
        start_from_frequencies(w, &w->tasks[q], w->h0 + q * w->C);
        w->active[q] = &w->tasks[q];
    }
    w->n_active = n_problems;
    return precondition_create(&w->precondition, w->design, w->h0, n_problems * w->C);
}

/* Inner product of two blocks of coefficients without the biases. */
static double dot_weights(const struct work *w, const float *a, const float *b)
{
    double sum = 0;
    for (int64_t k = 0; k < w->C; k++)
        sum += lbfgs_dot(a + k * (w->design->d + 1), b + k * (w->design->d + 1), w->design->d);
    return sum;
}

/* grad of all active tasks from the residuals in dz: divided by the total, and the penalty's. */
static void find_gradients(struct work *w)
{
    const int d = w->design->d;
    design_backward(w->grad, w->design, w->dz, w->n_active * w->C, w->scratch);
#pragma omp parallel for schedule(dynamic)
    for (int slot = 0; slot < w->n_active; slot++) {
        struct task *task = w->active[slot];
        float *grad = w->grad + slot * w->N;
        task->gradient = 0;
        for (int64_t e = 0; e < w->N; e++) {
            const double l2 = e % (d + 1) == d ? 0.0 : task->l2;
            const double value = (double)grad[e] / task->total + l2 * (double)task->w[e];
            grad[e] = (float)value;
            task->gradient = fabs(value) > task->gradient ? fabs(value) : task->gradient;
            task->gradient = isfinite(value) ? task->gradient : (double)NAN;
        }
    }
}

/* z, f and the residuals from w itself. */
static void refresh(struct work *w)
{
    for (int slot = 0; slot < w->n_active; slot++)
        memcpy(w->p + slot * w->N, w->active[slot]->w, (size_t)w->N * sizeof(float));
    design_forward(w->z, w->design, w->p, w->n_active * w->C, w->scratch);
    memset(w->dz, 0, (size_t)w->n_active * (size_t)w->n_logits * sizeof(float));
    for (int slot = 0; slot < w->n_active; slot++) {
        struct task *task = w->active[slot];
        float *z = w->z + slot * w->n_logits, *dz = w->dz + slot * w->n_logits;
        double slope;
        loss_along(&task->f, &slope, &task->rows, z, dz, 0.0, task->partial);
        task->f = task->f / task->total + 0.5 * task->l2 * dot_weights(w, task->w, task->w);
        loss_step(&task->rows, z, dz, 0.0);
    }
}

/* Takes the mean over the classes from each column of p, scaled: H0's last factor, on both sides,
 * since gradients have none. */
static void scale_and_centre(const struct work *w, float *p, double scale)
{
    const int64_t ld = w->design->d + 1;
    for (int64_t j = 0; j < ld; j++) {
        double mean = 0;
        for (int k = 0; k < w->C; k++)
            mean += (double)p[k * ld + j] / w->C;
        mean = w->C > 1 ? mean : 0.0;
        for (int k = 0; k < w->C; k++)
            p[k * ld + j] = (float)(scale * ((double)p[k * ld + j] - mean));
    }
}

/* p = -H g of each active task. */
static void find_directions(struct work *w)
{
#pragma omp parallel for schedule(dynamic)
    for (int slot = 0; slot < w->n_active; slot++) {
        memcpy(w->p + slot * w->N, w->active[slot]->g, (size_t)w->N * sizeof(float));
        lbfgs_first_half(&w->active[slot]->memory, w->p + slot * w->N);
    }
    precondition_apply(w->precondition, w->h0, w->p, w->n_active * w->C, w->grad);
#pragma omp parallel for schedule(dynamic)
    for (int slot = 0; slot < w->n_active; slot++) {
        struct task *task = w->active[slot];
        float *p = w->p + slot * w->N;
        scale_and_centre(w, p, task->scale);
        lbfgs_second_half(&task->memory, p);
        for (int64_t e = 0; e < w->N; e++)
            p[e] = -p[e];
    }
}

/* Finds task->t along its direction; 0 when there is no progress to be made. */
static void search(struct work *w, int slot)
{
    struct task *task = w->active[slot];
    const float *p = w->p + slot * w->N, *dz = w->dz + slot * w->n_logits;
    const float *z = w->z + slot * w->n_logits;
    const double ww = dot_weights(w, task->w, task->w), wp = dot_weights(w, task->w, p);
    const double pp = dot_weights(w, p, p), slope0 = lbfgs_dot(task->g, p, w->N);
    struct line_search line;
    enum search_result result = slope0 < 0 ? SEARCH_AGAIN : SEARCH_FAILED;
    double f = task->f;
    line_search_start(&line, task->f, slope0, 1.0);
    while (result == SEARCH_AGAIN) {
        double slope;
        task->t = (double)(float)line.t;
        loss_along(&f, &slope, &task->rows, z, dz, task->t, task->partial);
        f = f / task->total + task->l2 * (ww / 2 + task->t * (wp + task->t * pp / 2));
        slope = slope / task->total + task->l2 * (wp + task->t * pp);
        result = line_search_next(&line, f, slope);
    }
    task->t = result == SEARCH_DONE ? (double)(float)line.t : 0.0;
    task->f = result == SEARCH_DONE ? f : task->f;
}

/* Moves a task by t; one that could not move starts again from the gradient, and gives up at the
 * second time. */
static void move(struct work *w, int slot)
{
    struct task *task = w->active[slot];
    const float *p = w->p + slot * w->N, *grad = w->grad + slot * w->N;
    task->iterations++;
    if (task->t == 0) {
        task->is_stuck = task->memory.used == 0;
        lbfgs_forget(&task->memory);
    } else if (lbfgs_push(&task->memory, task->t, p, grad, task->g)) {
        const struct lbfgs *memory = &task->memory;
        task->scale = precondition_scale(w->precondition, w->h0 + slot * w->C,
                                         memory->y + memory->newest * w->N, w->C,
                                         1.0 / memory->inverse[memory->newest]);
    }
    memcpy(task->g, grad, (size_t)w->N * sizeof *grad);
}

static void add_step(struct work *w, int slot)
{
    struct task *task = w->active[slot];
    const float *p = w->p + slot * w->N;
    for (int64_t e = 0; e < w->N; e++)
        task->w[e] += (float)task->t * p[e];
    loss_step(&task->rows, w->z + slot * w->n_logits, w->dz + slot * w->n_logits, task->t);
}

static void iterate(struct work *w)
{
    find_directions(w);
    design_forward(w->dz, w->design, w->p, w->n_active * w->C, w->scratch);
    const bool enough = w->n_active >= omp_get_max_threads(); /* else each search uses all */
#pragma omp parallel for schedule(dynamic) if (enough)
    for (int slot = 0; slot < w->n_active; slot++) {
        search(w, slot);
        add_step(w, slot);
    }
    find_gradients(w);
#pragma omp parallel for schedule(dynamic)
    for (int slot = 0; slot < w->n_active; slot++)
        move(w, slot);
}

/* Writes the logits of a finished task: (n, K) from (C, n). */
static void write_logits(const struct work *w, float *logits, const float *z)
{
    const int n = w->design->n;
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < w->K; k++)
            logits[i * w->K + k] = w->C > 1 ? z[(int64_t)k * n + i] : k ? z[i] / 2 : -z[i] / 2;
}

static void finish(const struct work *w, const struct task *task, const float *z)
{
    struct logistic_result *result = &w->results[task->index];
    const int d = w->design->d;
    result->objective = task->f;
    result->gradient = task->gradient;
    result->iterations = task->iterations;
    result->converged = task->gradient <= w->options->tolerance;
    for (int64_t k = 0; k < w->C; k++)
        design_unfold(result->weight + k * d, result->bias + k, w->design, task->w + k * (d + 1));
    if (w->C == 1) {
        for (int j = 0; j < d; j++) {
            result->weight[d + j] = result->weight[j] / 2;
            result->weight[j] = -result->weight[d + j];
        }
        result->bias[1] = result->bias[0] / 2;
        result->bias[0] = -result->bias[1];
    }
    if (result->logits)
        write_logits(w, result->logits, z);
}

/* Finished tasks leave; the others close up. */
static ft_status retire(struct work *w)
{
    int kept = 0;
    for (int slot = 0; slot < w->n_active; slot++) {
        struct task *task = w->active[slot];
        float *z = w->z + slot * w->n_logits;
        if (!isfinite(task->f) || !isfinite(task->gradient))
            return ft_fail(FT_ERR_INTERNAL,
                           "the logistic regression with l2 %g is not finite after %d iterations",
                           w->C == 1 ? 2 * task->l2 : task->l2, task->iterations);
        if (task->gradient <= w->options->tolerance || task->is_stuck ||
            task->iterations >= w->options->max_iterations) {
            finish(w, task, z);
            continue;
        }
        if (kept < slot)
            memcpy(w->z + kept * w->n_logits, z, (size_t)w->n_logits * sizeof *z);
        memmove(w->h0 + kept * w->C, w->h0 + slot * w->C, (size_t)w->C * sizeof *w->h0);
        w->active[kept++] = task;
    }
    w->n_active = kept;
    return FT_OK;
}

static ft_status solve(struct work *w)
{
    for (int round = 0; w->n_active > 0; round++) {
        pulse_mark();
        FT_TRY(signals_check("a classifier was being fitted"));
        if (round % REFRESH == 0) {
            refresh(w);
            find_gradients(w);
            for (int slot = 0; slot < w->n_active; slot++)
                memcpy(w->active[slot]->g, w->grad + slot * w->N, (size_t)w->N * sizeof(float));
        } else {
            iterate(w);
        }
        FT_TRY(retire(w));
    }
    return FT_OK;
}

ft_status logistic_fit(struct logistic_result *results, struct design *design,
                       const int32_t *labels, int K, const struct logistic_problem *problems,
                       int n_problems, const struct logistic_options *options)
{
    if (K < 2 || n_problems < 1 || (int64_t)K * n_problems > INT32_MAX)
        return ft_fail(FT_ERR_INTERNAL, "%d problems of %d classes cannot be fitted", n_problems,
                       K);
    struct work w = {.design = design, .results = results, .options = options, .K = K};
    w.C = K == 2 ? 1 : K;
    w.N = (int64_t)w.C * (design->d + 1);
    w.n_logits = (int64_t)w.C * design->n;
    ft_status status = prepare(&w, labels, problems, n_problems);
    if (status == FT_OK)
        status = solve(&w);
    arena_destroy(&w.arena);
    precondition_destroy(&w.precondition);
    mem_free(w.h0);
    mem_free(w.active);
    mem_free(w.tasks);
    return status;
}
