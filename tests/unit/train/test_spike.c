/* When a loss is a spike, and what follows. */
#include "train/spike.h"

#include <math.h>

#include "support/check.h"

static struct settings *make_settings(const char *more)
{
    char *overrides[] = {(char *)(uintptr_t)more};
    static const char text[] = "model: { path = \"m\"; };\ndata: { train = \"t\"; };\n"
                               "output: { dir = \"o\"; };\n";
    struct settings *s = NULL;
    CHECK_STATUS(settings_parse(&s, text, sizeof text - 1, "test", "/", more ? 1 : 0, overrides),
                 FT_OK);
    return s;
}

/* 1, 3, 1, 3 ...: mean 2, deviation 1 */
static void fill(double *losses, int n)
{
    for (int i = 0; i < n; i++)
        losses[i] = i % 2 ? 3.0 : 1.0;
}

static void test_sigma(void)
{
    double losses[SPIKE_WINDOW + 72];
    fill(losses, SPIKE_WINDOW + 72);
    CHECK(spike_sigma(losses, SPIKE_LEAST - 2, 50.0) == 0.0); /* too few */
    CHECK_CLOSE(spike_sigma(losses, SPIKE_LEAST, 7.0), 5.0, 1e-12);
    CHECK_CLOSE(spike_sigma(losses, SPIKE_LEAST, 0.0), -2.0, 1e-12);
    CHECK(isnan(spike_sigma(losses, SPIKE_LEAST, (double)NAN)));
    CHECK(isnan(spike_sigma(losses, SPIKE_LEAST, (double)INFINITY)));
    losses[71] = 1e9; /* just outside of the window */
    CHECK_CLOSE(spike_sigma(losses, SPIKE_WINDOW + 72, 7.0), 5.0, 1e-12);
    CHECK(spike_sigma(losses, SPIKE_WINDOW + 71, 7.0) < 1.0);
    fill(losses, SPIKE_WINDOW + 72);
    losses[100] = losses[101] = (double)NAN; /* what was skipped does not count */
    CHECK_CLOSE(spike_sigma(losses, SPIKE_WINDOW + 72, 7.0), 5.0, 1e-12);
    for (int i = 0; i < SPIKE_WINDOW; i++) /* a loss that does not move: 1 % of it is a deviation */
        losses[i] = 2.0;
    CHECK_CLOSE(spike_sigma(losses, SPIKE_WINDOW, 2.1), 5.0, 1e-9);
    for (int i = 0; i < SPIKE_WINDOW; i++)
        losses[i] = 0.0;
    CHECK(spike_sigma(losses, SPIKE_WINDOW, 1.0) == 0.0);
}

/* Keys, loss, norm; status, spike, skipped. */
static void expect(const char *more, double loss, double norm, ft_status status, bool is_spike,
                   bool is_skipped)
{
    double losses[SPIKE_WINDOW];
    struct settings *s = make_settings(more);
    struct step_metrics m = {.step = 129, .loss = loss, .grad_norm = norm};
    fill(losses, SPIKE_WINDOW);
    CHECK_STATUS(spike_judge(&m, s, losses, SPIKE_WINDOW), status);
    CHECK(m.is_spike == is_spike && m.is_skipped == is_skipped);
    settings_destroy(&s);
}

static void test_verdicts(void)
{
    const double bad = (double)NAN;
    expect(NULL, 3.0, 1.0, FT_OK, false, false);
    expect(NULL, 7.9, 1.0, FT_OK, false, false); /* 5.9 of 6 */
    expect(NULL, 8.1, 1.0, FT_OK, true, false);
    expect(NULL, bad, 1.0, FT_ERR_INTERNAL, true, false);
    expect(NULL, 3.0, (double)INFINITY, FT_ERR_INTERNAL, true, false);
    expect("training.on_spike=skip", 8.1, 1.0, FT_OK, true, true);
    expect("training.on_spike=skip", bad, bad, FT_OK, true, true);
    expect("training.on_spike=skip", 3.0, bad, FT_OK, true, true);
    expect("training.on_spike=stop", 8.1, 1.0, FT_ERR_INTERNAL, true, false);
    expect("training.on_spike=stop", bad, 1.0, FT_ERR_INTERNAL, true, false);
    expect("training.on_spike=stop", 3.0, 1.0, FT_OK, false, false);
    expect("training.spike_sigma=0", 1e9, 1.0, FT_OK, false, false);
    expect("training.spike_sigma=0", bad, 1.0, FT_ERR_INTERNAL, true, false);
    expect("training.spike_sigma=3", 5.1, 1.0, FT_OK, true, false);
}

static void test_row(void)
{
    double losses[SPIKE_WINDOW];
    struct settings *s = make_settings("training.on_spike=skip");
    struct step_metrics m = {.step = 129, .loss = (double)NAN, .grad_norm = 1.0};
    fill(losses, SPIKE_WINDOW);
    for (int i = 1; i < SPIKES_IN_A_ROW - 1; i++)
        losses[SPIKE_WINDOW - i] = (double)NAN;
    CHECK_STATUS(spike_judge(&m, s, losses, SPIKE_WINDOW), FT_OK);
    losses[SPIKE_WINDOW - (SPIKES_IN_A_ROW - 1)] = (double)NAN;
    CHECK_FAILS(spike_judge(&m, s, losses, SPIKE_WINDOW), FT_ERR_INTERNAL, "16 steps in a row");
    settings_destroy(&s);
}

int main(void)
{
    test_sigma();
    test_verdicts();
    test_row();
    return check_end();
}
