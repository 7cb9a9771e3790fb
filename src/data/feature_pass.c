#include "feature_pass.h"

#include <math.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/signals.h"
#include "base/timer.h"
#include "data/loader.h"
#include "feature_store.h"

static const double FIRST_WORD = 5.0, NEXT_WORD = 30.0; /* [s] */

ft_status feature_pass_open(struct feature_pass *pass, struct model *model,
                            const struct document_set *documents, const char *what, int64_t n_total)
{
    *pass = (struct feature_pass){
        .model = model, .documents = documents, .what = what, .n_total = n_total};
    pass->start = timer_now();
    pass->said = pass->start - NEXT_WORD + FIRST_WORD;
    const int longest = documents->max_length;
    const int needed = longest > FEATURE_BATCH_TOKENS ? longest : FEATURE_BATCH_TOKENS;
    if (model->max_tokens < needed || model->max_length < longest)
        return ft_fail(FT_ERR_INTERNAL,
                       "the model has room for %d tokens in sequences of %d, features need %d "
                       "and %d",
                       model->max_tokens, model->max_length, needed, longest);
    FT_TRY(document_batch_create(&pass->batch, FEATURE_BATCH_SEGMENTS, longest));
    FT_TRY(FT_ALLOC(pass->numbers, FEATURE_BATCH_SEGMENTS));
    return FT_ALLOC(pass->pooled, (int64_t)FEATURE_BATCH_SEGMENTS * model->config.C);
}

void feature_pass_close(struct feature_pass *pass)
{
    batch_destroy(&pass->batch);
    FT_FREE(pass->numbers);
    FT_FREE(pass->pooled);
}

/* Rows of the batch's documents to their places. */
static void scatter(const struct feature_pass *pass, float *data)
{
    const int C = pass->model->config.C;
    for (int s = 0; s < pass->batch.n_segments; s++)
        memcpy(data + (pass->numbers[s] - pass->first) * C, pass->pooled + (int64_t)s * C,
               (size_t)C * sizeof *data);
}

static void take_layer(void *context, int layer, const float *hidden)
{
    struct feature_pass *pass = context;
    const int64_t stride = pass->n_documents * pass->model->config.C;
    float *data = pass->data;
    for (int kind = 0; kind < layer * FEATURE_POOLINGS; kind++) {
        if (!pass->kinds[kind])
            continue;
        if (kind / FEATURE_POOLINGS + 1 == layer) {
            model_pool(pass->model, pass->pooled, hidden, &pass->batch, layer,
                       (enum pooling)(kind % FEATURE_POOLINGS + POOLING_CLS));
            scatter(pass, data);
        }
        data += stride;
    }
}

/* How many documents of order go into the next batch: at least one. */
static int next_batch(struct feature_pass *pass, const int64_t *order, int64_t n)
{
    const int64_t *first = pass->documents->first;
    int64_t n_tokens = 0;
    int count = 0;
    while (count < n && count < FEATURE_BATCH_SEGMENTS) {
        n_tokens += first[order[count] + 1] - first[order[count]];
        if (count > 0 && n_tokens > FEATURE_BATCH_TOKENS)
            break;
        pass->numbers[count] = order[count];
        count++;
    }
    return count;
}

static void say_progress(struct feature_pass *pass)
{
    const double now = timer_now(), seconds = now - pass->start;
    if (now - pass->said < NEXT_WORD || pass->n_done == pass->n_total)
        return;
    pass->said = now;
    const double per_second = (double)pass->n_done / seconds;
    log_info("features of %s: %lld of %lld texts, %.0f texts/s, %.0f tokens/s, %.0f s left",
             pass->what, (long long)pass->n_done, (long long)pass->n_total, per_second,
             (double)pass->tokens_done / seconds,
             (double)(pass->n_total - pass->n_done) / per_second);
}

/* What is not finite would make every head that is fitted on it useless, and stay in the cache. */
static ft_status check_finite(const float *data, int64_t n, const struct feature_pass *pass)
{
    for (int64_t i = 0; i < n; i++) {
        const int64_t row = i / pass->model->config.C;
        if (!isfinite(data[i]))
            return ft_fail(FT_ERR_INTERNAL,
                           "%s: the features of document %lld are not finite: do the model's "
                           "weights hold infinities?",
                           pass->what, (long long)(pass->first + row % pass->n_documents));
    }
    return FT_OK;
}

ft_status feature_pass_run(struct feature_pass *pass, float *data, const bool *kinds,
                           const int64_t *order, int64_t first, int64_t n)
{
    int64_t n_kinds = 0;
    pass->data = data;
    pass->kinds = kinds;
    pass->first = first;
    pass->n_documents = n;
    for (int kind = 0; kind < pass->model->config.L * FEATURE_POOLINGS; kind++)
        n_kinds += kinds[kind];
    for (int64_t at = 0, count; at < n; at += count) {
        FT_TRY(signals_check("features were being computed"));
        count = next_batch(pass, order + at, n - at);
        FT_TRY(document_batch_fill(&pass->batch, pass->documents, pass->numbers, (int)count));
        model_hidden(pass->model, &pass->batch, take_layer, pass);
        pass->n_done += count;
        pass->tokens_done += pass->batch.n_tokens;
        say_progress(pass);
    }
    return check_finite(data, n_kinds * n * pass->model->config.C, pass);
}
