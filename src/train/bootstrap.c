#include "train/bootstrap.h"

#include <omp.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/pulse.h"
#include "base/rng.h"
#include "train/scores.h"

/* The documents as the cells of the confusion matrix that they lie in. */
struct sample {
    int n_classes, n_cells;
    int64_t n_documents;
    int32_t *row, *column; /* (cells) class numbers of each occupied cell */
    int32_t *document;     /* (documents) its cell */
    int64_t *counts;       /* (threads, stride) cells, then correct, support, predicted */
    int64_t stride;
};

static int compare_keys(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Occupied cells of the sorted keys (n) = row * K + column. */
static ft_status fill(struct sample *s, const int64_t *keys)
{
    for (int64_t i = 0; i < s->n_documents; i++)
        s->n_cells += i == 0 || keys[i] != keys[i - 1];
    s->stride = s->n_cells + 3 * (int64_t)s->n_classes;
    FT_TRY(FT_ALLOC(s->row, s->n_cells));
    FT_TRY(FT_ALLOC(s->column, s->n_cells));
    FT_TRY(FT_ALLOC(s->document, s->n_documents));
    FT_TRY(FT_ALLOC(s->counts, omp_get_max_threads() * s->stride));
    int32_t cell = -1;
    for (int64_t i = 0; i < s->n_documents; i++) {
        if (i == 0 || keys[i] != keys[i - 1]) {
            s->row[++cell] = (int32_t)(keys[i] / s->n_classes);
            s->column[cell] = (int32_t)(keys[i] % s->n_classes);
        }
        s->document[i] = cell;
    }
    return FT_OK;
}

static ft_status sample_create(struct sample *s, const int32_t *labels, const int32_t *predictions)
{
    const int64_t n = s->n_documents;
    int64_t *keys;
    if (n > INT32_MAX)
        return ft_fail(FT_ERR_INPUT,
                       "more than %d documents to score: bootstrap intervals need fewer, use a "
                       "part of the test set",
                       INT32_MAX);
    if (n == 0)
        return ft_fail(FT_ERR_INPUT, "no documents to score");
    FT_TRY(FT_ALLOC(keys, n));
    for (int64_t i = 0; i < n; i++)
        keys[i] = (int64_t)labels[i] * s->n_classes + predictions[i];
    qsort(keys, (size_t)n, sizeof *keys, compare_keys);
    const ft_status status = fill(s, keys);
    mem_free(keys);
    return status;
}

static void sample_destroy(struct sample *s)
{
    mem_free(s->row);
    mem_free(s->column);
    mem_free(s->document);
    mem_free(s->counts);
}

/* counts (cells) of resample b */
static void draw(int64_t *counts, const struct sample *s, uint64_t seed, int b)
{
    const uint64_t n = (uint64_t)s->n_documents;
    for (uint64_t at = 0; at < n; at += 4) {
        uint32_t words[4];
        rng_philox(words, seed, BOOTSTRAP_STREAM + (uint64_t)b, at / 4);
        for (uint64_t i = 0; i < 4 && at + i < n; i++)
            counts[s->document[words[i] * n >> 32]]++;
    }
}

static void score_resample(double *accuracy, double *macro_f1, int64_t *counts,
                           const struct sample *s, uint64_t seed, int b)
{
    int64_t *correct = counts + s->n_cells, n_correct = 0;
    int64_t *support = correct + s->n_classes, *predicted = support + s->n_classes;
    for (int64_t i = 0; i < s->stride; i++)
        counts[i] = 0;
    draw(counts, s, seed, b);
    pulse_mark();
    for (int cell = 0; cell < s->n_cells; cell++) {
        support[s->row[cell]] += counts[cell];
        predicted[s->column[cell]] += counts[cell];
        if (s->row[cell] == s->column[cell]) {
            correct[s->row[cell]] = counts[cell];
            n_correct += counts[cell];
        }
    }
    *accuracy = (double)n_correct / (double)s->n_documents;
    *macro_f1 = scores_macro_f1(correct, support, predicted, s->n_classes);
}

static int compare_reals(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of sorted values. */
static double percentile(const double *values, int n, double percent)
{
    const double position = percent / 100.0 * (n - 1);
    const int below = (int)position;
    const double above = values[below + 1 < n ? below + 1 : below];
    return values[below] + (position - below) * (above - values[below]);
}

static struct interval interval_of(double *values)
{
    qsort(values, BOOTSTRAP_RESAMPLES, sizeof *values, compare_reals);
    return (struct interval){.low = percentile(values, BOOTSTRAP_RESAMPLES, 2.5),
                             .high = percentile(values, BOOTSTRAP_RESAMPLES, 97.5)};
}

ft_status bootstrap_intervals(struct bootstrap *out, const int32_t *labels,
                              const int32_t *predictions, int64_t n, int n_classes, uint64_t seed)
{
    struct sample s = {.n_classes = n_classes, .n_documents = n};
    double accuracy[BOOTSTRAP_RESAMPLES], macro_f1[BOOTSTRAP_RESAMPLES];
    const ft_status status = sample_create(&s, labels, predictions);
    if (status == FT_OK) {
#pragma omp parallel for schedule(static)
        for (int b = 0; b < BOOTSTRAP_RESAMPLES; b++)
            score_resample(accuracy + b, macro_f1 + b, s.counts + omp_get_thread_num() * s.stride,
                           &s, seed, b);
        *out = (struct bootstrap){.accuracy = interval_of(accuracy),
                                  .macro_f1 = interval_of(macro_f1)};
    }
    sample_destroy(&s);
    return status;
}
