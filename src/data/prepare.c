/*
 * The sources are a row of bytes cut into one part a rank (data/record.c). Each rank tokenises the
 * records that start in its part into shards of its own in CACHE/KEY.tmp.*; in the end the shards
 * get their numbers by a prefix sum, rank 0 writes the manifest and renames the folder to
 * CACHE/KEY. A job that dies leaves a .tmp folder that nothing reads; one that finds CACHE/KEY made
 * by another job in the meantime takes that and removes its own.
 *
 * Labelled documents are numbered over all sources, which takes a pass that counts them; only so
 * can a document of the shards be found in its file again (data/texts.c).
 *
 * Within a rank all OpenMP threads tokenise (data/encoder.c).
 *
 * Ranks agree after every 4 MiB of a part, so that one rank's bad line, or a signal that only it
 * got, ends the job in seconds, not after the others' hours.
 */
#include "data/prepare.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/signals.h"
#include "data/encoder.h"
#include "data/record.h"
#include "data/split.h"
#include "data/token_writer.h"
#include "leftover.h"

enum { ROUND_BYTES = 4 << 20, ATTEMPTS = 1000 };

#define DOING "the corpus was being prepared"

/* What goes into making one set of shards. */
struct preparation {
    const struct corpus_request *request;
    struct tokenizer *tokenizer;
    struct record_cursor cursor;
    struct encoder *encoder;
    struct token_writer writer;
    struct token_set_info info;
    struct token_set_wanted wanted;
    char folder[FILE_PATH_MAX], temporary[FILE_PATH_MAX];
    int64_t number; /* of the next document */
};

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
        status = signals_check(DOING);
        if (status == FT_OK)
            status = record_next(&cursor, &record, &has, cursor.end);
        n += status == FT_OK && has;
    }
    record_close(&cursor);
    FT_AGREE(comm, status);
    *first = comm_exscan_i64(comm, n);
    return FT_OK;
}

/* Takes what the encoder made of a conversation. */
static ft_status add_conversation(void *context, const struct encoded *document)
{
    struct preparation *p = context;
    const int64_t start = p->writer.tokens.n;
    if (document->n_ids == 0) {
        p->info.n_skipped++;
        return FT_OK;
    }
    FT_TRY(token_list_append(&p->writer.tokens, document->ids, document->n_ids));
    p->writer.n_supervised += document->n_supervised;
    p->writer.n_truncated += document->n_text > document->n_ids;
    return token_writer_document(&p->writer, start, document->text_bytes, NULL);
}

/* Takes what the encoder made of a document. */
static ft_status add_document(void *context, const struct encoded *document)
{
    struct preparation *p = context;
    struct token_list *tokens = &p->writer.tokens;
    const int64_t start = tokens->n;
    if (document->n_ids == 0) {
        p->info.n_skipped++;
        return FT_OK;
    }
    FT_TRY(token_list_append(tokens, document->ids, document->n_ids));
    const struct document_label label = {.name = document->label,
                                         .bytes = document->label_bytes,
                                         .number = document->number,
                                         .n_cut = document->n_text - document->n_ids +
                                                  tokenizer_template_size(p->tokenizer)};
    const int32_t eos = tokenizer_eos(p->tokenizer);
    if (!document->label)
        FT_TRY(token_list_append(tokens, &eos, 1));
    return token_writer_document(&p->writer, start, document->text_bytes,
                                 document->label ? &label : NULL);
}

/* The next record of this rank that starts before limit and belongs to the part that is wanted. */
static ft_status next_record(struct preparation *p, struct record *record, bool *has, int64_t limit)
{
    const struct corpus_request *request = p->request;
    const double fraction = request->validation_fraction;
    for (;;) {
        FT_TRY(record_next(&p->cursor, record, has, limit));
        if (!*has)
            return FT_OK;
        FT_TRY(signals_check(DOING));
        const int64_t number = p->number++;
        if (fraction <= 0 ||
            split_is_validation(request->seed, number, fraction) == (request->want_validation != 0))
            return FT_OK;
    }
}

/* This rank's documents up to a place in the row. */
static ft_status add_documents(struct preparation *p, int64_t limit)
{
    char text[FT_ERR_TEXT_MAX];
    struct record record;
    bool has = true;
    for (;;) {
        const ft_status status = next_record(p, &record, &has, limit);
        if (status != FT_OK) { /* documents before it may be bad too, and are told of first */
            (void)snprintf(text, sizeof text, "%s", ft_error_text());
            FT_TRY(encoder_flush(p->encoder));
            return ft_fail(status, "%s", text);
        }
        if (!has)
            return encoder_flush(p->encoder);
        FT_TRY(encoder_add(p->encoder, &p->cursor, &record, p->number - 1));
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
    char path[FILE_PATH_MAX], prefix[HASH_TEXT + 1];
    DIR *folder = opendir(cache_dir);
    if (!folder)
        return;
    (void)snprintf(prefix, sizeof prefix, "%s.", key);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        struct stat info;
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0 ||
            file_join(path, cache_dir, entry->d_name) != FT_OK || lstat(path, &info) != 0)
            continue;
        if (S_ISDIR(info.st_mode) && leftover_is_dead(entry->d_name, info.st_mtime))
            (void)file_remove_folder(path);
    }
    (void)closedir(folder);
}

/* On rank 0: a new folder beside the final one, of a name that no other job takes. */
static ft_status make_temporary(struct preparation *p)
{
    char own[LEFTOVER_BYTES];
    leftover_suffix(own);
    FT_TRY(file_make_folders(p->request->cache_dir));
    remove_stale(p->request->cache_dir, p->info.key);
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        char name[256];
        (void)snprintf(name, sizeof name, "%s.%d.%s", p->info.key, attempt, own);
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
static ft_status commit(struct token_set *set, struct preparation *p, struct comm *comm)
{
    const bool is_root = comm_rank(comm) == 0;
    bool is_taken = false;
    struct token_set_info info;
    FT_AGREE(comm, is_root ? take_name(p, &is_taken) : FT_OK);
    comm_bcast(comm, &is_taken, sizeof is_taken, 0);
    if (is_taken) {
        p->wanted.verifies = true;
        if (token_set_add(set, &info, comm, p->folder, NULL, &p->wanted) == FT_OK)
            return comm_agree(comm, is_root ? file_remove_folder(p->temporary) : FT_OK);
        FT_AGREE(comm, is_root ? replace_folder(p) : FT_OK);
    }
    p->wanted.verifies = false;
    return token_set_add(set, &info, comm, p->folder, NULL, &p->wanted);
}

static ft_status refuse_empty(const struct corpus_request *r, const struct source *files,
                              int64_t n_files, int64_t n_skipped)
{
    const bool is_split = r->validation_fraction > 0;
    if (r->instruct)
        return ft_fail(FT_ERR_INPUT,
                       "%s%s: no conversation with a supervised token (%lld skipped): raise "
                       "data.seq_len where prompts fill it, and look at data.train_on",
                       files[0].path, n_files > 1 ? ", ..." : "", (long long)n_skipped);
    const char *part = r->want_validation ? " in the validation part" : " in the training part";
    return ft_fail(FT_ERR_INPUT,
                   "%s%s: no document with text%s (%lld without tokens skipped): check "
                   "data.text_field%s",
                   files[0].path, n_files > 1 ? ", ..." : "", is_split ? part : "",
                   (long long)n_skipped, is_split ? " and data.validation_fraction" : "");
}

static ft_status open_encoder(struct preparation *p)
{
    const struct corpus_request *r = p->request;
    const struct encoder_request request = {.tokenizer = p->tokenizer,
                                            .text_field = r->text_field,
                                            .label_field = r->label_field,
                                            .max_tokens = r->seq_len,
                                            .instruct = r->instruct,
                                            .use = r->instruct ? add_conversation : add_document,
                                            .context = p};
    return encoder_open(&p->encoder, &request);
}

static ft_status fill_and_commit(struct token_set *set, struct preparation *p, struct comm *comm,
                                 const struct source *files, int64_t n_files)
{
    const int64_t total = files[n_files - 1].first + files[n_files - 1].bytes + 1 - files[0].first;
    if (p->request->validation_fraction > 0 || p->request->label_field)
        FT_TRY(count_documents(&p->number, comm, files, n_files));
    FT_AGREE(comm, open_encoder(p));
    FT_TRY(record_open(&p->cursor, comm, files, n_files, false));
    FT_TRY(tokenise(p, comm, total));
    encoder_close(&p->encoder);
    int64_t n_documents = p->writer.n_written;
    comm_sum_i64(comm, &n_documents, 1);
    if (n_documents == 0)
        return refuse_empty(p->request, files, n_files, p->info.n_skipped);
    FT_TRY(token_writer_publish(&p->writer, comm, &p->info));
    return commit(set, p, comm);
}

ft_status prepare_shards(struct token_set *set, struct comm *comm,
                         const struct corpus_request *request, struct tokenizer *tokenizer,
                         const struct token_set_info *info, const char *folder,
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
    p->wanted = (struct token_set_wanted){.tokenizer_hash = p->info.tokenizer_hash,
                                          .key = p->info.key,
                                          .max_tokens = info->max_tokens,
                                          .instruct = info->instruct[0] ? p->info.instruct : NULL};
    p->cursor.fd = -1;
    (void)snprintf(p->folder, sizeof p->folder, "%s", folder);
    token_writer_init(&p->writer, p->temporary, &p->info, comm_rank(comm));
    status = comm_agree(comm, comm_rank(comm) == 0 ? make_temporary(p) : FT_OK);
    if (status == FT_OK) {
        comm_bcast(comm, p->temporary, sizeof p->temporary, 0);
        status = fill_and_commit(set, p, comm, files, n_files);
    }
    if (status != FT_OK && comm_rank(comm) == 0 && p->temporary[0]) {
        char text[FT_ERR_TEXT_MAX];
        (void)snprintf(text, sizeof text, "%s", ft_error_text());
        (void)file_remove_folder(p->temporary);
        (void)ft_fail(status, "%s", text);
    }
    record_close(&p->cursor);
    encoder_close(&p->encoder);
    token_writer_clear(&p->writer);
    mem_free(p);
    return status;
}
