#include "train/run_settings.h"

#include "base/file.h"
#include "base/mem.h"

ft_status run_settings_read(struct settings **out, const char *run_dir)
{
    char folder[FILE_PATH_MAX], path[FILE_PATH_MAX];
    struct buffer output = {0};
    char *text = NULL;
    size_t bytes = 0;
    *out = NULL;
    if (file_is_regular(run_dir))
        return ft_fail(FT_ERR_INPUT, "%s is a file; name the folder of a run, its output.dir",
                       run_dir);
    FT_TRY(file_absolute(folder, run_dir));
    FT_TRY(file_join(path, folder, "resolved.cfg"));
    if (!file_exists(path))
        return ft_fail(FT_ERR_INPUT,
                       "%s does not exist: name the output.dir of a run that was trained (after "
                       "compare: output.dir/compare/METHOD)",
                       path);
    ft_status status = file_read_all(&text, &bytes, path, SETTINGS_TEXT_MAX);
    if (status == FT_OK)
        status = buffer_print(&output, "output.dir=%s", folder);
    if (status == FT_OK)
        status = settings_parse(out, text, bytes, path, folder, 1, &output.data);
    buffer_clear(&output);
    mem_free(text);
    return status;
}

static ft_status read_task(enum run_task *task, const char *run_dir)
{
    struct settings *settings;
    FT_TRY(run_settings_read(&settings, run_dir));
    *task = settings->task;
    settings_destroy(&settings);
    return FT_OK;
}

ft_status run_settings_task(enum run_task *task, struct comm *comm, const char *run_dir)
{
    int64_t value = 0;
    *task = RUN_TASK_CAUSAL_LM;
    FT_AGREE(comm, comm_rank(comm) == 0 ? read_task(task, run_dir) : FT_OK);
    value = *task;
    comm_bcast(comm, &value, sizeof value, 0);
    *task = (enum run_task)value;
    return FT_OK;
}
