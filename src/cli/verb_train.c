#include "base/file.h"
#include "base/log.h"
#include "base/signals.h"
#include "cli/startup.h"
#include "cli/verbs.h"
#include "train/final.h"
#include "train/output_dir.h"
#include "train/trainer.h"

static ft_status write_resolved(const struct settings *settings, const struct comm *comm)
{
    char path[FILE_PATH_MAX];
    struct buffer text = {0};
    if (comm_rank(comm) != 0)
        return FT_OK;
    FT_TRY(file_join(path, settings->output.dir, "resolved.cfg"));
    ft_status status = settings_format(settings, &text);
    if (status == FT_OK)
        status = file_replace(path, text.data, text.used);
    buffer_clear(&text);
    return status;
}

/* From an open session to a finished run. Collective. */
static ft_status run(struct trainer *trainer, struct session *session)
{
    const struct settings *settings = session->settings;
    FT_TRY(trainer_open(trainer, session));
    FT_TRY(trainer_resume(trainer));
    FT_AGREE(session->comm, write_resolved(settings, session->comm));
    int64_t is_finished =
        trainer->meta.step >= trainer->total_steps && final_exists(settings->output.dir);
    comm_bcast(session->comm, &is_finished, sizeof is_finished, 0);
    if (is_finished) {
        log_info("this run is finished: step %lld of %lld; its model is in %s/final",
                 (long long)trainer->meta.step, (long long)trainer->total_steps,
                 settings->output.dir);
        return FT_OK;
    }
    FT_TRY(trainer_run(trainer));
    return trainer_finish(trainer);
}

static ft_status open_and_run(struct session *session, struct comm *comm,
                              const struct settings *settings)
{
    struct trainer trainer = {0};
    FT_TRY(session_open_model(session, comm, settings));
    FT_TRY(session_open_data(session, SESSION_TRAIN | SESSION_VALIDATION));
    FT_TRY(session_create_model(session, true));
    FT_TRY(session_load_params(session));
    const ft_status status = run(&trainer, session);
    trainer_close(&trainer);
    return status;
}

ft_status verb_train(struct comm *comm, int argc, char **argv)
{
    struct settings *settings = NULL;
    struct session session = {0};
    signals_watch();
    FT_TRY(startup_load(&settings, comm, argc, argv));
    ft_status status = comm_agree(comm, settings_require_training(settings));
    if (status == FT_OK)
        status = output_dir_prepare(comm, settings->output.dir);
    if (status == FT_OK) {
        status = startup_report(comm, settings);
        if (status == FT_OK)
            status = open_and_run(&session, comm, settings);
        session_close(&session);
        output_dir_release();
    }
    settings_destroy(&settings);
    return status;
}
