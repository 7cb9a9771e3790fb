#include "train/trainer.h"

#include <math.h>
#include <string.h>

#include "base/deadline.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/pulse.h"
#include "base/signals.h"
#include "base/timer.h"
#include "math/blas_info.h"
#include "train/evaluate.h"
#include "train/replica.h"
#include "train/spike.h"
#include "train/version.h"

static void copy_text(char *to, size_t room, const char *text)
{
    (void)snprintf(to, room, "%s", text);
}

/* What the checkpoints of this run say about where they came from. Local. */
static ft_status describe_run(struct trainer *t)
{
    const struct session *s = t->session;
    struct ckpt_meta *meta = &t->meta;
    struct buffer text = {0};
    const ft_status status = settings_format(s->settings, &text);
    meta->settings_text = text.data; /* takes */
    meta->seed = s->settings->seed;
    meta->best_metric = NAN;
    char digits[HASH_TEXT];
    hash_format(digits, tokenizer_hash(s->tokenizer));
    copy_text(meta->tokenizer_hash, sizeof meta->tokenizer_hash, digits);
    copy_text(meta->model_hash, sizeof meta->model_hash, s->model_hash);
    copy_text(meta->data_hash, sizeof meta->data_hash, corpus_stats(s->train.corpus)->data_hash);
    copy_text(meta->program, sizeof meta->program, FT_PROGRAM);
    copy_text(meta->revision, sizeof meta->revision, FT_REVISION);
    copy_text(meta->blas, sizeof meta->blas, blas_description());
    copy_text(meta->mpi, sizeof meta->mpi, comm_library());
    return status;
}

static void plan_steps(struct trainer *t)
{
    const struct settings *s = t->session->settings;
    t->steps_per_epoch =
        loader_steps_per_epoch(t->session->train.samples.n, s->training.global_batch);
    t->total_steps = s->training.max_steps > 0
                         ? s->training.max_steps
                         : (int64_t)ceil(s->training.epochs * (double)t->steps_per_epoch);
    t->schedule =
        (struct schedule){.kind = s->training.schedule,
                          .lr = s->training.lr,
                          .min_lr = s->training.min_lr,
                          .warmup_steps = schedule_warmup_steps(s->training.warmup, t->total_steps),
                          .total_steps = t->total_steps};
}

static ft_status open_local(struct trainer *t)
{
    struct session *s = t->session;
    FT_TRY(fault_point("allocate"));
    plan_steps(t);
    FT_TRY(session_create_batch(&t->batch, s));
    FT_TRY(FT_ALLOC(t->meta.loss, t->total_steps));
    return describe_run(t);
}

ft_status trainer_open(struct trainer *t, struct session *session)
{
    *t = (struct trainer){.session = session};
    FT_AGREE(session->comm, open_local(t));
    const struct settings *s = session->settings;
    FT_TRY(optimizer_create(&t->optimizer, session->comm, session->model->trainable->N,
                            s->distributed.zero, s->distributed.bucket_mb,
                            s->distributed.wire == WIRE_BF16));
    session->model->grads = t->optimizer->grads;
    log_info("%lld %s of %s%d tokens, %lld steps an epoch of %d sequences, %lld steps in all",
             (long long)session->train.samples.n, sample_set_unit(&session->train.samples),
             session->train.samples.windows ? "" : "up to ", s->data.seq_len,
             (long long)t->steps_per_epoch, s->training.global_batch, (long long)t->total_steps);
    if (session->model->trainable_from > 0)
        log_info("%lld of %lld parameters learn: the last %d blocks and what follows them",
                 (long long)session->model->trainable->N, (long long)session->model->layout->N,
                 s->model.trainable_layers);
    const int64_t n_kept = t->optimizer->to - t->optimizer->from;
    const int64_t state_bytes = 2 * n_kept * (int64_t)sizeof(float);
    log_info("optimizer state: %lld bytes on rank 0, zero = %d", (long long)state_bytes,
             s->distributed.zero);
    if (comm_size(session->comm) > s->training.global_batch)
        log_warn("%d ranks share a global batch of %d sequences: %d ranks have no work",
                 comm_size(session->comm), s->training.global_batch,
                 comm_size(session->comm) - s->training.global_batch);
    return FT_OK;
}

static struct ckpt_state state_of(struct trainer *t)
{
    struct optimizer *o = t->optimizer;
    const struct model *model = t->session->model;
    const int rank = comm_rank(t->session->comm);
    return (struct ckpt_state){.layout = model->trainable,
                               .first = o->first,
                               .params = model->params + model->trainable_from,
                               .m = optimizer_slice(o, o->m, rank),
                               .v = optimizer_slice(o, o->v, rank),
                               .meta = t->meta};
}

/* What every rank holds a copy of: with zero = 1 each moment is on one rank alone. */
static ft_status check_replicas(struct trainer *t)
{
    const struct optimizer *o = t->optimizer;
    const struct model *model = t->session->model;
    const int64_t N = model->layout->N, n_moments = o->zero ? 0 : o->to - o->from;
    const struct replica_part parts[] = {
        {model->params, N * (int64_t)sizeof(float)},
        {model->params16, model->params16 ? N * (int64_t)sizeof(uint16_t) : 0},
        {o->m, n_moments * (int64_t)sizeof(float)},
        {o->v, n_moments * (int64_t)sizeof(float)}};
    fault_data("replica", model->params, (size_t)N * sizeof *model->params);
    fault_data("replica-m", o->m, (size_t)n_moments * sizeof *o->m);
    fault_data("replica-v", o->v, (size_t)n_moments * sizeof *o->v);
    return replica_check(t->session->comm, parts, sizeof parts / sizeof *parts, t->meta.step);
}

/* The time that a stop takes: the step under way and its checkpoint, with caution. */
static void expect_stop(const struct trainer *t)
{
    static const double caution = 1.5;
    deadline_need(caution * (t->slowest_step_s + t->checkpoint_s));
}

/* Before the first checkpoint: as if all ranks together wrote 200 MB/s. */
static double guess_checkpoint_s(const struct trainer *t)
{
    const int n_ranks = comm_size(t->session->comm);
    return (double)ckpt_predict_bytes(t->session->model->trainable, n_ranks, t->total_steps) / 2e8;
}

ft_status trainer_checkpoint(struct trainer *t)
{
    const struct settings *s = t->session->settings;
    struct ckpt_state state = state_of(t);
    pulse_phase("checkpoint");
    const double started = timer_now();
    timers_start(&t->session->timers);
    FT_TRY(check_replicas(t));
    const double checked = timer_now();
    FT_TRY(ckpt_save(t->session->comm, s->output.dir, &state, s->checkpoint.keep));
    timers_stop(&t->session->timers, PHASE_CHECKPOINT);
    t->last_checkpoint_s = timer_now();
    t->last_checkpoint_step = t->meta.step;
    t->checkpoint_s = t->last_checkpoint_s - started;
    expect_stop(t);
    progress_break(&t->progress);
    log_info("checkpoint of step %lld written in %.2f s (%.1f %% of it to compare the ranks)",
             (long long)t->meta.step, t->checkpoint_s,
             100.0 * (checked - started) / t->checkpoint_s);
    return FT_OK;
}

/* The number on which the best checkpoint is decided, and whether it beats the best one so far. */
static bool is_better(double *value, const struct trainer *t, const struct evaluation *e)
{
    const enum best_metric metric = t->session->settings->training.best_metric;
    const double best = t->meta.best_metric; /* NaN: none yet */
    *value = metric == BEST_METRIC_LOSS       ? e->loss
             : metric == BEST_METRIC_ACCURACY ? e->accuracy
                                              : e->macro_f1;
    if (isnan(best))
        return true;
    return metric == BEST_METRIC_LOSS ? *value < best : *value > best;
}

static void log_evaluation(const struct trainer *t, const struct evaluation *e)
{
    if (t->session->config.head.n_labels > 0)
        log_info("step %lld: validation loss %.4f, accuracy %.4f, macro F1 %.4f (%lld documents)",
                 (long long)t->meta.step, e->loss, e->accuracy, e->macro_f1, (long long)e->n);
    else
        log_info("step %lld: validation loss %.4f, perplexity %.2f (%lld tokens)",
                 (long long)t->meta.step, e->loss, exp(e->loss), (long long)e->n);
}

/* What follows an evaluation: its line, and a checkpoint where it is the best so far. */
static ft_status judge(struct trainer *t, const struct evaluation *e)
{
    struct session *s = t->session;
    double value;
    progress_break(&t->progress);
    log_evaluation(t, e);
    FT_AGREE(s->comm, t->metrics ? metrics_write_evaluation(t->metrics, t->meta.step, t->meta.epoch,
                                                            e, s->config.head.n_labels > 0)
                                 : FT_OK);
    t->meta.evaluation_due = 0;
    t->meta.evals_since_best++;
    if (!is_better(&value, t, e))
        return FT_OK;
    t->meta.best_metric = value;
    t->meta.best_step = t->meta.step;
    t->meta.evals_since_best = 0;
    FT_TRY(trainer_checkpoint(t));
    return ckpt_set_best(s->comm, s->settings->output.dir, t->meta.step);
}

static ft_status evaluate(struct trainer *t)
{
    struct session *s = t->session;
    struct evaluation e = {0};
    timers_start(&s->timers);
    ft_status status = evaluate_set(&e, s->comm, s->model, &s->validation, &t->batch);
    timers_stop(&s->timers, PHASE_EVALUATE);
    if (status == FT_OK)
        status = judge(t, &e);
    evaluation_clear(&e);
    return status;
}

static bool evaluation_is_due(const struct trainer *t, int64_t step)
{
    const int64_t every = t->session->settings->training.eval_every;
    return t->session->validation.corpus &&
           (step == t->total_steps || step % (every > 0 ? every : t->steps_per_epoch) == 0);
}

static bool patience_is_over(const struct trainer *t)
{
    const int patience = t->session->settings->training.patience;
    return patience > 0 && t->meta.evals_since_best >= patience;
}

bool trainer_is_done(const struct trainer *t)
{
    return t->meta.step >= t->total_steps || patience_is_over(t);
}

/* Whether any rank was asked to stop by now. Collective. */
static bool stop_is_wanted(const struct trainer *t)
{
    int64_t wanted = signals_stop_requested();
    comm_max_i64(t->session->comm, &wanted, 1);
    return wanted != 0;
}

/* The line of a step, with the documents of a spike. Rank 0. */
static ft_status write_step(struct trainer *t, const struct step_metrics *m)
{
    struct buffer samples = {0};
    if (!t->metrics)
        return FT_OK;
    if (m->is_spike) {
        progress_break(&t->progress);
        spike_samples(&samples, t->session, m->step);
        spike_log(m);
    }
    const ft_status status = metrics_write_step(t->metrics, m, samples.data ? samples.data : "[]");
    buffer_clear(&samples);
    return status;
}

/*
 * What is due after a step: evaluation, checkpoint. A stop puts the evaluation off: the
 * checkpoint says so, and the run that goes on begins with it. *done: that was the last step, and
 * all of it.
 */
static ft_status follow_up(bool *done, struct trainer *t, bool stop, bool wants_checkpoint)
{
    if (t->meta.evaluation_due && !stop) {
        const ft_status status = evaluate(t);
        if (status != FT_OK && status != FT_STOPPED)
            return status;
        stop = stop_is_wanted(t);
    }
    const int64_t step = t->meta.step;
    *done = trainer_is_done(t) && !t->meta.evaluation_due;
    stop = stop && !*done;
    if ((*done || stop || wants_checkpoint) && t->last_checkpoint_step != step) {
        FT_TRY(trainer_checkpoint(t));
        stop = stop_is_wanted(t) && !*done;
    }
    return stop ? ft_fail(FT_STOPPED, "stopped by %s after step %lld of %lld", signals_cause(),
                          (long long)step, (long long)t->total_steps)
                : FT_OK;
}

/* One step with everything that may follow it. */
static ft_status advance(bool *done, struct trainer *t, int64_t step)
{
    struct step_outcome out;
    const struct settings *s = t->session->settings;
    const ft_status status = trainer_step(&out, t, step);
    if (out.metrics.is_spike) { /* on all ranks; the message of a failure outlives it */
        char text[FT_ERR_TEXT_MAX];
        (void)snprintf(text, sizeof text, "%s", ft_error_text());
        FT_AGREE(t->session->comm, write_step(t, &out.metrics));
        (void)ft_fail(status, "%s", text);
    }
    FT_TRY(status);
    t->slowest_step_s = fmax(out.metrics.seconds, 0.9 * t->slowest_step_s);
    expect_stop(t);
    t->meta.loss[step - 1] = out.metrics.loss;
    t->meta.n_loss = step;
    progress_step(&t->progress, &out.metrics);
    if (!out.metrics.is_spike)
        FT_AGREE(t->session->comm, write_step(t, &out.metrics));
    t->meta.evaluation_due = evaluation_is_due(t, step);
    return follow_up(done, t, out.stop_requested,
                     out.checkpoint_due ||
                         (s->checkpoint.every_steps > 0 && step % s->checkpoint.every_steps == 0));
}

ft_status trainer_run(struct trainer *t)
{
    char path[FILE_PATH_MAX];
    struct comm *comm = t->session->comm;
    const bool is_first = comm_rank(comm) == 0;
    ft_status local = file_join(path, t->session->settings->output.dir, "metrics.jsonl");
    if (local == FT_OK && is_first)
        local = metrics_open(&t->metrics, path, t->meta.step, t->meta.evaluation_due != 0);
    FT_AGREE(comm, local);
    progress_start(&t->progress, t->meta.step, t->total_steps, is_first);
    t->last_checkpoint_s = timer_now();
    t->last_checkpoint_step = t->meta.step;
    t->checkpoint_s = guess_checkpoint_s(t);
    t->meta.evaluation_due = t->meta.evaluation_due && evaluation_is_due(t, t->meta.step);
    bool done = trainer_is_done(t);
    ft_status status = FT_OK;
    if (t->meta.evaluation_due) { /* the checkpoint that says so is replaced */
        t->last_checkpoint_step = -1;
        status = follow_up(&done, t, false, true);
    }
    for (int64_t step = t->meta.step + 1; status == FT_OK && !done; step++)
        status = advance(&done, t, step);
    if (status != FT_OK)
        progress_break(&t->progress);
    return status;
}

void trainer_close(struct trainer *t)
{
    (void)metrics_close(&t->metrics);
    if (t->optimizer)
        t->session->model->grads = NULL;
    optimizer_destroy(&t->optimizer);
    batch_destroy(&t->batch);
    ckpt_meta_clear(&t->meta);
}
