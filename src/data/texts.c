#include "data/texts.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "data/label_columns.h"
#include "data/record.h"

/* The records of the files, and how many of them were passed. */
struct walk {
    struct record_cursor cursor;
    struct document_reader reader;
    int64_t next;
};

static ft_status open_walk(struct walk *w, const struct corpus *c)
{
    const char *text_field, *label_field;
    const struct source_list *sources = corpus_sources(c);
    *w = (struct walk){.cursor.fd = -1};
    for (int64_t i = 0; i < sources->n_files; i++)
        if (sources->files[i].kind == SOURCE_SHARDS)
            return ft_fail(FT_ERR_INPUT,
                           "%s holds tokens, and the text itself is needed: name the .jsonl or "
                           ".csv file it was prepared from",
                           sources->files[i].path);
    corpus_fields(&text_field, &label_field, c);
    document_reader_init(&w->reader, text_field, label_field);
    return record_open_all(&w->cursor, sources->files, sources->n_files);
}

static void close_walk(struct walk *w)
{
    document_reader_clear(&w->reader);
    record_close(&w->cursor);
}

/* Passes records up to the one of that number, and decodes it. */
static ft_status go_to(struct document *document, struct record *record, struct walk *w,
                       int64_t number)
{
    bool has = true;
    while (has && w->next <= number) {
        FT_TRY(record_next(&w->cursor, record, &has, w->cursor.end));
        w->next++;
    }
    if (!has)
        return ft_fail(FT_ERR_INPUT, "%s: fewer documents than were tokenised: it was changed",
                       w->cursor.files[0].path);
    return document_read(document, &w->reader, &w->cursor, record);
}

/* Numbers in the files of the first n documents of a shard. Gives *numbers (mem_free). */
static ft_status read_numbers(int64_t **numbers, const struct token_shard *shard, int64_t n)
{
    struct h5_file *file = NULL;
    FT_TRY(FT_ALLOC(*numbers, n));
    ft_status status = h5_open_own(&file, shard->path);
    if (status == FT_OK)
        status = h5_read_slice(file, COLUMN_NUMBERS, H5_I64, 0, n, *numbers);
    (void)h5_close(&file);
    return status;
}

ft_status documents_for_each(struct corpus *c, int64_t n, document_visit visit, void *context)
{
    const struct token_set *set = corpus_tokens(c);
    struct walk w;
    struct document document;
    struct record record;
    int64_t done = 0;
    ft_status status = open_walk(&w, c);
    for (int64_t i = 0; i < set->n_shards && done < n && status == FT_OK; i++) {
        const int64_t held = set->shards[i].info.n_documents;
        const int64_t take = held < n - done ? held : n - done;
        int64_t *numbers = NULL;
        status = read_numbers(&numbers, &set->shards[i], take);
        for (int64_t k = 0; k < take && status == FT_OK; k++) {
            status = go_to(&document, &record, &w, numbers[k]);
            if (status == FT_OK)
                status = visit(context, done++, &document);
        }
        mem_free(numbers);
    }
    close_walk(&w);
    return status;
}

static const struct token_shard *find_shard(const struct token_set *set, int64_t document)
{
    int64_t i = 0;
    while (i + 1 < set->n_shards && set->shards[i + 1].first_document <= document)
        i++;
    return &set->shards[i];
}

ft_status document_fail(struct corpus *c, int64_t number, const char *format, ...)
{
    const struct token_shard *shard = find_shard(corpus_tokens(c), number);
    char text[FT_ERR_TEXT_MAX];
    struct walk w;
    struct document document;
    struct record record;
    int64_t *numbers = NULL;
    const int64_t within = number - shard->first_document;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ft_status status = open_walk(&w, c);
    if (status == FT_OK)
        status = read_numbers(&numbers, shard, within + 1);
    if (status == FT_OK)
        status = go_to(&document, &record, &w, numbers[within]);
    status = status == FT_OK ? source_fail(record.file, w.reader.label.at, "%s", text)
                             : ft_fail(FT_ERR_INPUT, "%s, document %lld: %s", shard->path,
                                       (long long)within, text);
    mem_free(numbers);
    close_walk(&w);
    return status;
}

/* Number of a labelled document among all of the files. */
static ft_status read_number(int64_t *out, struct corpus *c, int64_t document)
{
    const struct token_shard *shard = find_shard(corpus_tokens(c), document);
    struct h5_file *file = NULL;
    FT_TRY(h5_open_own(&file, shard->path));
    const ft_status status =
        h5_read_slice(file, COLUMN_NUMBERS, H5_I64, document - shard->first_document, 1, out);
    (void)h5_close(&file);
    return status;
}

/* Where a walk stands: the record read last, its place among all and among the corpus's own. */
struct position {
    struct record record;
    int64_t in_files, in_corpus;
    const struct source *file; /* the line is counted in */
    int64_t offset, line;
};

/* Passes records up to the one of that place. */
static ft_status pass_to(struct position *at, struct walk *w, const struct corpus *c,
                         const int64_t *counter, int64_t number)
{
    while (*counter < number) {
        bool has = false;
        FT_TRY(record_next(&w->cursor, &at->record, &has, w->cursor.end));
        if (!has)
            return ft_fail(FT_ERR_INPUT, "%s: fewer documents than were tokenised: it was changed",
                           w->cursor.files[0].path);
        at->in_files++;
        at->in_corpus += corpus_holds(c, at->in_files);
    }
    return FT_OK;
}

static void take_place(struct document_place *place, struct position *at)
{
    const struct record *record = &at->record;
    if (record->file != at->file)
        at->offset = 0, at->line = 1;
    at->line += source_newlines(record->file, at->offset, record->offset);
    at->file = record->file;
    at->offset = record->offset;
    place->path = record->file->path;
    place->line = at->line;
}

static ft_status find_places(struct document_place *places, int64_t n, struct walk *w,
                             struct corpus *c, bool has_numbers)
{
    struct position at = {.in_files = -1, .in_corpus = -1, .line = 1};
    w->cursor.skips_text = true;
    for (int64_t i = 0; i < n; i++) {
        int64_t number = places[i].number;
        if (has_numbers)
            FT_TRY(read_number(&number, c, number));
        FT_TRY(pass_to(&at, w, c, has_numbers ? &at.in_files : &at.in_corpus, number));
        take_place(&places[i], &at);
    }
    return FT_OK;
}

static bool has_shards(const struct source_list *sources)
{
    bool has = false;
    for (int64_t i = 0; i < sources->n_files; i++)
        has = has || sources->files[i].kind == SOURCE_SHARDS;
    return has;
}

ft_status document_places_find(struct document_place *places, int64_t n, struct corpus *c)
{
    const int64_t bytes_max = INT64_C(8) << 30;
    const struct source_list *sources = corpus_sources(c);
    const char *text_field, *label_field;
    struct walk w;
    corpus_fields(&text_field, &label_field, c);
    for (int64_t i = 0; i < n; i++)
        places[i].path = NULL;
    if (has_shards(sources) || sources->total > bytes_max ||
        (!label_field && corpus_stats(c)->n_skipped > 0))
        return FT_OK;
    ft_status status = open_walk(&w, c);
    if (status == FT_OK)
        status = find_places(places, n, &w, c, label_field != NULL);
    close_walk(&w);
    return status;
}
