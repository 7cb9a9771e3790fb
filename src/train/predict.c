/*
 * Texts are read into a window, computed from the longest to the shortest in batches that are full
 * of tokens, and answered in their own order. The window ends where it is full, where the input
 * ends, and where reading on would have to wait: whoever writes a line and waits for its answer
 * gets it, and a long file is computed in large batches of texts of like length.
 *
 *     input -> tokens (window) -> order by length -> batch ... batch -> logits (window) -> use
 *
 * The window keeps tokens and not texts: their number is bounded by data.seq_len for each. All
 * memory but that of the longest text is taken before the first text is read.
 */
#include "train/predict.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/signals.h"
#include "data/text_input.h"
#include "train/alone.h"
#include "train/classifier.h"
#include "train/run_settings.h"

enum { WINDOW_BATCHES = 4 }; /* full ones of short texts: as many texts has the window */

/* A text of the window, to be sorted. */
struct place {
    int32_t n_tokens, index;
};

struct predictor {
    struct classifier classifier;
    struct text_input *input;
    struct batch batch;
    int most, n;              /* texts of the window */
    struct token_list tokens; /* theirs, one after the other */
    int64_t *first;           /* (most) where each begins in tokens */
    int32_t *n_tokens;        /* (most) */
    struct place *order;      /* (most) */
    float *logits;            /* (most, K) */
    int64_t n_texts, n_cut, n_empty;
};

struct request {
    const char *run_dir, *path;
    answers_user *use;
    void *context;
};

static int n_labels(const struct predictor *p)
{
    return p->classifier.session.labels.n;
}

static ft_status create_window(struct predictor *p)
{
    const struct model_shape *shape = &p->classifier.shape;
    p->most = WINDOW_BATCHES * shape->max_segments;
    FT_TRY(FT_ALLOC(p->first, p->most));
    FT_TRY(FT_ALLOC(p->n_tokens, p->most));
    FT_TRY(FT_ALLOC(p->order, p->most));
    FT_TRY(FT_ALLOC(p->logits, (int64_t)p->most * n_labels(p)));
    FT_TRY(document_batch_create(&p->batch, 1, shape->max_tokens));
    mem_free(p->batch.labels);
    FT_TRY(FT_ALLOC(p->batch.labels, shape->max_segments));
    for (int i = 0; i < shape->max_segments; i++)
        p->batch.labels[i] = -1;
    return FT_OK;
}

/* Adds a text to the window. */
static ft_status add_text(struct predictor *p, const char *text, size_t bytes)
{
    struct session *s = &p->classifier.session;
    const int64_t seq_len = s->settings->data.seq_len, begin = p->tokens.n;
    int64_t n_text = 0;
    ft_status status =
        tokenizer_encode_document(s->tokenizer, &p->tokens, text, bytes, seq_len, &n_text);
    if (status != FT_OK)
        return ft_fail_within(status, "%s, text %lld", text_input_name(p->input),
                              (long long)p->n_texts + 1);
    p->first[p->n] = begin;
    p->n_tokens[p->n] = (int32_t)(p->tokens.n - begin);
    p->n_cut += n_text + tokenizer_template_size(s->tokenizer) > seq_len;
    p->n_empty += p->tokens.n == begin;
    p->n_texts++;
    p->n++;
    return FT_OK;
}

/* Longest first, equal ones in their order. */
static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->n_tokens != y->n_tokens)
        return x->n_tokens > y->n_tokens ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

static void append_text(struct predictor *p, int index)
{
    struct batch *b = &p->batch;
    const int n = p->n_tokens[index], at = b->n_tokens;
    memcpy(b->tokens + at, p->tokens.ids + p->first[index], (size_t)n * sizeof *b->tokens);
    for (int k = 0; k < n; k++) {
        b->targets[at + k] = -1;
        b->positions[at + k] = k;
    }
    b->segment_ids[b->n_segments] = index;
    b->segment_start[b->n_segments++] = at;
    b->n_tokens += n;
    b->segment_start[b->n_segments] = b->n_tokens;
}

/* One batch of the texts order[begin ... end): as many as fit. Gives how many they were. */
static int fill_batch(struct predictor *p, int begin, int end)
{
    const struct model_shape *shape = &p->classifier.shape;
    struct batch *b = &p->batch;
    int i = begin;
    b->n_tokens = b->n_segments = 0;
    for (; i < end && b->n_segments < shape->max_segments &&
           b->n_tokens + p->order[i].n_tokens <= shape->max_tokens;
         i++)
        append_text(p, p->order[i].index);
    return i - begin;
}

/* The logits of the batch, each to its text. */
static ft_status compute_batch(struct predictor *p)
{
    const int K = n_labels(p);
    FT_TRY(fault_point("predict"));
    const float *logits = classifier_logits(&p->classifier, &p->batch);
    for (int i = 0; i < p->batch.n_segments; i++, logits += K) {
        const int64_t index = p->batch.segment_ids[i];
        for (int k = 0; k < K; k++)
            if (!isfinite(logits[k]))
                return ft_fail(
                    FT_ERR_INTERNAL, "%s, text %lld: the model's answer is not a finite number",
                    text_input_name(p->input), (long long)(p->n_texts - p->n + index + 1));
        memcpy(p->logits + index * K, logits, (size_t)K * sizeof *logits);
    }
    return FT_OK;
}

/* Computes and answers the texts of the window, and empties it. */
static ft_status answer_window(struct predictor *p, const struct request *r)
{
    int end = 0;
    for (int i = 0; i < p->n; i++)
        if (p->n_tokens[i] > 0)
            p->order[end++] = (struct place){p->n_tokens[i], i};
    qsort(p->order, (size_t)end, sizeof *p->order, compare_places);
    for (int at = 0; at < end;) {
        FT_TRY(signals_check("texts were being answered"));
        at += fill_batch(p, at, end);
        FT_TRY(compute_batch(p));
    }
    const struct answers answers = {&p->classifier.session.labels, p->n, p->n_tokens, p->logits};
    p->n = 0;
    p->tokens.n = 0;
    return r->use(r->context, &answers);
}

/* Reads until the window is full, or nothing is there to be read. */
static ft_status fill_window(struct predictor *p, enum text_state *state)
{
    const char *text = NULL;
    size_t bytes = 0;
    *state = TEXT_READY;
    while (p->n < p->most && *state == TEXT_READY) {
        FT_TRY(text_input_next(p->input, &text, &bytes, state, p->n == 0));
        if (*state == TEXT_READY)
            FT_TRY(add_text(p, text, bytes));
    }
    return FT_OK;
}

/* A bad text ends the work after the good ones before it were answered. */
static ft_status answer_all(struct predictor *p, const struct request *r)
{
    char text[FT_ERR_TEXT_MAX];
    enum text_state state = TEXT_READY;
    ft_status status = FT_OK;
    while (status == FT_OK && state != TEXT_END) {
        status = fill_window(p, &state);
        if (status != FT_OK)
            (void)snprintf(text, sizeof text, "%s", ft_error_text());
        if (p->n > 0)
            FT_TRY(answer_window(p, r));
    }
    return status == FT_OK ? FT_OK : ft_fail(status, "%s", text);
}

static const char *plural(int64_t n)
{
    return n == 1 ? "" : "s";
}

static void report(const struct predictor *p)
{
    log_info("%lld text%s answered", (long long)p->n_texts, plural(p->n_texts));
    if (p->n_cut > 0)
        log_warn("%lld text%s cut to data.seq_len = %d tokens", (long long)p->n_cut,
                 plural(p->n_cut), p->classifier.session.settings->data.seq_len);
    if (p->n_empty > 0)
        log_warn("%lld text%s without tokens and so without label: answered with null",
                 (long long)p->n_empty, plural(p->n_empty));
}

static ft_status predict_open(struct predictor *p, struct comm *comm, const struct request *r,
                              const struct settings *settings)
{
    FT_TRY(text_input_open(&p->input, r->path, settings->data.text_field));
    FT_TRY(classifier_open(&p->classifier, comm, settings));
    return create_window(p);
}

static void predict_close(struct predictor *p)
{
    batch_destroy(&p->batch);
    mem_free(p->logits);
    mem_free(p->order);
    mem_free(p->n_tokens);
    mem_free(p->first);
    token_list_clear(&p->tokens);
    text_input_close(&p->input);
    classifier_close(&p->classifier);
}

/* On rank 0, in a world of its own: local and collective is the same. */
static ft_status predict(struct comm *solo, void *context)
{
    const struct request *r = context;
    struct predictor p = {0};
    struct settings *settings = NULL;
    ft_status status = run_settings_read(&settings, r->run_dir);
    if (status == FT_OK)
        status = predict_open(&p, solo, r, settings);
    if (status == FT_OK) {
        log_info("reading texts from %s", text_input_name(p.input));
        status = answer_all(&p, r);
        report(&p);
    }
    predict_close(&p);
    settings_destroy(&settings);
    return status;
}

ft_status predict_texts(struct comm *comm, const char *run_dir, const char *path, answers_user *use,
                        void *context)
{
    struct request request = {run_dir, path, use, context};
    return alone_run(comm, predict, &request);
}
