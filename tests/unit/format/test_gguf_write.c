/* format/gguf_write: what is written is read back, entry by entry and tensor by tensor. */
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "format/gguf_write.h"
#include "format/weights.h"
#include "support/check.h"

static char folder[] = "/tmp/ft-gguf-write-XXXXXX";

static ft_status give(void *context, int index, float *out, int64_t first, int64_t n)
{
    (void)context;
    for (int64_t i = 0; i < n; i++)
        out[i] = (float)(index * 1000) + (float)((first + i) % 997);
    return FT_OK;
}

static void fill(struct gguf_writer *w)
{
    CHECK_STATUS(gguf_put_text(w, "general.architecture", "none"), FT_OK);
    CHECK_STATUS(gguf_put_u32(w, "a.u32", 4000000000u), FT_OK);
    CHECK_STATUS(gguf_put_f32(w, "a.f32", 0.5f), FT_OK);
    CHECK_STATUS(gguf_put_bool(w, "a.bool", true), FT_OK);
    CHECK_STATUS(gguf_put_texts(w, "b.texts", 3), FT_OK);
    CHECK_STATUS(gguf_add_text(w, "one", 3), FT_OK);
    CHECK_STATUS(gguf_add_text(w, "", 0), FT_OK);
    CHECK_STATUS(gguf_add_text(w, "t\0o", 3), FT_OK);
    CHECK_STATUS(gguf_put_i32s(w, "b.ints", 2), FT_OK);
    CHECK_STATUS(gguf_add_i32(w, -7), FT_OK);
    CHECK_STATUS(gguf_add_i32(w, 8), FT_OK);
    CHECK_STATUS(gguf_put_f32s(w, "b.reals", 1), FT_OK);
    CHECK_STATUS(gguf_add_f32(w, -1.5f), FT_OK);
}

static void check_entries(const struct gguf *g, bool all)
{
    uint64_t u = 0;
    bool flag = false;
    struct gguf_texts texts = {0};
    const int32_t *ints = NULL;
    int64_t n = 0;
    CHECK_STATUS(gguf_get_texts(g, "b.texts", &texts), FT_OK);
    CHECK(texts.n == 3 && strcmp(texts.items[0], "one") == 0 && texts.bytes[1] == 0 &&
          texts.bytes[2] == 3 && memcmp(texts.items[2], "t\0o", 4) == 0);
    CHECK_STATUS(gguf_get_ints(g, "b.ints", &ints, &n), FT_OK);
    CHECK(n == 2 && ints[0] == -7 && ints[1] == 8);
    CHECK(gguf_array_length(g, "b.reals") == 1);
    CHECK(gguf_has(g, "a.u32") == all);
    if (!all)
        return;
    CHECK_STATUS(gguf_get_u64(g, "a.u32", &u), FT_OK);
    CHECK_STATUS(gguf_get_bool(g, "a.bool", &flag), FT_OK);
    CHECK(u == 4000000000u && flag);
}

static void write_to(const char *path)
{
    static const int64_t dims[][2] = {{300, 1024}, {5, 1}, {3, 64}, {2, 33}};
    struct gguf_writer w = {0};
    fill(&w);
    CHECK_STATUS(gguf_put_tensor(&w, "large", 2, dims[0], GGML_F32), FT_OK);
    CHECK_STATUS(gguf_put_tensor(&w, "vector", 1, dims[1], GGML_BF16), FT_OK);
    CHECK_STATUS(gguf_put_tensor(&w, "blocks", 2, dims[2], GGML_Q8_0), FT_OK);
    CHECK_STATUS(gguf_put_tensor(&w, "halves", 2, dims[3], GGML_F16), FT_OK);
    CHECK_STATUS(gguf_write_file(&w, path, give, NULL), FT_OK);
    gguf_writer_clear(&w);
}

static void check_tensors(const char *path)
{
    struct weights *w = NULL;
    float *x = NULL;
    CHECK_STATUS(weights_open(&w, path), FT_OK);
    CHECK(weights_count(w) == 4);
    CHECK_STATUS(FT_ALLOC(x, 300 * 1024), FT_OK);
    CHECK_STATUS(weights_read_f32(w, weights_find(w, "large"), x), FT_OK);
    CHECK(x[0] == 0 && x[996] == 996 && x[997] == 0 && x[300 * 1024 - 1] == (307199 % 997));
    CHECK_STATUS(weights_read_f32(w, weights_find(w, "vector"), x), FT_OK);
    CHECK(x[0] == 1000 && x[4] == 1004);
    const int blocks = weights_find(w, "blocks");
    CHECK(weights_info(w, blocks)->dims[0] == 3 && weights_info(w, blocks)->dims[1] == 64);
    CHECK_STATUS(weights_read_f32(w, blocks, x), FT_OK);
    CHECK(x[191] > 2180 && x[191] < 2200);
    CHECK_STATUS(weights_read_f32(w, weights_find(w, "halves"), x), FT_OK);
    CHECK(x[0] == 3000 && x[65] == 3064); /* rounded to 2: a half of 12 bits */
    weights_close(&w);
    mem_free(x);
}

int main(void)
{
    char path[FILE_PATH_MAX], copy[FILE_PATH_MAX];
    struct gguf *g = NULL;
    struct gguf_writer w = {0};
    CHECK(mkdtemp(folder) != NULL);
    CHECK_STATUS(file_join(path, folder, "a.gguf"), FT_OK);
    CHECK_STATUS(file_join(copy, folder, "b.gguf"), FT_OK);
    write_to(path);
    CHECK_STATUS(gguf_open(&g, path), FT_OK);
    check_entries(g, true);
    check_tensors(path);
    CHECK_STATUS(gguf_put_copies(&w, g, "b."), FT_OK);
    gguf_close(&g);
    CHECK_STATUS(gguf_write_file(&w, copy, give, NULL), FT_OK);
    gguf_writer_clear(&w);
    CHECK_STATUS(gguf_open(&g, copy), FT_OK);
    check_entries(g, false);
    gguf_close(&g);
    CHECK_STATUS(file_remove_folder(folder), FT_OK);
    return check_end();
}
