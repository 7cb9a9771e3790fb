/*
 *     records, copied ... | place | place | place | ...     the batch, in the order of the files
 *                             |       |       |
 *                         thread 0 thread 1 thread 0 ...    decoded and tokenised, who is free next
 *                             |       |       |
 *     use(...) use(...) use(...)                            by the caller's thread, in order
 *
 * Threads share the tables of one tokenizer and have scratch memory of their own. The first bad
 * document of a batch is found whoever meets it: those behind it are skipped, those before it are
 * all decoded, and the message that is kept is that of the lowest place.
 */
#include "data/encoder.h"

#include <omp.h>
#include <string.h>

#include "base/mem.h"
#include "base/pulse.h"
#include "base/signals.h"
#include "base/utf8.h"

enum { BATCH_BYTES = 1 << 20, BATCH_THREADS = 16 };

/* A document of the batch. */
struct place {
    struct record record;
    int64_t number;
    int thread; /* whose lists hold what follows */
    int64_t first, n_ids, n_text, n_supervised, text_bytes;
    size_t label, label_bytes;
};

struct worker {
    _Alignas(64) struct tokenizer *tokenizer; /* no line of the cache holds two workers */
    struct document_reader reader;
    struct instruct instruct; /* in place of the reader, where records are conversations */
    struct token_list ids;
    struct buffer labels;
};

struct encoder {
    struct encoder_request request;
    int n_workers;
    struct worker *workers;   /* (n_workers) the first one has the request's own tokenizer */
    const struct source *csv; /* whose columns the readers know */
    char *text;               /* (capacity) the batch's records */
    size_t capacity, used;
    struct place *places; /* (places_capacity) */
    int64_t n, places_capacity;

    struct ft_failure failure; /* of the first bad document of the batch */
};

static ft_status open_workers(struct encoder *e)
{
    const struct encoder_request *r = &e->request;
    for (int i = 0; i < e->n_workers; i++) {
        struct worker *w = &e->workers[i];
        document_reader_init(&w->reader, r->text_field, r->label_field);
        w->tokenizer = r->tokenizer;
        if (i > 0)
            FT_TRY(tokenizer_share(&w->tokenizer, r->tokenizer));
    }
    return FT_OK;
}

ft_status encoder_open(struct encoder **out, const struct encoder_request *request)
{
    struct encoder *e = NULL;
    const int n = omp_get_max_threads(), n_shares = n < BATCH_THREADS ? n : BATCH_THREADS;
    *out = NULL;
    FT_TRY(FT_ALLOC(e, 1));
    e->request = *request;
    e->capacity = (size_t)n_shares * BATCH_BYTES;
    e->text = mem_alloc_raw(e->capacity, 1);
    ft_status status = e->text ? FT_ALLOC(e->workers, n) : FT_ERR_INTERNAL;
    if (status == FT_OK) {
        e->n_workers = n;
        status = open_workers(e);
    }
    if (status != FT_OK)
        encoder_close(&e);
    *out = e;
    return status;
}

void encoder_close(struct encoder **e)
{
    struct encoder *old = *e;
    if (!old)
        return;
    for (int i = 0; i < old->n_workers; i++) {
        struct worker *w = &old->workers[i];
        if (i > 0)
            tokenizer_close(&w->tokenizer);
        document_reader_clear(&w->reader);
        instruct_clear(&w->instruct);
        token_list_clear(&w->ids);
        buffer_clear(&w->labels);
    }
    mem_free(old->workers);
    mem_free(old->text);
    mem_free(old->places);
    FT_FREE(*e);
}

static bool is_blank(const char *text, size_t bytes)
{
    int length;
    for (size_t at = 0; at < bytes; at += (size_t)length)
        if (!utf8_is_space(utf8_decode(text + at, &length)))
            return false;
    return true;
}

/* The ids of a text; of a labelled one within the tokenizer's template, and none where it would
 * stand there alone: nothing to learn from. */
static ft_status encode(struct worker *w, struct place *p, const struct document *document,
                        int64_t max_tokens)
{
    const int64_t first = w->ids.n;
    if (!document->label)
        FT_TRY(tokenizer_encode(w->tokenizer, &w->ids, document->text, document->bytes));
    else if (!is_blank(document->text, document->bytes))
        FT_TRY(tokenizer_encode_document(w->tokenizer, &w->ids, document->text, document->bytes,
                                         max_tokens, &p->n_text));
    if (document->label && p->n_text == 0)
        w->ids.n = first;
    p->first = first;
    p->n_ids = w->ids.n - first;
    return FT_OK;
}

static ft_status encode_conversation(struct worker *w, struct place *p,
                                     const struct instruct_request *request)
{
    struct instruct_counts counts;
    p->first = w->ids.n;
    FT_TRY(instruct_encode(&w->instruct, &w->ids, w->tokenizer, request, &p->record, &counts,
                           &p->text_bytes));
    p->n_ids = w->ids.n - p->first;
    p->n_text = counts.n_text;
    p->n_supervised = counts.n_supervised;
    return FT_OK;
}

/* One document of the batch, by one thread. */
static ft_status work(struct worker *w, struct place *p, const struct encoder_request *request)
{
    struct document document;
    FT_TRY(signals_check("texts were being tokenised"));
    if (request->instruct)
        return encode_conversation(w, p, request->instruct);
    FT_TRY(document_read(&document, &w->reader, NULL, &p->record));
    p->text_bytes = (int64_t)document.bytes;
    p->label = w->labels.used;
    p->label_bytes = document.label_bytes;
    if (document.label)
        FT_TRY(buffer_append(&w->labels, document.label, document.label_bytes));
    return encode(w, p, &document, request->max_tokens);
}

/* All documents of the batch up to the first bad one. */
static void work_all(struct encoder *e)
{
    e->failure = FT_NO_FAILURE;
#pragma omp parallel num_threads(e->n_workers)
    {
        const int me = omp_get_thread_num();
        struct worker *w = &e->workers[me];
        w->ids.n = 0;
        w->labels.used = 0;
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < e->n; i++) {
            struct place *p = &e->places[i];
            p->thread = me;
            pulse_mark();
            if (!ft_failure_before(&e->failure, i))
                ft_failure_note(&e->failure, i, work(w, p, &e->request));
        }
    }
}

static ft_status use_all(const struct encoder *e)
{
    const struct encoder_request *r = &e->request;
    for (int64_t i = 0; i < e->n && i < e->failure.place; i++) {
        const struct place *p = &e->places[i];
        const struct worker *w = &e->workers[p->thread];
        const struct encoded document = {.number = p->number,
                                         .text_bytes = p->text_bytes,
                                         .ids = w->ids.ids + p->first,
                                         .n_ids = p->n_ids,
                                         .n_text = p->n_text,
                                         .n_supervised = p->n_supervised,
                                         .label = r->label_field ? w->labels.data + p->label : NULL,
                                         .label_bytes = p->label_bytes};
        FT_TRY(r->use(r->context, &document));
    }
    return FT_OK;
}

ft_status encoder_flush(struct encoder *e)
{
    if (e->n == 0)
        return FT_OK;
    work_all(e);
    FT_TRY(use_all(e));
    FT_TRY(ft_failure_give(&e->failure));
    e->n = 0;
    e->used = 0;
    return FT_OK;
}

/* The readers learn the columns of a CSV file while the cursor is in it. */
static ft_status learn_columns(struct encoder *e, const struct record_cursor *cursor,
                               const struct source *file)
{
    FT_TRY(encoder_flush(e));
    for (int i = 0; i < e->n_workers; i++) {
        struct worker *w = &e->workers[i];
        FT_TRY(e->request.instruct ? conversation_reader_columns(&w->instruct.reader, cursor, file)
                                   : document_reader_columns(&w->reader, cursor, file));
    }
    e->csv = file;
    return FT_OK;
}

static ft_status grow_places(struct encoder *e)
{
    const int64_t capacity = 2 * e->places_capacity + 1024;
    struct place *places = mem_resize(e->places, (size_t)capacity, sizeof *places);
    if (!places)
        return FT_ERR_INTERNAL;
    e->places = places;
    e->places_capacity = capacity;
    return FT_OK;
}

ft_status encoder_add(struct encoder *e, const struct record_cursor *cursor,
                      const struct record *record, int64_t number)
{
    const bool is_large = record->bytes > e->capacity;
    if (record->file->kind == SOURCE_CSV && record->file != e->csv)
        FT_TRY(learn_columns(e, cursor, record->file));
    if (is_large || record->bytes > e->capacity - e->used)
        FT_TRY(encoder_flush(e));
    if (e->n == e->places_capacity)
        FT_TRY(grow_places(e));
    struct place *p = &e->places[e->n++];
    *p = (struct place){.record = *record, .number = number};
    if (is_large)
        return encoder_flush(e);
    p->record.data = memcpy(e->text + e->used, record->data, record->bytes);
    e->used += record->bytes;
    return FT_OK;
}
