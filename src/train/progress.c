#include "train/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/timer.h"

enum { BAR = 24 };
static const double LINE_EVERY_S = 10.0, REDRAW_EVERY_S = 0.1;

void progress_start(struct progress *p, int64_t first_step, int64_t total_steps, bool is_speaking)
{
    *p = (struct progress){.first_step = first_step,
                           .total_steps = total_steps,
                           .started = timer_now(),
                           .is_terminal = log_to_terminal(STDERR_FILENO),
                           .is_speaking = is_speaking};
}

static void format_eta(char text[32], double seconds)
{
    const long s = (long)(seconds + 0.5);
    if (s >= 3600)
        (void)snprintf(text, 32, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        (void)snprintf(text, 32, "%ld:%02ld", s / 60, s % 60);
}

static void format_bar(char text[BAR + 1], double fraction)
{
    for (int i = 0; i < BAR; i++)
        text[i] = i < (int)(fraction * BAR) ? '#' : '.';
    text[BAR] = '\0';
}

void progress_step(struct progress *p, const struct step_metrics *m)
{
    char eta[32], bar[BAR + 1], line[256];
    const double now = timer_now(), elapsed = now - p->started;
    const int64_t done = m->step - p->first_step;
    const bool is_last = m->step == p->total_steps;
    p->tokens += m->tokens;
    if (!p->is_speaking || (done > 1 && !is_last &&
                            now - p->last_line < (p->is_terminal ? REDRAW_EVERY_S : LINE_EVERY_S)))
        return;
    p->last_line = now;
    format_eta(eta, elapsed / (double)done * (double)(p->total_steps - m->step));
    format_bar(bar, (double)m->step / (double)p->total_steps);
    (void)snprintf(line, sizeof line,
                   "step %lld/%lld  loss %.4f  lr %.2e  grad norm %.2f  %.0f tokens/s  ETA %s",
                   (long long)m->step, (long long)p->total_steps, m->loss, m->lr, m->grad_norm,
                   (double)p->tokens / elapsed, eta);
    p->is_open_line = p->is_terminal && !is_last;
    if (p->is_terminal)
        (void)fprintf(stderr, "\r\033[K[%s] %s%s", bar, line, is_last ? "\n" : "");
    else
        log_info("%s", line);
}

void progress_break(struct progress *p)
{
    if (p->is_open_line)
        (void)fputc('\n', stderr);
    p->is_open_line = false;
}
