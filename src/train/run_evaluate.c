#include "train/run_evaluate.h"

#include "train/alone.h"
#include "train/labels_file.h"
#include "train/run_weights.h"
#include "train/transfer.h"

struct request {
    const struct settings *settings;
    bool base;
    evaluation_user *use;
    void *context;
};

static ft_status check_has_data(const struct settings *settings)
{
    const bool has_fraction = settings->data.validation_fraction > 0.0 && settings->data.train.n;
    if (settings->data.test.n || settings->data.validation.n || has_fraction)
        return FT_OK;
    return ft_fail(FT_ERR_USAGE, "nothing to evaluate: set data.test, data.validation or "
                                 "data.validation_fraction");
}

/* The labels are those of the run, whatever the test data hold. Local. */
static ft_status read_labels(struct session *s, bool base)
{
    const struct settings *settings = s->settings;
    if (settings->task != RUN_TASK_CLASSIFICATION)
        return FT_OK;
    if (base)
        return ft_fail(
            FT_ERR_INPUT,
            "--base: %s has no head for these labels; a classification is evaluated with "
            "what a run has learnt",
            settings->model.path);
    return settings->mode == RUN_MODE_TRANSFER ? transfer_read_labels(&s->labels, settings)
                                               : labels_file_read(&s->labels, settings->output.dir);
}

static ft_status evaluate_model(struct evaluation *e, struct session *s, const struct dataset *set,
                                bool base)
{
    struct batch batch = {0};
    FT_TRY(session_create_model(s, false));
    FT_TRY(run_weights_load(s, base));
    FT_AGREE(s->comm, session_create_batch(&batch, s));
    const ft_status status = evaluate_set(e, s->comm, s->model, set, &batch);
    e->stored_bytes = s->model->trainable->N * (int64_t)sizeof(float);
    batch_destroy(&batch);
    return status;
}

/* By all ranks, or in mode transfer by rank 0 alone. Collective over comm. */
static ft_status evaluate(struct comm *comm, void *context)
{
    const struct request *r = context;
    struct session s = {0};
    struct evaluation e = {0};
    const bool has_test = r->settings->data.test.n > 0;
    const struct dataset *set = has_test ? &s.test : &s.validation;
    ft_status status = session_open_model(&s, comm, r->settings);
    if (status == FT_OK)
        status = comm_agree(comm, read_labels(&s, r->base));
    if (status == FT_OK)
        status = session_open_data(&s, has_test ? SESSION_TEST : SESSION_VALIDATION);
    if (status == FT_OK)
        status = r->settings->mode == RUN_MODE_TRANSFER ? transfer_evaluate(&e, &s, set)
                                                        : evaluate_model(&e, &s, set, r->base);
    if (status == FT_OK)
        status = comm_agree(comm, r->use(r->context, &s, set, &e));
    evaluation_clear(&e);
    session_close(&s);
    return status;
}

ft_status run_evaluate(struct comm *comm, const struct settings *settings, bool base,
                       evaluation_user *use, void *context)
{
    struct request request = {settings, base, use, context};
    FT_AGREE(comm, check_has_data(settings));
    return settings->mode == RUN_MODE_TRANSFER ? alone_run(comm, evaluate, &request)
                                               : evaluate(comm, &request);
}
