#include "train/run_weights.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "ckpt/checkpoint.h"
#include "ckpt/retention.h"
#include "model/convert.h"
#include "model/export.h"
#include "train/final.h"

/* The frozen part is model.path's: it must be the model that the run began with. Local: rank 0. */
static ft_status check_base(const struct session *s, const char *path)
{
    char then[HASH_TEXT];
    if (comm_rank(s->comm) != 0)
        return FT_OK;
    FT_TRY(ckpt_read_base_hash(then, path));
    if (strcmp(then, s->model_hash) == 0)
        return FT_OK;
    return ft_fail(
        FT_ERR_INPUT,
        "%s holds the last layers of another model: its base has hash %s, model.path has "
        "%s; name the model that it was trained from",
        path, then, s->model_hash);
}

/* One rank a node reads, the node's others get it. A checkpoint holds what learns: the rest is the
 * base model's. Collective. */
static ft_status load_checkpoint(struct session *s, const char *path)
{
    const struct layout *trainable = s->model->trainable;
    float *params = s->model->params + s->model->trainable_from;
    if (s->model->trainable_from > 0) {
        FT_TRY(session_load_params(s));
        FT_AGREE(s->comm, check_base(s, path));
    }
    FT_AGREE(s->comm,
             comm_node_rank(s->comm) == 0 ? ckpt_read_params(path, trainable, params) : FT_OK);
    comm_node_bcast(s->comm, params, trainable->N * (int64_t)sizeof(float));
    model_round_params(s->model);
    log_info("weights: checkpoint %s", path);
    return FT_OK;
}

/* Folder of the checkpoint that is asked for; "" where there is none and none is needed. Local. */
static ft_status find_checkpoint(struct weights_found *found, const char *dir,
                                 const struct weights_choice *choice)
{
    char best[FILE_PATH_MAX];
    FT_TRY(file_join(best, dir, "best"));
    if (choice->source == WEIGHTS_STEP)
        found->step = choice->step;
    else if (file_is_folder(best))
        found->step = retention_best(dir);
    else if (choice->source == WEIGHTS_BEST)
        return ft_fail(FT_ERR_INPUT, "%s has no best checkpoint: nothing was evaluated", dir);
    else
        FT_TRY(ckpt_newest(dir, &found->step));
    if (found->step < 0)
        return FT_OK;
    FT_TRY(retention_step_folder(found->path, dir, found->step));
    return file_is_folder(found->path)
               ? FT_OK
               : ft_fail(FT_ERR_INPUT, "%s does not exist; finetune inspect %s lists what does",
                         found->path, dir);
}

/* The model that the run left, head included; one rank a node reads. Local. */
static ft_status read_final(struct session *s, const char *path)
{
    if (comm_node_rank(s->comm) != 0)
        return FT_OK;
    FT_TRY(model_read_params(s->model->params, s->model->layout, &s->config, path));
    return model_read_head(s->model->params, s->model->layout, &s->config, path);
}

static ft_status load_final(struct session *s, struct weights_found *found)
{
    FT_AGREE(s->comm, file_join(found->path, s->settings->output.dir, "final"));
    FT_AGREE(s->comm, read_final(s, found->path));
    comm_node_bcast(s->comm, s->model->params, s->model->layout->N * (int64_t)sizeof(float));
    model_round_params(s->model);
    log_info("weights: %s", found->path);
    return FT_OK;
}

/* Where there is no checkpoint. */
static ft_status load_otherwise(struct session *s, enum weights_source source,
                                struct weights_found *found)
{
    const struct settings *settings = s->settings;
    int64_t has_final = source == WEIGHTS_TRAINED && final_exists(settings->output.dir);
    comm_bcast(s->comm, &has_final, sizeof has_final, 0);
    if (has_final)
        return load_final(s, found);
    if (source == WEIGHTS_TRAINED)
        return ft_fail(FT_ERR_INPUT,
                       "%s holds no checkpoint and no final/: nothing was learnt there yet",
                       settings->output.dir);
    if (settings->task == RUN_TASK_CLASSIFICATION)
        return ft_fail(FT_ERR_INPUT,
                       "%s holds no checkpoint: nothing was learnt there yet, and %s alone has no "
                       "head for these labels",
                       settings->output.dir, settings->model.path);
    (void)snprintf(found->path, sizeof found->path, "%s", settings->model.path);
    FT_TRY(session_load_params(s));
    log_info("weights: %s as it is", settings->model.path);
    return FT_OK;
}

ft_status run_weights_find(struct session *s, const struct weights_choice *choice,
                           struct weights_found *found)
{
    struct weights_found own;
    found = found ? found : &own;
    *found = (struct weights_found){.step = -1};
    if (choice->source != WEIGHTS_BASE)
        FT_AGREE(s->comm, comm_rank(s->comm) == 0
                              ? find_checkpoint(found, s->settings->output.dir, choice)
                              : FT_OK);
    comm_bcast(s->comm, found, sizeof *found, 0);
    return found->step >= 0 ? load_checkpoint(s, found->path)
                            : load_otherwise(s, choice->source, found);
}

ft_status run_weights_load(struct session *s, bool base)
{
    const struct weights_choice choice = {base ? WEIGHTS_BASE : WEIGHTS_AUTO, -1};
    return run_weights_find(s, &choice, NULL);
}
