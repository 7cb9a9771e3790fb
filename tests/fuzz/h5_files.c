#include "h5_files.h"

#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/label_columns.h"
#include "fuzz.h"
#include "model/head_file.h"

static const char hash[] = "0123456789abcdef0123456789abcdef";

const struct layout *h5_files_layout(void)
{
    static struct tensor_spec tensors[] = {
        {.name = "a.weight", .n_dims = 2, .dims = {3, 2}, .n = 6},
        {.name = "a.bias", .n_dims = 1, .dims = {4, 1}, .offset = 6, .n = 4}};
    static const struct layout layout = {.n_tensors = 2, .tensors = tensors, .N = 10};
    return &layout;
}

struct shard_place h5_files_place(void)
{
    return (struct shard_place){.world_size = 1, .end = h5_files_layout()->N};
}

/* The path of a file that does not exist. */
static const char *fresh(char path[FILE_PATH_MAX], const char *folder, const char *name)
{
    FUZZ_CHECK(file_join(path, folder, name) == FT_OK);
    (void)unlink(path);
    return path;
}

static void write_tokens(const char *path, bool has_labels)
{
    static const uint32_t tokens[H5_FILES_TOKENS] = {1, 2, 3, 4, 5};
    static const int64_t starts[H5_FILES_DOCUMENTS] = {0, 4, 8};
    static const char *const names[H5_FILES_DOCUMENTS] = {"b", "a", "b"};
    const int64_t n_tokens = H5_FILES_TOKENS, n_documents = H5_FILES_DOCUMENTS;
    struct h5_file *file;
    struct label_columns columns = {0};
    FUZZ_CHECK(h5_create(&file, path) == FT_OK);
    FUZZ_CHECK(h5_write(file, "/tokens", H5_U32, 1, &n_tokens, tokens) == FT_OK);
    FUZZ_CHECK(h5_write(file, "/document_starts", H5_I64, 1, &n_documents, starts) == FT_OK);
    for (int i = 0; i < H5_FILES_DOCUMENTS && has_labels; i++) {
        const struct document_label label = {.name = names[i], .bytes = 1, .number = i};
        FUZZ_CHECK(label_columns_add(&columns, &label, (const int32_t *)tokens, 4) == FT_OK);
    }
    if (has_labels)
        FUZZ_CHECK(label_columns_write(&columns, file) == FT_OK);
    label_columns_clear(&columns);
    FUZZ_CHECK(h5_close(&file) == FT_OK);
}

static void write_shard(const char *path)
{
    const struct layout *layout = h5_files_layout();
    const struct shard_place place = h5_files_place();
    double loss[H5_FILES_STEP] = {3.0, 2.5};
    float *values = mem_alloc((size_t)layout->N, sizeof *values);
    char written[HASH_TEXT];
    uint64_t bytes;
    struct ckpt_state s = {.layout = layout, .params = values, .m = values, .v = values};
    s.meta = (struct ckpt_meta){.step = H5_FILES_STEP,
                                .best_metric = 2.0,
                                .best_step = 1,
                                .settings_text = (char *)(uintptr_t) "seed = 1;",
                                .program = "finetune",
                                .loss = loss,
                                .n_loss = H5_FILES_STEP};
    FUZZ_CHECK(shard_write(path, &place, &s, "host", written, &bytes) == FT_OK);
    mem_free(values);
}

/* What HDF5 sees of a sealed file: the target seals it again. */
static void take_seal_off(const char *path)
{
    char *whole = NULL;
    size_t bytes = 0;
    FUZZ_CHECK(file_read_all(&whole, &bytes, path, 1 << 20) == FT_OK && bytes > H5_SEAL_BYTES);
    FUZZ_CHECK(file_replace(path, whole + H5_SEAL_BYTES, bytes - H5_SEAL_BYTES) == FT_OK);
    mem_free(whole);
}

static void write_head(const char *path, enum head_kind kind)
{
    static const char *const labels[] = {"no", "yes"};
    struct transfer_head head = {.kind = kind,
                                 .K = 2,
                                 .C = 3,
                                 .n_layers = 1,
                                 .layers = {2},
                                 .pooling = POOLING_MEAN,
                                 .hidden = kind == HEAD_MLP ? 2 : 0,
                                 .seq_len = 16,
                                 .program = "finetune"};
    memcpy(head.backbone_hash, hash, HASH_TEXT);
    memcpy(head.tokenizer_hash, hash, HASH_TEXT);
    memcpy(head.data_hash, hash, HASH_TEXT);
    FUZZ_CHECK(transfer_head_allocate(&head, labels) == FT_OK);
    FUZZ_CHECK(head_file_write(&head, path) == FT_OK);
    transfer_head_clear(&head);
    take_seal_off(path);
}

void h5_files_write(const char *folder)
{
    char path[FILE_PATH_MAX];
    write_tokens(fresh(path, folder, "tokens.h5"), false);
    write_tokens(fresh(path, folder, "labelled.h5"), true);
    write_shard(fresh(path, folder, "shard.h5"));
    write_head(fresh(path, folder, "head.h5"), HEAD_LINEAR);
    write_head(fresh(path, folder, "mlp.h5"), HEAD_MLP);
}
