/* Headers of safetensors files, in memory and as files, and index.json of sharded models. */
#include "base/mem.h"
#include "format/safetensors.h"
#include "format/weights.h"
#include "fuzz.h"

enum { ELEMENTS_MAX = 1 << 16 };

/* Tensors lie back to back, in order, to the end of the file. */
static void check_tensors(const struct safetensors *f, size_t size)
{
    uint64_t end = 0;
    for (int i = 0; i < safetensors_count(f); i++) {
        const struct safetensor *t = safetensors_at(f, i);
        int64_t n = 1;
        FUZZ_CHECK(t->n_dims >= 0 && t->n_dims <= SAFETENSORS_DIMS_MAX);
        for (int d = 0; d < SAFETENSORS_DIMS_MAX; d++) {
            FUZZ_CHECK(t->dims[d] >= 0 && (d < t->n_dims || t->dims[d] == 1));
            n *= t->dims[d];
        }
        FUZZ_CHECK(t->n_elements == n);
        FUZZ_CHECK(t->bytes == (uint64_t)n * (uint64_t)t->element_bytes);
        FUZZ_CHECK(i == 0 || t->offset == end);
        FUZZ_CHECK(t->offset <= size && t->bytes <= size - t->offset);
        end = t->offset + t->bytes;
    }
    FUZZ_CHECK(safetensors_count(f) == 0 || end == size);
}

static void read_all(struct weights *w)
{
    static float values[ELEMENTS_MAX];
    for (int i = 0; i < weights_count(w); i++) {
        const struct weight_info *info = weights_info(w, i);
        FUZZ_CHECK(weights_find(w, info->name) == i);
        if (info->n_elements > ELEMENTS_MAX)
            continue;
        const bool is_read = info->type < WEIGHT_I32;
        FUZZ_CHECK(fuzz_ok(weights_read_f32(w, i, values)) == is_read);
        if (info->bytes <= sizeof values)
            FUZZ_CHECK(weights_read_raw(w, i, values, (size_t)info->bytes) == FT_OK);
    }
}

static void open_weights(const char *path)
{
    struct weights *w;
    if (fuzz_ok(weights_open(&w, path)))
        read_all(w);
    weights_close(&w);
}

/* Two shards of one tensor each, beside the index. */
static void open_index(const uint8_t *data, size_t size)
{
    static const char *const texts[] = {
        "\x48\0\0\0\0\0\0\0{\"a\":{\"dtype\":\"F32\",\"shape\":[2],"
        "\"data_offsets\":[0,8]}}                       12345678",
        "\x48\0\0\0\0\0\0\0{\"b\":{\"dtype\":\"BF16\",\"shape\":[2,2"
        "],\"data_offsets\":[0,8]}}                    12345678"};
    static const char *const names[] = {"a.safetensors", "b.safetensors"};
    static bool is_written;
    for (int i = 0; i < 2 && !is_written; i++)
        (void)fuzz_file(names[i], texts[i], 8 + 0x48 + 8);
    is_written = true;
    (void)fuzz_file("model.safetensors.index.json", data, size);
    open_weights(fuzz_folder());
}

static void open_file(const uint8_t *data, size_t size)
{
    struct safetensors *f;
    const bool opens = fuzz_ok(safetensors_open_memory(&f, data, size, "memory"));
    if (opens)
        check_tensors(f, size);
    safetensors_close(&f);
    if (opens || size % 16 == 0) { /* refused files take the same way but for reading */
        struct weights *w;
        FUZZ_CHECK(fuzz_ok(weights_open(&w, fuzz_file("one.safetensors", data, size))) == opens);
        if (opens)
            read_all(w);
        weights_close(&w);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_begin();
    if (size > 0 && data[0] == '{')
        open_index(data, size);
    else
        open_file(data, size);
    fuzz_end(64 * size + (64 << 10));
    return 0;
}

/* Mostly the header changes, and its length with it. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    uint64_t length = 0;
    if (size >= 8)
        memcpy(&length, data, 8);
    if (seed % 4 == 0 || size < 8 || data[0] == '{' || length > size - 8)
        return LLVMFuzzerMutate(data, size, max_size);
    const size_t tail = size - 8 - (size_t)length;
    uint8_t *kept = malloc(tail + 1);
    if (!kept)
        return size;
    memcpy(kept, data + 8 + length, tail);
    length = LLVMFuzzerMutate(data + 8, (size_t)length, max_size - 8 - tail);
    memcpy(data, &length, 8);
    memcpy(data + 8 + length, kept, tail);
    free(kept);
    return 8 + (size_t)length + tail;
}
