/* model/config: both spellings of config.json, GGUF metadata, defaults. */
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "model/config.h"
#include "support/check.h"
#include "support/gguf_build.h"

#define GOLDEN TESTS_DIR "/golden/"

static char folder[] = "/tmp/ft-config-XXXXXX";

/* Reads the text as config.json of a folder. */
static ft_status read_text(struct model_config *c, const char *text)
{
    char path[FILE_PATH_MAX];
    FT_TRY(file_join(path, folder, "config.json"));
    FT_TRY(file_replace(path, text, strlen(text)));
    return model_config_read(c, folder);
}

static void test_golden(void)
{
    struct model_config c, old;
    char *text = NULL;
    size_t bytes;
    CHECK_STATUS(model_config_read(&c, GOLDEN "llama-tied"), FT_OK);
    CHECK(c.V == 272 && c.C == 48 && c.L == 2 && c.Hq == 3 && c.Hkv == 1 && c.D == 24);
    CHECK(c.F == 48 && c.T_max == 512 && c.norm_eps == 1e-6 && c.rope.theta == 100);
    CHECK(c.rope.scaling == ROPE_LLAMA3 && c.rope.factor == 8 && c.rope.low_freq_factor == 1);
    CHECK(c.rope.high_freq_factor == 4 && c.rope.original_positions == 64);
    CHECK(c.tied_embeddings && c.attention_bias && c.mlp_bias && c.bos == 256 && c.eos == 257);
    CHECK_STATUS(file_read_all(&text, &bytes, GOLDEN "llama-tied/config.old.json", 1 << 20), FT_OK);
    CHECK_STATUS(read_text(&old, text), FT_OK);
    CHECK(memcmp(&c, &old, sizeof c) == 0);
    mem_free(text);
}

/* The same model as a folder and as GGUF. */
static void test_gguf(void)
{
    struct model_config c, g;
    CHECK_STATUS(model_config_read(&c, GOLDEN "llama-tiny"), FT_OK);
    CHECK_STATUS(model_config_read(&g, GOLDEN "gguf/llama-tiny.gguf"), FT_OK);
    CHECK(c.V == g.V && c.C == g.C && c.L == g.L && c.Hq == g.Hq && c.Hkv == g.Hkv && c.D == g.D);
    CHECK(c.F == g.F && c.T_max == g.T_max && c.rope.theta == g.rope.theta);
    CHECK_CLOSE(g.norm_eps, c.norm_eps, 1e-7);
    CHECK(!c.tied_embeddings && !g.tied_embeddings && c.eos == g.eos);
    CHECK(g.rope.scaling == ROPE_PLAIN && g.rope.n_divisors == 0 && !g.attention_bias);
}

static void test_defaults(void)
{
    struct model_config c;
    CHECK_STATUS(read_text(&c, "{\"model_type\": \"llama\"}"), FT_OK);
    CHECK(c.V == 32000 && c.C == 4096 && c.L == 32 && c.Hq == 32 && c.Hkv == 32 && c.D == 128);
    CHECK(c.F == 11008 && c.T_max == 2048 && c.norm_eps == 1e-6 && c.rope.theta == 10000);
    CHECK(!c.tied_embeddings && !c.attention_bias && !c.mlp_bias && c.bos == 1 && c.eos == 2);
    CHECK_STATUS(read_text(&c,
                           "{\"model_type\": \"llama\", \"eos_token_id\": null, \"head_dim\": null,"
                           "\"rope_scaling\": null, \"rope_theta\": 500000}"),
                 FT_OK);
    CHECK(c.eos == -1 && c.D == 128 && c.rope.theta == 500000);
}

/* A GGUF header with llama3's divisors as llama.cpp's converter writes them. */
static void build_llama3(struct buffer *b, float third)
{
    static const char *const keys[] = {"embedding_length",     "block_count",
                                       "attention.head_count", "feed_forward_length",
                                       "context_length",       "vocab_size"};
    static const uint32_t values[] = {8, 1, 1, 8, 512, 11};
    build_start(b, 3, 1, 9);
    build_text(b, "general.architecture", "llama");
    for (int i = 0; i < 6; i++) {
        char key[64];
        (void)snprintf(key, sizeof key, "llama.%s", keys[i]);
        build_u32(b, key, values[i]);
    }
    build_f32(b, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    build_f32(b, "llama.rope.freq_base", 100.0f);
    build_tensor(b, "rope_freqs.weight", 1, (uint64_t[]){4}, 0, 0);
    build_align(b, 32);
    /* wavelengths 6.28, 19.9, 62.8, 199 against 64 / 4 and 64 / 1: kept, between, between, divided
     */
    build_put_f32(b, 1.0f);
    build_put_f32(b, (float)(1 / ((1 - (64 / 19.869176531592203 - 1) / 3) / 8 +
                                  (64 / 19.869176531592203 - 1) / 3)));
    build_put_f32(b, third);
    build_put_f32(b, 8.0f);
}

static void test_divisors(void)
{
    const double turns = 64 / 62.83185307179586;
    struct model_config c;
    struct buffer b = {0};
    char path[FILE_PATH_MAX];
    CHECK_STATUS(file_join(path, folder, "llama3.gguf"), FT_OK);
    build_llama3(&b, (float)(1 / ((1 - (turns - 1) / 3) / 8 + (turns - 1) / 3)));
    CHECK_STATUS(file_replace(path, b.data, b.used), FT_OK);
    CHECK_STATUS(model_config_read(&c, path), FT_OK);
    CHECK(c.rope.n_divisors == 4 && c.rope.divisor[0] == 1 && c.rope.divisor[3] == 8);
    CHECK(c.rope.scaling == ROPE_LLAMA3 && c.rope.factor == 8 && c.rope.original_positions == 64);
    CHECK(c.tied_embeddings && c.V == 11 && c.bos == -1);
    buffer_clear(&b);
    build_llama3(&b, 2.0f);
    CHECK_STATUS(file_replace(path, b.data, b.used), FT_OK);
    CHECK_FAILS(model_config_read(&c, path), FT_ERR_INPUT, "rope_freqs.weight");
    buffer_clear(&b);
}

int main(void)
{
    CHECK(mkdtemp(folder) != NULL);
    test_golden();
    test_gguf();
    test_defaults();
    test_divisors();
    CHECK_STATUS(file_remove_folder(folder), FT_OK);
    return check_end();
}
