/*
 * Names in output_dir/checkpoints:
 *
 *     step-00000100                   complete, if its manifest says so
 *     step-00000100.tmp.<job>.<nonce> being written, or left by a run that died
 *     step-00000100.del               being deleted, or left so
 *     step-00000100.corrupt[.<n>]     found damaged and set aside; kept for a person to look at
 *
 * A folder leaves its final name before its first file is unlinked, so a half-deleted checkpoint
 * never looks like one. The order of checkpoints is that of their steps: clocks and pointer files
 * may lie.
 */
#include "ckpt/retention.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "ckpt/manifest.h"

enum { STEP_DIGITS = 8, STEP_DIGITS_MAX = 18 };
static const char prefix[] = "step-";

ft_status retention_folder(char path[FILE_PATH_MAX], const char *output_dir)
{
    return file_join(path, output_dir, "checkpoints");
}

ft_status retention_step_folder(char path[FILE_PATH_MAX], const char *output_dir, int64_t step)
{
    char name[64];
    (void)snprintf(name, sizeof name, "checkpoints/%s%08" PRId64, prefix, step);
    return file_join(path, output_dir, name);
}

/* Number of digits of "step-<digits>" at the start of name; 0 when it does not begin so. */
static size_t count_digits(const char *name)
{
    if (strncmp(name, prefix, sizeof prefix - 1) != 0)
        return 0;
    const size_t n = strspn(name + sizeof prefix - 1, "0123456789");
    return n >= STEP_DIGITS && n <= STEP_DIGITS_MAX ? n : 0;
}

int64_t retention_step_of(const char *name)
{
    const size_t n = count_digits(name);
    const char *digits = name + sizeof prefix - 1;
    if (n == 0 || digits[n] != '\0' || (n > STEP_DIGITS && digits[0] == '0'))
        return -1;
    return strtoll(digits, NULL, 10);
}

static const char *suffix_of(const char *name)
{
    const size_t n = count_digits(name);
    return n ? name + sizeof prefix - 1 + n : "";
}

static int compare_newest_first(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

static ft_status open_folder(DIR **entries, char path[FILE_PATH_MAX], const char *output_dir)
{
    *entries = NULL;
    FT_TRY(retention_folder(path, output_dir));
    *entries = opendir(path);
    if (!*entries && errno != ENOENT)
        return ft_fail(FT_ERR_IO, "cannot open folder %s: %s", path, strerror(errno));
    return FT_OK;
}

ft_status retention_list(int64_t **steps, int64_t *n, int64_t *n_corrupt, const char *output_dir)
{
    char path[FILE_PATH_MAX];
    DIR *entries;
    *steps = NULL;
    *n = *n_corrupt = 0;
    FT_TRY(open_folder(&entries, path, output_dir));
    const struct dirent *entry;
    ft_status status = FT_OK;
    while (entries && (status = file_next_entry(&entry, entries, path)) == FT_OK && entry) {
        const int64_t step = retention_step_of(entry->d_name);
        const char *suffix = suffix_of(entry->d_name);
        *n_corrupt += strstr(suffix, ".corrupt") == suffix;
        if (step < 0)
            continue;
        int64_t *grown = mem_resize(*steps, (size_t)*n + 1, sizeof *grown);
        if (!grown) {
            status = FT_ERR_INTERNAL;
            break;
        }
        *steps = grown;
        (*steps)[(*n)++] = step;
    }
    if (entries)
        (void)closedir(entries);
    if (status != FT_OK) {
        FT_FREE(*steps);
        *n = 0;
        return status;
    }
    if (*n > 1)
        qsort(*steps, (size_t)*n, sizeof **steps, compare_newest_first);
    return FT_OK;
}

int64_t retention_best(const char *output_dir)
{
    char path[FILE_PATH_MAX], target[FILE_PATH_MAX];
    if (file_join(path, output_dir, "best") != FT_OK)
        return -1;
    const ssize_t n = readlink(path, target, sizeof target - 1);
    if (n <= 0)
        return -1;
    target[n] = '\0';
    return retention_step_of(file_base_name(target));
}

ft_status retention_purge(const char *output_dir)
{
    char path[FILE_PATH_MAX], name[FILE_PATH_MAX];
    DIR *entries;
    ft_status status = FT_OK;
    FT_TRY(open_folder(&entries, path, output_dir));
    const struct dirent *entry;
    while (entries && (status = file_next_entry(&entry, entries, path)) == FT_OK && entry) {
        const char *suffix = suffix_of(entry->d_name);
        if (strncmp(suffix, ".tmp.", 5) != 0 && strncmp(suffix, ".del", 4) != 0)
            continue;
        status = file_join(name, path, entry->d_name);
        if (status == FT_OK)
            status = file_remove_folder(name);
        if (status != FT_OK)
            break;
    }
    if (entries)
        (void)closedir(entries);
    return status;
}

static ft_status check_complete(const char *folder)
{
    struct manifest manifest;
    ft_status status = manifest_read(&manifest, folder);
    if (status == FT_OK)
        status = manifest_check_sizes(&manifest, folder);
    manifest_clear(&manifest);
    return status;
}

static ft_status delete_step(const char *output_dir, int64_t step)
{
    char path[FILE_PATH_MAX], parent[FILE_PATH_MAX], gone[FILE_PATH_MAX + 8];
    FT_TRY(retention_folder(parent, output_dir));
    FT_TRY(retention_step_folder(path, output_dir, step));
    (void)snprintf(gone, sizeof gone, "%s.del", path);
    FT_TRY(file_remove_folder(gone));
    if (rename(path, gone) != 0)
        return ft_fail(FT_ERR_IO, "cannot rename %s to delete it: %s", path, strerror(errno));
    FT_TRY(file_sync(parent));
    return file_remove_folder(gone);
}

ft_status retention_apply(const char *output_dir, int keep)
{
    char path[FILE_PATH_MAX];
    int64_t *steps = NULL, n = 0, n_corrupt = 0, n_complete = 0;
    const int64_t best = retention_best(output_dir), n_kept = keep < 2 ? 2 : keep;
    FT_TRY(fault_point("retention"));
    FT_TRY(retention_list(&steps, &n, &n_corrupt, output_dir));
    ft_status status = FT_OK;
    int64_t n_old = 0; /* complete ones to delete, gathered at the front of steps, newest first */
    for (int64_t i = 0; status == FT_OK && i < n; i++) {
        status = retention_step_folder(path, output_dir, steps[i]);
        if (status == FT_OK && check_complete(path) == FT_OK && ++n_complete > n_kept &&
            steps[i] != best)
            steps[n_old++] = steps[i];
    }
    while (status == FT_OK && n_old > 0)
        status = delete_step(output_dir, steps[--n_old]);
    mem_free(steps);
    return status;
}

ft_status retention_set_aside(char name[FILE_PATH_MAX], const char *output_dir, int64_t step)
{
    char path[FILE_PATH_MAX], parent[FILE_PATH_MAX];
    FT_TRY(retention_folder(parent, output_dir));
    FT_TRY(retention_step_folder(path, output_dir, step));
    for (int i = 1;; i++) {
        const int n = i == 1 ? snprintf(name, FILE_PATH_MAX, "%s.corrupt", path)
                             : snprintf(name, FILE_PATH_MAX, "%s.corrupt.%d", path, i);
        if (n >= FILE_PATH_MAX)
            return ft_fail(FT_ERR_IO, "path too long: %.80s...", path);
        if (!file_exists(name))
            break;
    }
    if (rename(path, name) != 0)
        return ft_fail(FT_ERR_IO, "cannot rename %s to %s: %s", path, name, strerror(errno));
    return file_sync(parent);
}

ft_status retention_set_best(const char *output_dir, int64_t step)
{
    char path[FILE_PATH_MAX], link[FILE_PATH_MAX], temporary[FILE_PATH_MAX], target[64];
    FT_TRY(retention_step_folder(path, output_dir, step));
    FT_TRY(file_join(link, output_dir, "best"));
    FT_TRY(file_join(temporary, output_dir, "best.tmp"));
    (void)snprintf(target, sizeof target, "checkpoints/%s%08" PRId64, prefix, step);
    const ft_status status = check_complete(path);
    if (status != FT_OK)
        return ft_fail_within(status, "no checkpoint of step %" PRId64 " for the link best", step);
    if (unlink(temporary) != 0 && errno != ENOENT)
        return ft_fail(FT_ERR_IO, "cannot remove %s: %s", temporary, strerror(errno));
    if (symlink(target, temporary) != 0)
        return ft_fail(FT_ERR_IO, "cannot create %s: %s", temporary, strerror(errno));
    if (rename(temporary, link) != 0)
        return ft_fail(FT_ERR_IO, "cannot rename %s to %s: %s", temporary, link, strerror(errno));
    return file_sync(output_dir);
}
