#include "ckpt/checkpoint.h"

#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "ckpt/manifest.h"
#include "ckpt/retention.h"
#include "ckpt/shard.h"

static bool has_entry(const char *folder, const char *name)
{
    char path[FILE_PATH_MAX];
    return file_join(path, folder, name) == FT_OK && file_exists(path);
}

static bool is_hdf5_name(const char *path)
{
    const size_t n = strlen(path);
    return n > 3 && strcmp(path + n - 3, ".h5") == 0;
}

bool ckpt_recognises(const char *path)
{
    if (file_is_folder(path))
        return has_entry(path, MANIFEST_NAME) || has_entry(path, "checkpoints");
    return is_hdf5_name(path) && strncmp(file_base_name(path), "shard-", 6) == 0;
}

static ft_status check_all(const struct manifest *manifest, const char *folder)
{
    FT_TRY(manifest_check_sizes(manifest, folder));
    for (int i = 0; i < manifest->n_files; i++)
        FT_TRY(manifest_check_file(&manifest->files[i], folder));
    return FT_OK;
}

static void print_manifest(const struct manifest *manifest, FILE *to)
{
    uint64_t bytes = 0;
    for (int i = 0; i < manifest->n_files; i++)
        bytes += manifest->files[i].bytes;
    (void)fprintf(to, "step %" PRId64 ", %d ranks, %" PRId64 " parameters, %.1f MB in %d files\n",
                  manifest->step, manifest->world_size, manifest->first[manifest->world_size],
                  (double)bytes / 1e6, manifest->n_files);
}

static ft_status describe_checkpoint(const char *folder, FILE *to)
{
    struct manifest manifest;
    char path[FILE_PATH_MAX];
    ft_status status = manifest_read(&manifest, folder);
    if (status == FT_OK) {
        (void)fprintf(to, "%s: checkpoint\n", folder);
        print_manifest(&manifest, to);
        for (int i = 0; i < manifest.n_files; i++)
            (void)fprintf(to, "  %s  %" PRIu64 " bytes  %s\n", manifest.files[i].name,
                          manifest.files[i].bytes, manifest.files[i].hash);
        status = check_all(&manifest, folder);
    }
    if (status == FT_OK) {
        (void)fprintf(to, "valid: sizes and hashes of all files are as written\n");
        status = file_join(path, folder, manifest.files[0].name);
    }
    if (status == FT_OK)
        status = shard_describe(path, to);
    manifest_clear(&manifest);
    return status;
}

/* One line a checkpoint. */
static void describe_step(const char *folder, bool is_best, FILE *to)
{
    struct manifest manifest;
    ft_status status = manifest_read(&manifest, folder);
    (void)fprintf(to, "  %s%s: ", file_base_name(folder), is_best ? " (best)" : "");
    if (status == FT_OK)
        status = check_all(&manifest, folder);
    if (status == FT_OK)
        print_manifest(&manifest, to);
    else
        (void)fprintf(to, "NOT VALID: %s\n", ft_error_text());
    manifest_clear(&manifest);
}

static ft_status describe_run(const char *path, FILE *to)
{
    int64_t *steps = NULL, n = 0, n_corrupt = 0;
    const int64_t best = retention_best(path);
    FT_TRY(retention_list(&steps, &n, &n_corrupt, path));
    (void)fprintf(to, "%s: run with %" PRId64 " checkpoint%s", path, n, n == 1 ? "" : "s");
    if (n_corrupt > 0)
        (void)fprintf(to, ", %" PRId64 " damaged ones set aside", n_corrupt);
    (void)fprintf(to, "\n");
    ft_status status = FT_OK;
    for (int64_t i = 0; status == FT_OK && i < n; i++) {
        char folder[FILE_PATH_MAX];
        status = retention_step_folder(folder, path, steps[i]);
        if (status == FT_OK)
            describe_step(folder, steps[i] == best, to);
    }
    mem_free(steps);
    return status;
}

/* A shard that lies beside its manifest is compared with it before HDF5 sees it. */
static ft_status describe_shard(const char *path, FILE *to)
{
    char folder[FILE_PATH_MAX];
    struct manifest manifest = {0};
    ft_status status = FT_OK;
    file_folder(folder, path);
    if (has_entry(folder, MANIFEST_NAME))
        status = manifest_read(&manifest, folder);
    for (int i = 0; status == FT_OK && i < manifest.n_files; i++)
        if (strcmp(manifest.files[i].name, file_base_name(path)) == 0)
            status = manifest_check_file(&manifest.files[i], folder);
    manifest_clear(&manifest);
    return status == FT_OK ? shard_describe(path, to) : status;
}

ft_status ckpt_describe(const char *path, FILE *to)
{
    if (!file_is_folder(path))
        return describe_shard(path, to);
    if (has_entry(path, MANIFEST_NAME))
        return describe_checkpoint(path, to);
    if (has_entry(path, "checkpoints"))
        return describe_run(path, to);
    return ft_fail(FT_ERR_INPUT, "%s: neither a checkpoint (no %s) nor a run (no checkpoints)",
                   path, MANIFEST_NAME);
}
