#include "data/token_writer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/mem.h"
#include "data/instruct.h"
#include "format/h5.h"

void token_writer_init(struct token_writer *writer, const char *folder,
                       const struct token_set_info *info, int rank)
{
    *writer = (struct token_writer){
        .folder = folder, .info = info, .rank = rank, .limit = TOKEN_WRITER_TOKENS};
}

void token_writer_clear(struct token_writer *writer)
{
    token_list_clear(&writer->tokens);
    label_columns_clear(&writer->columns);
    FT_FREE(writer->starts);
    FT_FREE(writer->written);
}

static ft_status part_path(char out[FILE_PATH_MAX], const struct token_writer *writer, int64_t part)
{
    char name[64];
    (void)snprintf(name, sizeof name, "part-%05d-%05lld.h5", writer->rank, (long long)part);
    return file_join(out, writer->folder, name);
}

static ft_status write_content(struct h5_file *file, struct token_writer *writer)
{
    const struct token_set_info *info = writer->info;
    const int64_t n_tokens = writer->tokens.n, n_documents = writer->n_documents;
    FT_TRY(h5_put_text(file, "/", "format", "finetune-tokens"));
    FT_TRY(h5_put_i64(file, "/", "version", TOKEN_SET_VERSION));
    FT_TRY(h5_put_text(file, "/", "key", info->key));
    FT_TRY(h5_put_text(file, "/", "data_hash", info->data_hash));
    FT_TRY(h5_put_text(file, "/", "tokenizer_hash", info->tokenizer_hash));
    FT_TRY(h5_put_i64(file, "/", "n_bytes", writer->n_bytes));
    if (info->max_tokens > 0)
        FT_TRY(h5_put_i64(file, "/", "max_tokens", info->max_tokens));
    if (info->instruct[0]) {
        FT_TRY(h5_put_text(file, "/", "instruct", info->instruct));
        FT_TRY(h5_put_i64(file, "/", "supervised_flag", INSTRUCT_SUPERVISED));
        FT_TRY(h5_put_i64(file, "/", "n_supervised", writer->n_supervised));
        FT_TRY(h5_put_i64(file, "/", "n_truncated", writer->n_truncated));
    }
    FT_TRY(h5_write(file, "/tokens", H5_U32, 1, &n_tokens, writer->tokens.ids));
    FT_TRY(h5_write(file, "/document_starts", H5_I64, 1, &n_documents, writer->starts));
    return info->max_tokens && !info->instruct[0] ? label_columns_write(&writer->columns, file)
                                                  : FT_OK;
}

static ft_status write_shard(struct token_writer *writer, const char *path)
{
    struct h5_file *file = NULL;
    FT_TRY(fault_point("prepare-write"));
    FT_TRY(h5_create(&file, path));
    FT_TRY(h5_finish(&file, write_content(file, writer)));
    return file_sync(path);
}

static ft_status flush(struct token_writer *writer)
{
    char path[FILE_PATH_MAX];
    uint64_t bytes = 0;
    struct hash_value hash;
    if (writer->n_written == writer->written_capacity) {
        const int64_t capacity = 2 * writer->written_capacity + 8;
        void *more = mem_resize(writer->written, (size_t)capacity, sizeof *writer->written);
        if (!more)
            return FT_ERR_INTERNAL;
        writer->written = more;
        writer->written_capacity = capacity;
    }
    FT_TRY(part_path(path, writer, writer->n_written));
    FT_TRY(write_shard(writer, path));
    FT_TRY(hash_file(&hash, &bytes, path));
    struct token_shard_info *info = &writer->written[writer->n_written++];
    *info = (struct token_shard_info){.n_tokens = writer->tokens.n,
                                      .n_documents = writer->n_documents,
                                      .n_bytes = writer->n_bytes,
                                      .n_supervised = writer->n_supervised,
                                      .n_truncated = writer->n_truncated,
                                      .file_bytes = (int64_t)bytes};
    hash_format(info->hash, hash);
    writer->tokens.n = writer->n_documents = writer->n_bytes = 0;
    writer->n_supervised = writer->n_truncated = 0;
    return FT_OK;
}

ft_status token_writer_document(struct token_writer *writer, int64_t start, int64_t text_bytes,
                                const struct document_label *label)
{
    if (writer->n_documents == writer->starts_capacity) {
        const int64_t capacity = 2 * writer->starts_capacity + 1024;
        int64_t *more = mem_resize(writer->starts, (size_t)capacity, sizeof *more);
        if (!more)
            return FT_ERR_INTERNAL;
        writer->starts = more;
        writer->starts_capacity = capacity;
    }
    if (label)
        FT_TRY(label_columns_add(&writer->columns, label, writer->tokens.ids + start,
                                 writer->tokens.n - start));
    writer->starts[writer->n_documents++] = start;
    writer->n_bytes += text_bytes;
    return writer->tokens.n >= writer->limit ? flush(writer) : FT_OK;
}

ft_status token_writer_finish(struct token_writer *writer)
{
    return writer->n_documents ? flush(writer) : FT_OK;
}

static ft_status rename_parts(const struct token_writer *writer, int64_t first, int64_t n_shards)
{
    char from[FILE_PATH_MAX], to[FILE_PATH_MAX];
    for (int64_t i = 0; i < writer->n_written; i++) {
        FT_TRY(part_path(from, writer, i));
        FT_TRY(token_shard_path(to, writer->folder, first + i, n_shards));
        if (rename(from, to) != 0)
            return ft_fail(FT_ERR_IO, "cannot rename %s to %s: %s", from, to, strerror(errno));
    }
    return FT_OK;
}

/* On rank 0: the other ranks' files must be here too before the manifest vouches for them. */
static ft_status check_visible(const char *folder, int64_t n_shards)
{
    char path[FILE_PATH_MAX];
    for (int64_t i = 0; i < n_shards; i++) {
        FT_TRY(token_shard_path(path, folder, i, n_shards));
        if (!file_is_regular(path))
            return ft_fail(
                FT_ERR_OUTPUT,
                "%s was written but is not visible on rank 0's host: data.cache must be on "
                "a file system that all nodes share",
                path);
    }
    return FT_OK;
}

ft_status token_writer_publish(struct token_writer *writer, struct comm *comm,
                               struct token_set_info *info)
{
    const int64_t first = comm_exscan_i64(comm, writer->n_written);
    int64_t n_shards = writer->n_written, *counts = NULL;
    comm_sum_i64(comm, &n_shards, 1);
    info->n_shards = n_shards;
    struct token_shard_info *all = NULL;
    ft_status status = FT_OK;
    FT_AGREE_OUT(comm, rename_parts(writer, first, n_shards));
    FT_AGREE_OUT(comm, (all = mem_alloc((size_t)n_shards, sizeof *all)) &&
                               (counts = mem_alloc((size_t)comm_size(comm), sizeof *counts))
                           ? FT_OK
                           : FT_ERR_INTERNAL);
    comm_allgather_varying(comm, all, counts, writer->written,
                           writer->n_written * (int64_t)sizeof *all);
    FT_AGREE_OUT(comm, comm_rank(comm) == 0 ? check_visible(writer->folder, n_shards) : FT_OK);
    FT_AGREE_OUT(comm,
                 comm_rank(comm) == 0 ? token_manifest_write(writer->folder, info, all) : FT_OK);
out:
    mem_free(all);
    mem_free(counts);
    return status;
}
