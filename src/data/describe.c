#include "data/describe.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/label_columns.h"
#include "data/token_set.h"
#include "format/h5.h"

static bool has_manifest(const char *path)
{
    char folder[FILE_PATH_MAX], manifest[FILE_PATH_MAX];
    file_folder(folder, path);
    return file_join(manifest, folder, "manifest.json") == FT_OK && file_exists(manifest);
}

/* By its name where a manifest has its hash, which is looked at before HDF5 sees the file; else by
 * the format attribute. */
static bool is_shard(const char *path)
{
    struct h5_file *file = NULL;
    char *format = NULL;
    if (has_manifest(path))
        return strncmp(file_base_name(path), "tokens-", 7) == 0;
    if (!file_is_regular(path) || h5_open(&file, path) != FT_OK)
        return false;
    const bool is_ours = h5_get_text(file, "/", "format", &format) == FT_OK &&
                         strcmp(format, "finetune-tokens") == 0;
    mem_free(format);
    (void)h5_close(&file);
    return is_ours;
}

/* How many shards a folder has by the name of its first one; 0 = it is no such folder. */
static int64_t count_shards(const char *folder)
{
    char path[FILE_PATH_MAX];
    for (int64_t n = 1; n <= 99999; n++)
        if (token_shard_path(path, folder, 0, n) == FT_OK && file_is_regular(path))
            return n;
    return 0;
}

bool tokens_recognise(const char *path)
{
    return file_is_folder(path) ? count_shards(path) > 0 : is_shard(path);
}

/* Of a shard of conversations. */
static ft_status print_instruct(struct h5_file *file, int64_t n_tokens, FILE *to)
{
    int64_t n_supervised = 0, n_truncated = 0, max_tokens = 0;
    FT_TRY(h5_get_i64(file, "/", "n_supervised", &n_supervised));
    FT_TRY(h5_get_i64(file, "/", "n_truncated", &n_truncated));
    FT_TRY(h5_get_i64(file, "/", "max_tokens", &max_tokens));
    (void)fprintf(
        to,
        "    conversations of at most %lld tokens, %lld cut; %lld tokens supervised, %lld "
        "masked\n",
        (long long)max_tokens, (long long)n_truncated, (long long)n_supervised,
        (long long)(n_tokens - n_supervised));
    return FT_OK;
}

static ft_status print_shard(const char *path, struct h5_file *file, FILE *to)
{
    char *data_hash = NULL, *tokenizer_hash = NULL, *instruct = NULL; /* the last one may lack */
    int64_t n_bytes = 0, tokens[H5_DIMS_MAX] = {0}, starts[H5_DIMS_MAX] = {0};
    int n_dims;
    ft_status status = h5_get_i64(file, "/", "n_bytes", &n_bytes);
    if (status == FT_OK)
        status = h5_get_text(file, "/", "data_hash", &data_hash);
    if (status == FT_OK)
        status = h5_get_text(file, "/", "tokenizer_hash", &tokenizer_hash);
    if (status == FT_OK)
        status = h5_dims(file, "/tokens", H5_U32, &n_dims, tokens);
    if (status == FT_OK)
        status = h5_dims(file, "/document_starts", H5_I64, &n_dims, starts);
    if (status == FT_OK)
        (void)fprintf(to,
                      "%s: token shard, %lld documents, %lld tokens, %lld bytes of text\n"
                      "    data hash %s, tokenizer hash %s\n",
                      file_base_name(path), (long long)starts[0], (long long)tokens[0],
                      (long long)n_bytes, data_hash, tokenizer_hash);
    if (status == FT_OK && h5_get_text(file, "/", "instruct", &instruct) == FT_OK)
        status = print_instruct(file, tokens[0], to);
    mem_free(instruct);
    mem_free(tokenizer_hash);
    mem_free(data_hash);
    return status;
}

/* Labels of the shards that were described so far. */
struct tally {
    struct label_table table;
    int64_t *counts; /* (capacity) documents of each label, in the order of the table */
    int64_t capacity;
    int64_t n_truncated;
};

static ft_status count_label(struct tally *tally, const char *name)
{
    int32_t index;
    FT_TRY(label_table_add(&index, &tally->table, name, strlen(name)));
    if (index >= tally->capacity) {
        const int64_t capacity = 2 * tally->capacity + 16;
        int64_t *counts = mem_resize(tally->counts, (size_t)capacity, sizeof *counts);
        if (!counts)
            return FT_ERR_INTERNAL;
        tally->counts = counts;
        tally->capacity = capacity;
    }
    tally->counts[index]++;
    return FT_OK;
}

static ft_status tally_shard(struct tally *tally, const struct h5_file *file, const char *path,
                             FILE *to)
{
    struct label_columns columns = {0};
    int n_dims;
    int64_t dims[H5_DIMS_MAX] = {0}, max_tokens = 0;
    ft_status status = h5_get_i64(file, "/", "max_tokens", &max_tokens);
    if (status == FT_OK)
        status = h5_dims(file, COLUMN_LABELS, H5_U32, &n_dims, dims);
    if (status == FT_OK)
        status = label_columns_read(&columns, file, dims[0]);
    if (status == FT_OK)
        (void)fprintf(to, "    labelled documents of at most %lld tokens each\n",
                      (long long)max_tokens);
    for (int64_t i = 0; i < columns.n && status == FT_OK; i++) {
        status = count_label(tally, columns.names.names[columns.labels[i]]);
        tally->n_truncated += columns.n_cut[i] > 0;
    }
    if (status == FT_ERR_INPUT)
        status = ft_fail_within(status, "%s", path);
    label_columns_clear(&columns);
    return status;
}

static ft_status print_tally(struct tally *tally, FILE *to)
{
    struct label_names names = {0};
    struct buffer text = {0};
    if (tally->table.n == 0)
        return FT_OK;
    ft_status status = label_names_create(&names, &tally->table);
    (void)fprintf(to, "%d labels, %lld documents cut\n", (int)tally->table.n,
                  (long long)tally->n_truncated);
    for (int i = 0; i < names.n && status == FT_OK; i++) {
        int32_t index = 0;
        text.used = 0;
        status = label_table_add(&index, &tally->table, names.names[i], strlen(names.names[i]));
        if (status == FT_OK)
            status = label_print(&text, names.names[i]);
        if (status == FT_OK)
            (void)fprintf(to, "    %8lld documents %s\n", (long long)tally->counts[index],
                          text.data);
    }
    buffer_clear(&text);
    label_names_clear(&names);
    return status;
}

static ft_status describe_shard(struct tally *tally, const char *path, FILE *to)
{
    struct h5_file *file = NULL;
    if (has_manifest(path))
        FT_TRY(token_shard_verify(path));
    FT_TRY(h5_open(&file, path));
    ft_status status = print_shard(path, file, to);
    if (status == FT_OK && h5_has(file, COLUMN_LABELS))
        status = tally_shard(tally, file, path, to);
    (void)h5_close(&file);
    return status;
}

ft_status tokens_describe(const char *path, FILE *to)
{
    char shard[FILE_PATH_MAX];
    struct tally tally = {0};
    ft_status status = FT_OK;
    const int64_t n = file_is_folder(path) ? count_shards(path) : 0;
    if (n == 0)
        status = describe_shard(&tally, path, to);
    for (int64_t i = 0; i < n && status == FT_OK; i++) {
        status = token_shard_path(shard, path, i, n);
        if (status == FT_OK)
            status = describe_shard(&tally, shard, to);
    }
    if (status == FT_OK)
        status = print_tally(&tally, to);
    label_table_clear(&tally.table);
    mem_free(tally.counts);
    return status;
}
