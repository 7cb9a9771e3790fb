#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/startup.h"
#include "cli/verbs.h"

static ft_status print_settings(const struct comm *comm, const struct settings *settings)
{
    struct buffer text = {0};
    if (comm_rank(comm) != 0)
        return FT_OK;
    ft_status status = settings_format(settings, &text);
    if (status == FT_OK && fputs(text.data, stdout) < 0)
        status = ft_fail(FT_ERR_IO, "cannot write to standard output: %s", strerror(errno));
    buffer_clear(&text);
    return status;
}

static ft_status check_model(const struct comm *comm, const struct settings *settings)
{
    if (comm_rank(comm) == 0 && !file_exists(settings->model.path))
        return ft_fail(FT_ERR_INPUT, "model.path: %s does not exist", settings->model.path);
    return FT_OK;
}

ft_status verb_check(struct comm *comm, int argc, char **argv)
{
    struct settings *settings = NULL;
    FT_TRY(startup_load(&settings, comm, argc, argv));
    ft_status status = startup_report(comm, settings);
    if (status == FT_OK)
        status = comm_agree(comm, check_model(comm, settings));
    if (status == FT_OK)
        status = comm_agree(comm, print_settings(comm, settings));
    settings_destroy(&settings);
    return status;
}
