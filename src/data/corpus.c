/*
 * Preparing: the sources are a row of bytes cut into one part a rank (data/record.c). Each rank
 * tokenises the records that start in its part into shards of its own in CACHE/KEY.tmp.*; in the
 * end the shards get their numbers by a prefix sum, rank 0 writes the manifest and renames the
 * folder to CACHE/KEY. A job that dies leaves a .tmp folder that nothing reads; one that finds
 * CACHE/KEY made by another job in the meantime takes that and removes its own.
 *
 * KEY hashes what decides the tokens: contents of the sources, tokenizer, field, split. Contents
 * are hashed in fixed blocks, so the key does not depend on the number of ranks. The price is one
 * more pass over the text at disk speed, also when shards are reused; names and times of files
 * would be cheaper to compare, but say nothing about contents.
 *
 * Ranks agree after every 16 MiB of a part, so that one rank's bad line ends the job in seconds,
 * not after the others' hours.
 */
#include "data/corpus.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/signals.h"
#include "base/timer.h"
#include "data/document.h"
#include "data/record.h"
#include "data/source.h"
#include "data/split.h"
#include "data/token_set.h"
#include "data/token_writer.h"

enum { ROUND_BYTES = 16 << 20, STALE_SECONDS = 86400 };

struct corpus {
    struct token_set tokens;
    struct corpus_stats stats;
    int vocab_size;
    char tokenizer_hash[HASH_TEXT];
    char folder[FILE_PATH_MAX];
    struct buffer hashes; /* of the sources so far */
};

/* What goes into making one set of shards. */
struct preparation {
    const struct corpus_request *request;
    struct tokenizer *tokenizer;
    struct record_cursor cursor;
    struct document_reader reader;
    struct token_writer writer;
    struct token_set_info info;
    char folder[FILE_PATH_MAX], temporary[FILE_PATH_MAX];
    int64_t number; /* of the next document */
};

static ft_status make_key(char key[HASH_TEXT], const struct corpus_request *request,
                          const char *data_hash, const char *tokenizer_hash)
{
    struct buffer text = {0};
    ft_status status =
        buffer_print(&text, "tokens %d\ndata %s\ntokenizer %s\nfield %s\n", TOKEN_SET_VERSION,
                     data_hash, tokenizer_hash, request->text_field);
    if (status == FT_OK && request->validation_fraction > 0)
        status = buffer_print(&text, "split %lld %a %d\n", (long long)request->seed,
                              request->validation_fraction, request->want_validation != 0);
    if (status == FT_OK)
        hash_format(key, hash_bytes(text.data, text.used));
    buffer_clear(&text);
    return status;
}

/* Numbers this rank's documents: counts them, and those of lower ranks come first. Collective. */
static ft_status count_documents(int64_t *first, struct comm *comm, const struct source *files,
                                 int64_t n_files)
{
    struct record_cursor cursor;
    struct record record;
    int64_t n = 0;
    bool has = true;
    FT_TRY(record_open(&cursor, comm, files, n_files, true));
    ft_status status = FT_OK;
    while (status == FT_OK && has) {
        status = record_next(&cursor, &record, &has, cursor.end);
        n += status == FT_OK && has;
    }
    record_close(&cursor);
    FT_AGREE(comm, status);
    *first = comm_exscan_i64(comm, n);
    return FT_OK;
}

static ft_status add_document(struct preparation *p, const struct record *record)
{
    const char *text;
    size_t bytes;
    struct token_list *tokens = &p->writer.tokens;
    const int64_t start = tokens->n;
    FT_TRY(document_read(&text, &bytes, &p->reader, &p->cursor, record));
    FT_TRY(tokenizer_encode(p->tokenizer, tokens, text, bytes));
    if (tokens->n == start) {
        p->info.n_skipped++;
        return FT_OK;
    }
    const int32_t eos = tokenizer_eos(p->tokenizer);
    FT_TRY(token_list_append(tokens, &eos, 1));
    return token_writer_document(&p->writer, start, (int64_t)bytes);
}

/* This rank's documents up to a place in the row. */
static ft_status add_documents(struct preparation *p, int64_t limit)
{
    const struct corpus_request *request = p->request;
    const double fraction = request->validation_fraction;
    struct record record;
    for (;;) {
        bool has;
        FT_TRY(record_next(&p->cursor, &record, &has, limit));
        if (!has)
            return FT_OK;
        if (signals_stop_requested())
            return ft_fail(FT_STOPPED, "stopped on request while the corpus was being prepared");
        const int64_t number = p->number++;
        if (fraction <= 0 ||
            split_is_validation(request->seed, number, fraction) == (request->want_validation != 0))
            FT_TRY(add_document(p, &record));
    }
}

static ft_status tokenise(struct preparation *p, struct comm *comm, int64_t total)
{
    const int64_t begin = p->cursor.first, longest = total / comm_size(comm) + 1;
    for (int64_t at = ROUND_BYTES; at - ROUND_BYTES < longest; at += ROUND_BYTES) {
        const int64_t limit = p->cursor.end - begin > at ? begin + at : p->cursor.end;
        FT_AGREE(comm, add_documents(p, limit));
    }
    FT_AGREE(comm, token_writer_finish(&p->writer));
    comm_sum_i64(comm, &p->info.n_skipped, 1);
    return FT_OK;
}

/* Leftovers of jobs that died, for the same key: nobody writes to them any more. */
static void remove_stale(const char *cache_dir, const char *key)
{
    char path[FILE_PATH_MAX], prefix[HASH_TEXT + 8];
    DIR *folder = opendir(cache_dir);
    if (!folder)
        return;
    (void)snprintf(prefix, sizeof prefix, "%s.tmp.", key);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        struct stat info;
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0 ||
            file_join(path, cache_dir, entry->d_name) != FT_OK || lstat(path, &info) != 0)
            continue;
        if (S_ISDIR(info.st_mode) && time(NULL) - info.st_mtime > STALE_SECONDS)
            (void)file_remove_folder(path);
    }
    (void)closedir(folder);
}

/* On rank 0: a new folder beside the final one, of a name that no other job takes. */
static ft_status make_temporary(struct preparation *p, const char *host)
{
    FT_TRY(file_make_folders(p->request->cache_dir));
    remove_stale(p->request->cache_dir, p->info.key);
    for (int attempt = 0; attempt < 1000; attempt++) {
        char name[256];
        (void)snprintf(name, sizeof name, "%s.tmp.%.64s.%ld.%d", p->info.key, host, (long)getpid(),
                       attempt);
        FT_TRY(file_join(p->temporary, p->request->cache_dir, name));
        if (mkdir(p->temporary, 0777) == 0)
            return FT_OK;
        if (errno != EEXIST)
            break;
    }
    return ft_fail(FT_ERR_OUTPUT, "cannot create folder %s: %s", p->temporary, strerror(errno));
}

/* On rank 0: the finished folder gets its name; is_taken: another one has it. */
static ft_status take_name(const struct preparation *p, bool *is_taken)
{
    FT_TRY(file_sync(p->temporary));
    *is_taken = false;
    if (rename(p->temporary, p->folder) == 0)
        return file_sync(p->request->cache_dir);
    *is_taken = errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR;
    return *is_taken ? FT_OK
                     : ft_fail(FT_ERR_IO, "cannot rename %s to %s: %s", p->temporary, p->folder,
                               strerror(errno));
}

/* On rank 0: moves the damaged folder away and puts the new one there. */
static ft_status replace_folder(const struct preparation *p)
{
    char old[FILE_PATH_MAX];
    bool is_taken = false;
    if (snprintf(old, sizeof old, "%s.old", p->temporary) >= FILE_PATH_MAX)
        return ft_fail(FT_ERR_USAGE, "path too long: %.80s...", p->temporary);
    if (rename(p->folder, old) != 0 && errno != ENOENT)
        return ft_fail(FT_ERR_IO, "cannot rename %s to %s: %s", p->folder, old, strerror(errno));
    const ft_status status = take_name(p, &is_taken);
    if (file_is_folder(old))
        (void)file_remove_folder(old);
    else
        (void)unlink(old);
    return status;
}

/* Publishes the finished folder, or takes another job's that is there and sound. Collective. */
static ft_status commit(struct corpus *c, struct preparation *p, struct comm *comm)
{
    const bool is_root = comm_rank(comm) == 0;
    bool is_taken = false;
    struct token_set_info info;
    FT_AGREE(comm, is_root ? take_name(p, &is_taken) : FT_OK);
    comm_bcast(comm, &is_taken, sizeof is_taken, 0);
    if (is_taken) {
        if (token_set_add(&c->tokens, &info, comm, p->folder, NULL, c->tokenizer_hash, p->info.key,
                          true) == FT_OK)
            return comm_agree(comm, is_root ? file_remove_folder(p->temporary) : FT_OK);
        FT_AGREE(comm, is_root ? replace_folder(p) : FT_OK);
    }
    return token_set_add(&c->tokens, &info, comm, p->folder, NULL, c->tokenizer_hash, p->info.key,
                         false);
}

static ft_status fill_and_commit(struct corpus *c, struct preparation *p, struct comm *comm,
                                 const struct source *files, int64_t n_files)
{
    const int64_t total = files[n_files - 1].first + files[n_files - 1].bytes + 1 - files[0].first;
    if (p->request->validation_fraction > 0)
        FT_TRY(count_documents(&p->number, comm, files, n_files));
    FT_TRY(record_open(&p->cursor, comm, files, n_files, false));
    FT_TRY(tokenise(p, comm, total));
    int64_t n_documents = p->writer.n_written;
    comm_sum_i64(comm, &n_documents, 1);
    if (n_documents == 0)
        return ft_fail(FT_ERR_INPUT,
                       "%s%s: no document with text in the %s part (%lld without tokens skipped): "
                       "check data.text_field and data.validation_fraction",
                       files[0].path, n_files > 1 ? ", ..." : "",
                       p->request->want_validation ? "validation" : "training",
                       (long long)p->info.n_skipped);
    FT_TRY(token_writer_publish(&p->writer, comm, &p->info));
    return commit(c, p, comm);
}

/* Makes the shards of a key anew. Collective. */
static ft_status prepare(struct corpus *c, struct comm *comm, const struct corpus_request *request,
                         struct tokenizer *tokenizer, const struct token_set_info *info,
                         const struct source *files, int64_t n_files)
{
    struct preparation *p = NULL;
    ft_status status = comm_agree(comm, FT_ALLOC(p, 1));
    if (status != FT_OK) {
        mem_free(p);
        return status;
    }
    p->request = request;
    p->tokenizer = tokenizer;
    p->info = *info;
    p->cursor.fd = -1;
    memcpy(p->folder, c->folder, sizeof p->folder);
    document_reader_init(&p->reader, request->text_field);
    token_writer_init(&p->writer, p->temporary, &p->info, comm_rank(comm));
    status = comm_agree(comm, comm_rank(comm) == 0 ? make_temporary(p, comm_host(comm)) : FT_OK);
    if (status == FT_OK) {
        comm_bcast(comm, p->temporary, sizeof p->temporary, 0);
        status = fill_and_commit(c, p, comm, files, n_files);
    }
    if (status != FT_OK && comm_rank(comm) == 0 && p->temporary[0]) {
        char text[FT_ERR_TEXT_MAX];
        (void)snprintf(text, sizeof text, "%s", ft_error_text());
        (void)file_remove_folder(p->temporary);
        (void)ft_fail(status, "%s", text);
    }
    record_close(&p->cursor);
    document_reader_clear(&p->reader);
    token_writer_clear(&p->writer);
    mem_free(p);
    return status;
}

/* Whether CACHE/KEY is there and sound; then its shards are in the set. Collective. */
static ft_status reuse(struct corpus *c, bool *was_reused, struct comm *comm, const char *key)
{
    struct token_set_info info;
    bool exists = comm_rank(comm) == 0 && file_exists(c->folder);
    *was_reused = false;
    comm_bcast(comm, &exists, sizeof exists, 0);
    if (!exists)
        return FT_OK;
    const ft_status status =
        token_set_add(&c->tokens, &info, comm, c->folder, NULL, c->tokenizer_hash, key, true);
    *was_reused = status == FT_OK;
    if (status != FT_ERR_INPUT)
        return status;
    log_warn("%s: the token shards are made anew", ft_error_text());
    return FT_OK;
}

/* A run of text files. Collective. */
static ft_status open_text(struct corpus *c, struct comm *comm,
                           const struct corpus_request *request, struct tokenizer *tokenizer,
                           const struct source *files, int64_t n_files)
{
    struct token_set_info info = {0};
    bool was_reused = false;
    FT_TRY(source_hash(info.data_hash, comm, files, n_files));
    memcpy(info.tokenizer_hash, c->tokenizer_hash, HASH_TEXT);
    FT_AGREE(comm, make_key(info.key, request, info.data_hash, c->tokenizer_hash));
    FT_AGREE(comm, file_join(c->folder, request->cache_dir, info.key));
    FT_AGREE(comm, buffer_append(&c->hashes, info.data_hash, HASH_TEXT - 1));
    FT_TRY(reuse(c, &was_reused, comm, info.key));
    if (was_reused)
        return FT_OK;
    c->stats.was_reused = false;
    return prepare(c, comm, request, tokenizer, &info, files, n_files);
}

/* A folder of prepared shards, or one of its files. Collective. */
static ft_status open_shards(struct corpus *c, struct comm *comm,
                             const struct corpus_request *request, const struct source *source)
{
    char folder[FILE_PATH_MAX];
    struct token_set_info info;
    if (request->validation_fraction > 0)
        return ft_fail(
            FT_ERR_USAGE,
            "data.validation_fraction cannot split prepared shards (%s): name the text, or "
            "shards for data.validation",
            source->path);
    bool is_folder = comm_rank(comm) == 0 && file_is_folder(source->path);
    comm_bcast(comm, &is_folder, sizeof is_folder, 0);
    file_folder(folder, source->path);
    const char *only = is_folder ? NULL : file_base_name(source->path);
    const int64_t old = c->tokens.n_shards;
    FT_TRY(token_set_add(&c->tokens, &info, comm, is_folder ? source->path : folder, only,
                         c->tokenizer_hash, NULL, true));
    const char *hash = only ? c->tokens.shards[old].info.hash : info.data_hash;
    FT_AGREE(comm, buffer_append(&c->hashes, hash, HASH_TEXT - 1));
    return FT_OK;
}

static ft_status open_sources(struct corpus *c, struct comm *comm,
                              const struct corpus_request *request, struct tokenizer *tokenizer,
                              const struct source_list *list)
{
    for (int64_t i = 0, n; i < list->n_files; i += n) {
        const struct source *files = &list->files[i];
        n = 1;
        if (files->kind == SOURCE_SHARDS) {
            FT_TRY(open_shards(c, comm, request, files));
            continue;
        }
        while (i + n < list->n_files && files[n].kind != SOURCE_SHARDS)
            n++;
        FT_TRY(open_text(c, comm, request, tokenizer, files, n));
    }
    return FT_OK;
}

static ft_status check_request(const struct corpus_request *request, struct tokenizer *tokenizer,
                               const struct source_list *list)
{
    bool has_text = false, has_shards = false;
    for (int64_t i = 0; i < list->n_files; i++) {
        has_shards = has_shards || list->files[i].kind == SOURCE_SHARDS;
        has_text = has_text || list->files[i].kind != SOURCE_SHARDS;
    }
    if (has_text && has_shards && request->validation_fraction > 0)
        return ft_fail(FT_ERR_USAGE,
                       "data.validation_fraction cannot split prepared shards: name the "
                       "text, or shards for data.validation");
    if (has_text && tokenizer_eos(tokenizer) < 0)
        return ft_fail(
            FT_ERR_INPUT,
            "the model's tokenizer names no EOS token, which must end every document: add "
            "eos_token to tokenizer_config.json or eos_token_id to config.json");
    return FT_OK;
}

static void finish_stats(struct corpus *c)
{
    c->stats.n_tokens = c->tokens.n_tokens;
    c->stats.n_documents = c->tokens.n_documents;
    c->stats.n_skipped = c->tokens.n_skipped;
    c->stats.n_bytes = c->tokens.n_bytes;
    if (c->hashes.used == HASH_TEXT - 1)
        memcpy(c->stats.data_hash, c->hashes.data, HASH_TEXT);
    else
        hash_format(c->stats.data_hash, hash_bytes(c->hashes.data, c->hashes.used));
    buffer_clear(&c->hashes);
}

static ft_status open_all(struct corpus *c, struct comm *comm, const struct corpus_request *request,
                          struct tokenizer *tokenizer)
{
    struct source_list list = {0};
    c->stats.was_reused = true;
    c->vocab_size = tokenizer_vocab_size(tokenizer);
    hash_format(c->tokenizer_hash, tokenizer_hash(tokenizer));
    FT_TRY(source_list_create(&list, comm, request->paths, request->n_paths));
    ft_status status = comm_agree(comm, check_request(request, tokenizer, &list));
    if (status == FT_OK)
        status = open_sources(c, comm, request, tokenizer, &list);
    source_list_destroy(&list);
    return status;
}

ft_status corpus_open(struct corpus **out, struct comm *comm, const struct corpus_request *request,
                      struct tokenizer *tokenizer)
{
    const double start = timer_now();
    struct corpus *c = NULL;
    *out = NULL;
    ft_status status = comm_agree(comm, FT_ALLOC(c, 1));
    if (status == FT_OK)
        status = request->n_paths > 0 ? open_all(c, comm, request, tokenizer)
                                      : ft_fail(FT_ERR_USAGE, "no corpus is named: set data.train");
    if (status != FT_OK) {
        corpus_close(&c);
        return status;
    }
    finish_stats(c);
    c->stats.seconds = timer_now() - start;
    *out = c;
    return FT_OK;
}

void corpus_close(struct corpus **c)
{
    if (!*c)
        return;
    token_set_clear(&(*c)->tokens);
    buffer_clear(&(*c)->hashes);
    FT_FREE(*c);
}

const struct corpus_stats *corpus_stats(const struct corpus *c)
{
    return &c->stats;
}

const char *corpus_folder(const struct corpus *c)
{
    return c->folder;
}

ft_status corpus_read(struct corpus *c, int32_t *out, int64_t first, int64_t n)
{
    FT_TRY(token_set_read(&c->tokens, out, first, n));
    for (int64_t i = 0; i < n; i++)
        if (out[i] < 0 || out[i] >= c->vocab_size)
            return ft_fail(
                FT_ERR_INPUT,
                "token %lld of the prepared corpus is id %u, the tokenizer has %d: prepare "
                "the text again",
                (long long)(first + i), (unsigned)out[i], c->vocab_size);
    return FT_OK;
}

ft_status corpus_document_starts(struct corpus *c, int64_t first, int64_t n, int64_t *starts,
                                 int64_t capacity, int64_t *n_starts)
{
    return token_set_starts(&c->tokens, starts, n_starts, first, n, capacity);
}
