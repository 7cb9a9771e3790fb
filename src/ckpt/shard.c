/*
 * A shard as HDF5 sees it:
 *
 *     /                  attributes: step, world_size, rank, first, end, n_elements, epoch,
 *                        position, seed, best_metric, best_step, evals_since_best,
 *                        evaluation_due (absent in older shards), settings, hashes, program,
 *                        revision, host, mpi, blas, parent_run, format
 *     /params/<name>     (count) f32, the part of the tensor that lies in this rank's slice;
 *                        attributes global_shape, offset (first element within the tensor), count
 *     /adam_m/<name>     the same part of the first moments
 *     /adam_v/<name>     the same part of the second moments
 *     /history/loss      (step) f64, in shard 0 only
 *
 * Slices are cut by elements, not by tensors, so that every rank has the same work: a slice begins
 * and ends in mid-row, and parts are therefore one-dimensional. The host is the one thing in a
 * shard that two equal runs may have different.
 */
#include "ckpt/shard.h"

#include <inttypes.h>
#include <string.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/mem.h"
#include "format/h5.h"

const char *const shard_groups[N_SHARD_KINDS] = {"/params", "/adam_m", "/adam_v"};

static const char format_name[] = "finetune shard 1";

/* Elements of a tensor that lie in a slice, counted from the tensor's start. */
struct part {
    int64_t first, count;
};

static struct part part_of(const struct tensor_spec *tensor, int64_t from, int64_t to)
{
    const int64_t begin = from > tensor->offset ? from : tensor->offset;
    const int64_t tensor_end = tensor->offset + tensor->n;
    const int64_t end = to < tensor_end ? to : tensor_end;
    return (struct part){begin - tensor->offset, end > begin ? end - begin : 0};
}

void shard_name(char name[SHARD_NAME_BYTES], int rank, int world_size)
{
    (void)snprintf(name, SHARD_NAME_BYTES, "shard-%05d-of-%05d.h5", rank, world_size);
}

static void dataset_name(char name[H5_NAME_BYTES], int kind, const struct tensor_spec *tensor)
{
    (void)snprintf(name, H5_NAME_BYTES, "%s/%s", shard_groups[kind], tensor->name);
}

static ft_status put_place(struct h5_file *file, const struct shard_place *place,
                           const struct ckpt_state *s)
{
    FT_TRY(h5_put_text(file, "/", "format", format_name));
    FT_TRY(h5_put_i64(file, "/", "step", s->meta.step));
    FT_TRY(h5_put_i64(file, "/", "world_size", place->world_size));
    FT_TRY(h5_put_i64(file, "/", "rank", place->rank));
    FT_TRY(h5_put_i64(file, "/", "first", place->first));
    FT_TRY(h5_put_i64(file, "/", "end", place->end));
    return h5_put_i64(file, "/", "n_elements", s->layout->N);
}

static ft_status put_meta(struct h5_file *file, const struct ckpt_meta *meta, const char *host)
{
    FT_TRY(h5_put_f64(file, "/", "epoch", meta->epoch));
    FT_TRY(h5_put_i64(file, "/", "position", meta->position));
    FT_TRY(h5_put_i64(file, "/", "seed", meta->seed));
    FT_TRY(h5_put_f64(file, "/", "best_metric", meta->best_metric));
    FT_TRY(h5_put_i64(file, "/", "best_step", meta->best_step));
    FT_TRY(h5_put_i64(file, "/", "evals_since_best", meta->evals_since_best));
    FT_TRY(h5_put_i64(file, "/", "evaluation_due", meta->evaluation_due));
    FT_TRY(h5_put_text(file, "/", "settings", meta->settings_text ? meta->settings_text : ""));
    FT_TRY(h5_put_text(file, "/", "model_hash", meta->model_hash));
    FT_TRY(h5_put_text(file, "/", "tokenizer_hash", meta->tokenizer_hash));
    FT_TRY(h5_put_text(file, "/", "data_hash", meta->data_hash));
    FT_TRY(h5_put_text(file, "/", "program", meta->program));
    FT_TRY(h5_put_text(file, "/", "revision", meta->revision));
    FT_TRY(h5_put_text(file, "/", "blas", meta->blas));
    FT_TRY(h5_put_text(file, "/", "mpi", meta->mpi));
    FT_TRY(h5_put_text(file, "/", "parent_run", meta->parent_run));
    return h5_put_text(file, "/", "host", host);
}

static ft_status put_tensor(struct h5_file *file, int kind, const struct tensor_spec *tensor,
                            struct part part, const float *data)
{
    char name[H5_NAME_BYTES];
    dataset_name(name, kind, tensor);
    FT_TRY(h5_write(file, name, H5_F32, 1, &part.count, data));
    FT_TRY(h5_put_i64s(file, name, "global_shape", tensor->dims, tensor->n_dims));
    FT_TRY(h5_put_i64(file, name, "offset", part.first));
    return h5_put_i64(file, name, "count", part.count);
}

static ft_status put_all(struct h5_file *file, const struct shard_place *place,
                         const struct ckpt_state *s, const char *host)
{
    const float *const data[N_SHARD_KINDS] = {s->params + place->first, s->m, s->v};
    FT_TRY(put_place(file, place, s));
    FT_TRY(put_meta(file, &s->meta, host));
    if (place->rank == 0)
        FT_TRY(h5_write(file, "/history/loss", H5_F64, 1, &s->meta.n_loss, s->meta.loss));
    for (int kind = 0; kind < N_SHARD_KINDS; kind++) {
        for (int i = 0; i < s->layout->n_tensors; i++) {
            const struct tensor_spec *tensor = &s->layout->tensors[i];
            const struct part part = part_of(tensor, place->first, place->end);
            const int64_t at = tensor->offset + part.first - place->first;
            if (part.count > 0)
                FT_TRY(put_tensor(file, kind, tensor, part, data[kind] + at));
        }
    }
    return FT_OK;
}

ft_status shard_write(const char *path, const struct shard_place *place, const struct ckpt_state *s,
                      const char *host, char hash[HASH_TEXT], uint64_t *bytes)
{
    struct h5_file *file = NULL;
    struct hash_value value;
    FT_TRY(fault_point("checkpoint-write"));
    FT_TRY(h5_create(&file, path));
    FT_TRY(h5_finish(&file, put_all(file, place, s, host)));
    FT_TRY(hash_file(&value, bytes, path));
    hash_format(hash, value);
    return file_sync(path);
}

static ft_status expect(const struct h5_file *file, const char *path, const char *object,
                        const char *name, int64_t expected)
{
    int64_t found = 0;
    FT_TRY(h5_get_i64(file, object, name, &found));
    if (found != expected)
        return ft_fail(FT_ERR_INPUT, "%s: %s: %s is %" PRId64 ", expected %" PRId64, path, object,
                       name, found, expected);
    return FT_OK;
}

static ft_status check_place(const struct h5_file *file, const char *path,
                             const struct shard_place *place, int64_t step, int64_t n_elements)
{
    FT_TRY(expect(file, path, "/", "step", step));
    FT_TRY(expect(file, path, "/", "world_size", place->world_size));
    FT_TRY(expect(file, path, "/", "rank", place->rank));
    FT_TRY(expect(file, path, "/", "first", place->first));
    FT_TRY(expect(file, path, "/", "end", place->end));
    return expect(file, path, "/", "n_elements", n_elements);
}

static ft_status check_tensor_shape(const struct h5_file *file, const char *path, const char *name,
                                    const struct tensor_spec *tensor)
{
    int64_t shape[2] = {0, 0}, n = 0;
    FT_TRY(h5_get_i64s(file, name, "global_shape", shape, 2, &n));
    if (n != tensor->n_dims || memcmp(shape, tensor->dims, (size_t)n * sizeof *shape) != 0)
        return ft_fail(FT_ERR_INPUT, "%s: %s: the shape is not the model's: another base model?",
                       path, name);
    return FT_OK;
}

static ft_status read_tensor(const struct h5_file *file, const char *path, int kind,
                             const struct tensor_spec *tensor, struct part stored,
                             struct part wanted, float *out)
{
    char name[H5_NAME_BYTES];
    dataset_name(name, kind, tensor);
    FT_TRY(check_tensor_shape(file, path, name, tensor));
    FT_TRY(expect(file, path, name, "offset", stored.first));
    FT_TRY(expect(file, path, name, "count", stored.count));
    return h5_read_slice(file, name, H5_F32, wanted.first - stored.first, wanted.count, out);
}

static ft_status read_kind(const struct h5_file *file, const char *path, int kind,
                           const struct shard_place *place, const struct layout *layout,
                           int64_t from, int64_t to, float *out)
{
    const int64_t begin = from > place->first ? from : place->first;
    const int64_t end = to < place->end ? to : place->end;
    for (int i = 0; i < layout->n_tensors; i++) {
        const struct tensor_spec *tensor = &layout->tensors[i];
        const struct part wanted = part_of(tensor, begin, end);
        if (wanted.count > 0)
            FT_TRY(read_tensor(file, path, kind, tensor, part_of(tensor, place->first, place->end),
                               wanted, out + (tensor->offset + wanted.first - from)));
    }
    return FT_OK;
}

ft_status shard_read(const char *path, const struct shard_place *place, int64_t step,
                     const struct layout *layout, int64_t from, int64_t to,
                     float *const out[N_SHARD_KINDS])
{
    struct h5_file *file = NULL;
    FT_TRY(h5_open_own(&file, path));
    ft_status status = check_place(file, path, place, step, layout->N);
    for (int kind = 0; status == FT_OK && kind < N_SHARD_KINDS; kind++)
        if (out[kind])
            status = read_kind(file, path, kind, place, layout, from, to, out[kind]);
    const ft_status closed = h5_close(&file);
    return status != FT_OK ? status : closed;
}

static ft_status get_text(const struct h5_file *file, const char *name, char *out, size_t bytes)
{
    char *text = NULL;
    FT_TRY(h5_get_text(file, "/", name, &text));
    const int n = snprintf(out, bytes, "%s", text);
    mem_free(text);
    if (n < 0 || (size_t)n >= bytes)
        return ft_fail(FT_ERR_INPUT, "attribute %s has %d bytes, at most %zu are read", name, n,
                       bytes - 1);
    return FT_OK;
}

static ft_status get_numbers(const struct h5_file *file, struct ckpt_meta *out)
{
    FT_TRY(h5_get_i64(file, "/", "step", &out->step));
    FT_TRY(h5_get_f64(file, "/", "epoch", &out->epoch));
    FT_TRY(h5_get_i64(file, "/", "position", &out->position));
    FT_TRY(h5_get_i64(file, "/", "seed", &out->seed));
    FT_TRY(h5_get_f64(file, "/", "best_metric", &out->best_metric));
    FT_TRY(h5_get_i64(file, "/", "best_step", &out->best_step));
    FT_TRY(h5_get_i64(file, "/", "evals_since_best", &out->evals_since_best));
    bool has = false;
    FT_TRY(h5_has_attribute(&has, file, "/", "evaluation_due"));
    if (has)
        FT_TRY(h5_get_i64(file, "/", "evaluation_due", &out->evaluation_due));
    if (out->step < 0 || out->position < 0 || out->best_step < 0 || out->best_step > out->step ||
        out->evals_since_best < 0)
        return ft_fail(FT_ERR_INPUT, "step, position, best_step or evals_since_best is impossible");
    return FT_OK;
}

static ft_status get_texts(const struct h5_file *file, struct ckpt_meta *out)
{
    FT_TRY(h5_get_text(file, "/", "settings", &out->settings_text));
    FT_TRY(get_text(file, "model_hash", out->model_hash, sizeof out->model_hash));
    FT_TRY(get_text(file, "tokenizer_hash", out->tokenizer_hash, sizeof out->tokenizer_hash));
    FT_TRY(get_text(file, "data_hash", out->data_hash, sizeof out->data_hash));
    FT_TRY(get_text(file, "program", out->program, sizeof out->program));
    FT_TRY(get_text(file, "revision", out->revision, sizeof out->revision));
    FT_TRY(get_text(file, "blas", out->blas, sizeof out->blas));
    FT_TRY(get_text(file, "mpi", out->mpi, sizeof out->mpi));
    return get_text(file, "parent_run", out->parent_run, sizeof out->parent_run);
}

static ft_status get_loss(const struct h5_file *file, struct ckpt_meta *out)
{
    int64_t dims[H5_DIMS_MAX];
    int n_dims = 0;
    FT_TRY(h5_dims(file, "/history/loss", H5_F64, &n_dims, dims));
    if (n_dims != 1)
        return ft_fail(FT_ERR_INPUT, "/history/loss has %d dimensions, expected 1", n_dims);
    FT_TRY(FT_ALLOC(out->loss, dims[0]));
    out->n_loss = dims[0];
    return h5_read(file, "/history/loss", H5_F64, out->n_loss, out->loss);
}

ft_status shard_read_meta(const char *path, struct ckpt_meta *out)
{
    struct h5_file *file = NULL;
    *out = (struct ckpt_meta){0};
    FT_TRY(h5_open_own(&file, path));
    ft_status status = get_numbers(file, out);
    if (status == FT_OK)
        status = get_texts(file, out);
    if (status == FT_OK)
        status = get_loss(file, out);
    if (status != FT_OK)
        status = ft_fail_within(status, "%s", path);
    const ft_status closed = h5_close(&file);
    return status != FT_OK ? status : closed;
}

struct tally {
    const struct h5_file *file;
    const char *group;
    FILE *to;
    int64_t n_tensors, n_elements;
};

static ft_status describe_tensor(void *context, const char *tensor)
{
    struct tally *tally = context;
    char name[H5_NAME_BYTES];
    int64_t shape[2] = {0, 1}, n = 0, offset = 0, count = 0;
    if (snprintf(name, sizeof name, "%s/%s", tally->group, tensor) >= (int)sizeof name)
        return ft_fail(FT_ERR_INPUT, "tensor name too long: %.80s", tensor);
    FT_TRY(h5_get_i64s(tally->file, name, "global_shape", shape, 2, &n));
    FT_TRY(h5_get_i64(tally->file, name, "offset", &offset));
    FT_TRY(h5_get_i64(tally->file, name, "count", &count));
    tally->n_tensors++;
    tally->n_elements += count;
    if (strcmp(tally->group, shard_groups[SHARD_PARAMS]) == 0)
        (void)fprintf(tally->to,
                      "  %-56s [%" PRId64 "%s%.0" PRId64 "] elements %" PRId64 " + %" PRId64 "\n",
                      tensor, shape[0], n > 1 ? ", " : "", n > 1 ? shape[1] : 0, offset, count);
    return FT_OK;
}

static ft_status describe_open(const struct h5_file *file, FILE *to)
{
    static const char *const numbers[] = {"step",       "world_size", "rank", "first",    "end",
                                          "n_elements", "position",   "seed", "best_step"};
    static const char *const texts[] = {"program", "revision", "host", "mpi", "blas"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        int64_t value = 0;
        FT_TRY(h5_get_i64(file, "/", numbers[i], &value));
        (void)fprintf(to, "%s %" PRId64 "%s", numbers[i], value,
                      i + 1 < sizeof numbers / sizeof *numbers ? ", " : "\n");
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *text = NULL;
        FT_TRY(h5_get_text(file, "/", texts[i], &text));
        (void)fprintf(to, "%s: %s\n", texts[i], text);
        mem_free(text);
    }
    for (int kind = 0; kind < N_SHARD_KINDS; kind++) {
        struct tally tally = {.file = file, .group = shard_groups[kind], .to = to};
        if (h5_has(file, shard_groups[kind]))
            FT_TRY(h5_each(file, shard_groups[kind], describe_tensor, &tally));
        (void)fprintf(to, "%s: %" PRId64 " tensors or parts, %" PRId64 " elements\n",
                      shard_groups[kind], tally.n_tensors, tally.n_elements);
    }
    return FT_OK;
}

ft_status shard_describe(const char *path, FILE *to)
{
    struct h5_file *file = NULL;
    char *format = NULL;
    FT_TRY(h5_open(&file, path));
    ft_status status = h5_get_text(file, "/", "format", &format);
    if (status == FT_OK && strcmp(format, format_name) != 0)
        status = ft_fail(FT_ERR_INPUT, "%s: \"%s\" is not \"%s\": no shard of this program's", path,
                         format, format_name);
    if (status == FT_OK) {
        (void)fprintf(to, "%s: shard of a checkpoint\n", path);
        status = describe_open(file, to);
    }
    mem_free(format);
    const ft_status closed = h5_close(&file);
    return status != FT_OK ? status : closed;
}
