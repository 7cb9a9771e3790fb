/* format/gguf: metadata and tensors of a file made here. Hostile files are in test_hostile.c. */
#include <stdlib.h>

#include "base/buffer.h"
#include "base/file.h"
#include "format/gguf.h"
#include "support/check.h"
#include "support/gguf_build.h"

static void build(struct buffer *b)
{
    build_start(b, 3, 2, 9);
    build_key(b, "a.u8", 0);
    build_put(b, 200, 1);
    build_key(b, "a.i16", 3);
    build_put(b, (uint64_t)-5, 2);
    build_key(b, "a.f32", 6);
    build_put_f32(b, 0.5f);
    build_key(b, "a.bool", 7);
    build_put(b, 1, 1);
    build_text(b, "a.text", "hello");
    build_key(b, "a.texts", 9);
    build_put(b, 8, 4);
    build_put(b, 3, 8);
    build_string(b, "one");
    build_put(b, 2, 8);
    build_put(b, 0x6100, 2); /* a zero byte, then "a" */
    build_string(b, "");
    build_key(b, "a.odd", 9);
    build_put(b, 0, 4);
    build_put(b, 3, 8);
    build_put(b, 0x030201, 3);
    build_key(b, "a.ints", 9);
    build_put(b, 5, 4);
    build_put(b, 2, 8);
    build_put(b, 7, 4);
    build_put(b, (uint32_t)-8, 4);
    build_u32(b, "general.alignment", 64);
    build_tensor(b, "m", 2, (uint64_t[]){2, 3}, 0, 0);
    build_tensor(b, "v", 1, (uint64_t[]){32}, 8, 64);
    build_align(b, 64);
    for (int i = 0; i < 6; i++)
        build_put_f32(b, (float)i);
    build_align(b, 64);
    build_put(b, 0x3800, 2); /* 0.5 */
    for (int i = 0; i < 32; i++)
        build_put(b, (uint8_t)(i - 16), 1);
}

static void check_metadata(const struct gguf *g)
{
    uint64_t u = 0;
    double f = 0;
    bool flag = false;
    const char *text = NULL;
    struct gguf_texts texts;
    const int32_t *ints;
    int64_t n;
    CHECK_STATUS(gguf_get_u64(g, "a.u8", &u), FT_OK);
    CHECK(u == 200);
    CHECK_FAILS(gguf_get_u64(g, "a.i16", &u), FT_ERR_INPUT, "a.i16 is negative (-5)");
    CHECK_FAILS(gguf_get_u64(g, "a.f32", &u), FT_ERR_INPUT, "a.f32 is of type f32, an integer");
    CHECK_FAILS(gguf_get_u64(g, "b", &u), FT_ERR_INPUT, "key b is missing");
    CHECK_STATUS(gguf_get_f64(g, "a.f32", &f), FT_OK);
    CHECK(f == 0.5);
    CHECK_STATUS(gguf_get_f64(g, "a.i16", &f), FT_OK);
    CHECK(f == -5);
    CHECK_STATUS(gguf_get_bool(g, "a.bool", &flag), FT_OK);
    CHECK(flag);
    CHECK_STATUS(gguf_get_text(g, "a.text", &text), FT_OK);
    CHECK(text && strcmp(text, "hello") == 0);
    CHECK_STATUS(gguf_get_texts(g, "a.texts", &texts), FT_OK);
    CHECK(texts.n == 3 && strcmp(texts.items[0], "one") == 0 && texts.bytes[1] == 2 &&
          memcmp(texts.items[1], "\0a", 3) == 0 && texts.bytes[2] == 0);
    CHECK_FAILS(gguf_get_texts(g, "a.ints", &texts), FT_ERR_INPUT, "an array of i32, an array of");
    CHECK_STATUS(gguf_get_ints(g, "a.ints", &ints, &n), FT_OK);
    CHECK(n == 2 && ints[0] == 7 && ints[1] == -8 && (uintptr_t)ints % sizeof *ints == 0);
    CHECK(gguf_array_length(g, "a.odd") == 3 && gguf_array_length(g, "a.u8") == -1);
}

static void test_file(void)
{
    struct buffer b = {0};
    struct gguf *g = NULL;
    build(&b);
    CHECK_STATUS(gguf_open_memory(&g, b.data, b.used, "made"), FT_OK);
    if (g) {
        check_metadata(g);
        const struct gguf_tensor *t = gguf_tensor(g, 1);
        CHECK(gguf_n_tensors(g) == 2 && gguf_find_tensor(g, "v") == 1 &&
              gguf_find_tensor(g, "w") == -1);
        CHECK(t->n_dims == 1 && t->dims[0] == 32 && t->dims[1] == 1 && t->bytes == 34);
        float out[32];
        CHECK(ggml_dequantize(out, b.data + t->offset, 1, t->type));
        CHECK(out[0] == -8.0f && out[31] == 7.5f);
    }
    gguf_close(&g);
    for (size_t cut = 0; cut < b.used; cut++) { /* every truncation is an error, never a crash */
        CHECK_STATUS(gguf_open_memory(&g, b.data, cut, "cut"), FT_ERR_INPUT);
        gguf_close(&g);
    }
    buffer_clear(&b);
}

/* A header longer than the first block that is read. */
static void test_long_header(void)
{
    char path[] = "/tmp/ft-gguf-XXXXXX";
    struct buffer b = {0};
    struct gguf *g = NULL;
    struct gguf_texts texts = {0};
    const int n = 300000;
    build_start(&b, 2, 0, 1);
    build_key(&b, "tokens", 9);
    build_put(&b, 8, 4);
    build_put(&b, (uint64_t)n, 8);
    for (int i = 0; i < n; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "%d", i);
        build_string(&b, text);
    }
    const int fd = mkstemp(path);
    CHECK(fd >= 0 && close(fd) == 0);
    CHECK_STATUS(file_replace(path, b.data, b.used), FT_OK);
    CHECK_STATUS(gguf_open(&g, path), FT_OK);
    CHECK_STATUS(gguf_get_texts(g, "tokens", &texts), FT_OK);
    CHECK(texts.n == n && strcmp(texts.items[n - 1], "299999") == 0);
    gguf_close(&g);
    CHECK(unlink(path) == 0);
    buffer_clear(&b);
}

/* Each allocation fails in turn. */
static void test_memory(void)
{
    struct buffer b = {0};
    struct gguf *g = NULL;
    build(&b);
    ft_status status = FT_ERR_INTERNAL;
    int n = 0;
    while (status != FT_OK && n < 100) {
        mem_fail_nth(++n, 0);
        status = gguf_open_memory(&g, b.data, b.used, "made");
        CHECK(status == FT_OK || (status == FT_ERR_INTERNAL && !g));
        mem_fail_nth(0, 0);
    }
    CHECK(n > 5 && n < 100);
    gguf_close(&g);
    buffer_clear(&b);
}

int main(void)
{
    test_file();
    test_long_header();
    test_memory();
    return check_end();
}
