/*
 * The protocol. HDF5 files do not survive a crash while they are written, and a file system gives
 * no order to writes that were not synced; so nothing that exists is ever changed:
 *
 *     rank 0   free space? mkdir checkpoints/step-S.tmp.<job>.<nonce>
 *     each     free space?
 *     all      agree; from here on something is written
 *     each     shard-r-of-n.h5: write, close, read back and hash, fsync
 *     all      agree, gather sizes and hashes
 *     rank 0   index.h5; manifest.json.tmp, fsync, rename, fsync of the folder;
 *              rename of the folder to step-S, fsync of its parent
 *     all      agree
 *     rank 0   only now: older checkpoints that retention does not keep are renamed and deleted
 *
 * A crash at any point leaves the older checkpoints, and a temporary folder that the next ckpt_find
 * removes. A failure at any point is agreed upon, so no rank waits in a collective that another
 * left.
 *
 * Loading trusts no pointer file and no clock: the newest step whose every byte has the hash that
 * was recorded wins. Each rank hashes a part of the files. Cost of a save: 12 N bytes written once
 * and read back once (from the page cache) over all ranks, messages of 64 bytes; of a load: 12 N
 * read to verify, 12 N read to load, and 4 N received by every rank.
 */
#include "ckpt/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/signals.h"
#include "base/size.h"
#include "base/timer.h"
#include "ckpt/index.h"
#include "ckpt/manifest.h"
#include "ckpt/retention.h"
#include "ckpt/shard.h"

enum { GATHER_CHUNK = 16 << 20 };

void ckpt_meta_clear(struct ckpt_meta *meta)
{
    FT_FREE(meta->settings_text);
    FT_FREE(meta->loss);
    meta->n_loss = 0;
}

/* A part of a tensor costs about 700 bytes of HDF5 beside its elements, a shard with its attributes
 * a few KiB and the configuration, an entry of the index about 400 bytes: measured, rounded up. */
uint64_t ckpt_predict_bytes(const struct layout *layout, int world_size, int64_t n_loss)
{
    const uint64_t n_parts = (uint64_t)layout->n_tensors + (uint64_t)world_size;
    return 12 * (uint64_t)layout->N + 3 * 1600 * n_parts + (uint64_t)world_size * (96 << 10) +
           8 * (uint64_t)n_loss;
}

/* Folders of one save. */
struct target {
    char temporary[FILE_PATH_MAX], final[FILE_PATH_MAX], parent[FILE_PATH_MAX];
};

static ft_status check_space(const char *folder, uint64_t bytes)
{
    int64_t free_bytes = 0;
    FT_TRY(file_free_bytes(&free_bytes, folder));
    const double needed = 1.1 * (double)bytes;
    if ((double)free_bytes < needed)
        return ft_fail(FT_ERR_IO,
                       "%s: a checkpoint needs %.1f MB and the disk has %.1f MB left: nothing was "
                       "written; free some space or lower checkpoint.keep",
                       folder, needed / 1e6, (double)free_bytes / 1e6);
    return FT_OK;
}

static ft_status name_temporary(struct target *target)
{
    const char *job = getenv("SLURM_JOB_ID");
    uint64_t nonce = 0;
    char suffix[80];
    if (getrandom(&nonce, sizeof nonce, GRND_NONBLOCK) != (ssize_t)sizeof nonce)
        nonce = (uint64_t)getpid() << 32 ^ (uint64_t)(timer_now() * 1e9);
    (void)snprintf(suffix, sizeof suffix, ".tmp.%.40s.%016" PRIx64,
                   job && job[0] && !strchr(job, '/') ? job : "local", nonce);
    const int n = snprintf(target->temporary, FILE_PATH_MAX, "%s%s", target->final, suffix);
    return n < FILE_PATH_MAX ? FT_OK : ft_fail(FT_ERR_IO, "path too long: %.80s", target->final);
}

/* Rank 0: names, parent folder, free space, temporary folder. */
static ft_status prepare(struct target *target, const char *output_dir, int64_t step,
                         uint64_t bytes)
{
    FT_TRY(retention_folder(target->parent, output_dir));
    FT_TRY(retention_step_folder(target->final, output_dir, step));
    FT_TRY(name_temporary(target));
    const ft_status status = file_make_folders(target->parent);
    if (status != FT_OK)
        return ft_fail(FT_ERR_IO, "%s", ft_error_text());
    FT_TRY(check_space(target->parent, bytes));
    if (mkdir(target->temporary, 0777) != 0)
        return ft_fail(FT_ERR_IO, "cannot create folder %s: %s", target->temporary,
                       strerror(errno));
    return FT_OK;
}

/* A network file system may show rank 0's new folder to this node some seconds late. */
static ft_status wait_for_folder(const char *path)
{
    const double patience_s = 30, start = timer_now();
    struct stat info;
    while (stat(path, &info) != 0) {
        if (errno != ENOENT && errno != ESTALE && errno != EINTR)
            return ft_fail(FT_ERR_IO, "cannot see folder %s: %s", path, strerror(errno));
        const int reason = errno;
        if (timer_now() - start > patience_s)
            return ft_fail(FT_ERR_IO,
                           "%s does not appear on this node within %.0f s (%s): is output.dir "
                           "shared?",
                           path, patience_s, strerror(reason));
        (void)nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    return FT_OK;
}

static ft_status check_view(const struct target *target, uint64_t bytes)
{
    FT_TRY(wait_for_folder(target->temporary));
    return check_space(target->temporary, bytes);
}

static ft_status write_shard(struct manifest_file *file, const struct comm *c,
                             const struct target *target, const struct ckpt_state *s)
{
    const int rank = comm_rank(c);
    const struct shard_place place = {.rank = rank,
                                      .world_size = comm_size(c),
                                      .first = s->first[rank],
                                      .end = s->first[rank + 1]};
    char path[FILE_PATH_MAX];
    *file = (struct manifest_file){0};
    shard_name(file->name, rank, place.world_size);
    FT_TRY(file_join(path, target->temporary, file->name));
    return shard_write(path, &place, s, comm_host(c), file->hash, &file->bytes);
}

/* The folder of an older checkpoint of the same step gives way: exchanged atomically where the file
 * system can do that, else moved to .del first. */
static ft_status publish(const struct target *target)
{
    char gone[FILE_PATH_MAX + 8];
    if (renameat2(AT_FDCWD, target->temporary, AT_FDCWD, target->final, RENAME_EXCHANGE) == 0)
        return FT_OK;
    const bool is_known = errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP;
    const bool is_new = errno == ENOENT || (!is_known && !file_exists(target->final));
    if (is_known && !is_new)
        return ft_fail(FT_ERR_IO, "cannot exchange %s for %s: %s", target->final, target->temporary,
                       strerror(errno));
    (void)snprintf(gone, sizeof gone, "%s.del", target->final);
    if (!is_new) {
        FT_TRY(file_remove_folder(gone));
        if (rename(target->final, gone) != 0)
            return ft_fail(FT_ERR_IO, "cannot move %s away: %s", target->final, strerror(errno));
    }
    if (rename(target->temporary, target->final) != 0) {
        const int reason = errno;
        if (!is_new)
            (void)rename(gone, target->final);
        return ft_fail(FT_ERR_IO, "cannot rename %s to %s: %s", target->temporary, target->final,
                       strerror(reason));
    }
    return is_new ? FT_OK : file_remove_folder(gone);
}

/* rename may report a failure although the server did it (rename(2), BUGS: NFS): the folder tells.
 */
static ft_status publish_checked(const struct target *target, const struct manifest *manifest)
{
    struct manifest found;
    const ft_status status = publish(target);
    if (status == FT_OK || file_exists(target->temporary))
        return status;
    char text[FT_ERR_TEXT_MAX];
    (void)snprintf(text, sizeof text, "%s", ft_error_text());
    const bool is_ours =
        manifest_read(&found, target->final) == FT_OK && found.n_files == manifest->n_files &&
        memcmp(found.files, manifest->files, (size_t)found.n_files * sizeof *found.files) == 0;
    manifest_clear(&found);
    return is_ours ? FT_OK : ft_fail(status, "%s", text);
}

/* Rank 0: index, manifest, rename. manifest->files holds the shards already. */
static ft_status commit(const struct target *target, struct manifest *manifest,
                        const struct ckpt_state *s)
{
    char path[FILE_PATH_MAX];
    struct hash_value value;
    struct manifest_file *index = &manifest->files[manifest->world_size];
    FT_TRY(fault_point("checkpoint-commit"));
    FT_TRY(file_join(path, target->temporary, INDEX_NAME));
    FT_TRY(index_write(path, s->layout, s->meta.step, s->first, manifest->world_size));
    FT_TRY(hash_file(&value, &index->bytes, path));
    hash_format(index->hash, value);
    memcpy(manifest->first, s->first, ((size_t)manifest->world_size + 1) * sizeof *s->first);
    FT_TRY(manifest_write(manifest, target->temporary));
    FT_TRY(publish_checked(target, manifest));
    return file_sync(target->parent);
}

/* Removes the temporary folder (after an exchange: the older checkpoint of the same step). */
static void clean_up(const struct target *target)
{
    char text[FT_ERR_TEXT_MAX];
    (void)snprintf(text, sizeof text, "%s", ft_error_text());
    if (file_remove_folder(target->temporary) != FT_OK)
        log_warn("%s", ft_error_text());
    (void)ft_fail(FT_OK, "%s", text);
}

static ft_status write_all(struct comm *c, const struct target *target, struct ckpt_state *s,
                           uint64_t bytes)
{
    struct manifest manifest = {0};
    struct manifest_file mine;
    ft_status status;
    FT_AGREE_OUT(c, check_view(target, bytes));
    FT_AGREE_OUT(c, manifest_init(&manifest, s->meta.step, comm_size(c)));
    FT_AGREE_OUT(c, write_shard(&mine, c, target, s));
    comm_allgather(c, manifest.files, &mine, sizeof mine);
    FT_AGREE_OUT(c, comm_rank(c) == 0 ? commit(target, &manifest, s) : FT_OK);
out:
    manifest_clear(&manifest);
    return status;
}

ft_status ckpt_save(struct comm *c, const char *output_dir, struct ckpt_state *s, int keep)
{
    struct target target = {{0}, {0}, {0}};
    const bool is_root = comm_rank(c) == 0;
    const uint64_t bytes = ckpt_predict_bytes(s->layout, comm_size(c), s->meta.n_loss);
    ft_status status = is_root ? prepare(&target, output_dir, s->meta.step, bytes) : FT_OK;
    FT_AGREE(c, status);
    comm_bcast(c, &target, sizeof target, 0);
    status = write_all(c, &target, s, bytes);
    if (is_root)
        clean_up(&target);
    if (status != FT_OK)
        return status;
    if (is_root && retention_apply(output_dir, keep) != FT_OK)
        log_warn("old checkpoints could not be deleted: %s", ft_error_text());
    return FT_OK;
}

/* Someone else's or a writable-by-all checkpoint is read, but said: HDF5 files are for trusted
 * origins. */
static void warn_of_strangers(const char *folder)
{
    struct stat info;
    if (stat(folder, &info) == 0 && (info.st_uid != geteuid() || (info.st_mode & S_IWOTH)))
        log_warn("%s belongs to another user or is writable by everyone: hashes show damage, not "
                 "forgery",
                 folder);
}

/* Rank 0 reads the manifest, all ranks get it. */
static ft_status share_manifest(struct comm *c, struct manifest *manifest, const char *folder,
                                int64_t step)
{
    const bool is_root = comm_rank(c) == 0;
    int64_t world_size = 0;
    *manifest = (struct manifest){0};
    ft_status status = is_root ? manifest_read(manifest, folder) : FT_OK;
    if (is_root && status == FT_OK && manifest->step != step)
        status = ft_fail(FT_ERR_INPUT, "%s/%s is of step %" PRId64, folder, MANIFEST_NAME,
                         manifest->step);
    if (is_root && status == FT_OK)
        status = manifest_check_sizes(manifest, folder);
    FT_AGREE(c, status);
    world_size = manifest->world_size;
    comm_bcast(c, &world_size, sizeof world_size, 0);
    FT_AGREE(c, is_root ? FT_OK : manifest_init(manifest, step, (int)world_size));
    comm_bcast(c, manifest->first, (world_size + 1) * (int64_t)sizeof *manifest->first, 0);
    comm_bcast(c, manifest->files, manifest->n_files * (int64_t)sizeof *manifest->files, 0);
    return FT_OK;
}

/* This rank's part of the files: every size-th. */
static ft_status check_files(const struct comm *c, const struct manifest *manifest,
                             const char *folder)
{
    FT_TRY(fault_point("checkpoint-load"));
    for (int i = comm_rank(c); i < manifest->n_files; i += comm_size(c)) {
        FT_TRY(signals_check("a checkpoint was being read"));
        FT_TRY(manifest_check_file(&manifest->files[i], folder));
    }
    return FT_OK;
}

/* Collective: the manifest of a checkpoint of which every byte is as it was written. */
static ft_status verify(struct comm *c, struct manifest *manifest, const char *folder, int64_t step)
{
    const ft_status status = share_manifest(c, manifest, folder, step);
    if (status != FT_OK)
        return status;
    return comm_agree(c, check_files(c, manifest, folder));
}

static ft_status verify_local(struct manifest *manifest, const char *folder)
{
    FT_TRY(manifest_read(manifest, folder));
    FT_TRY(manifest_check_sizes(manifest, folder));
    for (int i = 0; i < manifest->n_files; i++)
        FT_TRY(manifest_check_file(&manifest->files[i], folder));
    return FT_OK;
}

static void set_aside(const char *output_dir, int64_t step)
{
    char name[FILE_PATH_MAX], reason[FT_ERR_TEXT_MAX];
    (void)snprintf(reason, sizeof reason, "%s", ft_error_text());
    if (retention_set_aside(name, output_dir, step) == FT_OK)
        log_warn("checkpoint of step %" PRId64 " is not valid: %s; renamed to %s", step, reason,
                 file_base_name(name));
    else
        log_warn("checkpoint of step %" PRId64 " is not valid: %s; %s", step, reason,
                 ft_error_text());
}

static ft_status none_valid(const char *output_dir)
{
    return ft_fail(
        FT_ERR_INPUT,
        "%s/checkpoints holds checkpoints and none of them is valid: restore one, or start "
        "afresh with another output.dir",
        output_dir);
}

/* Rank 0: the steps to try. */
static ft_status list_candidates(int64_t **steps, int64_t counts[2], const char *output_dir)
{
    if (retention_purge(output_dir) != FT_OK)
        log_warn("%s", ft_error_text());
    return retention_list(steps, &counts[0], &counts[1], output_dir);
}

/* Tries steps, newest first; *step = -1 when none is valid. */
static ft_status try_candidates(struct comm *c, const char *output_dir, const int64_t *steps,
                                int64_t n, int64_t *step)
{
    for (int64_t i = 0; i < n; i++) {
        char folder[FILE_PATH_MAX];
        struct manifest manifest = {0};
        int64_t candidate = steps ? steps[i] : 0;
        comm_bcast(c, &candidate, sizeof candidate, 0);
        FT_AGREE(c, retention_step_folder(folder, output_dir, candidate));
        const ft_status status = verify(c, &manifest, folder, candidate);
        manifest_clear(&manifest);
        if (status == FT_OK) {
            if (comm_rank(c) == 0)
                warn_of_strangers(folder);
            *step = candidate;
            return FT_OK;
        }
        if (status != FT_ERR_INPUT) /* a disk that cannot be read condemns no checkpoint */
            return status;
        if (comm_rank(c) == 0)
            set_aside(output_dir, candidate);
    }
    return FT_OK;
}

ft_status ckpt_find(struct comm *c, const char *output_dir, int64_t *step)
{
    int64_t *steps = NULL, counts[2] = {0, 0}; /* step folders, folders set aside */
    ft_status status = comm_rank(c) == 0 ? list_candidates(&steps, counts, output_dir) : FT_OK;
    *step = -1;
    FT_AGREE(c, status);
    comm_bcast(c, counts, sizeof counts, 0);
    status = try_candidates(c, output_dir, steps, counts[0], step);
    mem_free(steps);
    if (status == FT_OK && *step < 0 && counts[0] + counts[1] > 0)
        return none_valid(output_dir);
    return status;
}

ft_status ckpt_newest(const char *output_dir, int64_t *step)
{
    int64_t *steps = NULL, n = 0, n_corrupt = 0;
    ft_status status = retention_list(&steps, &n, &n_corrupt, output_dir);
    *step = -1;
    for (int64_t i = 0; status == FT_OK && *step < 0 && i < n; i++) {
        char folder[FILE_PATH_MAX];
        struct manifest manifest = {0};
        status = retention_step_folder(folder, output_dir, steps[i]);
        if (status == FT_OK)
            status = verify_local(&manifest, folder);
        if (status == FT_OK)
            *step = steps[i];
        else if (status == FT_ERR_INPUT) { /* as in try_candidates */
            log_warn("checkpoint of step %" PRId64 " is not valid: %s", steps[i], ft_error_text());
            status = FT_OK;
        }
        manifest_clear(&manifest);
    }
    mem_free(steps);
    if (status == FT_OK && *step < 0 && n + n_corrupt > 0)
        return none_valid(output_dir);
    return status;
}

/* The metadata of shard 0 of a checkpoint folder, verified. Local. */
static ft_status read_folder_meta(struct ckpt_meta *out, const char *folder)
{
    char path[FILE_PATH_MAX];
    struct manifest manifest = {0};
    ft_status status = manifest_read(&manifest, folder);
    if (status == FT_OK)
        status = manifest_check_file(&manifest.files[0], folder);
    if (status == FT_OK)
        status = file_join(path, folder, manifest.files[0].name);
    if (status == FT_OK)
        status = shard_read_meta(path, out);
    manifest_clear(&manifest);
    return status;
}

/* Rank 0. */
static ft_status read_meta(struct ckpt_meta *out, const char *output_dir, int64_t step)
{
    char folder[FILE_PATH_MAX];
    FT_TRY(retention_step_folder(folder, output_dir, step));
    FT_TRY(read_folder_meta(out, folder));
    if (out->step != step)
        return ft_fail(FT_ERR_INPUT, "%s is of step %" PRId64, folder, out->step);
    return FT_OK;
}

static ft_status make_room(struct ckpt_meta *out, int64_t text_bytes)
{
    FT_TRY(FT_ALLOC(out->settings_text, text_bytes));
    return FT_ALLOC(out->loss, out->n_loss);
}

ft_status ckpt_load_meta(struct comm *c, const char *output_dir, int64_t step,
                         struct ckpt_meta *out)
{
    const bool is_root = comm_rank(c) == 0;
    *out = (struct ckpt_meta){0};
    FT_AGREE(c, is_root ? read_meta(out, output_dir, step) : FT_OK);
    char *text = out->settings_text;
    double *loss = out->loss;
    int64_t text_bytes = is_root ? (int64_t)strlen(text) + 1 : 0;
    comm_bcast(c, &text_bytes, sizeof text_bytes, 0);
    comm_bcast(c, out, sizeof *out, 0);
    out->settings_text = text;
    out->loss = loss;
    FT_AGREE(c, is_root ? FT_OK : make_room(out, text_bytes));
    comm_bcast(c, out->settings_text, text_bytes, 0);
    comm_bcast(c, out->loss, out->n_loss * (int64_t)sizeof *out->loss, 0);
    return FT_OK;
}

static ft_status check_elements(const struct manifest *manifest, const char *folder,
                                const struct layout *layout)
{
    if (manifest->first[manifest->world_size] != layout->N)
        return ft_fail(FT_ERR_INPUT,
                       "%s is of a model of %" PRId64 " parameters, this one has %" PRId64, folder,
                       manifest->first[manifest->world_size], layout->N);
    return FT_OK;
}

/* Elements [from, to) from all shards that hold some of them. out: one pointer a kind, to element
 * `from`. */
static ft_status read_range(const struct manifest *manifest, const char *folder,
                            const struct layout *layout, int64_t from, int64_t to,
                            float *const out[N_SHARD_KINDS])
{
    for (int r = 0; r < manifest->world_size; r++) {
        const struct shard_place place = {.rank = r,
                                          .world_size = manifest->world_size,
                                          .first = manifest->first[r],
                                          .end = manifest->first[r + 1]};
        char path[FILE_PATH_MAX];
        if (place.first >= to || place.end <= from || place.first == place.end)
            continue;
        FT_TRY(signals_check("a checkpoint was being read"));
        FT_TRY(file_join(path, folder, manifest->files[r].name));
        FT_TRY(shard_read(path, &place, manifest->step, layout, from, to, out));
    }
    return FT_OK;
}

ft_status ckpt_load(struct comm *c, const char *output_dir, int64_t step, struct ckpt_state *s)
{
    const int64_t from = s->first[comm_rank(c)], to = s->first[comm_rank(c) + 1];
    float *const out[N_SHARD_KINDS] = {s->params + from, s->m, s->v};
    char folder[FILE_PATH_MAX];
    struct manifest manifest = {0};
    ft_status status;
    FT_AGREE(c, retention_step_folder(folder, output_dir, step));
    status = verify(c, &manifest, folder, step);
    if (status != FT_OK)
        goto out;
    FT_AGREE_OUT(c, check_elements(&manifest, folder, s->layout));
    FT_AGREE_OUT(c, read_range(&manifest, folder, s->layout, from, to, out));
    comm_gather_slices_f32(c, s->params, s->first, GATHER_CHUNK);
out:
    manifest_clear(&manifest);
    return status;
}

ft_status ckpt_read_params(const char *checkpoint_dir, const struct layout *layout, float *params)
{
    float *const out[N_SHARD_KINDS] = {params, NULL, NULL};
    struct manifest manifest = {0};
    ft_status status = verify_local(&manifest, checkpoint_dir);
    if (status == FT_OK)
        status = check_elements(&manifest, checkpoint_dir, layout);
    if (status == FT_OK)
        status = read_range(&manifest, checkpoint_dir, layout, 0, layout->N, out);
    manifest_clear(&manifest);
    return status;
}

ft_status ckpt_read_base_hash(char out[HASH_TEXT], const char *checkpoint_dir)
{
    struct ckpt_meta meta = {0};
    const ft_status status = read_folder_meta(&meta, checkpoint_dir);
    if (status == FT_OK)
        memcpy(out, meta.model_hash, HASH_TEXT);
    ckpt_meta_clear(&meta);
    return status;
}

ft_status ckpt_restore_best(struct comm *c, const char *output_dir, int64_t step)
{
    char folder[FILE_PATH_MAX];
    ft_status status = FT_OK;
    if (comm_rank(c) == 0 && retention_best(output_dir) != step) {
        status = retention_step_folder(folder, output_dir, step);
        if (status == FT_OK && file_is_folder(folder))
            status = retention_set_best(output_dir, step);
    }
    return comm_agree(c, status);
}

ft_status ckpt_set_best(struct comm *c, const char *output_dir, int64_t step)
{
    return comm_agree(c, comm_rank(c) == 0 ? retention_set_best(output_dir, step) : FT_OK);
}
