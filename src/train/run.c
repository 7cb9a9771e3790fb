#include "train/run.h"

#include "base/file.h"
#include "base/log.h"
#include "train/final.h"
#include "train/labels_file.h"
#include "train/output_dir.h"
#include "train/trainer.h"
#include "train/transfer.h"

ft_status run_write_settings(const struct settings *settings)
{
    char path[FILE_PATH_MAX];
    struct buffer text = {0};
    FT_TRY(file_join(path, settings->output.dir, "resolved.cfg"));
    ft_status status = settings_format(settings, &text);
    if (status == FT_OK)
        status = file_replace(path, text.data, text.used);
    buffer_clear(&text);
    return status;
}

/* What later verbs need to know of the run before it is finished. Local. */
static ft_status describe(const struct session *s)
{
    if (comm_rank(s->comm) != 0)
        return FT_OK;
    FT_TRY(run_write_settings(s->settings));
    return s->labels.n > 0 ? labels_file_write(&s->labels, s->settings->output.dir) : FT_OK;
}

/* From an open session to a finished run. Collective. */
static ft_status train_open(struct trainer *trainer, struct session *session)
{
    const struct settings *settings = session->settings;
    FT_TRY(trainer_open(trainer, session));
    FT_TRY(trainer_resume(trainer));
    FT_AGREE(session->comm, describe(session));
    int64_t is_finished = trainer_is_done(trainer) && !trainer->meta.evaluation_due &&
                          final_exists(settings->output.dir);
    comm_bcast(session->comm, &is_finished, sizeof is_finished, 0);
    if (is_finished) {
        log_info("this run is finished: step %lld of %lld; its model is in %s/final",
                 (long long)trainer->meta.step, (long long)trainer->total_steps,
                 settings->output.dir);
        return FT_OK;
    }
    if (trainer->meta.step == 0 && settings->mode == RUN_MODE_TRANSFER_THEN_FINETUNE)
        FT_TRY(transfer_start_head(session));
    FT_TRY(trainer_run(trainer));
    return trainer_finish(trainer);
}

static ft_status train(struct session *session, struct comm *comm, const struct settings *settings)
{
    struct trainer trainer = {0};
    FT_TRY(session_open_model(session, comm, settings));
    FT_TRY(session_open_data(session, SESSION_TRAIN | SESSION_VALIDATION));
    FT_TRY(session_create_model(session, true));
    FT_TRY(session_load_params(session));
    const ft_status status = train_open(&trainer, session);
    trainer_close(&trainer);
    return status;
}

/* What tells that a folder holds a run of this kind. */
static const char *const traces[] = {[RUN_FOLDER_TRAINING] = "checkpoints",
                                     [RUN_FOLDER_TRANSFER] = "head.h5",
                                     [RUN_FOLDER_COMPARE] = "compare.json"};
static const char *const kinds[] = {[RUN_FOLDER_TRAINING] = "a training run",
                                    [RUN_FOLDER_TRANSFER] = "a run of mode transfer",
                                    [RUN_FOLDER_COMPARE] = "a comparison"};

ft_status run_check_folder(const char *output_dir, enum run_folder wanted)
{
    char path[FILE_PATH_MAX];
    for (int i = 0; i < N_RUN_FOLDERS; i++) {
        FT_TRY(file_join(path, output_dir, traces[i]));
        if (i != (int)wanted && file_exists(path))
            return ft_fail(FT_ERR_USAGE,
                           "this is %s, but output.dir holds %s (%s); set another output.dir",
                           kinds[wanted], kinds[i], path);
    }
    return FT_OK;
}

static ft_status train_or_transfer(struct comm *comm, const struct settings *settings)
{
    struct session session = {0};
    const bool is_transfer = settings->mode == RUN_MODE_TRANSFER;
    const enum run_folder kind = is_transfer ? RUN_FOLDER_TRANSFER : RUN_FOLDER_TRAINING;
    FT_AGREE(comm, comm_rank(comm) == 0 ? run_check_folder(settings->output.dir, kind) : FT_OK);
    if (is_transfer)
        return transfer_run(comm, settings);
    const ft_status status = train(&session, comm, settings);
    session_close(&session);
    return status;
}

ft_status run_train(struct comm *comm, const struct settings *settings)
{
    FT_TRY(output_dir_prepare(comm, settings->output.dir));
    const ft_status status = train_or_transfer(comm, settings);
    output_dir_release();
    return status;
}
