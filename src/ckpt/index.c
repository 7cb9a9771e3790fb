/*
 * A slice border may cut a matrix in mid-row, while a virtual dataset is mapped by rectangles. The
 * part of a tensor in one shard is therefore mapped as up to three of them:
 *
 *          columns 0 ... C-1
 *     row a    . . . x x x     rest of the first row
 *     row a+1  x x x x x x     whole rows
 *     row b    x x . . . .     begin of the last row
 *
 * Each is stored in a few dozen bytes whatever the size of the tensor, so the index stays small.
 */
#include "ckpt/index.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "ckpt/shard.h"
#include "format/h5.h"

struct parts {
    struct h5_part *list;
    int64_t n, capacity;
};

static ft_status add_block(struct parts *parts, const struct h5_part *like, int64_t source_first,
                           const int64_t first[2], const int64_t count[2])
{
    if (count[0] == 0 || count[1] == 0)
        return FT_OK;
    if (parts->n == parts->capacity) {
        const int64_t capacity = 2 * parts->capacity + 16;
        struct h5_part *grown = mem_resize(parts->list, (size_t)capacity, sizeof *grown);
        if (!grown)
            return FT_ERR_INTERNAL;
        parts->list = grown;
        parts->capacity = capacity;
    }
    struct h5_part *part = &parts->list[parts->n++];
    *part = *like;
    part->source_first = source_first;
    memcpy(part->first, first, 2 * sizeof *first);
    memcpy(part->count, count, 2 * sizeof *count);
    return FT_OK;
}

/* Elements [begin, end) of a tensor of rows of `columns`, which are the whole source dataset. */
static ft_status add_range(struct parts *parts, const struct h5_part *like, int n_dims,
                           int64_t columns, int64_t begin, int64_t end)
{
    if (n_dims == 1)
        return add_block(parts, like, 0, (int64_t[]){begin, 0}, (int64_t[]){end - begin, 1});
    const int64_t head_end = (begin + columns - 1) / columns * columns; /* end of a cut first row */
    const int64_t head = (head_end < end ? head_end : end) - begin;
    const int64_t rows = (end - begin - head) / columns;
    const int64_t tail = end - begin - head - rows * columns;
    FT_TRY(add_block(parts, like, 0, (int64_t[]){begin / columns, begin % columns},
                     (int64_t[]){1, head}));
    FT_TRY(add_block(parts, like, head, (int64_t[]){head_end / columns, 0},
                     (int64_t[]){rows, columns}));
    return add_block(parts, like, head + rows * columns, (int64_t[]){end / columns, 0},
                     (int64_t[]){1, tail});
}

static ft_status add_tensor(struct parts *parts, const char *name, const struct tensor_spec *tensor,
                            const int64_t *first, int world_size)
{
    parts->n = 0;
    for (int r = 0; r < world_size; r++) {
        const int64_t from = first[r] - tensor->offset, to = first[r + 1] - tensor->offset;
        const int64_t begin = from > 0 ? from : 0, end = to < tensor->n ? to : tensor->n;
        struct h5_part like = {.source_n = end - begin};
        if (begin >= end)
            continue;
        shard_name(like.file, r, world_size);
        (void)snprintf(like.name, sizeof like.name, "%s", name);
        FT_TRY(add_range(parts, &like, tensor->n_dims, tensor->dims[1], begin, end));
    }
    return FT_OK;
}

static ft_status write_all(struct h5_file *file, struct parts *parts, const struct layout *layout,
                           const int64_t *first, int world_size)
{
    for (int kind = 0; kind < N_SHARD_KINDS; kind++) {
        for (int i = 0; i < layout->n_tensors; i++) {
            const struct tensor_spec *tensor = &layout->tensors[i];
            char name[H5_NAME_BYTES];
            (void)snprintf(name, sizeof name, "%s/%s", shard_groups[kind], tensor->name);
            FT_TRY(add_tensor(parts, name, tensor, first, world_size));
            FT_TRY(
                h5_write_virtual(file, name, tensor->n_dims, tensor->dims, parts->list, parts->n));
        }
    }
    return FT_OK;
}

ft_status index_write(const char *path, const struct layout *layout, int64_t step,
                      const int64_t *first, int world_size)
{
    struct h5_file *file = NULL;
    struct parts parts = {0};
    FT_TRY(h5_create(&file, path));
    ft_status status = h5_put_i64(file, "/", "step", step);
    if (status == FT_OK)
        status = h5_put_i64(file, "/", "world_size", world_size);
    if (status == FT_OK)
        status = write_all(file, &parts, layout, first, world_size);
    mem_free(parts.list);
    FT_TRY(h5_finish(&file, status));
    return file_sync(path);
}
