/** Tensors of the golden files. */
#ifndef FT_TESTS_GOLDEN_H
#define FT_TESTS_GOLDEN_H

#include <stdbool.h>

#include "format/weights.h"
#include "support/check.h"

/** Opens folder/name. */
static inline void golden_open(struct weights **file, const char *folder, const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    CHECK_STATUS(weights_open(file, path), FT_OK);
}

/** Gives a tensor as f32, or its four-byte elements as they are; NULL where there is none. */
static inline void *golden_find(struct weights *file, const char *name, bool raw)
{
    const int index = weights_find(file, name);
    if (index < 0)
        return NULL;
    const struct weight_info *info = weights_info(file, index);
    void *data = mem_alloc((size_t)info->n_elements, 4);
    if (raw)
        CHECK_STATUS(weights_read_raw(file, index, data, 4 * (size_t)info->n_elements), FT_OK);
    else
        CHECK_STATUS(weights_read_f32(file, index, data), FT_OK);
    return data;
}

/** As golden_find for a tensor that must be there. */
static inline void *golden_read(struct weights *file, const char *name, bool raw)
{
    void *data = golden_find(file, name, raw);
    if (!data)
        (void)fprintf(stderr, "the golden file lacks %s\n", name);
    CHECK(data != NULL);
    return data;
}

#endif
