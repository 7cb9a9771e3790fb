/*
 * manifest.json of checkpoints and of token shards. Their own hashes are bypassed: the input gets
 * the one that it should have.
 */
#include "base/hash.h"
#include "base/mem.h"
#include "ckpt/manifest.h"
#include "data/token_set.h"
#include "fuzz.h"

static const char end[] = "\"self_xxh3_128\": \"00000000000000000000000000000000\"\n}\n";

/* As manifest_write writes it, where the text ends as a manifest does. */
static void put_hash(char *text, size_t bytes)
{
    char digits[HASH_TEXT];
    const size_t n = sizeof end - 1, key = sizeof "\"self_xxh3_128\": \"" - 1;
    if (bytes < n || memcmp(text + bytes - n, end, key) != 0)
        return;
    char *place = text + bytes - n + key;
    memset(place, '0', HASH_TEXT - 1);
    hash_format(digits, hash_bytes(text, bytes));
    memcpy(place, digits, HASH_TEXT - 1);
}

static void check_manifest(const struct manifest *m)
{
    FUZZ_CHECK(m->step >= 0 && m->world_size > 0 && m->n_files == m->world_size + 1);
    FUZZ_CHECK(m->first[0] == 0);
    for (int i = 0; i < m->world_size; i++)
        FUZZ_CHECK(m->first[i + 1] >= m->first[i]);
    for (int i = 0; i < m->n_files; i++)
        FUZZ_CHECK(!strchr(m->files[i].name, '/') && strlen(m->files[i].hash) == HASH_TEXT - 1);
}

static void read_checkpoint(const char *folder)
{
    struct manifest m;
    if (fuzz_ok(manifest_read(&m, folder))) {
        check_manifest(&m);
        (void)fuzz_ok(manifest_check_sizes(&m, folder));
        (void)fuzz_ok(manifest_check_file(&m.files[m.n_files - 1], folder));
    }
    manifest_clear(&m);
}

static void read_shards(const char *folder)
{
    static const char hash[] = "0123456789abcdef0123456789abcdef";
    struct token_set set = {0};
    struct token_set_info info = {0};
    const struct token_set_wanted streams = {.tokenizer_hash = hash};
    const struct token_set_wanted conversations = {
        .tokenizer_hash = hash, .key = hash, .max_tokens = 16, .instruct = hash};
    (void)fuzz_ok(token_set_add(&set, &info, fuzz_comm(), folder, NULL, &streams));
    (void)fuzz_ok(token_set_add(&set, &info, fuzz_comm(), folder, "tokens-00000-of-00002.h5",
                                &conversations));
    token_set_clear(&set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_written;
    if (!is_written)
        (void)fuzz_file("index.h5", "1234567", 7);
    is_written = true;
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    put_hash(text, size);
    fuzz_begin();
    (void)fuzz_file("manifest.json", text, size);
    read_checkpoint(fuzz_folder());
    read_shards(fuzz_folder());
    fuzz_end(128 * size + (2 << 20)); /* a file is hashed by 1 MiB */
    free(text);
    return 0;
}
