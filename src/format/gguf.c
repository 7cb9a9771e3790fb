/*
 * The header of a GGUF file (little-endian):
 *
 *     | "GGUF" | u32 version | u64 n_tensors | u64 n_entries |
 *     | entries: string key, u32 type, value |
 *     | tensors: string name, u32 n_dims, u64 dims[n_dims], u32 type, u64 offset |
 *     | padding to general.alignment | data of the tensors, each at a multiple of the alignment |
 *
 *     string: u64 bytes, bytes          array: u32 type, u64 count, elements
 *
 * Its size is not stored. The start of the file is read into one block and parsed; if the parser
 * runs over the end of the block while the file goes on, four times as much is read and parsed
 * again. So no pointer into the block ever has to move, and the parser works on memory alone.
 *
 * Strings are terminated in place: each is moved down by one byte over the length before it, whose
 * last byte is zero because strings are short. Arrays of 32-bit integers are moved down to a
 * multiple of 4 in the same way. The block therefore is the only copy, and borrowed strings stay
 * valid until close.
 */
#include "format/gguf.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/size.h"
#include "gguf_file.h"

enum { FIRST_BLOCK = 1 << 20, NAME_MAX_BYTES = 1024, ENTRY_MIN = 14, TENSOR_MIN = 33 };

struct cursor {
    const char *path;
    unsigned char *data;
    size_t bytes;        /* in data */
    uint64_t file_bytes; /* in the whole file */
    size_t at;
    bool is_short; /* data ends too early, the file goes on */
};

#define AT(c) ((unsigned long long)(c)->at)

/* Fails unless bytes more are there. */
static ft_status need(struct cursor *c, uint64_t bytes, const char *what)
{
    if (bytes > c->file_bytes - c->at)
        return ft_fail(
            FT_ERR_INPUT,
            "%s: byte %llu: %s takes %llu bytes, but the file ends after %llu: truncated? "
            "Fetch it again",
            c->path, AT(c), what, (unsigned long long)bytes, (unsigned long long)c->file_bytes);
    if (bytes <= c->bytes - c->at)
        return FT_OK;
    c->is_short = true;
    return ft_fail(FT_ERR_INPUT, "%s: header is longer than %zu bytes", c->path, c->bytes);
}

static ft_status take(struct cursor *c, void *out, size_t bytes, const char *what)
{
    FT_TRY(need(c, bytes, what));
    memcpy(out, c->data + c->at, bytes);
    c->at += bytes;
    return FT_OK;
}

/* A terminated string in the block. */
static ft_status take_string(struct cursor *c, char **out, size_t *bytes, uint64_t max,
                             const char *what)
{
    uint64_t n;
    FT_TRY(take(c, &n, sizeof n, what));
    if (n > max)
        return ft_fail(FT_ERR_INPUT, "%s: byte %llu: %s of %llu bytes, at most %llu are accepted",
                       c->path, AT(c) - 8, what, (unsigned long long)n, (unsigned long long)max);
    FT_TRY(need(c, n, what));
    char *text = (char *)c->data + c->at - 1;
    memmove(text, text + 1, (size_t)n);
    text[n] = '\0';
    c->at += (size_t)n;
    *out = text;
    *bytes = (size_t)n;
    return FT_OK;
}

/* A key or a tensor's name: neither empty nor with a control character. */
static ft_status take_name(struct cursor *c, const char **out, const char *what)
{
    char *text;
    size_t bytes;
    FT_TRY(take_string(c, &text, &bytes, NAME_MAX_BYTES, what));
    bool is_plain = bytes > 0;
    for (size_t i = 0; i < bytes; i++)
        is_plain = is_plain && (unsigned char)text[i] >= ' ';
    if (!is_plain)
        return ft_fail(FT_ERR_INPUT, "%s: byte %llu: %s is empty or holds a control character",
                       c->path, AT(c) - bytes, what);
    *out = text;
    return FT_OK;
}

static ft_status take_strings(struct cursor *c, struct gguf_entry *e)
{
    uint64_t least;
    if (!checked_mul(&least, (uint64_t)e->n, 8))
        least = UINT64_MAX;
    FT_TRY(need(c, least, e->key));
    FT_TRY(FT_ALLOC(e->items, e->n));
    FT_TRY(FT_ALLOC(e->item_bytes, e->n));
    for (int64_t i = 0; i < e->n; i++)
        FT_TRY(take_string(c, &e->items[i], &e->item_bytes[i], GGUF_TEXT_MAX, e->key));
    return FT_OK;
}

static ft_status check_bools(const struct cursor *c, const struct gguf_entry *e, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (e->value[i] > 1)
            return ft_fail(FT_ERR_INPUT, "%s: %s: a bool is %d, neither 0 nor 1", c->path, e->key,
                           e->value[i]);
    return FT_OK;
}

/* The elements of an array of numbers or bools stay where they are, but for 32-bit alignment. */
static ft_status take_numbers(struct cursor *c, struct gguf_entry *e)
{
    uint64_t bytes;
    const size_t size = gguf_type_bytes(e->element);
    if (!checked_mul(&bytes, (uint64_t)e->n, size))
        bytes = UINT64_MAX;
    FT_TRY(need(c, bytes, e->key));
    unsigned char *from = c->data + c->at, *to = from;
    if (size == 4)
        to -= (uintptr_t)from % 4;
    if (to != from)
        memmove(to, from, (size_t)bytes);
    e->value = to;
    c->at += (size_t)bytes;
    return e->element == GGUF_BOOL ? check_bools(c, e, e->n) : FT_OK;
}

static ft_status take_array(struct cursor *c, struct gguf_entry *e)
{
    uint32_t element;
    uint64_t n;
    FT_TRY(take(c, &element, sizeof element, e->key));
    FT_TRY(take(c, &n, sizeof n, e->key));
    if (element >= GGUF_N_TYPES || element == GGUF_ARRAY)
        return ft_fail(FT_ERR_INPUT, "%s: %s: an array of elements of type %u is not supported",
                       c->path, e->key, element);
    if (n > INT64_MAX)
        return ft_fail(FT_ERR_INPUT, "%s: %s: an array of %llu elements is longer than the file",
                       c->path, e->key, (unsigned long long)n);
    e->element = (int)element;
    e->n = (int64_t)n;
    return element == GGUF_STRING ? take_strings(c, e) : take_numbers(c, e);
}

static ft_status take_entry(struct cursor *c, struct gguf_entry *e)
{
    uint32_t type;
    FT_TRY(take_name(c, &e->key, "a metadata key"));
    FT_TRY(take(c, &type, sizeof type, e->key));
    if (type >= GGUF_N_TYPES)
        return ft_fail(FT_ERR_INPUT, "%s: byte %llu: %s has unknown type %u", c->path, AT(c) - 4,
                       e->key, type);
    e->type = (int)type;
    if (type == GGUF_ARRAY)
        return take_array(c, e);
    if (type == GGUF_STRING) {
        char *text;
        FT_TRY(take_string(c, &text, &e->bytes, GGUF_TEXT_MAX, e->key));
        e->value = (unsigned char *)text;
        return FT_OK;
    }
    FT_TRY(need(c, gguf_type_bytes(e->type), e->key));
    e->value = c->data + c->at;
    c->at += gguf_type_bytes(e->type);
    return type == GGUF_BOOL ? check_bools(c, e, 1) : FT_OK;
}

static ft_status check_shape(const struct cursor *c, struct gguf_tensor *t)
{
    int64_t block_elements;
    uint64_t block_bytes, n = 1, bytes;
    if (!ggml_type_name(t->type))
        return ft_fail(FT_ERR_INPUT, "%s: tensor %s has unknown or removed type %d", c->path,
                       t->name, t->type);
    ggml_type_block(t->type, &block_elements, &block_bytes);
    for (int i = 0; i < 4; i++)
        if (t->dims[i] <= 0 || !checked_mul(&n, n, (uint64_t)t->dims[i]) || n > INT64_MAX)
            return ft_fail(FT_ERR_INPUT, "%s: tensor %s: dimension %d (%lld) is not possible",
                           c->path, t->name, i, (long long)t->dims[i]);
    if (t->dims[0] % block_elements != 0)
        return ft_fail(
            FT_ERR_INPUT,
            "%s: tensor %s: rows of %lld elements do not divide into blocks of %lld (%s)", c->path,
            t->name, (long long)t->dims[0], (long long)block_elements, ggml_type_name(t->type));
    if (!checked_mul(&bytes, n / (uint64_t)block_elements, block_bytes) || bytes > c->file_bytes)
        return ft_fail(FT_ERR_INPUT, "%s: tensor %s: its shape needs more data than the file has",
                       c->path, t->name);
    t->n_elements = (int64_t)n;
    t->bytes = bytes;
    return FT_OK;
}

static ft_status take_tensor(struct cursor *c, struct gguf_tensor *t)
{
    uint32_t n_dims, type;
    FT_TRY(take_name(c, &t->name, "a tensor's name"));
    FT_TRY(take(c, &n_dims, sizeof n_dims, t->name));
    if (n_dims < 1 || n_dims > 4)
        return ft_fail(FT_ERR_INPUT, "%s: tensor %s has %u dimensions, 1 to 4 are possible",
                       c->path, t->name, n_dims);
    t->n_dims = (int)n_dims;
    for (int i = 0; i < 4; i++)
        t->dims[i] = 1;
    FT_TRY(take(c, t->dims, n_dims * sizeof t->dims[0], t->name));
    FT_TRY(take(c, &type, sizeof type, t->name));
    FT_TRY(take(c, &t->offset, sizeof t->offset, t->name));
    t->type = type > INT32_MAX ? -1 : (int)type;
    return check_shape(c, t);
}

static int compare_entries(const void *a, const void *b)
{
    return strcmp(((const struct gguf_entry *)a)->key, ((const struct gguf_entry *)b)->key);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(const struct gguf_tensor *const *)a)->name,
                  (*(const struct gguf_tensor *const *)b)->name);
}

static int compare_offsets(const void *a, const void *b)
{
    const uint64_t x = (*(const struct gguf_tensor *const *)a)->offset;
    const uint64_t y = (*(const struct gguf_tensor *const *)b)->offset;
    return (x > y) - (x < y);
}

static ft_status take_alignment(uint64_t *alignment, const struct gguf *g)
{
    *alignment = 32;
    if (!gguf_has(g, "general.alignment"))
        return FT_OK;
    FT_TRY(gguf_get_u64(g, "general.alignment", alignment));
    if (*alignment < 1 || *alignment > 4096 || (*alignment & (*alignment - 1)) != 0)
        return ft_fail(FT_ERR_INPUT,
                       "%s: general.alignment is %llu, not a power of two from 1 to 4096", g->path,
                       (unsigned long long)*alignment);
    return FT_OK;
}

/* Turns offsets from the start of the data into offsets in the file, each checked. */
static ft_status place_tensors(struct gguf *g, uint64_t header_bytes)
{
    uint64_t alignment, start;
    FT_TRY(take_alignment(&alignment, g));
    if (!checked_align_up(&start, header_bytes, alignment))
        return ft_fail(FT_ERR_INPUT, "%s: header is too long", g->path);
    for (int i = 0; i < g->n_tensors; i++) {
        struct gguf_tensor *t = &g->tensors[i];
        uint64_t end;
        if (t->offset % alignment != 0)
            return ft_fail(FT_ERR_INPUT, "%s: tensor %s: offset %llu is no multiple of %llu",
                           g->path, t->name, (unsigned long long)t->offset,
                           (unsigned long long)alignment);
        if (!checked_add(&t->offset, t->offset, start) || !checked_add(&end, t->offset, t->bytes) ||
            end > g->file_bytes)
            return ft_fail(FT_ERR_INPUT,
                           "%s: tensor %s lies beyond the end of the file (%llu bytes): truncated? "
                           "Fetch it again",
                           g->path, t->name, (unsigned long long)g->file_bytes);
    }
    return FT_OK;
}

static ft_status check_overlap(struct gguf *g)
{
    const struct gguf_tensor **order = g->by_name;
    qsort(order, (size_t)g->n_tensors, sizeof *order, compare_offsets);
    for (int i = 1; i < g->n_tensors; i++)
        if (order[i - 1]->offset + order[i - 1]->bytes > order[i]->offset)
            return ft_fail(FT_ERR_INPUT, "%s: tensors %s and %s overlap", g->path,
                           order[i - 1]->name, order[i]->name);
    qsort(order, (size_t)g->n_tensors, sizeof *order, compare_names);
    for (int i = 1; i < g->n_tensors; i++)
        if (strcmp(order[i - 1]->name, order[i]->name) == 0)
            return ft_fail(FT_ERR_INPUT, "%s: tensor %s appears twice", g->path, order[i]->name);
    return FT_OK;
}

static ft_status check_counts(const struct cursor *c, uint64_t n_tensors, uint64_t n_entries)
{
    const uint64_t rest = c->file_bytes - c->at;
    if (n_tensors > GGUF_COUNT_MAX || n_tensors > rest / TENSOR_MIN)
        return ft_fail(FT_ERR_INPUT, "%s: byte 8: %llu tensors are more than the file can hold",
                       c->path, (unsigned long long)n_tensors);
    if (n_entries > GGUF_COUNT_MAX || n_entries > rest / ENTRY_MIN)
        return ft_fail(FT_ERR_INPUT,
                       "%s: byte 16: %llu metadata entries are more than the file can hold",
                       c->path, (unsigned long long)n_entries);
    return FT_OK;
}

static ft_status take_start(struct cursor *c, uint64_t *n_tensors, uint64_t *n_entries)
{
    char magic[4];
    uint32_t version;
    FT_TRY(take(c, magic, sizeof magic, "the signature"));
    if (memcmp(magic, "GGUF", 4) != 0)
        return ft_fail(FT_ERR_INPUT, "%s: is not a GGUF file (signature missing)", c->path);
    FT_TRY(take(c, &version, sizeof version, "the version"));
    if ((version & 0xffffu) == 0 && version != 0)
        return ft_fail(FT_ERR_INPUT, "%s: is a big-endian GGUF file; convert it to little-endian",
                       c->path);
    if (version < 2 || version > 3)
        return ft_fail(FT_ERR_INPUT, "%s: GGUF version %u is not supported, 2 and 3 are", c->path,
                       version);
    FT_TRY(take(c, n_tensors, sizeof *n_tensors, "the number of tensors"));
    FT_TRY(take(c, n_entries, sizeof *n_entries, "the number of metadata entries"));
    return check_counts(c, *n_tensors, *n_entries);
}

static ft_status parse(struct gguf *g, struct cursor *c)
{
    uint64_t n_tensors = 0, n_entries = 0;
    FT_TRY(take_start(c, &n_tensors, &n_entries));
    FT_TRY(FT_ALLOC(g->entries, n_entries));
    FT_TRY(FT_ALLOC(g->tensors, n_tensors));
    FT_TRY(FT_ALLOC(g->by_name, n_tensors));
    g->n_entries = (int)n_entries;
    g->n_tensors = (int)n_tensors;
    for (int i = 0; i < g->n_entries; i++)
        FT_TRY(take_entry(c, &g->entries[i]));
    for (int i = 0; i < g->n_tensors; i++) {
        FT_TRY(take_tensor(c, &g->tensors[i]));
        g->by_name[i] = &g->tensors[i];
    }
    qsort(g->entries, n_entries, sizeof *g->entries, compare_entries);
    for (int i = 1; i < g->n_entries; i++)
        if (strcmp(g->entries[i - 1].key, g->entries[i].key) == 0)
            return ft_fail(FT_ERR_INPUT, "%s: metadata key %s appears twice", g->path,
                           g->entries[i].key);
    FT_TRY(place_tensors(g, c->at));
    return check_overlap(g);
}

static void forget(struct gguf *g)
{
    for (int i = 0; i < g->n_entries; i++) {
        mem_free(g->entries[i].items);
        mem_free(g->entries[i].item_bytes);
    }
    FT_FREE(g->entries);
    FT_FREE(g->tensors);
    FT_FREE(g->by_name);
    FT_FREE(g->block);
    g->n_entries = g->n_tensors = 0;
}

/* Parses the first bytes of the file; *is_short when they do not hold the whole header. */
static ft_status parse_start(struct gguf *g, const void *data, uint64_t bytes, bool *is_short)
{
    struct cursor c = {.path = g->path, .bytes = (size_t)bytes, .file_bytes = g->file_bytes};
    FT_TRY(FT_ALLOC(g->block, bytes));
    c.data = g->block;
    if (data)
        memcpy(g->block, data, (size_t)bytes);
    else
        FT_TRY(file_read_at(g->fd, g->block, (size_t)bytes, 0, g->path));
    const ft_status status = parse(g, &c);
    *is_short = c.is_short;
    return status;
}

static ft_status create(struct gguf **out, const char *path)
{
    *out = NULL;
    struct gguf *g;
    FT_TRY(FT_ALLOC(g, 1));
    g->fd = -1;
    g->path = mem_copy_text(path);
    if (!g->path) {
        mem_free(g);
        return FT_ERR_INTERNAL;
    }
    *out = g;
    return FT_OK;
}

ft_status gguf_open(struct gguf **out, const char *path)
{
    FT_TRY(create(out, path));
    struct gguf *g = *out;
    ft_status status = file_open_read(&g->fd, &g->file_bytes, path);
    bool is_short = status == FT_OK;
    for (uint64_t bytes = FIRST_BLOCK; is_short; bytes *= 4) {
        forget(g);
        status = parse_start(g, NULL, bytes < g->file_bytes ? bytes : g->file_bytes, &is_short);
        is_short = is_short && status == FT_ERR_INPUT;
    }
    if (status != FT_OK)
        gguf_close(out);
    return status;
}

ft_status gguf_open_memory(struct gguf **out, const void *data, size_t bytes, const char *name)
{
    bool is_short;
    FT_TRY(create(out, name));
    (*out)->file_bytes = bytes;
    const ft_status status = parse_start(*out, data, bytes, &is_short);
    if (status != FT_OK)
        gguf_close(out);
    return status;
}

void gguf_close(struct gguf **g)
{
    if (!*g)
        return;
    forget(*g);
    if ((*g)->fd >= 0)
        (void)close((*g)->fd);
    mem_free((*g)->path);
    FT_FREE(*g);
}

ft_status gguf_read(const struct gguf *g, void *out, size_t bytes, uint64_t offset)
{
    return file_read_at(g->fd, out, bytes, offset, g->path);
}
