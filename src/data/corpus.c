/*
 * KEY, the name of the folder in the cache, hashes what decides the tokens: contents of the
 * sources, tokenizer, fields, split. Contents are hashed in fixed blocks, so the key does not
 * depend on the number of ranks. The price is one more pass over the text at disk speed, also when
 * shards are reused; names and times of files would be cheaper to compare, but say nothing about
 * contents.
 */
#include "data/corpus.h"

#include <string.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/timer.h"
#include "data/prepare.h"
#include "data/split.h"

struct corpus {
    struct token_set tokens;
    struct corpus_stats stats;
    int vocab_size;
    char tokenizer_hash[HASH_TEXT];
    char instruct[HASH_TEXT]; /* "": documents */
    char folder[FILE_PATH_MAX];
    struct buffer hashes; /* of the sources so far */
    struct source_list sources;
    char *text_field, *label_field;
    int64_t seed; /* of the split, as the rest */
    double validation_fraction;
    bool is_validation;
};

static ft_status make_key(char key[HASH_TEXT], const struct corpus_request *request,
                          const char *data_hash, const struct corpus *c)
{
    struct buffer text = {0};
    ft_status status = buffer_print(&text, "tokens %d\ndata %s\ntokenizer %s\n", TOKEN_SET_VERSION,
                                    data_hash, c->tokenizer_hash);
    if (status == FT_OK && request->instruct)
        status = buffer_print(&text, "instruct %s\nseq_len %d\n", c->instruct, request->seq_len);
    else if (status == FT_OK)
        status = buffer_print(&text, "field %s\n", request->text_field);
    if (status == FT_OK && request->validation_fraction > 0)
        status = buffer_print(&text, "split %lld %a %d\n", (long long)request->seed,
                              request->validation_fraction, request->want_validation != 0);
    if (status == FT_OK && request->label_field)
        status =
            buffer_print(&text, "label %s\nseq_len %d\n", request->label_field, request->seq_len);
    if (status == FT_OK)
        hash_format(key, hash_bytes(text.data, text.used));
    buffer_clear(&text);
    return status;
}

/* Whether CACHE/KEY is there and sound; then its shards are in the set. Collective. */
static ft_status reuse(struct corpus *c, bool *was_reused, struct comm *comm,
                       const struct token_set_info *made)
{
    struct token_set_info info;
    const struct token_set_wanted wanted = {c->tokenizer_hash, made->key, made->max_tokens, true,
                                            c->instruct[0] ? c->instruct : NULL};
    bool exists = comm_rank(comm) == 0 && file_exists(c->folder);
    *was_reused = false;
    comm_bcast(comm, &exists, sizeof exists, 0);
    if (!exists)
        return FT_OK;
    const ft_status status = token_set_add(&c->tokens, &info, comm, c->folder, NULL, &wanted);
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
    memcpy(info.instruct, c->instruct, HASH_TEXT);
    info.max_tokens = c->stats.max_tokens;
    FT_AGREE(comm, make_key(info.key, request, info.data_hash, c));
    FT_AGREE(comm, file_join(c->folder, request->cache_dir, info.key));
    FT_AGREE(comm, buffer_append(&c->hashes, info.data_hash, HASH_TEXT - 1));
    FT_TRY(reuse(c, &was_reused, comm, &info));
    if (was_reused)
        return FT_OK;
    c->stats.was_reused = false;
    return prepare_shards(&c->tokens, comm, request, tokenizer, &info, c->folder, files, n_files);
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
    const struct token_set_wanted wanted = {c->tokenizer_hash, NULL, c->stats.max_tokens, true,
                                            c->instruct[0] ? c->instruct : NULL};
    FT_TRY(
        token_set_add(&c->tokens, &info, comm, is_folder ? source->path : folder, only, &wanted));
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

/* What labels ask of request, tokenizer and sources. */
static ft_status check_labels(const struct corpus_request *request,
                              const struct tokenizer *tokenizer, const struct source_list *list)
{
    const int n_template = tokenizer_template_size(tokenizer);
    if (strcmp(request->text_field, request->label_field) == 0)
        return ft_fail(FT_ERR_USAGE, "data.text_field and data.label_field are both \"%s\"",
                       request->text_field);
    if (request->seq_len <= n_template)
        return ft_fail(FT_ERR_USAGE,
                       "data.seq_len = %d leaves no room for text: the tokenizer puts %d tokens "
                       "around each",
                       request->seq_len, n_template);
    for (int64_t i = 0; i < list->n_files; i++)
        if (list->files[i].kind == SOURCE_TXT)
            return ft_fail(FT_ERR_INPUT,
                           "%s: a .txt file holds no labels: classification reads .jsonl and .csv",
                           list->files[i].path);
    return FT_OK;
}

static ft_status check_request(const struct corpus_request *request, struct tokenizer *tokenizer,
                               const struct source_list *list)
{
    if (request->label_field)
        FT_TRY(check_labels(request, tokenizer, list));
    bool has_text = false, has_shards = false;
    for (int64_t i = 0; i < list->n_files; i++) {
        has_shards = has_shards || list->files[i].kind == SOURCE_SHARDS;
        has_text = has_text || list->files[i].kind != SOURCE_SHARDS;
    }
    if (has_text && has_shards && request->validation_fraction > 0)
        return ft_fail(FT_ERR_USAGE,
                       "data.validation_fraction cannot split prepared shards: name the "
                       "text, or shards for data.validation");
    if (has_text && !request->label_field && tokenizer_eos(tokenizer) < 0)
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
    c->stats.n_supervised = c->tokens.n_supervised;
    c->stats.n_truncated = c->tokens.n_truncated;
    if (c->hashes.used == HASH_TEXT - 1)
        memcpy(c->stats.data_hash, c->hashes.data, HASH_TEXT);
    else
        hash_format(c->stats.data_hash, hash_bytes(c->hashes.data, c->hashes.used));
    buffer_clear(&c->hashes);
}

static ft_status start(struct corpus *c, const struct corpus_request *request,
                       struct tokenizer *tokenizer)
{
    c->seed = request->seed;
    c->validation_fraction = request->validation_fraction;
    c->is_validation = request->want_validation != 0;
    c->stats.was_reused = true;
    c->vocab_size = tokenizer_vocab_size(tokenizer);
    c->stats.max_tokens = request->label_field || request->instruct ? request->seq_len : 0;
    if (request->instruct)
        instruct_hash(c->instruct, request->instruct);
    c->text_field = mem_copy_text(request->text_field);
    c->label_field = request->label_field ? mem_copy_text(request->label_field) : NULL;
    if (!c->text_field || (request->label_field && !c->label_field))
        return FT_ERR_INTERNAL;
    hash_format(c->tokenizer_hash, tokenizer_hash(tokenizer));
    return check_request(request, tokenizer, &c->sources);
}

static ft_status open_all(struct corpus *c, struct comm *comm, const struct corpus_request *request,
                          struct tokenizer *tokenizer)
{
    FT_TRY(source_list_create(&c->sources, comm, request->paths, request->n_paths));
    FT_AGREE(comm, start(c, request, tokenizer));
    if (request->instruct)
        FT_TRY(conversation_forms_find(&c->sources, comm));
    return open_sources(c, comm, request, tokenizer, &c->sources);
}

ft_status corpus_open(struct corpus **out, struct comm *comm, const struct corpus_request *request,
                      struct tokenizer *tokenizer)
{
    const double begin = timer_now();
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
    c->stats.seconds = timer_now() - begin;
    *out = c;
    return FT_OK;
}

void corpus_close(struct corpus **c)
{
    if (!*c)
        return;
    token_set_clear(&(*c)->tokens);
    buffer_clear(&(*c)->hashes);
    source_list_destroy(&(*c)->sources);
    mem_free((*c)->text_field);
    mem_free((*c)->label_field);
    FT_FREE(*c);
}

const struct corpus_stats *corpus_stats(const struct corpus *c)
{
    return &c->stats;
}

struct token_set *corpus_tokens(struct corpus *c)
{
    return &c->tokens;
}

const struct source_list *corpus_sources(const struct corpus *c)
{
    return &c->sources;
}

void corpus_fields(const char **text_field, const char **label_field, const struct corpus *c)
{
    *text_field = c->text_field;
    *label_field = c->label_field;
}

bool corpus_holds(const struct corpus *c, int64_t number)
{
    return c->validation_fraction <= 0 ||
           split_is_validation(c->seed, number, c->validation_fraction) == c->is_validation;
}

const char *corpus_folder(const struct corpus *c)
{
    return c->folder;
}

ft_status corpus_read(struct corpus *c, int32_t *out, int64_t first, int64_t n)
{
    FT_TRY(token_set_read(&c->tokens, out, first, n));
    const int32_t mask = c->instruct[0] ? ~INSTRUCT_SUPERVISED : -1;
    for (int64_t i = 0; i < n; i++)
        if (out[i] < 0 || (out[i] & mask) >= c->vocab_size)
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
