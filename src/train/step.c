/*
 * A step has three exchanges whatever happens on a rank: the reduction of gradients, which begins
 * in the backward pass of the last micro-batch; the sum of (loss, tokens, failures, stop flags,
 * clock); norm and sharing of parameters. A local failure rides in the second as a count, so that
 * the agreement about its message is entered by all ranks or by none; that rank's gradients are
 * reduced as they are, and nobody uses the sum.
 */
#include <string.h>

#include "base/fault.h"
#include "base/pulse.h"
#include "base/signals.h"
#include "base/timer.h"
#include "math/dropout.h"
#include "train/spike.h"
#include "train/trainer.h"

enum { SUM_LOSS, SUM_DIVISOR, SUM_TOKENS, SUM_FAILED, SUM_STOP, SUM_CLOCK, N_SUMS };

/* What the loss of a batch is divided by: its supervised tokens, its documents, or the sum of their
 * class weights. */
static double divisor_of(const struct batch *batch, const float *class_weights)
{
    double sum = 0;
    if (!class_weights)
        return (double)batch->n_supervised;
    for (int i = 0; i < batch->n_segments; i++)
        sum += (double)class_weights[batch->labels[i]];
    return sum;
}

static void gradients_are_final(void *reducer, int64_t from)
{
    reducer_ready(reducer, from);
}

/* Forward and backward of one micro-batch; in the last one gradients become final. */
static double pass(struct trainer *t, bool is_last)
{
    struct session *s = t->session;
    timers_start(&s->timers);
    if (is_last && s->settings->distributed.overlap)
        s->model->watch = gradients_are_final;
    s->model->watch_context = t->optimizer->reducer;
    const double loss = model_loss_backward(s->model, &t->batch);
    s->model->watch = NULL;
    timers_stop(&s->timers, PHASE_COMPUTE);
    timers_move(&s->timers, PHASE_COMPUTE, PHASE_COMMUNICATION,
                reducer_take_seconds(t->optimizer->reducer));
    return loss;
}

static ft_status fill(struct trainer *t, const struct step_plan *plan, int64_t position, int n)
{
    struct session *s = t->session;
    const struct sample_set *set = &s->train.samples;
    timers_start(&s->timers);
    for (int i = 0; i < n; i++)
        t->batch.windows[i] = loader_window((uint64_t)s->settings->seed, s->settings->data.shuffle,
                                            set->n, plan->epoch, position + i);
    const ft_status status = sample_set_fill(&t->batch, set, t->batch.windows, n);
    timers_stop(&s->timers, PHASE_DATA);
    return status;
}

/* Forward and backward of this rank's sequences; gradients and sums grow. Local. */
static ft_status compute(double *sums, struct trainer *t, const struct step_plan *plan)
{
    const struct settings *settings = t->session->settings;
    const struct session *session = t->session;
    FT_TRY(fault_point("step"));
    t->batch.dropout_key = dropout_key((uint64_t)settings->seed, plan->epoch);
    for (int micro = 0; micro < plan->n_micro; micro++) {
        int64_t position;
        const int n = loader_micro(&position, plan, micro);
        FT_TRY(fill(t, plan, position, n));
        sums[SUM_LOSS] += pass(t, micro == plan->n_micro - 1);
        sums[SUM_DIVISOR] += divisor_of(&t->batch, session->class_weights);
        sums[SUM_TOKENS] +=
            (double)(session->config.head.n_labels > 0 ? t->batch.n_tokens : t->batch.n_supervised);
    }
    fault_data("loss", &sums[SUM_LOSS], sizeof *sums);
    return FT_OK;
}

static bool clock_says_checkpoint(const struct trainer *t)
{
    const double minutes = t->session->settings->checkpoint.every_minutes;
    return minutes > 0 && timer_now() - t->last_checkpoint_s >= 60.0 * minutes;
}

/* Gradients start from zero in each step; large buffers are cleared by all threads. */
static void clear(float *x, int64_t n)
{
    enum { BLOCK = 1 << 18 };
#pragma omp parallel for schedule(static)
    for (int64_t at = 0; at < n; at += BLOCK)
        memset(x + at, 0, (size_t)(n - at < BLOCK ? n - at : BLOCK) * sizeof *x);
}

/* Ends the reduction of gradients and sums up what rides with it. Collective. */
static ft_status share_sums(double *sums, struct trainer *t, ft_status local)
{
    struct comm *comm = t->session->comm;
    sums[SUM_FAILED] = local != FT_OK;
    sums[SUM_STOP] = signals_stop_requested();
    sums[SUM_CLOCK] = comm_rank(comm) == 0 && clock_says_checkpoint(t);
    timers_start(&t->session->timers);
    reducer_finish(t->optimizer->reducer);
    comm_sum_f64(comm, sums, N_SUMS);
    timers_stop(&t->session->timers, PHASE_COMMUNICATION);
    (void)reducer_take_seconds(t->optimizer->reducer);
    return sums[SUM_FAILED] > 0 ? comm_agree(comm, local) : FT_OK;
}

static void update(const struct step_metrics *m, struct trainer *t, double divisor)
{
    const struct settings *settings = t->session->settings;
    struct model *model = t->session->model;
    const int64_t from = model->trainable_from;
    const struct adamw_hyper hyper = {.lr = m->lr,
                                      .head_lr = settings->training.head_lr * m->lr /
                                                 settings->training.lr,
                                      .beta1 = settings->training.beta1,
                                      .beta2 = settings->training.beta2,
                                      .eps = settings->training.eps,
                                      .weight_decay = settings->training.weight_decay,
                                      .clip = settings->training.clip};
    optimizer_step(t->optimizer, model->params + from,
                   model->params16 ? model->params16 + from : NULL, model->trainable, &hyper,
                   divisor, m->grad_norm, m->step);
}

/* The update, unless the step is a spike with which something else is to be done. The loss and the
 * norm are the same on all ranks, and so is what follows from them. */
static ft_status judge_and_update(struct step_metrics *m, struct trainer *t, double divisor)
{
    timers_start(&t->session->timers);
    m->lr = schedule_lr(&t->schedule, m->step);
    m->grad_norm = optimizer_norm(t->optimizer, t->session->comm, divisor);
    const ft_status status = spike_judge(m, t->session->settings, t->meta.loss, t->meta.n_loss);
    if (status == FT_OK && !m->is_skipped)
        update(m, t, divisor);
    timers_stop(&t->session->timers, PHASE_OPTIMIZER);
    timers_move(&t->session->timers, PHASE_OPTIMIZER, PHASE_COMMUNICATION,
                reducer_take_seconds(t->optimizer->reducer));
    return status;
}

ft_status trainer_step(struct step_outcome *out, struct trainer *t, int64_t step)
{
    const struct settings *settings = t->session->settings;
    struct comm *comm = t->session->comm;
    struct step_plan plan;
    double sums[N_SUMS] = {0};
    const double started = timer_now();
    *out = (struct step_outcome){.metrics.step = step};
    loader_plan(&plan, step, t->session->train.samples.n, settings->training.global_batch,
                settings->training.micro_batch, comm_rank(comm), comm_size(comm));
    pulse_phase("step");
    timers_start(&t->session->timers);
    clear(t->session->model->grads, t->session->model->trainable->N);
    timers_stop(&t->session->timers, PHASE_COMPUTE);
    const ft_status local = compute(sums, t, &plan);
    FT_TRY(share_sums(sums, t, local)); /* equal on all ranks */
    const int64_t within = (step - 1) % t->steps_per_epoch + 1;
    out->metrics = (struct step_metrics){
        .step = step,
        .tokens = (int64_t)sums[SUM_TOKENS],
        .documents = t->session->config.head.n_labels > 0 ? plan.step_count : 0,
        .loss = sums[SUM_LOSS] / sums[SUM_DIVISOR],
        .epoch = (double)plan.epoch + (double)within / (double)t->steps_per_epoch};
    out->stop_requested = sums[SUM_STOP] > 0;
    out->checkpoint_due = sums[SUM_CLOCK] > 0;
    const ft_status judged = judge_and_update(&out->metrics, t, sums[SUM_DIVISOR]);
    out->metrics.seconds = timer_now() - started;
    FT_TRY(judged);
    t->meta.step = step;
    t->meta.epoch = out->metrics.epoch;
    t->meta.position += plan.step_count;
    return FT_OK;
}
