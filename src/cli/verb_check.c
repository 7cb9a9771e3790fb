/*
 * Everything a training run does before its first step, but for the memory: data are checked by
 * making (or verifying) the token shards, which the run then reuses.
 */
#include <math.h>

#include "base/log.h"
#include "base/signals.h"
#include "cli/startup.h"
#include "cli/verbs.h"
#include "format/weights.h"
#include "model/convert.h"
#include "train/plan.h"
#include "train/session.h"

/* All weights are there with the right shapes; no tensor is read. Local. */
static ft_status check_weights(const struct session *s)
{
    struct layout *layout = NULL;
    if (comm_rank(s->comm) != 0)
        return FT_OK;
    FT_TRY(layout_create(&layout, &s->config));
    const ft_status status = model_check_params(layout, &s->config, s->settings->model.path);
    if (status == FT_OK)
        log_info("weights: %lld parameters in %d tensors", (long long)layout->N, layout->n_tensors);
    layout_destroy(&layout);
    return status;
}

static void report_steps(const struct session *s)
{
    const struct settings *settings = s->settings;
    const int64_t per_epoch =
        loader_steps_per_epoch(s->train.samples.n, settings->training.global_batch);
    const int64_t total = settings->training.max_steps > 0
                              ? settings->training.max_steps
                              : (int64_t)ceil(settings->training.epochs * (double)per_epoch);
    if (settings->mode == RUN_MODE_TRANSFER)
        log_info("would fit a head on the frozen model's features of %lld documents",
                 (long long)s->train.samples.n);
    else
        log_info("would run %lld steps of %d sequences of %s%d tokens (%lld steps an epoch)",
                 (long long)total, settings->training.global_batch,
                 s->train.samples.windows ? "" : "up to ", settings->data.seq_len,
                 (long long)per_epoch);
}

static ft_status check(struct session *s, struct comm *comm, const struct settings *settings)
{
    struct memory_plan plan;
    FT_TRY(startup_report(comm, settings));
    FT_TRY(session_open_model(s, comm, settings));
    FT_AGREE(comm, check_weights(s));
    FT_TRY(session_open_data(s, SESSION_TRAIN | SESSION_VALIDATION | SESSION_TEST));
    report_steps(s);
    FT_AGREE(comm, memory_plan_make(&plan, comm, settings, &s->config,
                                    settings->mode != RUN_MODE_TRANSFER));
    FT_TRY(memory_plan_check(&plan, comm));
    log_info("check passed: nothing was trained");
    return FT_OK;
}

ft_status verb_check(struct comm *comm, int argc, char **argv)
{
    struct settings *settings = NULL;
    struct session session = {0};
    signals_watch();
    FT_TRY(startup_load(&settings, comm, argc, argv));
    ft_status status = comm_agree(comm, settings_require_training(settings));
    if (status == FT_OK)
        status = check(&session, comm, settings);
    session_close(&session);
    settings_destroy(&settings);
    return status;
}
