/* format/safetensors and format/weights: dequantisation bit for bit, writing and reading back. */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/dtype.h"
#include "base/file.h"
#include "format/gguf.h"
#include "format/safetensors.h"
#include "format/weights.h"
#include "support/check.h"
#include "support/gguf_build.h"

#define GOLDEN TESTS_DIR "/golden/"

static char folder[] = "/tmp/ft-weights-XXXXXX";

/* Every type against the reference's own dequantisation. */
static void test_dequantize(void)
{
    struct weights *a = NULL, *b = NULL;
    CHECK_STATUS(weights_open(&a, GOLDEN "gguf/types.gguf"), FT_OK);
    CHECK_STATUS(weights_open(&b, GOLDEN "gguf/dequant.safetensors"), FT_OK);
    CHECK(weights_count(a) == weights_count(b) && weights_count(a) >= 35);
    CHECK(weights_gguf(a) && !weights_gguf(b) && weights_find(a, "q4_1.raw") >= 0);
    for (int i = 0; i < weights_count(a); i++) {
        const struct weight_info *x = weights_info(a, i), *y = weights_info(b, i);
        float *u = NULL, *v = NULL;
        CHECK(strcmp(x->name, y->name) == 0 && x->n_elements == y->n_elements &&
              x->dims[0] == y->dims[0] && x->dims[1] == y->dims[1]);
        CHECK_STATUS(FT_ALLOC(u, x->n_elements), FT_OK);
        CHECK_STATUS(FT_ALLOC(v, y->n_elements), FT_OK);
        CHECK_STATUS(weights_read_f32(a, i, u), FT_OK);
        CHECK_STATUS(weights_read_f32(b, i, v), FT_OK);
        if (memcmp(u, v, (size_t)x->n_elements * sizeof *u) != 0) {
            (void)fprintf(stderr, "%s (%s) differs\n", x->name, x->type_name);
            CHECK(0);
        }
        mem_free(u);
        mem_free(v);
    }
    weights_close(&a);
    weights_close(&b);
    CHECK_STATUS(weights_open(&a, GOLDEN "gguf/unsupported.gguf"), FT_OK);
    float x[256];
    CHECK_FAILS(weights_read_f32(a, 0, x), FT_ERR_INPUT, "has type TQ2_0, which is not read");
    weights_close(&a);
}

/* Every type that is written against the reference's own quantisation. */
static void test_quantize(void)
{
    static const struct {
        const char *name;
        int type;
    } rows[] = {{"f16", GGML_F16}, {"bf16", GGML_BF16}, {"q8_0", GGML_Q8_0}};
    struct weights *w = NULL;
    CHECK_STATUS(weights_open(&w, GOLDEN "gguf/quantize.safetensors"), FT_OK);
    for (size_t i = 0; w && i < sizeof rows / sizeof *rows; i++) {
        char name[32];
        float *x = NULL;
        unsigned char *wanted = NULL, *got = NULL;
        int64_t elements;
        uint64_t bytes;
        (void)snprintf(name, sizeof name, "%s.values", rows[i].name);
        const int values = weights_find(w, name);
        (void)snprintf(name, sizeof name, "%s.bytes", rows[i].name);
        const int blocks = weights_find(w, name);
        const int64_t n = weights_info(w, values)->n_elements;
        const size_t n_wanted = (size_t)weights_info(w, blocks)->bytes;
        ggml_type_block(rows[i].type, &elements, &bytes);
        const size_t n_got = (size_t)(n / elements) * (size_t)bytes;
        CHECK(n_got >= n_wanted && n_got - n_wanted < 4 && n > 1000);
        CHECK_STATUS(FT_ALLOC(x, n), FT_OK);
        CHECK_STATUS(FT_ALLOC(got, n_got), FT_OK);
        CHECK_STATUS(FT_ALLOC(wanted, n_wanted), FT_OK);
        CHECK_STATUS(weights_read_f32(w, values, x), FT_OK);
        CHECK_STATUS(weights_read_raw(w, blocks, wanted, n_wanted), FT_OK);
        CHECK(ggml_quantize(got, x, n / elements, rows[i].type));
        if (memcmp(got, wanted, n_wanted) != 0) {
            (void)fprintf(stderr, "%s differs\n", rows[i].name);
            CHECK(0);
        }
        mem_free(x);
        mem_free(got);
        mem_free(wanted);
    }
    weights_close(&w);
    float tiny[32] = {1e-42f, -1e-42f}, back[32];
    unsigned char block[34];
    CHECK(ggml_quantize(block, tiny, 1, GGML_Q8_0) && ggml_dequantize(back, block, 1, GGML_Q8_0));
    CHECK(back[0] == 0 && back[31] == 0);
    CHECK(!ggml_quantize(block, tiny, 1, GGML_Q4_0) && !ggml_quantize(block, tiny, 1, 99) &&
          !ggml_dequantize(back, block, 1, 9) && !ggml_dequantize(back, block, 1, -1));
}

/* Scales that are no numbers give values that are none, and nothing worse. */
static void test_not_finite(void)
{
    static const uint16_t scales[] = {0x7c00, 0xfc00, 0x7e01, 0xffff};
    unsigned char block[256];
    float out[256];
    for (int type = 0; type < 42; type++) {
        int64_t elements;
        uint64_t bytes;
        if (!ggml_type_is_read(type) || type == GGML_F32)
            continue;
        ggml_type_block(type, &elements, &bytes);
        for (size_t k = 0; k < 4; k++) {
            int n_finite = 0;
            for (size_t i = 0; i + 1 < bytes; i += 2)
                memcpy(block + i, &scales[k], 2);
            CHECK(ggml_dequantize(out, block, 1, type));
            for (int i = 0; i < elements; i++)
                n_finite += isfinite(out[i]) != 0;
            CHECK(n_finite == 0 || type == GGML_BF16);
        }
    }
}

static ft_status give(void *context, int index, float *out, int64_t first, int64_t n)
{
    *(int64_t *)context += n;
    for (int64_t i = 0; i < n; i++)
        out[i] = (float)(index * 1000000 + first + i);
    return FT_OK;
}

static ft_status refuse(void *context, int index, float *out, int64_t first, int64_t n)
{
    (void)context;
    (void)index;
    (void)out;
    return ft_fail(FT_ERR_IO, "refused %lld %lld", (long long)first, (long long)n);
}

/* More than one chunk, a scalar, an odd header length. */
static void test_write(void)
{
    const struct safetensors_entry entries[] = {{"b \"quoted\"", 2, {3, 200001}, GGML_F32},
                                                {"a", 0, {0}, GGML_F32},
                                                {"c", 1, {7}, GGML_F32}};
    char path[FILE_PATH_MAX], temporary[FILE_PATH_MAX + 8];
    int64_t given = 0;
    uint64_t bytes = 0, real_bytes = 0;
    struct weights *w = NULL;
    int fd = -1;
    CHECK_STATUS(file_join(path, folder, "w.safetensors"), FT_OK);
    CHECK_STATUS(safetensors_write(path, entries, 3, give, &given, &bytes), FT_OK);
    CHECK(given == 600003 + 1 + 7);
    CHECK_STATUS(file_open_read(&fd, &real_bytes, path), FT_OK);
    CHECK(bytes == real_bytes && bytes % 4 == 0 && close(fd) == 0);
    CHECK_STATUS(weights_open(&w, path), FT_OK);
    float *x = NULL, scalar = 0;
    CHECK_STATUS(FT_ALLOC(x, 600003), FT_OK);
    CHECK_STATUS(weights_read_f32(w, weights_find(w, "b \"quoted\""), x), FT_OK);
    CHECK(x[0] == 0 && x[600002] == 600002);
    CHECK_STATUS(weights_read_f32(w, weights_find(w, "a"), &scalar), FT_OK);
    CHECK(scalar == 1000000 && weights_info(w, weights_find(w, "a"))->n_dims == 0);
    CHECK_FAILS(weights_read_raw(w, weights_find(w, "c"), x, 27), FT_ERR_INPUT, "has 28 bytes, 27");
    CHECK_STATUS(weights_read_raw(w, weights_find(w, "c"), x, 28), FT_OK);
    CHECK(x[6] == 2000006);
    mem_free(x);
    weights_close(&w);
    (void)snprintf(temporary, sizeof temporary, "%s.tmp", path);
    CHECK_FAILS(safetensors_write(path, entries, 3, refuse, NULL, NULL), FT_ERR_IO,
                "refused 0 262144");
    CHECK(file_exists(path) && !file_exists(temporary)); /* the old file stays */
}

static ft_status give_large(void *context, int index, float *out, int64_t first, int64_t n)
{
    (void)index;
    for (int64_t i = 0; i < n; i++)
        out[i] = first + i == 5 ? *(const float *)context : 0.5f;
    return FT_OK;
}

/* Halves: what fits, and what does not, which is named. */
static void test_write_halves(void)
{
    const struct safetensors_entry entries[] = {{"a", 2, {2, 3}, GGML_F16},
                                                {"b", 1, {7}, GGML_BF16}};
    char path[FILE_PATH_MAX];
    float x[7], largest = 65504.0f, too_large = -65505.0f, no_number = NAN;
    uint64_t bytes = 0;
    struct weights *w = NULL;
    CHECK_STATUS(file_join(path, folder, "h.safetensors"), FT_OK);
    CHECK_STATUS(safetensors_write(path, entries, 2, give_large, &largest, &bytes), FT_OK);
    CHECK_STATUS(weights_open(&w, path), FT_OK);
    CHECK(weights_info(w, 0)->type == WEIGHT_F16 && weights_info(w, 1)->type == WEIGHT_BF16);
    CHECK_STATUS(weights_read_f32(w, 0, x), FT_OK);
    CHECK(x[4] == 0.5f && x[5] == 65504.0f);
    CHECK_STATUS(weights_read_f32(w, 1, x), FT_OK);
    CHECK(x[4] == 0.5f && x[5] == 65536.0f && x[6] == 0.5f);
    weights_close(&w);
    CHECK_FAILS(safetensors_write(path, entries, 2, give_large, &too_large, NULL), FT_ERR_USAGE,
                "tensor a holds -65505, and F16 ends at 65504");
    CHECK_FAILS(safetensors_write(path, entries, 2, give_large, &no_number, NULL), FT_ERR_INTERNAL,
                "tensor a holds nan");
}

/* A tensor that takes more than one scratch buffer to convert. */
static void test_chunks(void)
{
    const int n = 1200001;
    char path[FILE_PATH_MAX];
    struct buffer b = {0};
    struct weights *w = NULL;
    float *x = NULL;
    build_start(&b, 3, 1, 0);
    build_tensor(&b, "t", 1, (uint64_t[]){(uint64_t)n}, GGML_BF16, 0);
    build_align(&b, 32);
    for (int i = 0; i < n; i++)
        build_put(&b, (uint64_t)(i % 32000), 2);
    CHECK_STATUS(file_join(path, folder, "t.gguf"), FT_OK);
    CHECK_STATUS(file_replace(path, b.data, b.used), FT_OK);
    CHECK_STATUS(weights_open(&w, path), FT_OK);
    CHECK_STATUS(FT_ALLOC(x, n), FT_OK);
    CHECK_STATUS(weights_read_f32(w, 0, x), FT_OK);
    int n_wrong = 0;
    for (int i = 0; i < n; i++)
        n_wrong += dtype_bits_from_f32(x[i]) != (uint32_t)(i % 32000) << 16;
    CHECK(n_wrong == 0);
    mem_free(x);
    weights_close(&w);
    buffer_clear(&b);
}

/* Integer tensors of the golden files are read raw, never as f32. */
static void test_integers(void)
{
    struct weights *w = NULL;
    CHECK_STATUS(weights_open(&w, GOLDEN "llama-tiny/reference.safetensors"), FT_OK);
    int n_integers = 0;
    for (int i = 0; w && i < weights_count(w); i++) {
        const struct weight_info *info = weights_info(w, i);
        if (info->type != WEIGHT_I32 && info->type != WEIGHT_I64)
            continue;
        void *raw = mem_alloc(info->bytes, 1);
        CHECK_STATUS(weights_read_raw(w, i, raw, info->bytes), FT_OK);
        CHECK_FAILS(weights_read_f32(w, i, raw), FT_ERR_INPUT, "which is not read");
        mem_free(raw);
        n_integers++;
    }
    CHECK(n_integers > 0);
    weights_close(&w);
}

/* Each allocation fails in turn, on a sharded folder and on a GGUF file. */
static void check_memory(const char *path)
{
    struct weights *w = NULL;
    ft_status status = FT_ERR_INTERNAL;
    int n = 0;
    while (status != FT_OK && n < 200) {
        mem_fail_nth(++n, 0);
        status = weights_open(&w, path);
        CHECK(status == FT_OK || (status == FT_ERR_INTERNAL && !w));
        mem_fail_nth(0, 0);
    }
    CHECK(n > 5 && n < 200);
    weights_close(&w);
}

int main(void)
{
    CHECK(mkdtemp(folder) != NULL);
    test_dequantize();
    test_quantize();
    test_not_finite();
    test_write();
    test_write_halves();
    test_chunks();
    test_integers();
    check_memory(GOLDEN "llama-sharded");
    check_memory(GOLDEN "gguf/types.gguf");
    CHECK_STATUS(file_remove_folder(folder), FT_OK);
    return check_end();
}
