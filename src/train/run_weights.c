#include "train/run_weights.h"

#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "ckpt/checkpoint.h"
#include "ckpt/retention.h"

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

ft_status run_weights_load(struct session *s, bool base)
{
    char best[FILE_PATH_MAX];
    int64_t step = -1;
    FT_AGREE(s->comm, file_join(best, s->settings->output.dir, "best"));
    int64_t has_best = file_is_folder(best);
    comm_bcast(s->comm, &has_best, sizeof has_best, 0);
    if (!base && has_best)
        return load_checkpoint(s, best);
    if (!base) {
        FT_AGREE(s->comm,
                 comm_rank(s->comm) == 0 ? ckpt_newest(s->settings->output.dir, &step) : FT_OK);
        comm_bcast(s->comm, &step, sizeof step, 0);
    }
    if (step >= 0) {
        char folder[FILE_PATH_MAX];
        FT_AGREE(s->comm, retention_step_folder(folder, s->settings->output.dir, step));
        return load_checkpoint(s, folder);
    }
    if (s->settings->task == RUN_TASK_CLASSIFICATION)
        return ft_fail(FT_ERR_INPUT,
                       "%s holds no checkpoint: nothing was learnt there yet, and %s alone has no "
                       "head for these labels",
                       s->settings->output.dir, s->settings->model.path);
    FT_TRY(session_load_params(s));
    log_info("weights: %s as it is", s->settings->model.path);
    return FT_OK;
}
