#include "base/signals.h"
#include "cli/startup.h"
#include "cli/verbs.h"
#include "train/session.h"

ft_status verb_prepare(struct comm *comm, int argc, char **argv)
{
    struct settings *settings = NULL;
    struct session session = {0};
    signals_watch();
    FT_TRY(startup_load(&settings, comm, argc, argv));
    ft_status status = startup_report(comm, settings);
    if (status == FT_OK)
        status = session_open_model(&session, comm, settings);
    if (status == FT_OK)
        status = session_open_data(&session, SESSION_TRAIN | SESSION_VALIDATION | SESSION_TEST);
    session_close(&session);
    settings_destroy(&settings);
    return status;
}
