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
