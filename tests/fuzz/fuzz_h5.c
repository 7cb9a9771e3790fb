/*
 * HDF5 files read as token shard, checkpoint shard and head, as if their hashes were right. HDF5's
 * own checksums are put right after a part of the mutations, so that it believes what is changed.
 */
#include "base/file.h"
#include "base/mem.h"
#include "data/label_columns.h"
#include "data/token_set.h"
#include "fuzz.h"
#include "h5_files.h"
#include "model/head_file.h"

/* As the manifest would say it; the file's size is the true one. */
static void put_manifest(size_t size, bool has_labels)
{
    char text[1024];
    const int n = snprintf(
        text, sizeof text,
        "{\"format\": \"finetune-tokens\", \"version\": 1, \"key\": \"%s\", \"data_hash\": \"%s\", "
        "\"tokenizer_hash\": \"%s\", \"n_skipped\": 0, %s\"shards\": [{\"n_tokens\": %d, "
        "\"n_documents\": %d, \"n_bytes\": 9, \"file_bytes\": %zu, \"xxh3_128\": \"%s\"}]}",
        "0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef",
        "0123456789abcdef0123456789abcdef", has_labels ? "\"max_tokens\": 16, " : "",
        H5_FILES_TOKENS, H5_FILES_DOCUMENTS, size, "0123456789abcdef0123456789abcdef");
    (void)fuzz_file("manifest.json", text, (size_t)n);
}

static void read_set(struct token_set *set)
{
    int32_t ids[H5_FILES_TOKENS];
    int64_t starts[H5_FILES_DOCUMENTS + 1], n = 0, number;
    (void)fuzz_ok(token_set_read(set, ids, 0, H5_FILES_TOKENS));
    if (fuzz_ok(token_set_document(set, &number, H5_FILES_TOKENS - 1)))
        FUZZ_CHECK(number >= 0 && number < H5_FILES_DOCUMENTS);
    if (fuzz_ok(token_set_starts(set, starts, &n, 0, H5_FILES_TOKENS, H5_FILES_DOCUMENTS + 1)))
        for (int64_t i = 0; i < n; i++)
            FUZZ_CHECK(starts[i] >= (i ? starts[i - 1] + 1 : 0) && starts[i] < H5_FILES_TOKENS);
}

static void read_labels(const char *path)
{
    struct h5_file *file;
    struct label_columns columns = {0};
    if (!fuzz_ok(h5_open(&file, path)))
        return;
    if (fuzz_ok(label_columns_read(&columns, file, H5_FILES_DOCUMENTS)))
        for (int i = 0; i < H5_FILES_DOCUMENTS; i++)
            FUZZ_CHECK(columns.labels[i] < (uint32_t)columns.names.n);
    label_columns_clear(&columns);
    (void)h5_close(&file);
}

static void read_tokens(size_t size, bool has_labels)
{
    struct token_set set = {0};
    struct token_set_info info = {0};
    const struct token_set_wanted wanted = {.tokenizer_hash = "0123456789abcdef0123456789abcdef",
                                            .max_tokens = has_labels ? 16 : 0};
    put_manifest(size, has_labels);
    if (fuzz_ok(token_set_add(&set, &info, fuzz_comm(), fuzz_folder(), NULL, &wanted)))
        read_set(&set);
    token_set_clear(&set);
}

static void read_shard(const char *path)
{
    static FILE *nowhere;
    static float values[N_SHARD_KINDS][16];
    float *const out[N_SHARD_KINDS] = {values[0], values[1], values[2]};
    const struct shard_place place = h5_files_place();
    const struct layout *layout = h5_files_layout();
    struct ckpt_meta meta;
    if (fuzz_ok(shard_read_meta(path, &meta)))
        FUZZ_CHECK(meta.step >= 0 && meta.settings_text && meta.n_loss >= 0);
    FT_FREE(meta.settings_text);
    FT_FREE(meta.loss);
    (void)fuzz_ok(shard_read(path, &place, H5_FILES_STEP, layout, 0, layout->N, out));
    nowhere = nowhere ? nowhere : fopen("/dev/null", "w");
    (void)fuzz_ok(shard_describe(path, nowhere));
}

/* Sealed, else HDF5 never sees it. */
static void read_head(const uint8_t *data, size_t size)
{
    struct transfer_head head;
    uint8_t *whole = mem_alloc(H5_SEAL_BYTES + size, 1);
    FUZZ_CHECK(whole != NULL);
    memcpy(whole + H5_SEAL_BYTES, data, size);
    const char *path = fuzz_file("head.h5", whole, H5_SEAL_BYTES + size);
    mem_free(whole);
    FUZZ_CHECK(h5_seal(path) == FT_OK);
    if (fuzz_ok(head_file_read(&head, path)))
        FUZZ_CHECK(head.K >= 2 && head.n_layers >= 1 && head.C >= 1 && head.out_bias);
    transfer_head_clear(&head);
}

/* HDF5 leaks what a damaged file made it allocate. */
FUZZ_LIBRARY_LEAKS

enum kind { HEAD, LABELLED_TOKENS, TOKENS, SHARD };

/* By a name that only such a file has; what has none, or does not open, is read as a head. */
static enum kind kind_of(const char *path)
{
    static const char *const names[] = {"/out", "/labels", "/tokens", "/params"};
    struct h5_file *file;
    enum kind kind = HEAD;
    if (!fuzz_ok(h5_open(&file, path)))
        return HEAD;
    for (int i = SHARD; i >= HEAD; i--)
        kind = h5_has(file, names[i]) ? (enum kind)i : kind;
    (void)h5_close(&file);
    return kind;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_begin();
    const char *path = fuzz_file("tokens-00000-of-00001.h5", data, size);
    switch (kind_of(path)) {
    case LABELLED_TOKENS:
        read_labels(path);
        read_tokens(size, true);
        break;
    case TOKENS:
        read_tokens(size, false);
        break;
    case SHARD:
        read_shard(path);
        break;
    case HEAD:
        read_head(data, size);
    }
    fuzz_end_own(16 * size + (256 << 10));
    return 0;
}

static uint32_t rotate(uint32_t x, int k)
{
    return x << k | x >> (32 - k);
}

static uint32_t word(const uint8_t *p, size_t bytes)
{
    uint32_t value = 0;
    for (size_t i = 0; i < 4 && i < bytes; i++)
        value |= (uint32_t)p[i] << 8 * i;
    return value;
}

/* HDF5's checksum of metadata: lookup3 of Bob Jenkins (public domain). */
static uint32_t lookup3(const uint8_t *p, size_t n)
{
    static const int mix[] = {4, 6, 8, 16, 19, 4}, last[] = {14, 11, 25, 16, 4, 14, 24};
    uint32_t s[3]; /* a, b, c */
    s[0] = s[1] = s[2] = 0xdeadbeef + (uint32_t)n;
    for (; n > 12; n -= 12, p += 12) {
        for (int i = 0; i < 3; i++)
            s[i] += word(p + 4 * i, 4);
        for (int i = 0; i < 6; i++) {
            uint32_t *a = &s[i % 3], *b = &s[(i + 1) % 3], *c = &s[(i + 2) % 3];
            *a = (*a - *c) ^ rotate(*c, mix[i]);
            *c += *b;
        }
    }
    if (n == 0)
        return s[2];
    for (size_t i = 0; i < 3; i++)
        s[i] += word(p + 4 * i, n > 4 * i ? n - 4 * i : 0);
    for (int i = 0; i < 7; i++) { /* c ^= b, a ^= c, b ^= a, ... */
        uint32_t *to = &s[(i + 2) % 3];
        const uint32_t from = s[(i + 1) % 3];
        *to = (*to ^ from) - rotate(from, last[i]);
    }
    return s[2];
}

static void put_checksum(uint8_t *data, size_t size, size_t from, size_t n)
{
    if (from > size || n > size - from || size - from - n < 4)
        return;
    const uint32_t sum = lookup3(data + from, n);
    for (int i = 0; i < 4; i++)
        data[from + n + (size_t)i] = (uint8_t)(sum >> 8 * i);
}

static uint64_t number(const uint8_t *p, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)p[i] << 8 * i;
    return value;
}

/* Bytes of an object header before its checksum. */
static size_t header_bytes(const uint8_t *p, size_t size)
{
    if (size < 32)
        return size;
    const size_t at = 6 + (p[5] & 0x20 ? 16u : 0u) + (p[5] & 0x10 ? 4u : 0u),
                 width = 1u << (p[5] & 3);
    const uint64_t chunk = number(p + at, width);
    return chunk < size ? at + width + (size_t)chunk : size;
}

/* Bytes of a continuation, which only the message that points to it knows. */
static size_t continuation_bytes(const uint8_t *data, size_t size, size_t at)
{
    for (size_t i = 0; i + 16 <= size; i++)
        if (number(data + i, 8) == at && number(data + i + 8, 8) <= size - at)
            return number(data + i + 8, 8) >= 4 ? (size_t)number(data + i + 8, 8) - 4 : 0;
    return size;
}

static void put_checksums(uint8_t *data, size_t size)
{
    for (size_t at = 0; at + 4 <= size; at++) {
        if (at == 0)
            put_checksum(data, size, 0, 44); /* superblock of versions 2 and 3 */
        else if (memcmp(data + at, "OHDR", 4) == 0)
            put_checksum(data, size, at, header_bytes(data + at, size - at));
        else if (memcmp(data + at, "OCHK", 4) == 0)
            put_checksum(data, size, at, continuation_bytes(data, size, at));
    }
}

/* A few bytes change, mostly in place. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    enum { WINDOW = 32 };
    if (seed % 8 == 0 || size < WINDOW) {
        size = LLVMFuzzerMutate(data, size, max_size);
    } else {
        uint8_t window[WINDOW];
        const size_t at = seed / 8 % (size - WINDOW + 1), n = 1 + seed / 64 % WINDOW;
        memcpy(window, data + at, n);
        const size_t got = LLVMFuzzerMutate(window, n, WINDOW);
        memcpy(data + at, window, got < n ? got : n);
    }
    if (seed / 4096 % 4 == 0)
        put_checksums(data, size);
    return size;
}
