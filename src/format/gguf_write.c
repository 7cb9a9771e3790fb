/* The form of the file: gguf.c. Tensors lie in the order in which they were added, each at a
 * multiple of the alignment that a file has when it does not say. */
#include "format/gguf_write.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "gguf_file.h"
#include "tensor_data.h"

enum { VERSION = 3, ALIGNMENT = 32 };

struct gguf_out_tensor {
    const char *name;
    int n_dims;
    int64_t dims[4];
    int64_t n;
    int type;
    uint64_t bytes;
};

void gguf_writer_clear(struct gguf_writer *w)
{
    buffer_clear(&w->entries);
    mem_free(w->tensors);
    *w = (struct gguf_writer){0};
}

/* The low bytes of value: the machine is little-endian, ggml.c asks. */
static ft_status add(struct buffer *b, uint64_t value, size_t bytes)
{
    return buffer_append(b, &value, bytes);
}

static ft_status add_string(struct buffer *b, const char *text, size_t bytes)
{
    FT_TRY(add(b, bytes, 8));
    return buffer_append(b, text, bytes);
}

static ft_status add_key(struct gguf_writer *w, const char *key, int type)
{
    w->n_entries++;
    FT_TRY(add_string(&w->entries, key, strlen(key)));
    return add(&w->entries, (uint64_t)type, 4);
}

ft_status gguf_put_u32(struct gguf_writer *w, const char *key, uint32_t value)
{
    FT_TRY(add_key(w, key, GGUF_U32));
    return add(&w->entries, value, 4);
}

ft_status gguf_put_f32(struct gguf_writer *w, const char *key, float value)
{
    FT_TRY(add_key(w, key, GGUF_F32));
    return gguf_add_f32(w, value);
}

ft_status gguf_put_bool(struct gguf_writer *w, const char *key, bool value)
{
    FT_TRY(add_key(w, key, GGUF_BOOL));
    return add(&w->entries, value, 1);
}

ft_status gguf_put_text(struct gguf_writer *w, const char *key, const char *value)
{
    FT_TRY(add_key(w, key, GGUF_STRING));
    return add_string(&w->entries, value, strlen(value));
}

static ft_status put_array(struct gguf_writer *w, const char *key, int element, int64_t n)
{
    FT_TRY(add_key(w, key, GGUF_ARRAY));
    FT_TRY(add(&w->entries, (uint64_t)element, 4));
    return add(&w->entries, (uint64_t)n, 8);
}

ft_status gguf_put_texts(struct gguf_writer *w, const char *key, int64_t n)
{
    return put_array(w, key, GGUF_STRING, n);
}

ft_status gguf_put_i32s(struct gguf_writer *w, const char *key, int64_t n)
{
    return put_array(w, key, GGUF_I32, n);
}

ft_status gguf_put_f32s(struct gguf_writer *w, const char *key, int64_t n)
{
    return put_array(w, key, GGUF_F32, n);
}

ft_status gguf_add_text(struct gguf_writer *w, const char *text, size_t bytes)
{
    return add_string(&w->entries, text, bytes);
}

ft_status gguf_add_i32(struct gguf_writer *w, int32_t value)
{
    return buffer_append(&w->entries, &value, sizeof value);
}

ft_status gguf_add_f32(struct gguf_writer *w, float value)
{
    return buffer_append(&w->entries, &value, sizeof value);
}

static ft_status copy_array(struct gguf_writer *w, const struct gguf_entry *e)
{
    FT_TRY(put_array(w, e->key, e->element, e->n));
    if (e->element != GGUF_STRING)
        return buffer_append(&w->entries, e->value, (size_t)e->n * gguf_type_bytes(e->element));
    for (int64_t i = 0; i < e->n; i++)
        FT_TRY(gguf_add_text(w, e->items[i], e->item_bytes[i]));
    return FT_OK;
}

static ft_status copy_entry(struct gguf_writer *w, const struct gguf_entry *e)
{
    if (e->type == GGUF_ARRAY)
        return copy_array(w, e);
    FT_TRY(add_key(w, e->key, e->type));
    if (e->type == GGUF_STRING)
        return gguf_add_text(w, (const char *)e->value, e->bytes);
    return buffer_append(&w->entries, e->value, gguf_type_bytes(e->type));
}

ft_status gguf_put_copies(struct gguf_writer *w, const struct gguf *from, const char *prefix)
{
    for (int i = 0; i < from->n_entries; i++)
        if (strncmp(from->entries[i].key, prefix, strlen(prefix)) == 0)
            FT_TRY(copy_entry(w, &from->entries[i]));
    return FT_OK;
}

ft_status gguf_put_tensor(struct gguf_writer *w, const char *name, int n_dims, const int64_t *dims,
                          int type)
{
    if (w->n_tensors == w->capacity) {
        const int capacity = 2 * w->capacity + 64;
        void *larger = mem_resize(w->tensors, (size_t)capacity, sizeof *w->tensors);
        if (!larger)
            return FT_ERR_INTERNAL;
        w->tensors = larger;
        w->capacity = capacity;
    }
    int64_t block_elements;
    uint64_t block_bytes;
    struct gguf_out_tensor *t = &w->tensors[w->n_tensors++];
    *t = (struct gguf_out_tensor){.name = name, .n_dims = n_dims, .n = 1, .type = type};
    for (int i = 0; i < n_dims; i++) {
        t->dims[i] = dims[n_dims - 1 - i];
        t->n *= dims[i];
    }
    ggml_type_block(type, &block_elements, &block_bytes);
    t->bytes = (uint64_t)(t->n / block_elements) * block_bytes;
    return FT_OK;
}

static uint64_t padding(uint64_t bytes)
{
    return (ALIGNMENT - bytes % ALIGNMENT) % ALIGNMENT;
}

static ft_status make_table(struct buffer *b, const struct gguf_writer *w)
{
    uint64_t offset = 0;
    for (int i = 0; i < w->n_tensors; i++) {
        const struct gguf_out_tensor *t = &w->tensors[i];
        FT_TRY(add_string(b, t->name, strlen(t->name)));
        FT_TRY(add(b, (uint64_t)t->n_dims, 4));
        for (int d = 0; d < t->n_dims; d++)
            FT_TRY(add(b, (uint64_t)t->dims[d], 8));
        FT_TRY(add(b, (uint64_t)t->type, 4));
        FT_TRY(add(b, offset, 8));
        offset += t->bytes + padding(t->bytes);
    }
    return FT_OK;
}

static ft_status make_header(struct buffer *b, const struct gguf_writer *w)
{
    static const char zeros[ALIGNMENT];
    FT_TRY(buffer_append(b, "GGUF", 4));
    FT_TRY(add(b, VERSION, 4));
    FT_TRY(add(b, (uint64_t)w->n_tensors, 8));
    FT_TRY(add(b, w->n_entries, 8));
    FT_TRY(buffer_append(b, w->entries.data, w->entries.used));
    FT_TRY(make_table(b, w));
    return buffer_append(b, zeros, (size_t)padding(b->used));
}

static ft_status write_tensors(struct tensor_sink *sink, const struct gguf_writer *w)
{
    static const char zeros[ALIGNMENT];
    for (int i = 0; i < w->n_tensors; i++) {
        const struct gguf_out_tensor *t = &w->tensors[i];
        FT_TRY(tensor_sink_put(sink, i, t->name, t->n, t->type));
        FT_TRY(file_write_all(sink->fd, zeros, (size_t)padding(t->bytes), sink->path));
    }
    return FT_OK;
}

static ft_status write_all(struct tensor_sink *sink, const struct gguf_writer *w)
{
    struct buffer header = {0};
    ft_status status = make_header(&header, w);
    if (status == FT_OK)
        status = file_write_all(sink->fd, header.data, header.used, sink->path);
    buffer_clear(&header);
    if (status == FT_OK)
        status = tensor_sink_open(sink);
    if (status == FT_OK)
        status = write_tensors(sink, w);
    tensor_sink_close(sink);
    return status;
}

ft_status gguf_write_file(const struct gguf_writer *w, const char *path, tensor_source source,
                          void *context)
{
    struct file_draft draft;
    FT_TRY(file_draft_open(&draft, path));
    struct tensor_sink sink = {
        .fd = draft.fd, .path = draft.path, .source = source, .context = context};
    return file_draft_close(&draft, path, write_all(&sink, w));
}
