/*
 * manifest.json is one JSON object whose last member is the hash of the file's own bytes with the
 * 32 digits of that hash written as zeros:
 *
 *     {
 *      "format": "finetune checkpoint 1",
 *      "step": 100, "world_size": 2, "slices": [0, 67257648, 134515296],
 *      "files": [{"name": "shard-00000-of-00002.h5", "bytes": 807..., "xxh3_128": "..."}, ...],
 *      "self_xxh3_128": "..."
 *     }
 *
 * So every byte of a checkpoint is covered: the shards' and the index's by the manifest, the
 * manifest's by itself. Nothing of HDF5 or of the JSON parser sees a byte that was not verified
 * before. It guards against damage, not against someone who can write the folder.
 */
#include "ckpt/manifest.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "ckpt/index.h"
#include "format/json.h"

static const char format_name[] = "finetune checkpoint 1";
static const char self_key[] = "\"self_xxh3_128\": \"";
static const char file_end[] = "\"\n}\n";
static const char zeros[] = "00000000000000000000000000000000";

enum { DIGITS = HASH_TEXT - 1, WORLD_MAX = 1000000, BYTES_MAX = 256 << 20 };

ft_status manifest_init(struct manifest *manifest, int64_t step, int world_size)
{
    *manifest =
        (struct manifest){.step = step, .world_size = world_size, .n_files = world_size + 1};
    FT_TRY(FT_ALLOC(manifest->first, world_size + 1));
    FT_TRY(FT_ALLOC(manifest->files, manifest->n_files));
    for (int i = 0; i < world_size; i++)
        shard_name(manifest->files[i].name, i, world_size);
    (void)snprintf(manifest->files[world_size].name, SHARD_NAME_BYTES, "%s", INDEX_NAME);
    return FT_OK;
}

void manifest_clear(struct manifest *manifest)
{
    FT_FREE(manifest->first);
    FT_FREE(manifest->files);
}

/* Gives the JSON object; NULL or less than all of it when memory is exhausted: json_print tells. */
static json_t *to_json(const struct manifest *manifest)
{
    json_t *slices = json_array(), *files = json_array();
    for (int i = 0; i <= manifest->world_size; i++)
        (void)json_array_append_new(slices, json_integer(manifest->first[i]));
    for (int i = 0; i < manifest->n_files; i++) {
        const struct manifest_file *file = &manifest->files[i];
        (void)json_array_append_new(files,
                                    json_pack("{s:s, s:I, s:s}", "name", file->name, "bytes",
                                              (json_int_t)file->bytes, "xxh3_128", file->hash));
    }
    return json_pack("{s:s, s:I, s:i, s:o, s:o, s:s}", "format", format_name, "step",
                     (json_int_t)manifest->step, "world_size", manifest->world_size, "slices",
                     slices, "files", files, "self_xxh3_128", zeros);
}

/* Place of the digits of the file's own hash, or NULL when the end of the file is not as written.
 */
static char *find_digits(char *text, size_t bytes)
{
    const size_t behind = DIGITS + sizeof file_end - 1, before = sizeof self_key - 1;
    if (bytes < before + behind ||
        memcmp(text + bytes - (sizeof file_end - 1), file_end, sizeof file_end - 1) != 0)
        return NULL;
    char *digits = text + bytes - behind;
    return memcmp(digits - before, self_key, before) == 0 ? digits : NULL;
}

ft_status manifest_write(const struct manifest *manifest, const char *folder)
{
    char path[FILE_PATH_MAX], hash[HASH_TEXT];
    FT_TRY(file_join(path, folder, MANIFEST_NAME));
    json_t *json = to_json(manifest);
    char *dump = NULL, *text = NULL;
    ft_status status = json_print(&dump, json, JSON_INDENT(1), path);
    if (status == FT_OK)
        status = FT_ALLOC(text, strlen(dump) + 2);
    if (status == FT_OK) {
        const size_t bytes = (size_t)sprintf(text, "%s\n", dump);
        char *digits = find_digits(text, bytes);
        if (digits) {
            hash_format(hash, hash_bytes(text, bytes));
            memcpy(digits, hash, DIGITS);
            status = file_replace(path, text, bytes);
        } else {
            status = ft_fail(FT_ERR_INTERNAL, "%s: the own hash has no place in the text", path);
        }
    }
    mem_free(text);
    free(dump);
    json_decref(json);
    return status;
}

static ft_status check_self(char *text, size_t bytes, const char *path)
{
    char stored[HASH_TEXT] = "", computed[HASH_TEXT];
    char *digits = find_digits(text, bytes);
    if (!digits)
        return ft_fail(FT_ERR_INPUT, "%s does not end with its own hash: damaged or truncated",
                       path);
    memcpy(stored, digits, DIGITS);
    memcpy(digits, zeros, DIGITS);
    hash_format(computed, hash_bytes(text, bytes));
    if (strcmp(stored, computed) != 0)
        return ft_fail(FT_ERR_INPUT,
                       "%s: its own hash is %s, the bytes have %s: damaged since it was written",
                       path, stored, computed);
    return FT_OK;
}

static ft_status read_slices(struct manifest *manifest, const json_t *json)
{
    json_t *slices = NULL;
    FT_TRY(json_get_array(json, "slices", &slices, NULL));
    if (json_array_size(slices) != (size_t)manifest->world_size + 1)
        return ft_fail(FT_ERR_INPUT, "slices has %zu entries, expected %d", json_array_size(slices),
                       manifest->world_size + 1);
    for (int i = 0; i <= manifest->world_size; i++) {
        const json_t *border = json_array_get(slices, (size_t)i);
        const int64_t low = i == 0 ? 0 : manifest->first[i - 1];
        manifest->first[i] = json_integer_value(border);
        if (!json_is_integer(border) || manifest->first[i] < low ||
            (i == 0 && manifest->first[i] != 0) || manifest->first[i] > INT64_MAX / 16)
            return ft_fail(FT_ERR_INPUT, "slices[%d] is not an offset that follows the last", i);
    }
    return FT_OK;
}

static ft_status read_file_entry(struct manifest_file *file, const json_t *json)
{
    const char *name = NULL, *hash = NULL;
    int64_t bytes = 0;
    FT_TRY(json_get_text(json, "name", &name, NULL));
    FT_TRY(json_get_text(json, "xxh3_128", &hash, NULL));
    FT_TRY(json_get_int(json, "bytes", 1, INT64_MAX, &bytes, NULL));
    if (strcmp(name, file->name) != 0)
        return ft_fail(FT_ERR_INPUT, "files: \"%.60s\" where %s is expected", name, file->name);
    if (strlen(hash) != DIGITS || strspn(hash, "0123456789abcdef") != DIGITS)
        return ft_fail(FT_ERR_INPUT, "files: %s: no hash of 32 digits", name);
    file->bytes = (uint64_t)bytes;
    memcpy(file->hash, hash, HASH_TEXT);
    return FT_OK;
}

static ft_status from_json(struct manifest *manifest, const json_t *json)
{
    const char *format = NULL;
    json_t *files = NULL;
    int64_t step = 0, world_size = 0;
    FT_TRY(json_get_text(json, "format", &format, NULL));
    if (strcmp(format, format_name) != 0)
        return ft_fail(FT_ERR_INPUT, "format is \"%.60s\", this program reads \"%s\"", format,
                       format_name);
    FT_TRY(json_get_int(json, "step", 0, INT64_MAX, &step, NULL));
    FT_TRY(json_get_int(json, "world_size", 1, WORLD_MAX, &world_size, NULL));
    FT_TRY(json_get_array(json, "files", &files, NULL));
    if (json_array_size(files) != (size_t)world_size + 1)
        return ft_fail(FT_ERR_INPUT, "files has %zu entries, %d shards and an index are expected",
                       json_array_size(files), (int)world_size);
    FT_TRY(manifest_init(manifest, step, (int)world_size));
    FT_TRY(read_slices(manifest, json));
    for (int i = 0; i < manifest->n_files; i++)
        FT_TRY(read_file_entry(&manifest->files[i], json_array_get(files, (size_t)i)));
    return FT_OK;
}

ft_status manifest_read(struct manifest *manifest, const char *folder)
{
    char path[FILE_PATH_MAX], *text = NULL;
    size_t bytes = 0;
    json_t *json = NULL;
    *manifest = (struct manifest){0};
    FT_TRY(file_join(path, folder, MANIFEST_NAME));
    FT_TRY(file_read_own(&text, &bytes, path, BYTES_MAX));
    ft_status status = check_self(text, bytes, path);
    if (status == FT_OK)
        status = json_parse(&json, text, bytes, path);
    mem_free(text);
    if (status != FT_OK)
        return status;
    status = from_json(manifest, json);
    json_decref(json);
    return status == FT_OK ? FT_OK : ft_fail_within(status, "%s", path);
}

static bool is_listed(const struct manifest *manifest, const char *name)
{
    for (int i = 0; i < manifest->n_files; i++)
        if (strcmp(manifest->files[i].name, name) == 0)
            return true;
    return false;
}

/* A shard that the manifest does not know means that two checkpoints were mixed up. */
static ft_status check_nothing_besides(const struct manifest *manifest, const char *folder)
{
    DIR *entries = opendir(folder);
    if (!entries)
        return ft_fail(FT_ERR_IO, "cannot open folder %s: %s", folder, strerror(errno));
    ft_status status = FT_OK;
    const struct dirent *entry;
    while (status == FT_OK && (status = file_next_entry(&entry, entries, folder)) == FT_OK && entry)
        if (strncmp(entry->d_name, "shard-", 6) == 0 && !is_listed(manifest, entry->d_name))
            status = ft_fail(FT_ERR_INPUT, "%s/%s does not belong to this checkpoint", folder,
                             entry->d_name);
    (void)closedir(entries);
    return status;
}

static ft_status check_size(const struct manifest_file *file, const char *path)
{
    uint64_t bytes = 0;
    FT_TRY(file_check_own(path, &bytes));
    if (bytes != file->bytes)
        return ft_fail(FT_ERR_INPUT, "%s has %" PRIu64 " bytes, the manifest says %" PRIu64, path,
                       bytes, file->bytes);
    return FT_OK;
}

ft_status manifest_check_sizes(const struct manifest *manifest, const char *folder)
{
    char path[FILE_PATH_MAX];
    for (int i = 0; i < manifest->n_files; i++) {
        FT_TRY(file_join(path, folder, manifest->files[i].name));
        FT_TRY(check_size(&manifest->files[i], path));
    }
    return check_nothing_besides(manifest, folder);
}

ft_status manifest_check_file(const struct manifest_file *file, const char *folder)
{
    char path[FILE_PATH_MAX], hash[HASH_TEXT];
    struct hash_value value;
    uint64_t bytes = 0;
    FT_TRY(file_join(path, folder, file->name));
    FT_TRY(check_size(file, path));
    FT_TRY(hash_file(&value, &bytes, path));
    hash_format(hash, value);
    if (bytes != file->bytes || strcmp(hash, file->hash) != 0)
        return ft_fail(FT_ERR_INPUT,
                       "%s has hash %s, the manifest says %s: damaged since it was written", path,
                       hash, file->hash);
    return FT_OK;
}
