/* config.json and GGUF metadata that are wrong in one way each: exit code 65, the defect is named.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "model/config.h"
#include "support/check.h"
#include "support/gguf_build.h"

static char folder[] = "/tmp/ft-hostile-config-XXXXXX";

struct text_case {
    const char *name, *text, *part;
};

#define WITH(more) "{\"model_type\":\"llama\"," more "}"
#define LLAMA3(more) WITH("\"rope_scaling\":{\"rope_type\":\"llama3\"," more "}")

static const struct text_case text_cases[] = {
    {"empty file", "", "config.json: line 1"},
    {"a list", "[]", "not an object"},
    {"cut short", "{\"model_type\":\"llama\"", "config.json: line 1, column"},
    {"key twice", WITH("\"hidden_size\":8,\"hidden_size\":16"), "duplicate object key"},
    {"no model type", "{}", "\"model_type\" is missing"},
    {"another architecture", "{\"model_type\":\"mamba\"}", "model type \"mamba\" is not supported"},
    {"another activation", WITH("\"hidden_act\":\"gelu\""), "\"hidden_act\" is \"gelu\""},
    {"size as text", WITH("\"hidden_size\":\"64\""), "\"hidden_size\" is a string"},
    {"size as a real", WITH("\"vocab_size\":1e3"), "\"vocab_size\" is a real number"},
    {"size true", WITH("\"intermediate_size\":true"), "\"intermediate_size\" is true or false"},
    {"no vocabulary", WITH("\"vocab_size\":0"), "\"vocab_size\" is 0"},
    {"negative layers", WITH("\"num_hidden_layers\":-1"), "\"num_hidden_layers\" is -1"},
    {"10^9 layers", WITH("\"num_hidden_layers\":1000000000"), "is 1000000000, not from 1 to 1024"},
    {"no heads", WITH("\"num_attention_heads\":0"), "\"num_attention_heads\" is 0"},
    {"size beyond 64 bits", WITH("\"hidden_size\":99999999999999999999"), "a real number"},
    {"positions 2^31", WITH("\"max_position_embeddings\":2147483648"),
     "\"max_position_embeddings\""},
    {"heads do not divide", WITH("\"num_key_value_heads\":5"), "do not divide among 5"},
    {"size not of whole heads", WITH("\"hidden_size\":4097"), "(4097) is no multiple of"},
    {"odd head size", WITH("\"head_dim\":63"), "head size 63 is not even"},
    {"head size too large", WITH("\"head_dim\":1024"), "\"head_dim\" is 1024"},
    {"eps 0", WITH("\"rms_norm_eps\":0"), "\"rms_norm_eps\" is 0"},
    {"eps negative", WITH("\"rms_norm_eps\":-1e-5"), "\"rms_norm_eps\" is -1e-05"},
    {"theta 0", WITH("\"rope_theta\":0"), "\"rope_theta\" is 0"},
    {"unknown scaling", WITH("\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4.0}"), "\"yarn\""},
    {"scaling a number", WITH("\"rope_scaling\":8"), "\"rope_scaling\" is an integer"},
    {"parameters a list", WITH("\"rope_parameters\":[]"), "\"rope_parameters\" is an array"},
    {"scaling without factor", LLAMA3("\"low_freq_factor\":1"), "\"factor\" is missing"},
    {"scaling factors swapped",
     LLAMA3("\"factor\":8,\"low_freq_factor\":4,\"high_freq_factor\":1,"
            "\"original_max_position_embeddings\":64"),
     "\"high_freq_factor\" is not above"},
    {"tying a number", WITH("\"tie_word_embeddings\":1"), "\"tie_word_embeddings\" is an integer"},
    {"bias as text", WITH("\"attention_bias\":\"no\""), "\"attention_bias\" is a string"},
    {"eos outside", WITH("\"eos_token_id\":32000"), "outside the vocabulary of 32000"},
    {"eos a list of text", WITH("\"eos_token_id\":[\"</s>\"]"), "\"eos_token_id\" is neither"},
    {"bos negative", WITH("\"bos_token_id\":-2"), "\"bos_token_id\" is -2"},
};

static void check(const char *name, const char *path, const char *part)
{
    struct model_config c;
    const ft_status status = model_config_read(&c, path);
    if (status == FT_ERR_INPUT && strstr(ft_error_text(), part))
        return;
    (void)fprintf(stderr, "%s: status %d, message lacks \"%s\": %s\n", name, (int)status, part,
                  status == FT_OK ? "(accepted)" : ft_error_text());
    check_failures++;
}

static void test_json(void)
{
    char path[FILE_PATH_MAX];
    CHECK_STATUS(file_join(path, folder, "config.json"), FT_OK);
    check("missing", folder, "config.json: No such file");
    for (size_t i = 0; i < sizeof text_cases / sizeof text_cases[0]; i++) {
        CHECK_STATUS(file_replace(path, text_cases[i].text, strlen(text_cases[i].text)), FT_OK);
        check(text_cases[i].name, folder, text_cases[i].part);
    }
}

/* The metadata of a small model; `key` (if any) gets another value or, with is_absent, goes. */
static void build(struct buffer *b, const char *key, uint32_t value, bool is_absent)
{
    static const char *const keys[] = {"llama.embedding_length",
                                       "llama.block_count",
                                       "llama.attention.head_count",
                                       "llama.attention.head_count_kv",
                                       "llama.feed_forward_length",
                                       "llama.context_length",
                                       "llama.vocab_size",
                                       "llama.rope.dimension_count",
                                       "tokenizer.ggml.eos_token_id",
                                       "llama.expert_count"};
    static const uint32_t values[] = {64, 2, 4, 2, 96, 128, 50, 16, 1, 0};
    build_start(b, 3, 0, 12 - (is_absent ? 1 : 0));
    build_text(b, "general.architecture", "llama");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const bool is_it = key && strcmp(key, keys[i]) == 0;
        if (!is_it || !is_absent)
            build_u32(b, keys[i], is_it ? value : values[i]);
    }
    build_f32(b, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
}

struct key_case {
    const char *key;
    uint32_t value;
    bool is_absent;
    const char *part;
};

static const struct key_case key_cases[] = {
    {"llama.embedding_length", 0, true, "llama.embedding_length is missing"},
    {"llama.embedding_length", 66, false, "no multiple of head_count (4)"},
    {"llama.block_count", 1000000000, false, "llama.block_count is 1000000000"},
    {"llama.attention.head_count", 0, false, "head_count is 0, not from 1"},
    {"llama.attention.head_count_kv", 3, false, "do not divide among 3"},
    {"llama.context_length", 1u << 31, false, "llama.context_length is 2147483648"},
    {"llama.vocab_size", 0, true, "llama.vocab_size is missing"},
    {"llama.rope.dimension_count", 8, false, "rotated part (8) differ"},
    {"tokenizer.ggml.eos_token_id", 50, false, "outside the vocabulary of 50"},
    {"llama.expert_count", 8, false, "mixtures of experts"},
};

static void put(const char *path, struct buffer *b)
{
    CHECK_STATUS(file_replace(path, b->data, b->used), FT_OK);
    buffer_clear(b);
}

static void test_gguf(void)
{
    char path[FILE_PATH_MAX];
    struct buffer b = {0};
    struct model_config c;
    CHECK_STATUS(file_join(path, folder, "m.gguf"), FT_OK);
    build(&b, NULL, 0, false);
    b.data[16]--; /* the count: without the last key, the epsilon, whose bytes become padding */
    put(path, &b);
    check("no epsilon", path, "layer_norm_rms_epsilon is missing");
    build(&b, NULL, 0, false);
    put(path, &b);
    CHECK_STATUS(model_config_read(&c, path), FT_OK);
    for (size_t i = 0; i < sizeof key_cases / sizeof key_cases[0]; i++) {
        build(&b, key_cases[i].key, key_cases[i].value, key_cases[i].is_absent);
        put(path, &b);
        check(key_cases[i].key, path, key_cases[i].part);
    }
    build_start(&b, 3, 0, 1);
    build_text(&b, "general.architecture", "bert");
    put(path, &b);
    check("another architecture", path, "architecture \"bert\" is not supported");
    check("no such file", "/tmp/none.gguf", "does not exist");
}

int main(void)
{
    CHECK(mkdtemp(folder) != NULL);
    test_json();
    test_gguf();
    CHECK_STATUS(file_remove_folder(folder), FT_OK);
    return check_end();
}
