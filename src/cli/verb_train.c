#include "base/signals.h"
#include "cli/startup.h"
#include "cli/verbs.h"
#include "train/run.h"

ft_status verb_train(struct comm *comm, int argc, char **argv)
{
    struct settings *settings = NULL;
    signals_watch();
    FT_TRY(startup_load(&settings, comm, argc, argv));
    ft_status status = comm_agree(comm, settings_require_training(settings));
    if (status == FT_OK)
        status = startup_report(comm, settings);
    if (status == FT_OK)
        status = run_train(comm, settings);
    settings_destroy(&settings);
    return status;
}
