#include "data/source.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/signals.h"

#ifndef SOURCE_CHUNK /* the fuzz targets have a small one */
#define SOURCE_CHUNK (1 << 20)
#endif

enum { BLOCK = 16 << 20, CHUNK = SOURCE_CHUNK };

static bool has_ending(const char *path, const char *ending)
{
    const size_t n = strlen(path), m = strlen(ending);
    return n > m && strcasecmp(path + n - m, ending) == 0;
}

/* One file as rank 0 tells it to the others: this, then the path with its terminator. */
struct announced {
    int64_t bytes;
    int32_t kind, path_bytes;
};

static ft_status announce(struct buffer *out, const char *path, enum source_kind kind)
{
    struct announced item = {.kind = (int32_t)kind, .path_bytes = (int32_t)strlen(path) + 1};
    uint64_t bytes = 0;
    int fd = -1;
    if (kind != SOURCE_SHARDS) {
        FT_TRY(file_open_read(&fd, &bytes, path));
        (void)close(fd);
    }
    item.bytes = (int64_t)bytes;
    FT_TRY(buffer_append(out, &item, sizeof item));
    return buffer_append(out, path, (size_t)item.path_bytes);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The *.txt names of a folder, copied; the caller releases them on success and on failure. */
static ft_status read_names(char ***names, int64_t *n_names, DIR *folder, const char *path)
{
    int64_t capacity = 0;
    for (;;) {
        const struct dirent *entry;
        FT_TRY(file_next_entry(&entry, folder, path));
        if (!entry)
            return FT_OK;
        const size_t length = strlen(entry->d_name);
        if (entry->d_name[0] == '.' || length < 5 ||
            strcmp(entry->d_name + length - 4, ".txt") != 0)
            continue;
        if (*n_names == capacity) {
            capacity = 2 * capacity + 64;
            char **more = mem_resize(*names, (size_t)capacity, sizeof **names);
            if (!more)
                return FT_ERR_INTERNAL;
            *names = more;
        }
        if (!((*names)[*n_names] = mem_copy_text(entry->d_name)))
            return FT_ERR_INTERNAL;
        ++*n_names;
    }
}

static ft_status announce_folder(struct buffer *out, const char *path)
{
    char **names = NULL, file[FILE_PATH_MAX];
    int64_t n_names = 0;
    DIR *folder = opendir(path);
    if (!folder)
        return ft_fail(FT_ERR_INPUT, "cannot open folder %s: %s", path, strerror(errno));
    ft_status status = read_names(&names, &n_names, folder, path);
    (void)closedir(folder);
    if (status == FT_OK && n_names == 0)
        status = ft_fail(FT_ERR_INPUT,
                         "folder %s holds neither .txt files nor prepared shards (manifest.json): "
                         "name another folder or a .jsonl, .csv or .txt file",
                         path);
    if (names)
        qsort(names, (size_t)n_names, sizeof *names, by_bytes);
    for (int64_t i = 0; status == FT_OK && i < n_names; i++) {
        status = file_join(file, path, names[i]);
        if (status == FT_OK)
            status = announce(out, file, SOURCE_TXT);
    }
    for (int64_t i = 0; i < n_names; i++)
        mem_free(names[i]);
    mem_free(names);
    return status;
}

static ft_status announce_shard(struct buffer *out, const char *path)
{
    char folder[FILE_PATH_MAX], manifest[FILE_PATH_MAX];
    file_folder(folder, path);
    FT_TRY(file_join(manifest, folder, "manifest.json"));
    if (!file_exists(manifest))
        return ft_fail(
            FT_ERR_INPUT,
            "%s: no manifest.json beside it: name a shard where `finetune prepare` left it", path);
    return announce(out, path, SOURCE_SHARDS);
}

static ft_status announce_path(struct buffer *out, const char *path)
{
    char manifest[FILE_PATH_MAX];
    if (file_is_folder(path)) {
        FT_TRY(file_join(manifest, path, "manifest.json"));
        return file_exists(manifest) ? announce(out, path, SOURCE_SHARDS)
                                     : announce_folder(out, path);
    }
    if (has_ending(path, ".jsonl"))
        return announce(out, path, SOURCE_JSONL);
    if (has_ending(path, ".csv"))
        return announce(out, path, SOURCE_CSV);
    if (has_ending(path, ".txt"))
        return announce(out, path, SOURCE_TXT);
    if (!file_exists(path))
        return ft_fail(FT_ERR_INPUT, "cannot open %s: %s", path, strerror(ENOENT));
    if (has_ending(path, ".h5"))
        return announce_shard(out, path);
    return ft_fail(FT_ERR_INPUT,
                   "%s is no kind of corpus that is read: .jsonl, .csv, .txt, a folder of .txt, or "
                   "prepared shards (a folder with manifest.json, or its .h5 files)",
                   path);
}

static ft_status announce_all(struct buffer *out, char *const *paths, int n_paths)
{
    for (int i = 0; i < n_paths; i++)
        FT_TRY(announce_path(out, paths[i]));
    return FT_OK;
}

static ft_status list_fill(struct source_list *list, const char *data, int64_t bytes)
{
    struct announced item;
    int64_t n = 0;
    for (int64_t at = 0; at < bytes; at += (int64_t)sizeof item + item.path_bytes, n++)
        memcpy(&item, data + at, sizeof item);
    FT_TRY(FT_ALLOC(list->files, n));
    for (int64_t at = 0; at < bytes; at += (int64_t)sizeof item + item.path_bytes) {
        memcpy(&item, data + at, sizeof item);
        struct source *file = &list->files[list->n_files];
        *file = (struct source){.path = mem_copy_text(data + at + sizeof item),
                                .kind = (enum source_kind)item.kind,
                                .bytes = item.bytes,
                                .first = list->total};
        if (!file->path)
            return FT_ERR_INTERNAL;
        list->n_files++;
        list->total += item.bytes + 1;
    }
    return FT_OK;
}

ft_status source_list_create(struct source_list *list, struct comm *comm, char *const *paths,
                             int n_paths)
{
    struct buffer text = {0};
    ft_status status = FT_OK;
    *list = (struct source_list){0};
    FT_AGREE_OUT(comm, comm_rank(comm) == 0 ? announce_all(&text, paths, n_paths) : FT_OK);
    int64_t bytes = (int64_t)text.used;
    comm_bcast(comm, &bytes, sizeof bytes, 0);
    FT_AGREE_OUT(comm, comm_rank(comm) == 0 ? FT_OK : buffer_reserve(&text, (size_t)bytes));
    comm_bcast(comm, text.data, bytes, 0);
    FT_AGREE_OUT(comm, list_fill(list, text.data, bytes));
out:
    buffer_clear(&text);
    if (status != FT_OK)
        source_list_destroy(list);
    return status;
}

void source_list_destroy(struct source_list *list)
{
    for (int64_t i = 0; i < list->n_files; i++)
        mem_free(list->files[i].path);
    mem_free(list->files);
    *list = (struct source_list){0};
}

static int64_t count_blocks(const struct source *file)
{
    return (file->bytes + BLOCK - 1) / BLOCK;
}

/* Hashes of the blocks first ... last - 1, counted over all files. */
static ft_status hash_blocks(struct hash_value *hashes, const struct source *files, int64_t n_files,
                             int64_t first, int64_t last)
{
    int64_t largest = 0, at = 0;
    for (int64_t i = 0; i < n_files; i++)
        largest = files[i].bytes > largest ? files[i].bytes : largest;
    char *block = mem_alloc_raw((size_t)(largest < BLOCK ? largest : BLOCK), 1);
    ft_status status = block ? FT_OK : FT_ERR_INTERNAL;
    for (int64_t i = 0; i < n_files && at < last && status == FT_OK; i++) {
        const int64_t n = count_blocks(&files[i]);
        const int64_t from = first > at ? first - at : 0, to = last - at < n ? last - at : n;
        at += n;
        if (from >= to)
            continue;
        int fd = -1;
        status = file_open_read(&fd, NULL, files[i].path);
        for (int64_t k = from; k < to && status == FT_OK; k++) {
            const int64_t left = files[i].bytes - k * BLOCK;
            const size_t bytes = (size_t)(left < BLOCK ? left : BLOCK);
            status = signals_check("the corpus was being hashed");
            if (status == FT_OK)
                status = file_read_at(fd, block, bytes, (uint64_t)(k * BLOCK), files[i].path);
            if (status == FT_OK)
                *hashes++ = hash_bytes(block, bytes);
        }
        if (fd >= 0)
            (void)close(fd);
    }
    mem_free(block);
    return status;
}

static ft_status hash_list(char text[HASH_TEXT], const struct source *files, int64_t n_files,
                           const struct hash_value *blocks, int64_t n_blocks)
{
    struct hash_state *state = hash_open();
    if (!state)
        return FT_ERR_INTERNAL;
    char line[96];
    for (int64_t i = 0; i < n_files; i++) {
        const int n =
            snprintf(line, sizeof line, "%d %lld\n", (int)files[i].kind, (long long)files[i].bytes);
        hash_update(state, line, (size_t)n);
    }
    for (int64_t i = 0; i < n_blocks; i++) {
        hash_format(line, blocks[i]);
        hash_update(state, line, HASH_TEXT - 1);
    }
    hash_format(text, hash_close(state));
    return FT_OK;
}

ft_status source_hash(char text[HASH_TEXT], struct comm *comm, const struct source *files,
                      int64_t n_files)
{
    const int size = comm_size(comm), rank = comm_rank(comm);
    struct hash_value *mine = NULL, *all = NULL;
    int64_t *counts = NULL, n_blocks = 0;
    ft_status status = FT_OK;
    for (int64_t i = 0; i < n_files; i++)
        n_blocks += count_blocks(&files[i]);
    const int64_t first = rank * n_blocks / size, last = (rank + INT64_C(1)) * n_blocks / size;
    FT_AGREE_OUT(comm, (mine = mem_alloc((size_t)(last - first), sizeof *mine)) &&
                               (all = mem_alloc((size_t)n_blocks, sizeof *all)) &&
                               (counts = mem_alloc((size_t)size, sizeof *counts))
                           ? FT_OK
                           : FT_ERR_INTERNAL);
    FT_AGREE_OUT(comm, hash_blocks(mine, files, n_files, first, last));
    comm_allgather_varying(comm, all, counts, mine, (last - first) * (int64_t)sizeof *mine);
    FT_AGREE_OUT(comm, hash_list(text, files, n_files, all, n_blocks));
out:
    mem_free(mine);
    mem_free(all);
    mem_free(counts);
    return status;
}

/* Newlines in [from, offset), and the offset behind the last of them. Stops early where reading
 * fails. */
static void count_lines(int64_t *n_lines, int64_t *line_start, const struct source *file,
                        int64_t from, int64_t offset)
{
    int fd = -1;
    char *chunk = mem_alloc_raw(CHUNK, 1);
    *n_lines = 0;
    *line_start = from;
    if (!chunk || file_open_read(&fd, NULL, file->path) != FT_OK) {
        mem_free(chunk);
        return;
    }
    for (int64_t at = from; at < offset;) {
        const int64_t want = offset - at < CHUNK ? offset - at : CHUNK;
        if (file_read_at(fd, chunk, (size_t)want, (uint64_t)at, file->path) != FT_OK)
            break;
        for (int64_t i = 0; i < want; i++)
            if (chunk[i] == '\n')
                ++*n_lines, *line_start = at + i + 1;
        at += want;
    }
    (void)close(fd);
    mem_free(chunk);
}

int64_t source_newlines(const struct source *file, int64_t from, int64_t to)
{
    int64_t n, line_start;
    count_lines(&n, &line_start, file, from, to);
    return n;
}

ft_status source_fail(const struct source *file, int64_t offset, const char *format, ...)
{
    char text[FT_ERR_TEXT_MAX];
    int64_t n_lines, line_start;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    count_lines(&n_lines, &line_start, file, 0, offset);
    return ft_fail(FT_ERR_INPUT, "%s line %lld, byte %lld: %s", file->path, (long long)n_lines + 1,
                   (long long)(offset - line_start) + 1, text);
}
