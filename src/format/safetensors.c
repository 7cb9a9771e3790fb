/*
 *     | u64 n | header: n bytes of JSON, starts with '{' | data |
 *
 * As in the reference implementation the tensors must cover the data exactly: no hole, no overlap,
 * no byte behind the last one. So a file cannot be two things at once, and cannot be cut short
 * unnoticed.
 */
#include "format/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/size.h"
#include "format/gguf.h"
#include "format/json.h"
#include "tensor_data.h"

enum { NAME_MAX_BYTES = 1024 };

struct safetensors {
    char *path;
    int fd;         /* -1: parsed from memory */
    json_t *header; /* holds the names */
    int n;
    struct safetensor *tensors; /* in the order of their data */
};

struct dtype_row {
    const char *name;
    int bytes;
};

static const struct dtype_row dtypes[] = {{"F32", 4},  {"F16", 2},     {"BF16", 2},   {"F64", 8},
                                          {"I64", 8},  {"I32", 4},     {"I16", 2},    {"I8", 1},
                                          {"U64", 8},  {"U32", 4},     {"U16", 2},    {"U8", 1},
                                          {"BOOL", 1}, {"F8_E5M2", 1}, {"F8_E4M3", 1}};

static ft_status set_dtype(struct safetensor *t, const char *name)
{
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++)
        if (strcmp(dtypes[i].name, name) == 0) {
            t->dtype = dtypes[i].name;
            t->element_bytes = dtypes[i].bytes;
            return FT_OK;
        }
    return ft_fail(FT_ERR_INPUT, "data type \"%.40s\" is not known", name);
}

static ft_status get_number(uint64_t *out, const json_t *array, size_t index, const char *what)
{
    const json_t *value = json_array_get(array, index);
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return ft_fail(FT_ERR_INPUT, "element %zu of \"%s\" is no integer from 0 to 2^63 - 1",
                       index, what);
    *out = (uint64_t)json_integer_value(value);
    return FT_OK;
}

static ft_status set_shape(struct safetensor *t, const json_t *shape)
{
    const size_t n_dims = json_array_size(shape);
    uint64_t n = 1;
    if (n_dims > SAFETENSORS_DIMS_MAX)
        return ft_fail(FT_ERR_INPUT, "%zu dimensions, at most %d are supported", n_dims,
                       SAFETENSORS_DIMS_MAX);
    t->n_dims = (int)n_dims;
    for (size_t i = 0; i < SAFETENSORS_DIMS_MAX; i++) {
        uint64_t dim = 1;
        if (i < n_dims)
            FT_TRY(get_number(&dim, shape, i, "shape"));
        if (!checked_mul(&n, n, dim) || n > INT64_MAX)
            return ft_fail(FT_ERR_INPUT, "its shape has more elements than can be counted");
        t->dims[i] = (int64_t)dim;
    }
    t->n_elements = (int64_t)n;
    return FT_OK;
}

static ft_status set_range(struct safetensor *t, const json_t *offsets, uint64_t data_bytes)
{
    uint64_t begin = 0, end = 0, bytes;
    if (json_array_size(offsets) != 2)
        return ft_fail(FT_ERR_INPUT, "\"data_offsets\" is not a pair");
    FT_TRY(get_number(&begin, offsets, 0, "data_offsets"));
    FT_TRY(get_number(&end, offsets, 1, "data_offsets"));
    if (begin > end || end > data_bytes)
        return ft_fail(
            FT_ERR_INPUT,
            "its data [%llu, %llu) are not within the %llu bytes of data: truncated? Fetch "
            "the file again",
            (unsigned long long)begin, (unsigned long long)end, (unsigned long long)data_bytes);
    if (!checked_mul(&bytes, (uint64_t)t->n_elements, (uint64_t)t->element_bytes) ||
        bytes != end - begin)
        return ft_fail(FT_ERR_INPUT, "its shape does not fit its %llu bytes of data",
                       (unsigned long long)(end - begin));
    t->offset = begin;
    t->bytes = bytes;
    return FT_OK;
}

static ft_status set_tensor(struct safetensor *t, const char *name, const json_t *value,
                            uint64_t data_bytes)
{
    const char *dtype;
    json_t *shape, *offsets;
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < ' ')
            return ft_fail(FT_ERR_INPUT, "its name holds a control character");
    if (name[0] == '\0' || strlen(name) > NAME_MAX_BYTES)
        return ft_fail(FT_ERR_INPUT, "its name is empty or longer than %d bytes", NAME_MAX_BYTES);
    t->name = name;
    FT_TRY(json_get_text(value, "dtype", &dtype, NULL));
    FT_TRY(json_get_array(value, "shape", &shape, NULL));
    FT_TRY(json_get_array(value, "data_offsets", &offsets, NULL));
    FT_TRY(set_dtype(t, dtype));
    FT_TRY(set_shape(t, shape));
    return set_range(t, offsets, data_bytes);
}

static ft_status check_metadata(const json_t *metadata, const char *path)
{
    const char *key;
    json_t *value;
    if (!json_is_object(metadata))
        return ft_fail(FT_ERR_INPUT, "%s: \"__metadata__\" is not an object", path);
    json_object_foreach((json_t *)metadata, key, value) if (!json_is_string(value)) return ft_fail(
        FT_ERR_INPUT, "%s: \"__metadata__\": key \"%.80s\" is not a string", path, key);
    return FT_OK;
}

static int compare_offsets(const void *a, const void *b)
{
    const struct safetensor *x = a, *y = b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* The tensors cover the data exactly; then offsets count from the start of the file. */
static ft_status check_cover(struct safetensors *f, uint64_t data_start, uint64_t data_bytes)
{
    uint64_t end = 0;
    qsort(f->tensors, (size_t)f->n, sizeof *f->tensors, compare_offsets);
    for (int i = 0; i < f->n; i++) {
        struct safetensor *t = &f->tensors[i];
        if (t->offset != end)
            return ft_fail(FT_ERR_INPUT, "%s: tensor %s: data %s at byte %llu of the data", f->path,
                           t->name, t->offset < end ? "overlap" : "leave a hole before it",
                           (unsigned long long)(t->offset < end ? t->offset : end));
        end += t->bytes;
        t->offset += data_start;
    }
    if (end != data_bytes)
        return ft_fail(FT_ERR_INPUT, "%s: %llu bytes behind the last tensor belong to none",
                       f->path, (unsigned long long)(data_bytes - end));
    return FT_OK;
}

static ft_status read_header(struct safetensors *f, uint64_t data_start, uint64_t data_bytes)
{
    const char *name;
    json_t *value;
    if (!json_is_object(f->header))
        return ft_fail(FT_ERR_INPUT, "%s: header is not a JSON object", f->path);
    FT_TRY(FT_ALLOC(f->tensors, json_object_size(f->header)));
    json_object_foreach(f->header, name, value)
    {
        if (strcmp(name, "__metadata__") == 0) {
            FT_TRY(check_metadata(value, f->path));
            continue;
        }
        const ft_status status = json_is_object(value)
                                     ? set_tensor(&f->tensors[f->n], name, value, data_bytes)
                                     : ft_fail(FT_ERR_INPUT, "its entry is not an object");
        if (status != FT_OK)
            return ft_fail_within(status, "%s: tensor \"%.120s\"", f->path, name);
        f->n++;
    }
    return check_cover(f, data_start, data_bytes);
}

/* The length in the first eight bytes, checked against the file. */
static ft_status check_length(uint64_t *length, uint64_t file_bytes, const char *path)
{
    if (*length > SAFETENSORS_HEADER_MAX)
        return ft_fail(FT_ERR_INPUT,
                       "%s: header of %llu bytes, at most %d are accepted: not a safetensors file?",
                       path, (unsigned long long)*length, SAFETENSORS_HEADER_MAX);
    if (*length < 2 || *length > file_bytes - 8)
        return ft_fail(
            FT_ERR_INPUT,
            "%s: header of %llu bytes does not fit the file of %llu: truncated? Fetch it "
            "again",
            path, (unsigned long long)*length, (unsigned long long)file_bytes);
    return FT_OK;
}

static ft_status parse(struct safetensors *f, const char *text, uint64_t length,
                       uint64_t file_bytes)
{
    char name[FILE_PATH_MAX + 16];
    if (text[0] != '{')
        return ft_fail(FT_ERR_INPUT, "%s: header does not start with '{': not a safetensors file?",
                       f->path);
    (void)snprintf(name, sizeof name, "%s: header", f->path);
    FT_TRY(json_parse(&f->header, text, (size_t)length, name));
    return read_header(f, 8 + length, file_bytes - 8 - length);
}

static ft_status read_file(struct safetensors *f)
{
    uint64_t file_bytes, length;
    char *text;
    FT_TRY(file_open_read(&f->fd, &file_bytes, f->path));
    if (file_bytes < 8)
        return ft_fail(FT_ERR_INPUT, "%s: %llu bytes are too few for a safetensors file", f->path,
                       (unsigned long long)file_bytes);
    FT_TRY(file_read_at(f->fd, &length, 8, 0, f->path));
    FT_TRY(check_length(&length, file_bytes, f->path));
    FT_TRY(FT_ALLOC(text, length));
    ft_status status = file_read_at(f->fd, text, (size_t)length, 8, f->path);
    if (status == FT_OK)
        status = parse(f, text, length, file_bytes);
    mem_free(text);
    return status;
}

static ft_status create(struct safetensors **out, const char *path)
{
    *out = NULL;
    struct safetensors *f;
    FT_TRY(FT_ALLOC(f, 1));
    f->fd = -1;
    f->path = mem_copy_text(path);
    if (!f->path) {
        mem_free(f);
        return FT_ERR_INTERNAL;
    }
    *out = f;
    return FT_OK;
}

ft_status safetensors_open(struct safetensors **out, const char *path)
{
    FT_TRY(create(out, path));
    const ft_status status = read_file(*out);
    if (status != FT_OK)
        safetensors_close(out);
    return status;
}

ft_status safetensors_open_memory(struct safetensors **out, const void *data, size_t bytes,
                                  const char *name)
{
    uint64_t length = 0;
    FT_TRY(create(out, name));
    ft_status status = FT_OK;
    if (bytes < 8)
        status =
            ft_fail(FT_ERR_INPUT, "%s: %zu bytes are too few for a safetensors file", name, bytes);
    else
        memcpy(&length, data, 8);
    if (status == FT_OK)
        status = check_length(&length, bytes, name);
    if (status == FT_OK)
        status = parse(*out, (const char *)data + 8, length, bytes);
    if (status != FT_OK)
        safetensors_close(out);
    return status;
}

void safetensors_close(struct safetensors **file)
{
    struct safetensors *f = *file;
    if (!f)
        return;
    json_decref(f->header);
    if (f->fd >= 0)
        (void)close(f->fd);
    mem_free(f->tensors);
    mem_free(f->path);
    FT_FREE(*file);
}

int safetensors_count(const struct safetensors *file)
{
    return file->n;
}

const struct safetensor *safetensors_at(const struct safetensors *file, int index)
{
    return &file->tensors[index];
}

ft_status safetensors_read(const struct safetensors *file, int index, void *out, size_t bytes,
                           uint64_t from)
{
    return file_read_at(file->fd, out, bytes, file->tensors[index].offset + from, file->path);
}

static int64_t count_elements(const struct safetensors_entry *entry)
{
    int64_t n = 1;
    for (int i = 0; i < entry->n_dims; i++)
        n *= entry->dims[i];
    return n;
}

static uint64_t data_bytes(const struct safetensors_entry *entry)
{
    int64_t elements;
    uint64_t bytes;
    ggml_type_block(entry->type, &elements, &bytes);
    return (uint64_t)(count_elements(entry) / elements) * bytes;
}

/* The header as text, padded so that the data start at a multiple of 8. Gives *out (mem_free). */
static ft_status make_header(char **out, size_t *bytes, const struct safetensors_entry *entries,
                             int n)
{
    uint64_t end = 0;
    char *text = NULL;
    json_t *header = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
    for (int i = 0; i < n; i++) {
        const uint64_t begin = end;
        json_t *shape = json_array();
        for (int d = 0; d < entries[i].n_dims; d++)
            (void)json_array_append_new(shape, json_integer(entries[i].dims[d]));
        end += data_bytes(&entries[i]);
        json_t *entry =
            json_pack("{s:s, s:o, s:[I, I]}", "dtype", ggml_type_name(entries[i].type), "shape",
                      shape, "data_offsets", (json_int_t)begin, (json_int_t)end);
        (void)json_object_set_new(header, entries[i].name, entry);
    }
    ft_status status = json_print(&text, header, JSON_COMPACT, "header of a safetensors file");
    json_decref(header);
    const size_t text_bytes = text ? strlen(text) : 0;
    *bytes = (text_bytes + 7) / 8 * 8;
    if (status == FT_OK)
        status = FT_ALLOC(*out, *bytes);
    if (status == FT_OK) {
        memset(*out, ' ', *bytes);
        memcpy(*out, text, text_bytes);
    }
    free(text);
    return status;
}

static ft_status write_data(struct tensor_sink *sink, const struct safetensors_entry *entries,
                            int n)
{
    ft_status status = tensor_sink_open(sink);
    for (int i = 0; i < n && status == FT_OK; i++)
        status =
            tensor_sink_put(sink, i, entries[i].name, count_elements(&entries[i]), entries[i].type);
    tensor_sink_close(sink);
    return status;
}

ft_status safetensors_write(const char *path, const struct safetensors_entry *entries,
                            int n_entries, tensor_source source, void *context,
                            uint64_t *file_bytes)
{
    struct file_draft draft;
    char *header;
    size_t bytes;
    FT_TRY(make_header(&header, &bytes, entries, n_entries));
    const uint64_t length = bytes;
    ft_status status = file_draft_open(&draft, path);
    if (status != FT_OK) {
        mem_free(header);
        return status;
    }
    struct tensor_sink sink = {
        .fd = draft.fd, .path = draft.path, .source = source, .context = context};
    status = file_write_all(draft.fd, &length, sizeof length, draft.path);
    if (status == FT_OK)
        status = file_write_all(draft.fd, header, bytes, draft.path);
    mem_free(header);
    if (status == FT_OK)
        status = write_data(&sink, entries, n_entries);
    FT_TRY(file_draft_close(&draft, path, status));
    if (file_bytes) {
        *file_bytes = 8 + bytes;
        for (int i = 0; i < n_entries; i++)
            *file_bytes += data_bytes(&entries[i]);
    }
    return FT_OK;
}
