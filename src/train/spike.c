#include "train/spike.h"

#include <math.h>

#include "base/log.h"

double spike_sigma(const double *losses, int64_t n, double loss)
{
    const double least_deviation = 0.01;
    double sum = 0, squares = 0;
    int count = 0;
    if (!isfinite(loss))
        return NAN;
    const int64_t first = n > SPIKE_WINDOW ? n - SPIKE_WINDOW : 0;
    for (int64_t i = first; i < n; i++) {
        sum += isfinite(losses[i]) ? losses[i] : 0.0;
        count += isfinite(losses[i]);
    }
    if (count < SPIKE_LEAST)
        return 0.0;
    const double mean = sum / count;
    for (int64_t i = first; i < n; i++)
        if (isfinite(losses[i]))
            squares += (losses[i] - mean) * (losses[i] - mean);
    const double deviation = fmax(sqrt(squares / count), least_deviation * fabs(mean));
    return deviation > 0 ? (loss - mean) / deviation : 0.0;
}

/* Losses at the end that are not finite. */
static int64_t count_bad(const double *losses, int64_t n)
{
    int64_t bad = 0;
    while (bad < n && !isfinite(losses[n - 1 - bad]))
        bad++;
    return bad;
}

static ft_status stop(const struct step_metrics *m, bool is_finite)
{
    const char *what = isfinite(m->loss) ? "gradient norm" : "the loss";
    if (!is_finite)
        return ft_fail(FT_ERR_INTERNAL,
                       "%s of step %lld is not finite; parameters were left as they were (lower "
                       "training.lr, or look at the data of this step: metrics.jsonl names its "
                       "documents)",
                       what, (long long)m->step);
    return ft_fail(FT_ERR_INTERNAL,
                   "the loss of step %lld, %.4f, lies %.1f standard deviations above the mean of "
                   "those before it; parameters were left as they were (metrics.jsonl names the "
                   "documents of this step)",
                   (long long)m->step, m->loss, m->sigma);
}

ft_status spike_judge(struct step_metrics *m, const struct settings *settings, const double *losses,
                      int64_t n)
{
    const enum on_spike on_spike = settings->training.on_spike;
    const double most = settings->training.spike_sigma;
    const bool is_finite = isfinite(m->loss) && isfinite(m->grad_norm);
    m->sigma = is_finite ? spike_sigma(losses, n, m->loss) : (double)NAN;
    m->is_spike = !is_finite || (most > 0 && m->sigma > most);
    if (!m->is_spike)
        return FT_OK;
    if (on_spike == ON_SPIKE_STOP || (on_spike == ON_SPIKE_IGNORE && !is_finite))
        return stop(m, is_finite);
    m->is_skipped = on_spike == ON_SPIKE_SKIP;
    if (m->is_skipped && !isfinite(m->loss) && count_bad(losses, n) + 1 >= SPIKES_IN_A_ROW) {
        m->is_skipped = false;
        return ft_fail(FT_ERR_INTERNAL,
                       "the losses of %d steps in a row, up to step %lld, are not finite: skipping "
                       "does not help (lower training.lr, or look at the data)",
                       SPIKES_IN_A_ROW, (long long)m->step);
    }
    return FT_OK;
}

void spike_log(const struct step_metrics *m)
{
    const char *done = m->is_skipped ? ": no update was made" : "";
    if (isfinite(m->sigma))
        log_warn("step %lld: its loss, %.4f, lies %.1f standard deviations above the mean%s",
                 (long long)m->step, m->loss, m->sigma, done);
    else
        log_warn("step %lld: %s is not finite%s", (long long)m->step,
                 isfinite(m->loss) ? "gradient norm" : "the loss", done);
}
