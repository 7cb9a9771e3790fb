/*
 * GGUF files: header, metadata and tensors, which are dequantised; and where the metadata ask for
 * it the model's configuration and the tokenizer.
 */
#include <math.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "format/gguf.h"
#include "format/weights.h"
#include "fuzz.h"
#include "model/config.h"
#include "round_trip.h"
#include "token/tokenizer.h"

enum { ELEMENTS_MAX = 1 << 16 };

static float values[ELEMENTS_MAX];

static void check_tensors(const struct gguf *g, const uint8_t *data, size_t size)
{
    for (int i = 0; i < gguf_n_tensors(g); i++) {
        const struct gguf_tensor *t = gguf_tensor(g, i);
        int64_t elements, n = 1;
        uint64_t bytes;
        FUZZ_CHECK(t->n_dims >= 1 && t->n_dims <= 4 && ggml_type_name(t->type));
        FUZZ_CHECK(gguf_find_tensor(g, t->name) == i);
        for (int d = 0; d < 4; d++)
            n *= t->dims[d];
        ggml_type_block(t->type, &elements, &bytes);
        FUZZ_CHECK(n == t->n_elements && n % elements == 0 && t->dims[0] % elements == 0);
        FUZZ_CHECK(t->bytes == (uint64_t)(n / elements) * bytes);
        FUZZ_CHECK(t->offset <= size && t->bytes <= size - t->offset);
        if (n <= ELEMENTS_MAX)
            FUZZ_CHECK(ggml_dequantize(values, data + t->offset, n / elements, t->type) ==
                       ggml_type_is_read(t->type));
    }
}

/* Every getter on every key that the program asks for. */
static void get_all(const struct gguf *g)
{
    static const char *const keys[] = {"general.architecture",
                                       "general.alignment",
                                       "llama.block_count",
                                       "llama.rope.freq_base",
                                       "tokenizer.ggml.tokens",
                                       "tokenizer.ggml.scores",
                                       "tokenizer.ggml.token_type",
                                       "tokenizer.ggml.merges",
                                       "tokenizer.ggml.add_bos_token",
                                       "a",
                                       "b"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        uint64_t u;
        double f;
        bool b;
        const char *text;
        struct gguf_texts texts;
        const int32_t *ints;
        const float *floats;
        int64_t n;
        if (fuzz_ok(gguf_get_u64(g, keys[i], &u)))
            FUZZ_CHECK(gguf_has(g, keys[i]));
        if (fuzz_ok(gguf_get_f64(g, keys[i], &f)))
            FUZZ_CHECK(isfinite(f));
        (void)fuzz_ok(gguf_get_bool(g, keys[i], &b));
        if (fuzz_ok(gguf_get_text(g, keys[i], &text)))
            FUZZ_CHECK(strlen(text) <= GGUF_TEXT_MAX);
        if (fuzz_ok(gguf_get_texts(g, keys[i], &texts)))
            for (n = 0; n < texts.n; n++)
                FUZZ_CHECK(texts.items[n][texts.bytes[n]] == '\0');
        if (fuzz_ok(gguf_get_ints(g, keys[i], &ints, &n)))
            FUZZ_CHECK(gguf_array_length(g, keys[i]) == n);
        if (fuzz_ok(gguf_get_floats(g, keys[i], &floats, &n)))
            for (; n > 0; n--)
                FUZZ_CHECK(isfinite(floats[n - 1]));
    }
}

static void encode(struct tokenizer *t)
{
    static const char text[] =
        "Hello, w\xc3\xb6rld 123\n\t  <s>ab abc \xe2\x96\x81\xf0\x9f\x98\x80";
    struct token_list ids = {0};
    struct buffer decoded = {0};
    if (fuzz_ok(tokenizer_encode(t, &ids, text, sizeof text - 1)))
        for (int64_t i = 0; i < ids.n; i++)
            FUZZ_CHECK(ids.ids[i] >= 0 && ids.ids[i] < tokenizer_vocab_size(t));
    FUZZ_CHECK(tokenizer_decode(t, &decoded, ids.ids, ids.n) == FT_OK);
    if (keeps_text(t))
        FUZZ_CHECK(decoded.used == sizeof text - 1 &&
                   memcmp(decoded.data, text, decoded.used) == 0);
    token_list_clear(&ids);
    buffer_clear(&decoded);
}

/* What reads a file that opens. */
static void open_model(const struct gguf *g, const char *path)
{
    struct model_config config;
    struct tokenizer *t = NULL;
    struct weights *w;
    if (gguf_has(g, "general.architecture"))
        (void)fuzz_ok(model_config_read(&config, path));
    if (gguf_has(g, "tokenizer.ggml.model")) {
        if (fuzz_ok(tokenizer_open(&t, path)))
            encode(t);
        tokenizer_close(&t);
    }
    FUZZ_CHECK(weights_open(&w, path) == FT_OK);
    for (int i = 0; i < weights_count(w); i++)
        if (weights_info(w, i)->n_elements <= ELEMENTS_MAX)
            (void)fuzz_ok(weights_read_f32(w, i, values));
    weights_close(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gguf *g;
    fuzz_begin();
    if (fuzz_ok(gguf_open_memory(&g, data, size, "memory"))) {
        check_tensors(g, data, size);
        get_all(g);
        open_model(g, fuzz_file("model.gguf", data, size));
    }
    gguf_close(&g);
    fuzz_end(256 * size + (1 << 20));
    return 0;
}
