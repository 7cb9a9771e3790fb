#include "base/signals.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/deadline.h"

static volatile sig_atomic_t stop_requested;
static volatile sig_atomic_t n_insistent;

static void on_signal(int number)
{
    stop_requested = 1;
    if (number != SIGUSR1 && ++n_insistent >= 3)
        _exit(128 + number);
}

void signals_watch(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGUSR1, &action, NULL);
    (void)signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is told by write, as a full disk is */
}

bool signals_stop_requested(void)
{
    return stop_requested != 0 || deadline_is_near();
}

const char *signals_cause(void)
{
    return stop_requested == 0 && deadline_is_near() ? "the time limit of the job" : "a signal";
}

ft_status signals_check(const char *doing)
{
    return signals_stop_requested()
               ? ft_fail(FT_STOPPED, "stopped by %s while %s", signals_cause(), doing)
               : FT_OK;
}
