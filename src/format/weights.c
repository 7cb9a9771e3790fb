#include "format/weights.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "format/gguf.h"
#include "format/json.h"
#include "format/safetensors.h"

#define INDEX_BYTES_MAX (64 << 20)

enum { FILES_MAX = 512, SCRATCH_BYTES = 1 << 16 };

/* Where a tensor of the view is. */
struct place {
    struct safetensors *file; /* NULL: in the GGUF file */
    int index;
    int ggml_type; /* how its bytes are read; -1 = not as f32 */
    uint64_t offset;
};

struct weights {
    char *path;
    struct gguf *gguf;
    int n_files;
    struct safetensors **files;
    char **file_names; /* of a sharded model; else NULL */
    int n;
    struct weight_info *infos; /* sorted by name */
    struct place *places;      /* the same order */
};

/* Types of safetensors files by ggml's number, and what each is here. */
static const struct {
    const char *name;
    int ggml_type;
    enum weight_type type;
} type_rows[] = {{"F32", GGML_F32, WEIGHT_F32},
                 {"F16", GGML_F16, WEIGHT_F16},
                 {"BF16", GGML_BF16, WEIGHT_BF16},
                 {"I32", GGML_I32, WEIGHT_I32},
                 {"I64", GGML_I64, WEIGHT_I64}};

static void set_type(struct weight_info *info, struct place *place, const char *name, int ggml_type)
{
    info->type_name = name;
    info->type = ggml_type_is_read(ggml_type) ? WEIGHT_QUANTISED : WEIGHT_OTHER;
    for (size_t i = 0; i < sizeof type_rows / sizeof type_rows[0]; i++)
        if (strcmp(type_rows[i].name, name) == 0) {
            info->type = type_rows[i].type;
            ggml_type = type_rows[i].ggml_type;
        }
    place->ggml_type = ggml_type_is_read(ggml_type) ? ggml_type : -1;
}

static void add_gguf(struct weights *w)
{
    for (int i = 0; i < gguf_n_tensors(w->gguf); i++, w->n++) {
        const struct gguf_tensor *t = gguf_tensor(w->gguf, i);
        struct weight_info *info = &w->infos[w->n];
        info->name = t->name;
        info->n_dims = t->n_dims;
        for (int d = 0; d < 4; d++)
            info->dims[d] = d < t->n_dims ? t->dims[t->n_dims - 1 - d] : 1;
        info->n_elements = t->n_elements;
        info->bytes = t->bytes;
        w->places[w->n] = (struct place){.index = i, .offset = t->offset};
        set_type(info, &w->places[w->n], ggml_type_name(t->type), t->type);
    }
}

static void add_safetensors(struct weights *w, struct safetensors *file)
{
    for (int i = 0; i < safetensors_count(file); i++, w->n++) {
        const struct safetensor *t = safetensors_at(file, i);
        struct weight_info *info = &w->infos[w->n];
        info->name = t->name;
        info->n_dims = t->n_dims;
        memcpy(info->dims, t->dims, sizeof info->dims);
        info->n_elements = t->n_elements;
        info->bytes = t->bytes;
        w->places[w->n] = (struct place){.file = file, .index = i};
        set_type(info, &w->places[w->n], t->dtype, -1);
    }
}

struct pair {
    struct weight_info info;
    struct place place;
};

static int compare_pairs(const void *a, const void *b)
{
    return strcmp(((const struct pair *)a)->info.name, ((const struct pair *)b)->info.name);
}

static ft_status sort_by_name(struct weights *w)
{
    struct pair *pairs;
    FT_TRY(FT_ALLOC(pairs, w->n));
    for (int i = 0; i < w->n; i++)
        pairs[i] = (struct pair){w->infos[i], w->places[i]};
    qsort(pairs, (size_t)w->n, sizeof *pairs, compare_pairs);
    for (int i = 0; i < w->n; i++) {
        w->infos[i] = pairs[i].info;
        w->places[i] = pairs[i].place;
    }
    mem_free(pairs);
    for (int i = 1; i < w->n; i++)
        if (strcmp(w->infos[i - 1].name, w->infos[i].name) == 0)
            return ft_fail(FT_ERR_INPUT, "%s: tensor %s is in two files", w->path,
                           w->infos[i].name);
    return FT_OK;
}

/* Fills the view from the files that are open. */
static ft_status collect(struct weights *w)
{
    int64_t n = w->gguf ? gguf_n_tensors(w->gguf) : 0;
    for (int i = 0; i < w->n_files; i++)
        n += safetensors_count(w->files[i]);
    FT_TRY(FT_ALLOC(w->infos, n));
    FT_TRY(FT_ALLOC(w->places, n));
    if (w->gguf)
        add_gguf(w);
    for (int i = 0; i < w->n_files; i++)
        add_safetensors(w, w->files[i]);
    return sort_by_name(w);
}

static ft_status open_one(struct weights *w, const char *path)
{
    FT_TRY(FT_ALLOC(w->files, 1));
    FT_TRY(safetensors_open(&w->files[0], path));
    w->n_files = 1;
    return FT_OK;
}

/* The index's file names are the attacker's to choose: a plain name in the same folder only. */
static ft_status check_file_name(const char *name, const char *path)
{
    const size_t n = strlen(name);
    const bool is_plain = n > 12 && n < 256 && !strchr(name, '/') && name[0] != '.' &&
                          strcmp(name + n - 12, ".safetensors") == 0;
    for (size_t i = 0; i < n && is_plain; i++)
        if ((unsigned char)name[i] < ' ')
            return ft_fail(FT_ERR_INPUT, "%s: a file name holds a control character", path);
    return is_plain
               ? FT_OK
               : ft_fail(FT_ERR_INPUT,
                         "%s: \"%.120s\" is not a plain name of a .safetensors file in its folder",
                         path, name);
}

/* Opens the shard called name unless it is open already. */
static ft_status open_shard(int *shard, struct weights *w, const char *folder, const char *name,
                            const char *path)
{
    char file[FILE_PATH_MAX];
    for (*shard = 0; *shard < w->n_files; ++*shard)
        if (strcmp(w->file_names[*shard], name) == 0)
            return FT_OK;
    FT_TRY(check_file_name(name, path));
    if (w->n_files == FILES_MAX)
        return ft_fail(FT_ERR_INPUT, "%s: more than %d files", path, FILES_MAX);
    FT_TRY(file_join(file, folder, name));
    w->file_names[w->n_files] = mem_copy_text(name);
    if (!w->file_names[w->n_files])
        return FT_ERR_INTERNAL;
    const ft_status status = safetensors_open(&w->files[w->n_files], file);
    if (status != FT_OK)
        return ft_fail_within(status, "%s names a file", path);
    w->n_files++;
    return FT_OK;
}

static ft_status open_shards(struct weights *w, const json_t *json, const char *folder,
                             const char *path)
{
    json_t *map, *value;
    const char *key;
    if (!json_is_object(json))
        return ft_fail(FT_ERR_INPUT, "%s: the document is not an object", path);
    const ft_status status = json_get_object(json, "weight_map", &map, NULL);
    if (status != FT_OK)
        return ft_fail_within(status, "%s", path);
    FT_TRY(FT_ALLOC(w->files, FILES_MAX));
    FT_TRY(FT_ALLOC(w->file_names, FILES_MAX + 1));
    json_object_foreach(map, key, value)
    {
        int shard;
        if (!json_is_string(value))
            return ft_fail(FT_ERR_INPUT, "%s: \"%.120s\" is not mapped to a file name", path, key);
        FT_TRY(open_shard(&shard, w, folder, json_string_value(value), path));
    }
    return w->n_files ? FT_OK : ft_fail(FT_ERR_INPUT, "%s: \"weight_map\" is empty", path);
}

/* Every tensor of the index is in the file that the index says. */
static ft_status check_map(const struct weights *w, const json_t *json, const char *path)
{
    json_t *map = json_object_get(json, "weight_map"), *value;
    const char *key;
    json_object_foreach(map, key, value)
    {
        const int index = weights_find(w, key);
        int shard = 0;
        while (shard < w->n_files && strcmp(w->file_names[shard], json_string_value(value)) != 0)
            shard++;
        if (index < 0 || shard == w->n_files || w->places[index].file != w->files[shard])
            return ft_fail(FT_ERR_INPUT, "%s: tensor \"%.120s\" is not in %s", path, key,
                           json_string_value(value));
    }
    return FT_OK;
}

static ft_status open_index(struct weights *w, const char *folder, const char *path)
{
    json_t *json;
    FT_TRY(json_read_file(&json, path, INDEX_BYTES_MAX));
    ft_status status = open_shards(w, json, folder, path);
    if (status == FT_OK)
        status = collect(w);
    if (status == FT_OK)
        status = check_map(w, json, path);
    json_decref(json);
    return status;
}

static ft_status open_folder(struct weights *w, const char *folder)
{
    char path[FILE_PATH_MAX];
    FT_TRY(file_join(path, folder, "model.safetensors"));
    if (file_exists(path)) {
        FT_TRY(open_one(w, path));
        return collect(w);
    }
    FT_TRY(file_join(path, folder, "model.safetensors.index.json"));
    if (file_exists(path))
        return open_index(w, folder, path);
    return ft_fail(FT_ERR_INPUT,
                   "%s holds neither model.safetensors nor model.safetensors.index.json; convert "
                   "older formats with transformers' save_pretrained",
                   folder);
}

static bool has_ending(const char *path, const char *ending)
{
    const size_t n = strlen(path), m = strlen(ending);
    return n > m && strcmp(path + n - m, ending) == 0;
}

static ft_status open_any(struct weights *w, const char *path)
{
    if (file_is_folder(path))
        return open_folder(w, path);
    if (has_ending(path, ".gguf"))
        FT_TRY(gguf_open(&w->gguf, path));
    else if (has_ending(path, ".safetensors"))
        FT_TRY(open_one(w, path));
    else
        return ft_fail(FT_ERR_INPUT, "%s is neither a folder nor a .gguf or .safetensors file",
                       path);
    return collect(w);
}

ft_status weights_open(struct weights **out, const char *path)
{
    *out = NULL;
    struct weights *w;
    FT_TRY(FT_ALLOC(w, 1));
    w->path = mem_copy_text(path);
    const ft_status status = w->path ? open_any(w, path) : FT_ERR_INTERNAL;
    if (status != FT_OK)
        weights_close(&w);
    *out = w;
    return status;
}

void weights_close(struct weights **pointer)
{
    struct weights *w = *pointer;
    if (!w)
        return;
    for (int i = 0; i < w->n_files; i++)
        safetensors_close(&w->files[i]);
    for (int i = 0; w->file_names && w->file_names[i]; i++)
        mem_free(w->file_names[i]);
    gguf_close(&w->gguf);
    mem_free(w->files);
    mem_free(w->file_names);
    mem_free(w->infos);
    mem_free(w->places);
    mem_free(w->path);
    FT_FREE(*pointer);
}

int weights_count(const struct weights *w)
{
    return w->n;
}

const struct weight_info *weights_info(const struct weights *w, int index)
{
    return &w->infos[index];
}

static int compare_name(const void *name, const void *info)
{
    return strcmp(name, ((const struct weight_info *)info)->name);
}

int weights_find(const struct weights *w, const char *name)
{
    const struct weight_info *found =
        w->n ? bsearch(name, w->infos, (size_t)w->n, sizeof *w->infos, compare_name) : NULL;
    return found ? (int)(found - w->infos) : -1;
}

static ft_status read_bytes(const struct weights *w, int index, void *out, size_t bytes,
                            uint64_t from)
{
    const struct place *p = &w->places[index];
    return p->file ? safetensors_read(p->file, p->index, out, bytes, from)
                   : gguf_read(w->gguf, out, bytes, p->offset + from);
}

ft_status weights_read_f32(const struct weights *w, int index, float *out)
{
    _Alignas(64) char scratch[SCRATCH_BYTES];
    const struct weight_info *info = &w->infos[index];
    const int type = w->places[index].ggml_type;
    int64_t block_elements;
    uint64_t block_bytes;
    if (type < 0)
        return ft_fail(
            FT_ERR_INPUT,
            "%s: tensor %s has type %s, which is not read; F32, F16, BF16, Q8_0, Q4_0, Q4_1, "
            "Q5_0, Q5_1, Q2_K to Q6_K, IQ4_NL and IQ4_XS are: fetch or convert the model in one "
            "of these",
            w->path, info->name, info->type_name);
    if (type == GGML_F32)
        return read_bytes(w, index, out, (size_t)info->bytes, 0);
    ggml_type_block(type, &block_elements, &block_bytes);
    const int64_t n_blocks = info->n_elements / block_elements;
    const int64_t step = SCRATCH_BYTES / (int64_t)block_bytes;
    for (int64_t first = 0; first < n_blocks; first += step) {
        const int64_t n = n_blocks - first < step ? n_blocks - first : step;
        FT_TRY(read_bytes(w, index, scratch, (size_t)n * (size_t)block_bytes,
                          (uint64_t)first * block_bytes));
        (void)ggml_dequantize(out + first * block_elements, scratch, n, type);
    }
    return FT_OK;
}

ft_status weights_read_raw(struct weights *w, int index, void *out, size_t bytes)
{
    const struct weight_info *info = &w->infos[index];
    if (bytes != info->bytes)
        return ft_fail(FT_ERR_INPUT, "%s: tensor %s (%s) has %llu bytes, %zu were expected",
                       w->path, info->name, info->type_name, (unsigned long long)info->bytes,
                       bytes);
    return read_bytes(w, index, out, bytes, 0);
}

const struct gguf *weights_gguf(const struct weights *w)
{
    return w->gguf;
}
