#include "data/describe.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/token_set.h"
#include "format/h5.h"

/* The format attribute of a shard; false where the file is none of ours. */
static bool is_shard(const char *path)
{
    struct h5_file *file = NULL;
    char *format = NULL;
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

static ft_status print_shard(const char *path, struct h5_file *file, FILE *to)
{
    char *data_hash = NULL, *tokenizer_hash = NULL;
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
    mem_free(tokenizer_hash);
    mem_free(data_hash);
    return status;
}

static ft_status describe_shard(const char *path, FILE *to)
{
    struct h5_file *file = NULL;
    FT_TRY(h5_open(&file, path));
    const ft_status status = print_shard(path, file, to);
    (void)h5_close(&file);
    return status;
}

ft_status tokens_describe(const char *path, FILE *to)
{
    char shard[FILE_PATH_MAX];
    if (!file_is_folder(path))
        return describe_shard(path, to);
    const int64_t n = count_shards(path);
    for (int64_t i = 0; i < n; i++) {
        FT_TRY(token_shard_path(shard, path, i, n));
        FT_TRY(describe_shard(shard, to));
    }
    return FT_OK;
}
