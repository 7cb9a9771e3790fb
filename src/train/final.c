#include "train/final.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pulse.h"
#include "train/export.h"

bool final_exists(const char *output_dir)
{
    char path[FILE_PATH_MAX];
    return file_join(path, output_dir, "final") == FT_OK && file_is_folder(path);
}

static ft_status write_into(const char *folder, struct session *s)
{
    const float **values;
    FT_TRY(file_remove_folder(folder));
    FT_TRY(model_tensors_of(&values, s->model->layout, s->model->params));
    const struct model_tensors tensors = {&s->config, s->model->layout, values};
    const ft_status status = export_write_folder(folder, s, &tensors, GGML_F32);
    mem_free(values);
    return status == FT_OK ? file_sync(folder) : status;
}

/* The old final/ is moved away, not removed, until the new one stands. */
static ft_status swap_in(const char *fresh, const char *final, const char *old)
{
    FT_TRY(file_remove_folder(old));
    if (file_exists(final) && rename(final, old) != 0)
        return ft_fail(FT_ERR_IO, "cannot rename %s: %s", final, strerror(errno));
    if (rename(fresh, final) != 0)
        return ft_fail(FT_ERR_IO, "cannot rename %s to %s: %s", fresh, final, strerror(errno));
    return file_remove_folder(old);
}

static ft_status write_local(struct trainer *t)
{
    struct session *s = t->session;
    const char *dir = s->settings->output.dir;
    char best[FILE_PATH_MAX], fresh[FILE_PATH_MAX], final[FILE_PATH_MAX], old[FILE_PATH_MAX];
    FT_TRY(fault_point("export"));
    if (comm_rank(s->comm) != 0)
        return FT_OK;
    FT_TRY(file_join(best, dir, "best"));
    FT_TRY(file_join(fresh, dir, "final.tmp"));
    FT_TRY(file_join(final, dir, "final"));
    FT_TRY(file_join(old, dir, "final.old"));
    if (s->validation.corpus && file_is_folder(best))
        FT_TRY(ckpt_read_params(best, s->model->trainable,
                                s->model->params + s->model->trainable_from));
    FT_TRY(write_into(fresh, s));
    FT_TRY(swap_in(fresh, final, old));
    return file_sync(dir);
}

ft_status final_write(struct trainer *t)
{
    FT_AGREE(t->session->comm, write_local(t));
    log_info("model written to %s/final", t->session->settings->output.dir);
    return FT_OK;
}

ft_status trainer_finish(struct trainer *t)
{
    char path[FILE_PATH_MAX];
    struct session *s = t->session;
    pulse_phase("export");
    timers_start(&s->timers);
    FT_TRY(final_write(t));
    timers_stop(&s->timers, PHASE_EXPORT);
    FT_AGREE(s->comm, metrics_close(&t->metrics));
    FT_AGREE(s->comm, file_join(path, s->settings->output.dir, "timers.json"));
    return timers_write(&s->timers, s->planned_bytes, s->comm, path);
}
