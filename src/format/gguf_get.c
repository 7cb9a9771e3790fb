#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/gguf.h"
#include "gguf_file.h"

size_t gguf_type_bytes(int type)
{
    static const size_t bytes[GGUF_N_TYPES] = {
        [GGUF_U8] = 1,  [GGUF_I8] = 1,  [GGUF_U16] = 2, [GGUF_I16] = 2,
        [GGUF_U32] = 4, [GGUF_I32] = 4, [GGUF_F32] = 4, [GGUF_BOOL] = 1,
        [GGUF_U64] = 8, [GGUF_I64] = 8, [GGUF_F64] = 8};
    return type >= 0 && type < GGUF_N_TYPES ? bytes[type] : 0;
}

const char *gguf_type_text(int type)
{
    static const char *const text[GGUF_N_TYPES] = {"u8",  "i8",  "u16",  "i16",    "u32",
                                                   "i32", "f32", "bool", "string", "array",
                                                   "u64", "i64", "f64"};
    return type >= 0 && type < GGUF_N_TYPES ? text[type] : "unknown";
}

const char *gguf_path(const struct gguf *g)
{
    return g->path;
}

static int compare_key(const void *key, const void *entry)
{
    return strcmp(key, ((const struct gguf_entry *)entry)->key);
}

static const struct gguf_entry *find(const struct gguf *g, const char *key)
{
    return g->n_entries == 0
               ? NULL
               : bsearch(key, g->entries, (size_t)g->n_entries, sizeof *g->entries, compare_key);
}

bool gguf_has(const struct gguf *g, const char *key)
{
    return find(g, key) != NULL;
}

static ft_status require(const struct gguf_entry **out, const struct gguf *g, const char *key)
{
    *out = find(g, key);
    return *out ? FT_OK
                : ft_fail(FT_ERR_INPUT, "%s: metadata key %s is missing; convert the model again",
                          g->path, key);
}

static ft_status wrong_type(const struct gguf *g, const struct gguf_entry *e, const char *wanted)
{
    return ft_fail(FT_ERR_INPUT, "%s: metadata key %s is %s%s, %s is needed", g->path, e->key,
                   e->type == GGUF_ARRAY ? "an array of " : "of type ",
                   gguf_type_text(e->type == GGUF_ARRAY ? e->element : e->type), wanted);
}

/* Any integer; *is_negative says how the 64 bits are meant. */
static bool read_integer(uint64_t *bits, bool *is_negative, const struct gguf_entry *e)
{
    int64_t value;
    switch (e->type) {
    case GGUF_U8:
    case GGUF_U16:
    case GGUF_U32:
    case GGUF_U64:
        *bits = 0;
        *is_negative = false;
        memcpy(bits, e->value, gguf_type_bytes(e->type));
        return true;
    case GGUF_I8:
        value = (int8_t)e->value[0];
        break;
    case GGUF_I16: {
        int16_t half;
        memcpy(&half, e->value, sizeof half);
        value = half;
        break;
    }
    case GGUF_I32: {
        int32_t word;
        memcpy(&word, e->value, sizeof word);
        value = word;
        break;
    }
    case GGUF_I64:
        memcpy(&value, e->value, sizeof value);
        break;
    default:
        return false;
    }
    *bits = (uint64_t)value;
    *is_negative = value < 0;
    return true;
}

ft_status gguf_get_u64(const struct gguf *g, const char *key, uint64_t *value)
{
    const struct gguf_entry *e;
    bool is_negative;
    uint64_t bits;
    FT_TRY(require(&e, g, key));
    if (!read_integer(&bits, &is_negative, e))
        return wrong_type(g, e, "an integer");
    if (is_negative)
        return ft_fail(FT_ERR_INPUT, "%s: metadata key %s is negative (%lld)", g->path, key,
                       (long long)bits);
    *value = bits;
    return FT_OK;
}

ft_status gguf_get_f64(const struct gguf *g, const char *key, double *value)
{
    const struct gguf_entry *e;
    bool is_negative;
    uint64_t bits;
    double number = 0;
    FT_TRY(require(&e, g, key));
    if (e->type == GGUF_F32) {
        float single;
        memcpy(&single, e->value, sizeof single);
        number = (double)single;
    } else if (e->type == GGUF_F64) {
        memcpy(&number, e->value, sizeof number);
    } else if (read_integer(&bits, &is_negative, e)) {
        number = is_negative ? (double)(int64_t)bits : (double)bits;
    } else {
        return wrong_type(g, e, "a number");
    }
    if (!isfinite(number))
        return ft_fail(FT_ERR_INPUT, "%s: metadata key %s is not finite", g->path, key);
    *value = number;
    return FT_OK;
}

ft_status gguf_get_bool(const struct gguf *g, const char *key, bool *value)
{
    const struct gguf_entry *e;
    FT_TRY(require(&e, g, key));
    if (e->type != GGUF_BOOL)
        return wrong_type(g, e, "a bool");
    *value = e->value[0] != 0;
    return FT_OK;
}

ft_status gguf_get_text(const struct gguf *g, const char *key, const char **value)
{
    const struct gguf_entry *e;
    FT_TRY(require(&e, g, key));
    if (e->type != GGUF_STRING)
        return wrong_type(g, e, "a string");
    if (strlen((const char *)e->value) != e->bytes)
        return ft_fail(FT_ERR_INPUT, "%s: metadata key %s: its string holds a zero byte", g->path,
                       key);
    *value = (const char *)e->value;
    return FT_OK;
}

ft_status gguf_get_texts(const struct gguf *g, const char *key, struct gguf_texts *out)
{
    const struct gguf_entry *e;
    FT_TRY(require(&e, g, key));
    if (e->type != GGUF_ARRAY || e->element != GGUF_STRING)
        return wrong_type(g, e, "an array of strings");
    out->n = e->n;
    out->items = (const char *const *)e->items;
    out->bytes = e->item_bytes;
    return FT_OK;
}

ft_status gguf_get_ints(const struct gguf *g, const char *key, const int32_t **out, int64_t *n)
{
    const struct gguf_entry *e;
    FT_TRY(require(&e, g, key));
    if (e->type != GGUF_ARRAY || (e->element != GGUF_I32 && e->element != GGUF_U32))
        return wrong_type(g, e, "an array of i32");
    const int32_t *values = (const int32_t *)(const void *)e->value; /* aligned by the parser */
    if (e->element == GGUF_U32)
        for (int64_t i = 0; i < e->n; i++)
            if (values[i] < 0)
                return ft_fail(FT_ERR_INPUT, "%s: metadata key %s: element %lld exceeds 2^31 - 1",
                               g->path, key, (long long)i);
    *out = values;
    *n = e->n;
    return FT_OK;
}

ft_status gguf_get_floats(const struct gguf *g, const char *key, const float **out, int64_t *n)
{
    const struct gguf_entry *e;
    FT_TRY(require(&e, g, key));
    if (e->type != GGUF_ARRAY || e->element != GGUF_F32)
        return wrong_type(g, e, "an array of f32");
    const float *values = (const float *)(const void *)e->value; /* aligned by the parser */
    for (int64_t i = 0; i < e->n; i++)
        if (!isfinite(values[i]))
            return ft_fail(FT_ERR_INPUT, "%s: metadata key %s: element %lld is %g", g->path, key,
                           (long long)i, (double)values[i]);
    *out = values;
    *n = e->n;
    return FT_OK;
}

int64_t gguf_array_length(const struct gguf *g, const char *key)
{
    const struct gguf_entry *e = find(g, key);
    return e && e->type == GGUF_ARRAY ? e->n : -1;
}

int gguf_n_tensors(const struct gguf *g)
{
    return g->n_tensors;
}

const struct gguf_tensor *gguf_tensor(const struct gguf *g, int index)
{
    return &g->tensors[index];
}

static int compare_name(const void *name, const void *tensor)
{
    return strcmp(name, (*(const struct gguf_tensor *const *)tensor)->name);
}

int gguf_find_tensor(const struct gguf *g, const char *name)
{
    if (g->n_tensors == 0)
        return -1;
    const struct gguf_tensor *const *found = bsearch(
        name, (const void *)g->by_name, (size_t)g->n_tensors, sizeof *g->by_name, compare_name);
    return found ? (int)(*found - g->tensors) : -1;
}
