#include "base/signals.h"
#include "cli/startup.h"
#include "cli/verbs.h"
#include "train/compare.h"

ft_status verb_compare(struct comm *comm, int argc, char **argv)
{
    struct settings *settings = NULL;
    signals_watch();
    FT_TRY(startup_load(&settings, comm, argc, argv));
    ft_status status = startup_report(comm, settings);
    if (status == FT_OK)
        status = compare_run(comm, settings);
    settings_destroy(&settings);
    return status;
}
