#include "data/loader.h"

#include <limits.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

/* Separates the order of an epoch from other uses of the seed; the epoch is added. */
static const uint64_t order_stream = UINT64_C(0x6f72646572) << 24;

ft_status window_set_init(struct window_set *s, struct corpus *c, int seq_len, bool is_evaluation,
                          int64_t max_windows, bool isolate)
{
    if (seq_len < 1)
        return ft_fail(FT_ERR_USAGE, "data.seq_len = %d: at least 1 is needed", seq_len);
    const int64_t n_tokens = corpus_stats(c)->n_tokens;
    const int64_t n_predicted = n_tokens > 0 ? n_tokens - 1 : 0;
    const int64_t n_full = n_predicted / seq_len;
    int64_t n = is_evaluation ? n_full : n_full + (n_predicted % seq_len != 0);
    if (n == 0 && is_evaluation)
        return ft_fail(FT_ERR_INPUT,
                       "the evaluation set has %lld tokens (EOS included), one full window of "
                       "data.seq_len = %d needs %lld: give more text or a smaller seq_len",
                       (long long)n_tokens, seq_len, (long long)seq_len + 1);
    if (n == 0)
        return ft_fail(FT_ERR_INPUT,
                       "the training set has %lld tokens (EOS included), at least 2 are needed to "
                       "predict one from another: give more text",
                       (long long)n_tokens);
    if (max_windows > 0 && max_windows < n)
        n = max_windows;
    *s = (struct window_set){.corpus = c,
                             .seq_len = seq_len,
                             .n_windows = n,
                             .is_evaluation = is_evaluation,
                             .isolate_documents = isolate};
    return FT_OK;
}

static ft_status batch_allocate(struct batch *b, int64_t n)
{
    FT_TRY(FT_ALLOC(b->tokens, n + 1)); /* the last target is read with the inputs */
    FT_TRY(FT_ALLOC(b->targets, n));
    FT_TRY(FT_ALLOC(b->positions, n));
    FT_TRY(FT_ALLOC(b->segment_start, n + 1));
    FT_TRY(FT_ALLOC(b->segment_ids, n));
    FT_TRY(FT_ALLOC(b->windows, b->micro_batch));
    return FT_ALLOC(b->starts, b->seq_len);
}

ft_status batch_create(struct batch *b, int micro_batch, int seq_len)
{
    const int64_t n = (int64_t)micro_batch * seq_len;
    *b = (struct batch){.micro_batch = micro_batch, .seq_len = seq_len};
    if (micro_batch < 1 || seq_len < 1 || n >= INT_MAX)
        return ft_fail(FT_ERR_USAGE,
                       "a micro-batch of %d x %d tokens is not possible: 1 ... %d tokens are",
                       micro_batch, seq_len, INT_MAX - 1);
    const ft_status status = batch_allocate(b, n);
    if (status != FT_OK)
        batch_destroy(b);
    return status;
}

void batch_destroy(struct batch *b)
{
    mem_free(b->tokens);
    mem_free(b->targets);
    mem_free(b->positions);
    mem_free(b->segment_start);
    mem_free(b->segment_ids);
    mem_free(b->labels);
    mem_free(b->windows);
    mem_free(b->starts);
    *b = (struct batch){0};
}

/* Cuts the window that begins at token `at` of the batch (stream token `first`) at document
 * borders. */
static ft_status isolate(struct batch *b, struct corpus *c, int at, int64_t first, int n)
{
    int64_t n_starts = 0;
    FT_TRY(corpus_document_starts(c, first + 1, n, b->starts, b->seq_len, &n_starts));
    for (int64_t i = 0; i < n_starts; i++) {
        const int border = (int)(b->starts[i] - first); /* 1 ... n */
        b->targets[at + border - 1] = -1;
        b->n_supervised--;
        if (border == n)
            continue;
        b->segment_ids[b->n_segments] = first + border;
        b->segment_start[b->n_segments++] = at + border;
        const int next = i + 1 < n_starts ? (int)(b->starts[i + 1] - first) : n;
        for (int k = border; k < next; k++)
            b->positions[at + k] = k - border;
    }
    return FT_OK;
}

static ft_status append_window(struct batch *b, const struct window_set *s, int64_t window)
{
    const int64_t first = window * s->seq_len;
    const int64_t left = corpus_stats(s->corpus)->n_tokens - 1 - first;
    const int n = left < s->seq_len ? (int)left : s->seq_len, at = b->n_tokens;
    FT_TRY(corpus_read(s->corpus, b->tokens + at, first, n + 1));
    memcpy(b->targets + at, b->tokens + at + 1, (size_t)n * sizeof *b->targets);
    for (int k = 0; k < n; k++)
        b->positions[at + k] = k;
    b->segment_ids[b->n_segments] = first;
    b->segment_start[b->n_segments++] = at;
    b->n_supervised += n;
    if (s->isolate_documents)
        FT_TRY(isolate(b, s->corpus, at, first, n));
    b->n_tokens += n;
    return FT_OK;
}

ft_status batch_fill(struct batch *b, const struct window_set *s, const int64_t *windows, int n)
{
    b->n_tokens = b->n_segments = 0;
    b->n_supervised = 0;
    b->segment_start[0] = 0;
    if (n < 0 || n > b->micro_batch || s->seq_len != b->seq_len)
        return ft_fail(FT_ERR_INTERNAL, "a batch of %d x %d tokens cannot hold %d windows of %d",
                       b->micro_batch, b->seq_len, n, s->seq_len);
    for (int i = 0; i < n; i++) {
        if (windows[i] < 0 || windows[i] >= s->n_windows)
            return ft_fail(FT_ERR_INTERNAL, "window %lld of %lld was asked for",
                           (long long)windows[i], (long long)s->n_windows);
        FT_TRY(append_window(b, s, windows[i]));
    }
    b->segment_start[b->n_segments] = b->n_tokens;
    return FT_OK;
}

int64_t loader_steps_per_epoch(int64_t n_windows, int global_batch)
{
    return n_windows / global_batch + (n_windows % global_batch != 0);
}

void loader_plan(struct step_plan *p, int64_t step, int64_t n_windows, int global_batch,
                 int micro_batch, int rank, int size)
{
    const int64_t per_epoch = loader_steps_per_epoch(n_windows, global_batch);
    const int64_t begin = (step - 1) % per_epoch * global_batch;
    const int64_t left = n_windows - begin;
    const int64_t total = left < global_batch ? left : global_batch;
    const int64_t first = rank * total / size, last = (rank + INT64_C(1)) * total / size;
    *p = (struct step_plan){.epoch = (step - 1) / per_epoch,
                            .first_position = begin + first,
                            .count = last - first,
                            .step_count = total,
                            .n_micro = (int)((last - first + micro_batch - 1) / micro_batch)};
}

int loader_micro(int64_t *first_position, const struct step_plan *p, int micro)
{
    const int64_t first = micro * p->count / p->n_micro;
    const int64_t last = (micro + INT64_C(1)) * p->count / p->n_micro;
    *first_position = p->first_position + first;
    return (int)(last - first);
}

int64_t loader_window(uint64_t seed, bool shuffle, int64_t n_windows, int64_t epoch,
                      int64_t position)
{
    if (!shuffle)
        return position;
    return rng_permute(seed, order_stream + (uint64_t)epoch, n_windows, position);
}
