/*
 * Rank 0 reads the columns of all shards and sends them to the others: they are small (12 bytes a
 * document against some hundred of its tokens), and a thousand ranks that open every shard at the
 * same time would be the slower way. Tokens stay on disk; each rank reads those of its batches.
 *
 * texts_hash is the XXH3-128 of the documents' own hashes in order. They are cut at the borders of
 * documents, not of shards, so it is the same at every rank count and for the same texts in other
 * files; labels may change without a change of it.
 */
#include "data/documents.h"

#include <limits.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "data/label_columns.h"
#include "data/loader.h"
#include "data/texts.h"

/* One pass over the shards on rank 0. */
struct reading {
    struct document_set *set;
    const struct label_names *names;
    struct label_columns columns;
    struct hash_state *hash;
    int64_t n; /* documents so far */
};

/* Columns of a shard, and the starts of its documents to set->first: one more than is wanted where
 * there is one, because it says where the last one ends. */
static ft_status read_shard(struct reading *r, const struct token_shard *shard)
{
    struct h5_file *file = NULL;
    const int64_t n = shard->info.n_documents, room = r->set->n_documents + 1 - r->n;
    FT_TRY(h5_open_own(&file, shard->path));
    ft_status status = label_columns_read(&r->columns, file, n);
    if (status == FT_OK)
        status = h5_read_slice(file, "/document_starts", H5_I64, 0, n < room ? n : room,
                               r->set->first + r->n);
    if (status == FT_ERR_INPUT)
        status = ft_fail_within(status, "%s", shard->path);
    (void)h5_close(&file);
    return status;
}

static ft_status fail_label(const struct reading *r, const char *label)
{
    const int n_listed = r->names->n < 5 ? r->names->n : 5;
    struct buffer text = {0};
    ft_status status = label_print(&text, label);
    if (status == FT_OK)
        status = buffer_print(&text, " is none of the %d of the training data: ", r->names->n);
    for (int i = 0; i < n_listed && status == FT_OK; i++) {
        status = label_print(&text, r->names->names[i]);
        if (status == FT_OK)
            status = buffer_print(&text, "%s", i + 1 < n_listed ? ", " : "");
    }
    if (status == FT_OK)
        status = document_fail(r->set->corpus, r->n, "label %s%s", text.data,
                               n_listed < r->names->n ? ", ..." : "");
    buffer_clear(&text);
    return status;
}

/* Labels of the shard that was read, by the names of the whole; places in the whole stream. */
static ft_status take_shard(struct reading *r, const struct token_shard *shard)
{
    struct document_set *s = r->set;
    const struct label_columns *columns = &r->columns;
    const int64_t left = s->n_documents - r->n, n = columns->n < left ? columns->n : left;
    int64_t *first = s->first + r->n;
    first[n] = n < columns->n ? first[n] : shard->info.n_tokens;
    for (int64_t i = 0; i < n; i++, r->n++) {
        const char *name = columns->names.names[columns->labels[i]];
        if (first[i] < 0 || first[i] >= shard->info.n_tokens || (i == 0 && first[i] != 0))
            return ft_fail(FT_ERR_INPUT, "%s: /document_starts: document %lld begins at %lld",
                           shard->path, (long long)i, (long long)first[i]);
        first[i] += shard->first_token;
        s->labels[r->n] = label_names_find(r->names, name);
        if (s->labels[r->n] < 0)
            return fail_label(r, name);
        s->n_truncated += columns->n_cut[i] > 0;
        hash_update(r->hash, columns->hashes + 2 * i, 2 * sizeof *columns->hashes);
    }
    first[n] += shard->first_token;
    return FT_OK;
}

static ft_status read_all(struct document_set *s, const struct label_names *names)
{
    struct reading r = {.set = s, .names = names, .hash = hash_open()};
    const struct token_set *tokens = corpus_tokens(s->corpus);
    ft_status status = r.hash ? FT_OK : FT_ERR_INTERNAL;
    for (int64_t i = 0; i < tokens->n_shards && r.n < s->n_documents && status == FT_OK; i++) {
        status = read_shard(&r, &tokens->shards[i]);
        if (status == FT_OK)
            status = take_shard(&r, &tokens->shards[i]);
    }
    if (r.hash)
        hash_format(s->texts_hash, hash_close(r.hash));
    label_columns_clear(&r.columns);
    return status;
}

/* Counts, and what a file could have got wrong. */
static ft_status count(struct document_set *s)
{
    const int64_t max_tokens = corpus_stats(s->corpus)->max_tokens;
    for (int64_t i = 0; i < s->n_documents; i++) {
        const int64_t length = s->first[i + 1] - s->first[i];
        if (length < 1 || length > max_tokens)
            return ft_fail(FT_ERR_INPUT,
                           "document %lld of the prepared corpus has %lld tokens, 1 to %lld are "
                           "possible: prepare the text again",
                           (long long)i, (long long)length, (long long)max_tokens);
        s->max_length = length > s->max_length ? (int)length : s->max_length;
        s->n_per_label[s->labels[i]]++;
    }
    s->n_tokens = s->first[s->n_documents];
    return FT_OK;
}

static ft_status allocate(struct document_set *s)
{
    FT_TRY(FT_ALLOC(s->first, s->n_documents + 1));
    FT_TRY(FT_ALLOC(s->labels, s->n_documents));
    return FT_ALLOC(s->n_per_label, s->n_labels);
}

static ft_status fill(struct document_set *s, struct comm *comm, const struct label_names *names)
{
    const int64_t n = s->n_documents;
    FT_AGREE(comm, allocate(s));
    FT_AGREE(comm, comm_rank(comm) == 0 ? read_all(s, names) : FT_OK);
    comm_bcast(comm, s->first, (n + 1) * (int64_t)sizeof *s->first, 0);
    comm_bcast(comm, s->labels, n * (int64_t)sizeof *s->labels, 0);
    comm_bcast(comm, &s->n_truncated, sizeof s->n_truncated, 0);
    comm_bcast(comm, s->texts_hash, sizeof s->texts_hash, 0);
    return count(s); /* of equal arrays: the same on all ranks */
}

ft_status document_set_open(struct document_set *s, struct comm *comm, struct corpus *corpus,
                            const struct label_names *names, int64_t max_documents)
{
    const struct corpus_stats *stats = corpus_stats(corpus);
    const int64_t n = stats->n_documents;
    *s = (struct document_set){.corpus = corpus,
                               .n_documents =
                                   max_documents > 0 && max_documents < n ? max_documents : n,
                               .n_labels = names->n,
                               .n_empty = stats->n_skipped};
    const ft_status status = fill(s, comm, names);
    if (status != FT_OK)
        document_set_close(s);
    else if (s->n_empty > 0)
        log_warn("%s: %lld documents without text skipped", corpus_sources(corpus)->files[0].path,
                 (long long)s->n_empty);
    return status;
}

void document_set_close(struct document_set *s)
{
    mem_free(s->first);
    mem_free(s->labels);
    mem_free(s->n_per_label);
    *s = (struct document_set){0};
}

/* Warns of the labels that have n documents: how many there are, and at most five names. */
static ft_status warn_of(const struct document_set *s, const struct label_names *names, int64_t n,
                         const char *what)
{
    enum { LISTED = 5 };
    struct buffer text = {0};
    ft_status status = FT_OK;
    int n_found = 0;
    for (int i = 0; i < names->n && status == FT_OK; i++) {
        if (s->n_per_label[i] != n || ++n_found > LISTED)
            continue;
        status = buffer_print(&text, "%s", n_found > 1 ? ", " : "");
        if (status == FT_OK)
            status = label_print(&text, names->names[i]);
    }
    if (status == FT_OK && n_found > 0)
        log_warn("%d of %d labels %s: %s%s", n_found, names->n, what, text.data,
                 n_found > LISTED ? ", ..." : "");
    buffer_clear(&text);
    return status;
}

ft_status document_set_check_training(const struct document_set *s, const struct label_names *names)
{
    int n_present = 0, last = 0;
    for (int i = 0; i < names->n; i++)
        if (s->n_per_label[i] > 0)
            n_present++, last = i;
    if (n_present < 2) {
        struct buffer text = {0};
        ft_status status = label_print(&text, names->names[last]);
        if (status == FT_OK)
            status = ft_fail(FT_ERR_INPUT,
                             "%s: the training documents have only one label, %s: nothing to tell "
                             "apart",
                             corpus_sources(s->corpus)->files[0].path, text.data);
        buffer_clear(&text);
        return status;
    }
    FT_TRY(warn_of(s, names, 1, "have one training document only"));
    return warn_of(s, names, 0, "have no training document, so they cannot be learnt");
}

ft_status document_order_by_length(int64_t **order, const struct document_set *s)
{
    int64_t *places = NULL; /* (max_length + 1) where documents of a length go next */
    *order = NULL;
    FT_TRY(FT_ALLOC(places, s->max_length + 1));
    if (FT_ALLOC(*order, s->n_documents) != FT_OK) {
        mem_free(places);
        return FT_ERR_INTERNAL;
    }
    for (int64_t i = 0; i < s->n_documents; i++)
        places[s->first[i + 1] - s->first[i]]++;
    int64_t next = 0;
    for (int length = s->max_length; length >= 0; length--) {
        const int64_t n = places[length];
        places[length] = next;
        next += n;
    }
    for (int64_t i = 0; i < s->n_documents; i++)
        (*order)[places[s->first[i + 1] - s->first[i]]++] = i;
    mem_free(places);
    return FT_OK;
}

ft_status document_batch_create(struct batch *b, int micro_batch, int seq_len)
{
    FT_TRY(batch_create(b, micro_batch, seq_len));
    const ft_status status = FT_ALLOC(b->labels, micro_batch);
    if (status != FT_OK)
        batch_destroy(b);
    return status;
}

static ft_status append_document(struct batch *b, const struct document_set *s, int64_t number)
{
    const int64_t first = s->first[number];
    const int n = (int)(s->first[number + 1] - first), at = b->n_tokens;
    FT_TRY(corpus_read(s->corpus, b->tokens + at, first, n));
    for (int k = 0; k < n; k++) {
        b->targets[at + k] = -1;
        b->positions[at + k] = k;
    }
    b->segment_start[b->n_segments] = at;
    b->segment_ids[b->n_segments] = number;
    b->labels[b->n_segments++] = s->labels[number];
    b->n_supervised++;
    b->n_tokens += n;
    return FT_OK;
}

ft_status document_batch_fill(struct batch *b, const struct document_set *s, const int64_t *numbers,
                              int n)
{
    b->n_tokens = b->n_segments = 0;
    b->n_supervised = 0;
    b->segment_start[0] = 0;
    if (n < 0 || n > b->micro_batch || s->max_length > b->seq_len || !b->labels)
        return ft_fail(FT_ERR_INTERNAL,
                       "a batch of %d x %d tokens cannot hold %d documents of up to %d",
                       b->micro_batch, b->seq_len, n, s->max_length);
    for (int i = 0; i < n; i++) {
        if (numbers[i] < 0 || numbers[i] >= s->n_documents)
            return ft_fail(FT_ERR_INTERNAL, "document %lld of %lld was asked for",
                           (long long)numbers[i], (long long)s->n_documents);
        FT_TRY(append_document(b, s, numbers[i]));
    }
    b->segment_start[b->n_segments] = b->n_tokens;
    return FT_OK;
}
