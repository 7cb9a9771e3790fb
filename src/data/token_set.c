#include "data/token_set.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/mem.h"
#include "base/signals.h"
#include "data/label_columns.h"
#include "format/h5.h"
#include "format/json.h"

enum { OPEN_MAX_FILES = 64, STARTS_BLOCK = 256 };
static const uint64_t manifest_max_bytes = UINT64_C(256) << 20;

ft_status token_shard_path(char out[FILE_PATH_MAX], const char *folder, int64_t index, int64_t n)
{
    char name[64];
    (void)snprintf(name, sizeof name, "tokens-%05lld-of-%05lld.h5", (long long)index, (long long)n);
    return file_join(out, folder, name);
}

static ft_status print_manifest(struct buffer *out, const struct token_set_info *info,
                                const struct token_shard_info *shards)
{
    FT_TRY(buffer_print(out,
                        "{\n  \"format\": \"finetune-tokens\",\n  \"version\": %d,\n"
                        "  \"key\": \"%s\",\n  \"data_hash\": \"%s\",\n"
                        "  \"tokenizer_hash\": \"%s\",\n  \"n_skipped\": %lld,\n",
                        TOKEN_SET_VERSION, info->key, info->data_hash, info->tokenizer_hash,
                        (long long)info->n_skipped));
    if (info->max_tokens > 0)
        FT_TRY(buffer_print(out, "  \"max_tokens\": %lld,\n", (long long)info->max_tokens));
    if (info->instruct[0])
        FT_TRY(buffer_print(out, "  \"instruct\": \"%s\",\n", info->instruct));
    FT_TRY(buffer_print(out, "  \"shards\": ["));
    for (int64_t i = 0; i < info->n_shards; i++) {
        const struct token_shard_info *s = &shards[i];
        FT_TRY(buffer_print(out,
                            "%s\n    {\"n_tokens\": %lld, \"n_documents\": %lld, \"n_bytes\": "
                            "%lld, \"file_bytes\": %lld, ",
                            i ? "," : "", (long long)s->n_tokens, (long long)s->n_documents,
                            (long long)s->n_bytes, (long long)s->file_bytes));
        if (info->instruct[0])
            FT_TRY(buffer_print(out, "\"n_supervised\": %lld, \"n_truncated\": %lld, ",
                                (long long)s->n_supervised, (long long)s->n_truncated));
        FT_TRY(buffer_print(out, "\"xxh3_128\": \"%s\"}", s->hash));
    }
    return buffer_print(out, "\n  ]\n}\n");
}

ft_status token_manifest_write(const char *folder, const struct token_set_info *info,
                               const struct token_shard_info *shards)
{
    char path[FILE_PATH_MAX];
    struct buffer text = {0};
    ft_status status = file_join(path, folder, "manifest.json");
    if (status == FT_OK)
        status = print_manifest(&text, info, shards);
    if (status == FT_OK)
        status = file_replace(path, text.data, text.used);
    buffer_clear(&text);
    return status;
}

static ft_status get_hash(char out[HASH_TEXT], const json_t *object, const char *key)
{
    const char *text;
    FT_TRY(json_get_text(object, key, &text, NULL));
    if (strlen(text) != HASH_TEXT - 1 || strspn(text, "0123456789abcdef") != HASH_TEXT - 1)
        return ft_fail(FT_ERR_INPUT, "\"%s\" is not a hash of %d digits", key, HASH_TEXT - 1);
    memcpy(out, text, HASH_TEXT);
    return FT_OK;
}

static ft_status get_shard(struct token_shard_info *out, const json_t *object, bool is_instruct)
{
    const int64_t max = INT64_MAX / 16;
    if (!json_is_object(object))
        return ft_fail(FT_ERR_INPUT, "\"shards\" holds something that is no object");
    FT_TRY(json_get_int(object, "n_tokens", 1, max, &out->n_tokens, NULL));
    FT_TRY(json_get_int(object, "n_documents", 1, max, &out->n_documents, NULL));
    FT_TRY(json_get_int(object, "n_bytes", 0, max, &out->n_bytes, NULL));
    FT_TRY(json_get_int(object, "file_bytes", 1, max, &out->file_bytes, NULL));
    if (is_instruct) {
        FT_TRY(json_get_int(object, "n_supervised", 1, max, &out->n_supervised, NULL));
        FT_TRY(json_get_int(object, "n_truncated", 0, max, &out->n_truncated, NULL));
    }
    return get_hash(out->hash, object, "xxh3_128");
}

static ft_status get_manifest(struct token_set_info *info, struct token_shard_info **shards,
                              const json_t *root)
{
    const char *format;
    int64_t version;
    bool found;
    json_t *list;
    if (!json_is_object(root))
        return ft_fail(FT_ERR_INPUT, "not an object");
    FT_TRY(json_get_text(root, "format", &format, NULL));
    FT_TRY(json_get_int(root, "version", 0, INT32_MAX, &version, NULL));
    if (strcmp(format, "finetune-tokens") != 0 || version != TOKEN_SET_VERSION)
        return ft_fail(
            FT_ERR_INPUT,
            "format \"%.40s\" version %lld; token shards of version %d are read: prepare "
            "the text again",
            format, (long long)version, TOKEN_SET_VERSION);
    FT_TRY(get_hash(info->key, root, "key"));
    FT_TRY(get_hash(info->data_hash, root, "data_hash"));
    FT_TRY(get_hash(info->tokenizer_hash, root, "tokenizer_hash"));
    FT_TRY(json_get_int(root, "n_skipped", 0, INT64_MAX / 16, &info->n_skipped, NULL));
    info->max_tokens = 0;
    FT_TRY(json_get_int(root, "max_tokens", 1, INT32_MAX, &info->max_tokens, &found));
    info->instruct[0] = '\0';
    if (json_object_get(root, "instruct"))
        FT_TRY(get_hash(info->instruct, root, "instruct"));
    FT_TRY(json_get_array(root, "shards", &list, NULL));
    info->n_shards = (int64_t)json_array_size(list);
    if (info->n_shards == 0)
        return ft_fail(FT_ERR_INPUT, "\"shards\" is empty");
    FT_TRY(FT_ALLOC(*shards, info->n_shards));
    for (int64_t i = 0; i < info->n_shards; i++)
        FT_TRY(get_shard(&(*shards)[i], json_array_get(list, (size_t)i), info->instruct[0]));
    return FT_OK;
}

static ft_status read_manifest(struct token_set_info *info, struct token_shard_info **shards,
                               const char *folder)
{
    char path[FILE_PATH_MAX];
    json_t *root = NULL;
    FT_TRY(file_join(path, folder, "manifest.json"));
    FT_TRY(file_check_own(path, NULL));
    FT_TRY(json_read_file(&root, path, manifest_max_bytes));
    ft_status status = get_manifest(info, shards, root);
    if (status != FT_OK)
        status = ft_fail_within(status, "%s", path);
    json_decref(root);
    return status;
}

static ft_status check_info(const struct token_set_info *info, const char *folder,
                            const struct token_set_wanted *wanted)
{
    const bool wants_labels = wanted->max_tokens > 0 && !wanted->instruct;
    if ((wanted->instruct != NULL) != (info->instruct[0] != '\0'))
        return ft_fail(FT_ERR_INPUT, "%s holds %s: prepare the data again with task = \"%s\"",
                       folder,
                       wanted->instruct ? "no conversations" : "conversations, not documents",
                       wanted->instruct ? "instruct"
                       : wants_labels   ? "classification"
                                        : "causal-lm");
    if (wants_labels && info->max_tokens == 0)
        return ft_fail(FT_ERR_INPUT,
                       "%s holds no labels: it was prepared for causal-lm; prepare the text again "
                       "with task = \"classification\"",
                       folder);
    if (wanted->max_tokens == 0 && info->max_tokens > 0)
        return ft_fail(FT_ERR_INPUT,
                       "%s holds labelled documents, not a stream of text: prepare the text again "
                       "with task = \"causal-lm\"",
                       folder);
    if (wanted->max_tokens != info->max_tokens)
        return ft_fail(FT_ERR_INPUT,
                       "%s was prepared with data.seq_len = %lld, this run has %lld: prepare the "
                       "text again, or use the same",
                       folder, (long long)info->max_tokens, (long long)wanted->max_tokens);
    if (wanted->instruct && strcmp(wanted->instruct, info->instruct) != 0)
        return ft_fail(FT_ERR_INPUT,
                       "%s was prepared with another data.chat_template or data.train_on: prepare "
                       "the data again, or use the same",
                       folder);
    if (strcmp(info->tokenizer_hash, wanted->tokenizer_hash) != 0)
        return ft_fail(
            FT_ERR_INPUT,
            "%s was prepared with another tokenizer (hash %s, the model's is %s): prepare "
            "the text again with this model",
            folder, info->tokenizer_hash, wanted->tokenizer_hash);
    if (wanted->key && strcmp(info->key, wanted->key) != 0)
        return ft_fail(FT_ERR_INPUT, "%s was made for other data or settings (key %s)", folder,
                       info->key);
    return FT_OK;
}

/* The manifest from rank 0 to all. Collective; gives *shards. */
static ft_status share_manifest(struct token_set_info *info, struct token_shard_info **shards,
                                struct comm *comm, const char *folder)
{
    FT_AGREE(comm, comm_rank(comm) == 0 ? read_manifest(info, shards, folder) : FT_OK);
    comm_bcast(comm, info, sizeof *info, 0);
    FT_AGREE(comm, comm_rank(comm) == 0 ? FT_OK : FT_ALLOC(*shards, info->n_shards));
    comm_bcast(comm, *shards, info->n_shards * (int64_t)sizeof **shards, 0);
    return FT_OK;
}

static ft_status check_shape(const struct h5_file *file, const char *name, enum h5_type type,
                             int64_t n)
{
    int n_dims;
    int64_t dims[H5_DIMS_MAX];
    FT_TRY(h5_dims(file, name, type, &n_dims, dims));
    if (n_dims != 1 || dims[0] != n)
        return ft_fail(FT_ERR_INPUT, "%s does not hold the %lld elements of the manifest", name,
                       (long long)n);
    return FT_OK;
}

/* The columns of labelled documents; the names are looked at when they are read. */
static ft_status check_columns(const struct h5_file *file, int64_t n_documents)
{
    FT_TRY(check_shape(file, COLUMN_LABELS, H5_U32, n_documents));
    FT_TRY(check_shape(file, COLUMN_CUT, H5_U32, n_documents));
    return check_shape(file, COLUMN_NUMBERS, H5_I64, n_documents);
}

/* The shard's datasets: of the manifest's sizes, and where their elements are. */
static ft_status find_datasets(struct token_shard *shard, bool has_labels)
{
    struct h5_file *file = NULL;
    uint64_t tokens_at = 0, starts_at = 0;
    FT_TRY(h5_open_own(&file, shard->path));
    ft_status status = check_shape(file, "/tokens", H5_U32, shard->info.n_tokens);
    if (status == FT_OK)
        status = check_shape(file, "/document_starts", H5_I64, shard->info.n_documents);
    if (status == FT_OK && has_labels)
        status = check_columns(file, shard->info.n_documents);
    if (status == FT_OK)
        status = h5_data_offset(file, "/tokens", H5_U32, &tokens_at);
    if (status == FT_OK)
        status = h5_data_offset(file, "/document_starts", H5_I64, &starts_at);
    if (status != FT_OK)
        status = ft_fail_within(status, "%s", shard->path);
    shard->tokens_at = (int64_t)tokens_at;
    shard->starts_at = (int64_t)starts_at;
    (void)h5_close(&file);
    return status;
}

static ft_status check_file(const char *path, const struct token_shard_info *info, bool verifies)
{
    uint64_t bytes = 0;
    struct hash_value hash;
    char text[HASH_TEXT];
    FT_TRY(file_check_own(path, &bytes));
    if ((int64_t)bytes != info->file_bytes)
        return ft_fail(FT_ERR_INPUT, "%s has %llu bytes, its manifest says %lld", path,
                       (unsigned long long)bytes, (long long)info->file_bytes);
    if (!verifies)
        return FT_OK;
    FT_TRY(hash_file(&hash, NULL, path));
    hash_format(text, hash);
    if (strcmp(text, info->hash) != 0)
        return ft_fail(FT_ERR_INPUT, "%s was damaged: its XXH3-128 is %s, its manifest says %s",
                       path, text, info->hash);
    return FT_OK;
}

ft_status token_shard_verify(const char *path)
{
    char folder[FILE_PATH_MAX], name[FILE_PATH_MAX];
    struct token_set_info info;
    struct token_shard_info *shards = NULL;
    file_folder(folder, path);
    ft_status status = read_manifest(&info, &shards, folder);
    int64_t i = 0;
    for (; status == FT_OK && i < info.n_shards; i++) {
        status = token_shard_path(name, "", i, info.n_shards);
        if (status == FT_OK && strcmp(name, file_base_name(path)) == 0)
            break;
    }
    if (status == FT_OK)
        status = i < info.n_shards ? check_file(path, &shards[i], true)
                                   : ft_fail(FT_ERR_INPUT, "%s/manifest.json does not list %s",
                                             folder, file_base_name(path));
    mem_free(shards);
    return status;
}

static ft_status verify_shard(struct token_shard *shard, const struct token_set_wanted *wanted)
{
    FT_TRY(check_file(shard->path, &shard->info, wanted->verifies));
    return find_datasets(shard, wanted->max_tokens > 0 && !wanted->instruct);
}

/* Appends the shards of the manifest (or the one called `only`) without looking at the files yet.
 */
static ft_status append_shards(struct token_set *set, const struct token_shard_info *infos,
                               int64_t n_infos, const char *folder, const char *only)
{
    char path[FILE_PATH_MAX];
    const int64_t old = set->n_shards;
    void *more = mem_resize(set->shards, (size_t)(old + n_infos), sizeof *set->shards);
    if (!more)
        return FT_ERR_INTERNAL;
    set->shards = more;
    for (int64_t i = 0; i < n_infos; i++) {
        FT_TRY(token_shard_path(path, folder, i, n_infos));
        if (only && strcmp(file_base_name(path), only) != 0)
            continue;
        struct token_shard *shard = &set->shards[set->n_shards];
        *shard = (struct token_shard){.info = infos[i],
                                      .path = mem_copy_text(path),
                                      .first_token = set->n_tokens,
                                      .first_document = set->n_documents,
                                      .fd = -1};
        if (!shard->path)
            return FT_ERR_INTERNAL;
        set->n_shards++;
        set->n_tokens += infos[i].n_tokens;
        set->n_documents += infos[i].n_documents;
        set->n_bytes += infos[i].n_bytes;
        set->n_supervised += infos[i].n_supervised;
        set->n_truncated += infos[i].n_truncated;
    }
    if (set->n_shards == old && only)
        return ft_fail(FT_ERR_INPUT, "%s/manifest.json does not know %s", folder, only);
    return FT_OK;
}

static ft_status verify_mine(struct token_set *set, int64_t old, int rank, int size,
                             const struct token_set_wanted *wanted)
{
    for (int64_t i = old + rank; i < set->n_shards; i += size) {
        FT_TRY(signals_check("token shards were being verified"));
        FT_TRY(verify_shard(&set->shards[i], wanted));
    }
    return FT_OK;
}

static ft_status share_offsets(struct token_set *set, int64_t old, struct comm *comm)
{
    const int64_t n = set->n_shards - old;
    int64_t *offsets = NULL;
    ft_status status = FT_OK;
    FT_AGREE_OUT(comm, FT_ALLOC(offsets, 2 * n));
    for (int64_t i = 0; i < n; i++) {
        offsets[2 * i] = set->shards[old + i].tokens_at; /* zero where another rank looked */
        offsets[2 * i + 1] = set->shards[old + i].starts_at;
    }
    comm_sum_i64(comm, offsets, 2 * n);
    for (int64_t i = 0; i < n; i++) {
        set->shards[old + i].tokens_at = offsets[2 * i];
        set->shards[old + i].starts_at = offsets[2 * i + 1];
    }
out:
    mem_free(offsets);
    return status;
}

static void remove_shards(struct token_set *set, const struct token_set *before)
{
    for (int64_t i = before->n_shards; i < set->n_shards; i++)
        mem_free(set->shards[i].path);
    set->n_shards = before->n_shards;
    set->n_tokens = before->n_tokens;
    set->n_documents = before->n_documents;
    set->n_bytes = before->n_bytes;
    set->n_supervised = before->n_supervised;
    set->n_truncated = before->n_truncated;
}

ft_status token_set_add(struct token_set *set, struct token_set_info *info, struct comm *comm,
                        const char *folder, const char *only, const struct token_set_wanted *wanted)
{
    const struct token_set before = *set;
    struct token_shard_info *infos = NULL;
    ft_status status = share_manifest(info, &infos, comm, folder);
    if (status != FT_OK)
        goto out;
    FT_AGREE_OUT(comm, check_info(info, folder, wanted));
    FT_AGREE_OUT(comm, append_shards(set, infos, info->n_shards, folder, only));
    FT_AGREE_OUT(comm, verify_mine(set, before.n_shards, comm_rank(comm), comm_size(comm), wanted));
    status = share_offsets(set, before.n_shards, comm);
    if (status == FT_OK)
        set->n_skipped += info->n_skipped;
out:
    if (status != FT_OK)
        remove_shards(set, &before);
    mem_free(infos);
    return status;
}

void token_set_clear(struct token_set *set)
{
    for (int64_t i = 0; i < set->n_shards; i++) {
        if (set->shards[i].fd >= 0)
            (void)close(set->shards[i].fd);
        mem_free(set->shards[i].path);
    }
    mem_free(set->shards);
    *set = (struct token_set){0};
}

static void close_oldest(struct token_set *set)
{
    struct token_shard *oldest = NULL;
    for (int64_t i = 0; i < set->n_shards; i++) {
        struct token_shard *shard = &set->shards[i];
        if (shard->fd >= 0 && (!oldest || shard->last_use < oldest->last_use))
            oldest = shard;
    }
    if (!oldest)
        return;
    (void)close(oldest->fd);
    oldest->fd = -1;
    set->n_open--;
}

static ft_status use_shard(struct token_set *set, struct token_shard *shard)
{
    shard->last_use = ++set->n_uses;
    if (shard->fd >= 0)
        return FT_OK;
    if (set->n_open >= OPEN_MAX_FILES)
        close_oldest(set);
    uint64_t bytes;
    FT_TRY(file_open_read(&shard->fd, &bytes, shard->path));
    set->n_open++;
    if ((int64_t)bytes != shard->info.file_bytes)
        return ft_fail(FT_ERR_INPUT, "%s changed while it was in use", shard->path);
    return FT_OK;
}

/* Last shard whose first token is not behind `token`. */
static int64_t find_shard(const struct token_set *set, int64_t token)
{
    int64_t low = 0, high = set->n_shards - 1;
    while (low < high) {
        const int64_t middle = low + (high - low + 1) / 2;
        if (set->shards[middle].first_token <= token)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

static ft_status check_range(const struct token_set *set, int64_t first, int64_t n)
{
    if (first < 0 || n < 0 || first > set->n_tokens || n > set->n_tokens - first)
        return ft_fail(FT_ERR_INTERNAL, "tokens %lld + %lld of %lld were asked for",
                       (long long)first, (long long)n, (long long)set->n_tokens);
    return FT_OK;
}

ft_status token_set_read(struct token_set *set, int32_t *out, int64_t first, int64_t n)
{
    FT_TRY(check_range(set, first, n));
    while (n > 0) {
        struct token_shard *shard = &set->shards[find_shard(set, first)];
        const int64_t from = first - shard->first_token, left = shard->info.n_tokens - from;
        const int64_t take = n < left ? n : left;
        FT_TRY(use_shard(set, shard));
        FT_TRY(file_read_at(shard->fd, out, (size_t)take * sizeof *out,
                            (uint64_t)(shard->tokens_at + from * (int64_t)sizeof *out),
                            shard->path));
        out += take;
        first += take;
        n -= take;
    }
    return FT_OK;
}

static ft_status read_starts(int64_t *out, struct token_shard *shard, int64_t first, int64_t n)
{
    return file_read_at(shard->fd, out, (size_t)n * sizeof *out,
                        (uint64_t)(shard->starts_at + first * (int64_t)sizeof *out), shard->path);
}

/* Number of the first document of a shard that starts at or behind token `from` of it. */
static ft_status find_start(int64_t *index, struct token_shard *shard, int64_t from)
{
    int64_t low = 0, high = shard->info.n_documents;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        int64_t start;
        FT_TRY(read_starts(&start, shard, middle, 1));
        if (start < from)
            low = middle + 1;
        else
            high = middle;
    }
    *index = low;
    return FT_OK;
}

static ft_status fail_start(const struct token_shard *shard, int64_t document, int64_t start)
{
    return ft_fail(FT_ERR_INPUT, "%s: /document_starts: document %lld begins at token %lld",
                   shard->path, (long long)document, (long long)start);
}

ft_status token_set_document(struct token_set *set, int64_t *number, int64_t token)
{
    int64_t next;
    FT_TRY(check_range(set, token, 1));
    struct token_shard *shard = &set->shards[find_shard(set, token)];
    FT_TRY(use_shard(set, shard));
    FT_TRY(find_start(&next, shard, token - shard->first_token + 1));
    if (next < 1)
        return fail_start(shard, 0, token - shard->first_token + 1);
    *number = shard->first_document + next - 1;
    return FT_OK;
}

/* Appends the starts in [from, to) of one shard, which ascend: callers index by them. */
static ft_status append_starts(int64_t *starts, int64_t *n_starts, int64_t capacity,
                               struct token_shard *shard, int64_t from, int64_t to)
{
    int64_t block[STARTS_BLOCK], index = 0, last = from - 1;
    FT_TRY(find_start(&index, shard, from));
    while (index < shard->info.n_documents) {
        const int64_t left = shard->info.n_documents - index;
        const int64_t n = left < STARTS_BLOCK ? left : STARTS_BLOCK;
        FT_TRY(read_starts(block, shard, index, n));
        for (int64_t i = 0; i < n; i++) {
            if (block[i] <= last)
                return fail_start(shard, index + i, block[i]);
            if (block[i] >= to)
                return FT_OK;
            last = block[i];
            if (*n_starts == capacity)
                return ft_fail(FT_ERR_INPUT, "%s: more than %lld documents in as many tokens",
                               shard->path, (long long)capacity);
            starts[(*n_starts)++] = shard->first_token + block[i];
        }
        index += n;
    }
    return FT_OK;
}

ft_status token_set_starts(struct token_set *set, int64_t *starts, int64_t *n_starts, int64_t first,
                           int64_t n, int64_t capacity)
{
    *n_starts = 0;
    FT_TRY(check_range(set, first, n));
    while (n > 0) {
        struct token_shard *shard = &set->shards[find_shard(set, first)];
        const int64_t from = first - shard->first_token, left = shard->info.n_tokens - from;
        const int64_t take = n < left ? n : left;
        FT_TRY(use_shard(set, shard));
        FT_TRY(append_starts(starts, n_starts, capacity, shard, from, from + take));
        first += take;
        n -= take;
    }
    return FT_OK;
}
