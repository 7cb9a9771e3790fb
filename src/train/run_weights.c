#include "train/run_weights.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "ckpt/checkpoint.h"

/* Largest step below `below` that has a checkpoint folder; -1 when there is none. */
static int64_t older_step(const char *output_dir, int64_t below)
{
    char path[FILE_PATH_MAX], *end;
    int64_t found = -1;
    if (file_join(path, output_dir, "checkpoints") != FT_OK)
        return -1;
    DIR *folder = opendir(path);
    if (!folder)
        return -1;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (strncmp(entry->d_name, "step-", 5) != 0)
            continue;
        const int64_t step = strtoll(entry->d_name + 5, &end, 10);
        if (*end == '\0' && step < below && step > found)
            found = step;
    }
    (void)closedir(folder);
    return found;
}

/* One rank a node reads, the node's others get it. Collective. */
static ft_status load_checkpoint(struct session *s, const char *path)
{
    FT_AGREE(s->comm, comm_node_rank(s->comm) == 0
                          ? ckpt_read_params(path, s->model->layout, s->model->params)
                          : FT_OK);
    comm_node_bcast(s->comm, s->model->params, s->model->layout->N * (int64_t)sizeof(float));
    log_info("weights: checkpoint %s", path);
    return FT_OK;
}

/* The newest one that verifies. *step = -1: there is none at all. Collective. */
static ft_status load_newest(struct session *s, int64_t *step)
{
    const char *dir = s->settings->output.dir;
    char path[FILE_PATH_MAX];
    ft_status status = FT_OK;
    int64_t below = INT64_MAX;
    *step = -1;
    for (;;) {
        int64_t candidate = older_step(dir, below);
        comm_bcast(s->comm, &candidate, sizeof candidate, 0);
        if (candidate < 0)
            return status;
        *step = candidate;
        (void)snprintf(path, sizeof path, "%s/checkpoints/step-%08lld", dir, (long long)candidate);
        status = load_checkpoint(s, path);
        if (status == FT_OK)
            return FT_OK;
        log_warn("%s", ft_error_text());
        below = candidate;
    }
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
    if (!base)
        FT_TRY(load_newest(s, &step)); /* agreed */
    if (step >= 0)
        return FT_OK;
    FT_TRY(session_load_params(s));
    log_info("weights: %s as it is", s->settings->model.path);
    return FT_OK;
}
