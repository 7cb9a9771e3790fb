#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/pulse.h"
#include "train/trainer.h"

/* Elements that are gathered by one call of MPI. */
enum { GATHER_CHUNK = 16 << 20 };

static ft_status same_content(const char *key, const char *now, const char *then)
{
    if (strcmp(now, then) == 0)
        return FT_OK;
    return ft_fail(FT_ERR_USAGE,
                   "%s: its content (%s) is not that of the checkpoint (%s); start afresh with "
                   "another output.dir",
                   key, now, then);
}

/* Whether this run may go on from that checkpoint. Local, the same on every rank. */
static ft_status compare(const struct trainer *t, const struct ckpt_meta *then)
{
    FT_TRY(settings_compare_resume(t->session->settings, then->settings_text));
    FT_TRY(same_content("model.path", t->meta.model_hash, then->model_hash));
    FT_TRY(same_content("model.path (tokenizer)", t->meta.tokenizer_hash, then->tokenizer_hash));
    FT_TRY(same_content("data.train", t->meta.data_hash, then->data_hash));
    if (strcmp(t->meta.blas, then->blas) != 0)
        log_warn("the checkpoint was written with %s, this run uses %s: results may differ in the "
                 "last bits",
                 then->blas, t->meta.blas);
    return FT_OK;
}

/* Position, best and history of the checkpoint; the history keeps room for all steps. */
static ft_status adopt(struct ckpt_meta *now, const struct ckpt_meta *then, int64_t total_steps)
{
    const int64_t room = then->n_loss > total_steps ? then->n_loss : total_steps;
    double *loss = mem_resize(now->loss, (size_t)room, sizeof *loss);
    if (!loss)
        return FT_ERR_INTERNAL;
    if (then->n_loss > 0)
        memcpy(loss, then->loss, (size_t)then->n_loss * sizeof *loss);
    now->loss = loss;
    now->n_loss = then->n_loss;
    now->step = then->step;
    now->epoch = then->epoch;
    now->position = then->position;
    now->best_metric = then->best_metric;
    now->best_step = then->best_step;
    now->evals_since_best = then->evals_since_best;
    now->evaluation_due = then->evaluation_due;
    (void)snprintf(now->parent_run, sizeof now->parent_run, "checkpoint of step %lld, revision %s",
                   (long long)then->step, then->revision);
    return FT_OK;
}

static ft_status load_state(struct trainer *t, int64_t step)
{
    struct optimizer *o = t->optimizer;
    struct session *s = t->session;
    const int rank = comm_rank(s->comm);
    struct ckpt_state state = {.layout = s->model->trainable,
                               .first = o->first,
                               .params = s->model->params + s->model->trainable_from,
                               .m = optimizer_slice(o, o->m, rank),
                               .v = optimizer_slice(o, o->v, rank)};
    FT_TRY(ckpt_load(s->comm, s->settings->output.dir, step, &state));
    ckpt_meta_clear(&state.meta);
    model_round_params(s->model);
    if (!o->zero) { /* every rank keeps all moments */
        comm_gather_slices_f32(s->comm, o->m, o->first, GATHER_CHUNK);
        comm_gather_slices_f32(s->comm, o->v, o->first, GATHER_CHUNK);
    }
    return FT_OK;
}

ft_status trainer_resume(struct trainer *t)
{
    struct session *s = t->session;
    struct ckpt_meta then = {0};
    int64_t step = -1;
    pulse_phase("resume");
    timers_start(&s->timers);
    FT_TRY(ckpt_find(s->comm, s->settings->output.dir, &step));
    if (step < 0)
        return FT_OK;
    ft_status status = ckpt_load_meta(s->comm, s->settings->output.dir, step, &then);
    if (status == FT_OK)
        status = comm_agree(s->comm, compare(t, &then));
    if (status == FT_OK)
        status = comm_agree(s->comm, adopt(&t->meta, &then, t->total_steps));
    ckpt_meta_clear(&then);
    if (status == FT_OK)
        status = load_state(t, step);
    if (status == FT_OK &&
        !isnan(t->meta.best_metric)) /* the run may have ended before it was set */
        status = ckpt_restore_best(s->comm, s->settings->output.dir, t->meta.best_step);
    timers_stop(&s->timers, PHASE_CHECKPOINT);
    if (status == FT_OK)
        log_info("resumed from the checkpoint of step %lld", (long long)step);
    return status;
}
