/*
 *     CACHE/features-KEY/part-00000.h5       /L01/cls, /L01/mean, ... (documents, C) f32, and the
 *                                            attributes format, key, first, n_documents
 *                        part-00000.xxh3     XXH3-128 of that file, as xxhsum -c reads it
 *                        part-00000.h5.tmp.HOST.PID   being written, or left by a dead writer
 *
 * HDF5 is neither crash-safe nor safe to read damaged files with. So a part is written under
 * another name, hashed, synced and renamed, and its bytes are hashed again before HDF5 opens it. A
 * writer that dies between the two renames leaves a part without its hash, which counts as absent:
 * the hash of a part that is being replaced is removed first.
 *
 * Jobs may share a cache and want other kinds: who replaces a part holds CACHE/features-KEY/.lock
 * and takes over what the part holds by now, so that a kind that is there once stays there. Where
 * the file system knows no locks, two jobs that replace the same part at the same moment may lose
 * the kinds of one.
 */
#include "feature_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pulse.h"
#include "base/timer.h"
#include "config/settings.h"
#include "format/h5.h"
#include "leftover.h"

enum { LOCK_SECONDS = 60, HASH_FILE_MAX = 256 };

static const char format_name[] = "finetune features 1";

int64_t feature_store_parts(const struct feature_store *s)
{
    return (s->n_documents + s->per_part - 1) / s->per_part;
}

int64_t feature_store_count(const struct feature_store *s, int64_t part)
{
    const int64_t left = s->n_documents - part * s->per_part;
    return left < s->per_part ? left : s->per_part;
}

static void dataset_name(char name[H5_NAME_BYTES], int kind)
{
    static const char *const poolings[FEATURE_POOLINGS] = {"cls", "mean", "last"};
    (void)snprintf(name, H5_NAME_BYTES, "/L%02d/%s", kind / FEATURE_POOLINGS + 1,
                   poolings[kind % FEATURE_POOLINGS]);
}

static ft_status part_path(char out[FILE_PATH_MAX], const struct feature_store *s, int64_t part,
                           const char *suffix)
{
    char name[64 + LEFTOVER_BYTES];
    (void)snprintf(name, sizeof name, "part-%05lld.%s", (long long)part, suffix);
    return file_join(out, s->folder, name);
}

ft_status feature_store_prepare(const struct feature_store *s)
{
    char path[FILE_PATH_MAX];
    struct stat info;
    FT_TRY(file_make_folders(s->folder));
    DIR *folder = opendir(s->folder);
    if (!folder)
        return ft_fail(FT_ERR_IO, "cannot read folder %s: %s", s->folder, strerror(errno));
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (file_join(path, s->folder, entry->d_name) == FT_OK && lstat(path, &info) == 0 &&
            S_ISREG(info.st_mode) && leftover_is_dead(entry->d_name, info.st_mtime))
            (void)unlink(path);
    (void)closedir(folder);
    return FT_OK;
}

/* Whether the part's bytes are those whose hash stands beside it; a failing disk is an error. */
static ft_status check_hash(bool *is_whole, const char *path, const char *hash_path)
{
    struct hash_value value;
    char *recorded = NULL, text[HASH_TEXT];
    size_t bytes = 0;
    *is_whole = false;
    if (!file_exists(path) || !file_exists(hash_path))
        return FT_OK; /* never finished */
    ft_status status = file_read_own(&recorded, &bytes, hash_path, HASH_FILE_MAX);
    if (status == FT_OK)
        status = hash_file(&value, NULL, path);
    if (status == FT_OK) {
        hash_format(text, value);
        *is_whole = bytes >= HASH_TEXT - 1 && memcmp(recorded, text, HASH_TEXT - 1) == 0;
        if (!*is_whole)
            status = ft_fail(FT_ERR_INPUT, "%s was damaged: its XXH3-128 is %s, %s says %.32s",
                             path, text, file_base_name(hash_path), recorded);
    }
    mem_free(recorded);
    return status;
}

static ft_status expect(const struct h5_file *file, const char *name, int64_t expected)
{
    int64_t found = 0;
    FT_TRY(h5_get_i64(file, "/", name, &found));
    return found == expected ? FT_OK
                             : ft_fail(FT_ERR_INPUT, "%s is %lld, expected %lld", name,
                                       (long long)found, (long long)expected);
}

static ft_status expect_text(const struct h5_file *file, const char *name, const char *expected)
{
    char *found = NULL;
    FT_TRY(h5_get_text(file, "/", name, &found));
    const ft_status status =
        strcmp(found, expected) == 0
            ? FT_OK
            : ft_fail(FT_ERR_INPUT, "%s is \"%.64s\", expected \"%s\"", name, found, expected);
    mem_free(found);
    return status;
}

static ft_status look_inside(const struct feature_store *s, const struct h5_file *file,
                             int64_t part, bool *has)
{
    const int64_t n = feature_store_count(s, part);
    FT_TRY(expect_text(file, "format", format_name));
    FT_TRY(expect_text(file, "key", s->key));
    FT_TRY(expect(file, "first", part * s->per_part));
    FT_TRY(expect(file, "n_documents", n));
    for (int kind = 0; kind < s->n_kinds; kind++) {
        char name[H5_NAME_BYTES];
        int n_dims;
        int64_t dims[H5_DIMS_MAX];
        dataset_name(name, kind);
        if (!h5_has(file, name))
            continue;
        FT_TRY(h5_dims(file, name, H5_F32, &n_dims, dims));
        if (n_dims != 2 || dims[0] != n || dims[1] != s->C)
            return ft_fail(FT_ERR_INPUT, "%s is not of shape (%lld, %d)", name, (long long)n, s->C);
        has[kind] = true;
    }
    return FT_OK;
}

static ft_status look(const struct feature_store *s, int64_t part, bool *has)
{
    char path[FILE_PATH_MAX], hash_path[FILE_PATH_MAX];
    struct h5_file *file = NULL;
    bool is_whole = false;
    FT_TRY(part_path(path, s, part, "h5"));
    FT_TRY(part_path(hash_path, s, part, "xxh3"));
    FT_TRY(check_hash(&is_whole, path, hash_path));
    if (!is_whole)
        return FT_OK;
    FT_TRY(h5_open_own(&file, path));
    ft_status status = look_inside(s, file, part, has);
    if (status == FT_ERR_INPUT)
        status = ft_fail_within(status, "%s", path);
    (void)h5_close(&file);
    return status;
}

ft_status feature_store_look(const struct feature_store *s, int64_t part, bool *has)
{
    memset(has, 0, (size_t)s->n_kinds * sizeof *has);
    const ft_status status = look(s, part, has);
    if (status != FT_ERR_INPUT)
        return status;
    memset(has, 0, (size_t)s->n_kinds * sizeof *has);
    log_warn("%s: this part of the features is made anew", ft_error_text());
    return FT_OK;
}

/* What a part is made of: new kinds in memory, and older ones of the part that it replaces. */
struct content {
    const bool *kinds; /* (n_kinds) what data holds */
    const float *data;
    const bool *kept; /* (n_kinds) what the part on the disk holds */
    float *scratch;   /* one kind */
};

static ft_status put_all(const struct feature_store *s, struct h5_file *file, int64_t part,
                         const struct content *c)
{
    const float *data = c->data;
    const int64_t dims[2] = {feature_store_count(s, part), s->C};
    FT_TRY(h5_put_text(file, "/", "format", format_name));
    FT_TRY(h5_put_text(file, "/", "key", s->key));
    FT_TRY(h5_put_i64(file, "/", "first", part * s->per_part));
    FT_TRY(h5_put_i64(file, "/", "n_documents", dims[0]));
    for (int kind = 0; kind < s->n_kinds; kind++) {
        char name[H5_NAME_BYTES];
        dataset_name(name, kind);
        if (c->kinds[kind]) {
            FT_TRY(h5_write(file, name, H5_F32, 2, dims, data));
            data += dims[0] * dims[1];
        } else if (c->kept[kind]) {
            FT_TRY(feature_store_read(s, part, kind, c->scratch));
            FT_TRY(h5_write(file, name, H5_F32, 2, dims, c->scratch));
        }
    }
    return FT_OK;
}

/* The part under its temporary name, on the disk, and its hash. */
static ft_status write_temporary(char hash[HASH_TEXT], const struct feature_store *s, int64_t part,
                                 const struct content *c, const char *path)
{
    struct h5_file *file = NULL;
    struct hash_value value;
    (void)unlink(path); /* of an earlier process of the same number */
    FT_TRY(h5_create(&file, path));
    FT_TRY(h5_finish(&file, put_all(s, file, part, c)));
    FT_TRY(hash_file(&value, NULL, path));
    hash_format(hash, value);
    return file_sync(path);
}

static ft_status move(const char *from, const char *to)
{
    return rename(from, to) == 0
               ? FT_OK
               : ft_fail(FT_ERR_IO, "cannot rename %s to %s: %s", from, to, strerror(errno));
}

/* Gives part and hash their names, the hash last. */
static ft_status publish(const struct feature_store *s, int64_t part, const char *hash,
                         const char *from, const char *hash_from)
{
    char path[FILE_PATH_MAX], hash_path[FILE_PATH_MAX], line[HASH_FILE_MAX];
    FT_TRY(part_path(path, s, part, "h5"));
    FT_TRY(part_path(hash_path, s, part, "xxh3"));
    const int n = snprintf(line, sizeof line, "%s  %s\n", hash, file_base_name(path));
    FT_TRY(file_write_synced(hash_from, line, (size_t)n)); /* its name says already whose it is */
    if (unlink(hash_path) != 0 && errno != ENOENT)
        return ft_fail(FT_ERR_IO, "cannot remove %s: %s", hash_path, strerror(errno));
    FT_TRY(move(from, path));
    FT_TRY(move(hash_from, hash_path));
    return file_sync(s->folder);
}

/* Gives the descriptor whose closing unlocks; -1 where no lock can be had. */
static int lock_folder(const struct feature_store *s)
{
    char path[FILE_PATH_MAX];
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    const double start = timer_now();
    if (file_join(path, s->folder, ".lock") != FT_OK)
        return -1;
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    while (fd >= 0 && fcntl(fd, F_OFD_SETLK, &whole) != 0) {
        if ((errno != EAGAIN && errno != EACCES) || timer_now() - start > LOCK_SECONDS) {
            (void)close(fd);
            return -1;
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        pulse_mark();
    }
    return fd;
}

static ft_status replace(const struct feature_store *s, int64_t part, const struct content *c)
{
    char own[LEFTOVER_BYTES], suffix[LEFTOVER_BYTES + 8], hash[HASH_TEXT];
    char path[FILE_PATH_MAX], hash_path[FILE_PATH_MAX];
    leftover_suffix(own);
    (void)snprintf(suffix, sizeof suffix, "h5.%s", own);
    FT_TRY(part_path(path, s, part, suffix));
    (void)snprintf(suffix, sizeof suffix, "xxh3.%s", own);
    FT_TRY(part_path(hash_path, s, part, suffix));
    ft_status status = write_temporary(hash, s, part, c, path);
    if (status == FT_OK)
        status = publish(s, part, hash, path, hash_path);
    if (status != FT_OK) {
        (void)unlink(path);
        (void)unlink(hash_path);
    }
    return status;
}

ft_status feature_store_write(const struct feature_store *s, int64_t part, const bool *kinds,
                              const float *data)
{
    bool *kept = NULL;
    struct content content = {.kinds = kinds, .data = data};
    FT_TRY(fault_point("features-write"));
    ft_status status = FT_ALLOC(kept, s->n_kinds);
    content.kept = kept;
    if (status == FT_OK)
        status = FT_ALLOC(content.scratch, feature_store_count(s, part) * s->C);
    const int lock = lock_folder(s);
    if (status == FT_OK)
        status = feature_store_look(s, part, kept);
    if (status == FT_OK)
        status = replace(s, part, &content);
    if (lock >= 0)
        (void)close(lock);
    mem_free(content.scratch);
    mem_free(kept);
    return status;
}

ft_status feature_store_read(const struct feature_store *s, int64_t part, int kind, float *out)
{
    char path[FILE_PATH_MAX], name[H5_NAME_BYTES];
    struct h5_file *file = NULL;
    FT_TRY(part_path(path, s, part, "h5"));
    FT_TRY(h5_open_own(&file, path));
    dataset_name(name, kind);
    const ft_status status = h5_read(file, name, H5_F32, feature_store_count(s, part) * s->C, out);
    (void)h5_close(&file);
    return status;
}
