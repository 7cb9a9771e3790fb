#include "train/advice.h"

#include <math.h>
#include <string.h>

/* What the rule of the header found; -1 = none. */
struct decision {
    const struct comparison *c;
    int chosen, below, above;
    bool undecided, is_wide;
};

static const char *const subjects[N_COMPARE_METHODS] = {
    "the bag of words", "transfer learning", "training the last layers", "full fine-tuning"};

static const char *const orders[N_COMPARE_METHODS] = {
    "Use the bag of words", "Use transfer learning", "Train the last layers",
    "Fine-tune the whole model"};

static const char *const fits[N_COMPARE_METHODS] = {
    "as good as the pretrained model on this task",
    "the choice for a task similar to what the model knows, few resources or little data",
    "the middle way between a new head and all weights",
    "the choice for a task unlike what the model knows, if accuracy is worth its cost"};

static const struct method_result *result(const struct decision *d, int method)
{
    return d->c->methods + method;
}

static bool beats(const struct comparison *c, int a, int b)
{
    return c->methods[a].accuracy > c->methods[b].accuracy && c->pairs[a][b].p < ADVICE_P;
}

/* Methods are told apart by their number where they cost the same. */
static bool is_cheaper(const struct comparison *c, int a, int b)
{
    const double x = c->methods[a].core_s, y = c->methods[b].core_s;
    return x < y || (x == y && a < b);
}

/* A method that is done, of a number below `end` and, with a limit, cheaper than that. */
static bool is_within(const struct comparison *c, int method, int end, int limit)
{
    return method < end && c->methods[method].done && (limit < 0 || is_cheaper(c, method, limit));
}

/* The cheapest that none beats, among the methods below `end` that are cheaper than limit. */
static int choose(const struct comparison *c, int end, int limit)
{
    int best = -1;
    for (int m = 0; m < end; m++) {
        bool beaten = !is_within(c, m, end, limit);
        for (int other = 0; other < end && !beaten; other++)
            beaten = is_within(c, other, end, limit) && beats(c, other, m);
        if (!beaten && (best < 0 || is_cheaper(c, m, best)))
            best = m;
    }
    return best;
}

static bool any_beats(const struct comparison *c)
{
    for (int a = 0; a < N_COMPARE_METHODS; a++)
        for (int b = 0; b < N_COMPARE_METHODS; b++)
            if (c->methods[a].done && c->methods[b].done && beats(c, a, b))
                return true;
    return false;
}

static struct decision decide(const struct comparison *c)
{
    struct decision d = {
        .c = c, .chosen = choose(c, N_COMPARE_METHODS, -1), .below = -1, .above = -1};
    if (d.chosen < 0)
        return d;
    const struct method_result *chosen = result(&d, d.chosen);
    d.below = choose(c, N_COMPARE_METHODS, d.chosen);
    for (int m = 0; m < N_COMPARE_METHODS; m++) {
        const struct method_result *r = c->methods + m;
        if (r->done && is_cheaper(c, d.chosen, m) && r->accuracy > chosen->accuracy &&
            (d.above < 0 || r->accuracy > c->methods[d.above].accuracy))
            d.above = m;
    }
    d.is_wide = chosen->documents < ADVICE_DOCUMENTS ||
                chosen->interval.accuracy.high - chosen->interval.accuracy.low > ADVICE_WIDTH;
    d.undecided = d.is_wide && !any_beats(c);
    return d;
}

ft_status advice_put_p(struct buffer *out, double p)
{
    if (p < 0.001)
        return buffer_print(out, "p < 0.001");
    return buffer_print(out, p < 0.1 ? "p = %.3f" : "p = %.2f", p);
}

/* "82.1 %, 95 % interval 80.5 to 83.6 %" */
static ft_status put_accuracy(struct buffer *out, const struct method_result *r)
{
    return buffer_print(out, "%.1f %%, 95 %% interval %.1f to %.1f %%", 100.0 * r->accuracy,
                        100.0 * r->interval.accuracy.low, 100.0 * r->interval.accuracy.high);
}

/* "2.7 points", "less than 0.1 points" */
static ft_status put_points(struct buffer *out, double difference)
{
    const double points = 100.0 * difference;
    return points < 0.05 ? buffer_print(out, "less than 0.1 points")
                         : buffer_print(out, "%.1f points", points);
}

static ft_status put_core_seconds(struct buffer *out, double seconds)
{
    return buffer_print(out, seconds < 100.0 ? "%.3g" : "%.0f", seconds);
}

/* "41 times the core-seconds (4120 against 100)" of method b against a. */
static ft_status put_cost(struct buffer *out, const struct decision *d, int b, int a)
{
    const double costly = result(d, b)->core_s, cheap = result(d, a)->core_s;
    const double ratio = costly / fmax(cheap, 1e-3);
    if (ratio >= 100.0) { /* two digits */
        const double unit = pow(10.0, floor(log10(ratio)) - 1.0);
        FT_TRY(buffer_print(out, "%.0f times", round(ratio / unit) * unit));
    } else {
        FT_TRY(buffer_print(out, ratio >= 9.95 ? "%.0f times" : "%.1f times", ratio));
    }
    FT_TRY(buffer_print(out, " the core-seconds ("));
    FT_TRY(put_core_seconds(out, costly));
    FT_TRY(buffer_print(out, " against "));
    FT_TRY(put_core_seconds(out, cheap));
    return buffer_print(out, ")");
}

/* "the 0.8 points more of full fine-tuning may be chance (p = 0.21) and cost ..." */
static ft_status put_above(struct buffer *out, const struct decision *d)
{
    FT_TRY(buffer_print(out, "the "));
    FT_TRY(put_points(out, result(d, d->above)->accuracy - result(d, d->chosen)->accuracy));
    FT_TRY(buffer_print(out, " more of %s may be chance (", subjects[d->above]));
    FT_TRY(advice_put_p(out, d->c->pairs[d->above][d->chosen].p));
    FT_TRY(buffer_print(out, ") and cost "));
    return put_cost(out, d, d->above, d->chosen);
}

static ft_status put_undecided(struct buffer *out, const struct decision *d)
{
    const struct method_result *r = result(d, d->chosen);
    FT_TRY(buffer_print(out,
                        "Stay with %s, the cheapest, until there are more test documents: %lld "
                        "are too few to tell the methods apart (its accuracy is ",
                        subjects[d->chosen], (long long)r->documents));
    FT_TRY(put_accuracy(out, r));
    if (d->above < 0)
        return buffer_print(out, ")");
    FT_TRY(buffer_print(out, "), and "));
    return put_above(out, d);
}

/* The costliest method that is done, if it is not the chosen one. */
static int costliest(const struct decision *d)
{
    int most = d->chosen;
    for (int m = 0; m < N_COMPARE_METHODS; m++)
        if (d->c->methods[m].done && is_cheaper(d->c, most, m))
            most = m;
    return most == d->chosen ? -1 : most;
}

/* "; ..." what the costlier methods would bring; nothing where there is none. That none of them is
 * more accurate may have been stated before. */
static ft_status put_costlier(struct buffer *out, const struct decision *d, bool is_stated)
{
    const int most = costliest(d);
    if (most < 0)
        return FT_OK;
    FT_TRY(buffer_print(out, "; "));
    if (d->above >= 0)
        return put_above(out, d);
    if (!is_stated)
        FT_TRY(buffer_print(out, "no costlier method is more accurate: "));
    FT_TRY(buffer_print(out, "%s has %.1f %% for ", subjects[most],
                        100.0 * result(d, most)->accuracy));
    return put_cost(out, d, most, d->chosen);
}

/* The bag of words is not only as good: it beats all others that are done. */
static bool beats_all(const struct decision *d)
{
    for (int m = 0; m < N_COMPARE_METHODS; m++)
        if (m != d->chosen && d->c->methods[m].done && !beats(d->c, d->chosen, m))
            return false;
    return true;
}

/* ": it is the cheapest, and ..." */
static ft_status put_standing(struct buffer *out, const struct decision *d)
{
    const struct method_result *r = result(d, d->chosen);
    FT_TRY(buffer_print(out,
                        ": it is the cheapest, and no other method is %smore accurate than its "
                        "%.1f %% (95 %% interval %.1f to %.1f %%, %lld test documents)",
                        d->above < 0 ? "" : "measurably ", 100.0 * r->accuracy,
                        100.0 * r->interval.accuracy.low, 100.0 * r->interval.accuracy.high,
                        (long long)r->documents));
    return put_costlier(out, d, true);
}

/* Nothing is cheaper than the chosen method. */
static ft_status put_cheapest(struct buffer *out, const struct decision *d)
{
    FT_TRY(buffer_print(out, "%s", orders[d->chosen]));
    if (d->chosen == COMPARE_BAG_OF_WORDS && beats_all(d))
        FT_TRY(buffer_print(out, ", better than the pretrained model on this task"));
    else if (d->chosen <= COMPARE_TRANSFER)
        FT_TRY(buffer_print(out, ", %s", fits[d->chosen]));
    return put_standing(out, d);
}

/* What the chosen method gains on the alternative below, and for what. */
static ft_status put_gain(struct buffer *out, const struct decision *d)
{
    const struct method_result *chosen = result(d, d->chosen), *below = result(d, d->below);
    if (beats(d->c, d->chosen, d->below)) {
        FT_TRY(put_points(out, chosen->accuracy - below->accuracy));
        FT_TRY(buffer_print(out, " more accurate than %s (", subjects[d->below]));
    } else {
        FT_TRY(buffer_print(out,
                            "the cheapest method that no other beats, though not measurably better "
                            "than %s (",
                            subjects[d->below]));
    }
    FT_TRY(put_accuracy(out, chosen));
    FT_TRY(buffer_print(out, ", against %.1f %%; ", 100.0 * below->accuracy));
    FT_TRY(advice_put_p(out, d->c->pairs[d->chosen][d->below].p));
    FT_TRY(buffer_print(out, ") for "));
    return put_cost(out, d, d->chosen, d->below);
}

/* Where weights of the model are to be trained: what to use where that is too much. */
static ft_status put_frugal(struct buffer *out, const struct decision *d)
{
    int frugal = choose(d->c, COMPARE_LAST_LAYERS, d->chosen);
    if (frugal < 0)
        frugal = d->below;
    return buffer_print(out, "; with few resources or little data use %s (%.1f %%)",
                        subjects[frugal], 100.0 * result(d, frugal)->accuracy);
}

static ft_status put_costlier_choice(struct buffer *out, const struct decision *d)
{
    FT_TRY(buffer_print(out, "%s, %s: it is ", orders[d->chosen], fits[d->chosen]));
    FT_TRY(put_gain(out, d));
    FT_TRY(put_costlier(out, d, false));
    return d->chosen > COMPARE_TRANSFER ? put_frugal(out, d) : FT_OK;
}

/* A method with a clearly better macro F1 than the chosen one: classes with few documents. */
static ft_status put_macro_f1(struct buffer *out, const struct decision *d)
{
    const struct method_result *chosen = result(d, d->chosen);
    int best = -1;
    for (int m = 0; m < N_COMPARE_METHODS; m++) {
        const struct method_result *r = d->c->methods + m;
        if (r->done && r->interval.macro_f1.low > chosen->interval.macro_f1.high &&
            (best < 0 || r->macro_f1 > d->c->methods[best].macro_f1))
            best = m;
    }
    if (best < 0)
        return FT_OK;
    return buffer_print(out,
                        "; if classes with few documents matter as much as the others, prefer %s "
                        "(macro F1 %.3f against %.3f)",
                        subjects[best], result(d, best)->macro_f1, chosen->macro_f1);
}

/* "; a, b and c have not run" */
static ft_status put_missing(struct buffer *out, const struct comparison *c)
{
    int missing = 0, said = 0;
    for (int m = 0; m < N_COMPARE_METHODS; m++)
        missing += !c->methods[m].done;
    for (int m = 0; m < N_COMPARE_METHODS; m++) {
        if (c->methods[m].done)
            continue;
        const char *before = said == 0 ? "; " : said == missing - 1 ? " and " : ", ";
        FT_TRY(buffer_print(out, "%s%s", before, subjects[m]));
        said++;
    }
    return missing ? buffer_print(out, missing == 1 ? " has not run" : " have not run") : FT_OK;
}

static int count_done(const struct comparison *c)
{
    int n = 0;
    for (int m = 0; m < N_COMPARE_METHODS; m++)
        n += c->methods[m].done;
    return n;
}

static ft_status put_single(struct buffer *out, const struct decision *d)
{
    FT_TRY(buffer_print(out, "There is nothing to compare %s with yet (its accuracy is ",
                        subjects[d->chosen]));
    FT_TRY(put_accuracy(out, result(d, d->chosen)));
    return buffer_print(out, ")");
}

ft_status advice_put(struct buffer *out, const struct comparison *c)
{
    const struct decision d = decide(c);
    if (d.chosen < 0)
        return buffer_print(out, "No method has finished, so there is nothing to advise.");
    if (count_done(c) == 1)
        FT_TRY(put_single(out, &d));
    else if (d.undecided)
        FT_TRY(put_undecided(out, &d));
    else if (d.below < 0)
        FT_TRY(put_cheapest(out, &d));
    else
        FT_TRY(put_costlier_choice(out, &d));
    if (!d.undecided)
        FT_TRY(put_macro_f1(out, &d));
    if (!d.undecided && d.is_wide && count_done(c) > 1)
        FT_TRY(buffer_print(out, "; with only %lld test documents the intervals are wide",
                            (long long)result(&d, d.chosen)->documents));
    FT_TRY(put_missing(out, c));
    return buffer_print(out, ".");
}
