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
    {"another activation", WITH("\"hidden_act\":\"mish\""), "\"hidden_act\" is \"mish\""},
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
    {"unknown scaling", WITH("\"rope_scaling\":{\"type\":\"longrope\",\"factor\":4.0}"),
     "\"longrope\""},
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

#define BERT(more) "{\"model_type\":\"bert\"," more "}"

static const struct text_case bert_cases[] = {
    {"another activation", BERT("\"hidden_act\":\"mish\""), "\"hidden_act\" is \"mish\""},
    {"relative positions", BERT("\"position_embedding_type\":\"relative_key\""),
     "\"position_embedding_type\" is \"relative_key\""},
    {"a decoder", BERT("\"is_decoder\":true"), "\"is_decoder\" is true"},
    {"cross attention", BERT("\"add_cross_attention\":true"), "\"add_cross_attention\" is true"},
    {"is_decoder a word", BERT("\"is_decoder\":\"no\""), "\"is_decoder\" is \"no\": not supported"},
    {"no heads", BERT("\"num_attention_heads\":0"), "\"num_attention_heads\" is 0"},
    {"size not of whole heads", BERT("\"hidden_size\":770"), "(770) is no multiple of"},
    {"no layers", BERT("\"num_hidden_layers\":0"), "\"num_hidden_layers\" is 0"},
    {"types negative", BERT("\"type_vocab_size\":-1"), "\"type_vocab_size\" is -1"},
    {"positions 2^31", BERT("\"max_position_embeddings\":2147483648"),
     "\"max_position_embeddings\""},
    {"eps 0", BERT("\"layer_norm_eps\":0.0"), "\"layer_norm_eps\" is 0"},
    {"eps text", BERT("\"layer_norm_eps\":\"1e-12\""), "\"layer_norm_eps\" is a string"},
    {"dropout 1", BERT("\"hidden_dropout_prob\":1.0"), "\"hidden_dropout_prob\" is 1"},
    {"dropout negative", BERT("\"attention_probs_dropout_prob\":-0.1"),
     "\"attention_probs_dropout_prob\" is -0.1"},
    {"dropout a word", BERT("\"classifier_dropout\":\"none\""),
     "\"classifier_dropout\" is a string"},
    {"no weights", BERT("\"hidden_size\":24"), "safetensors"},
};

static const struct text_case module_cases[] = {
    {"not a list", "{}", "modules.json: the document is not a list"},
    {"cut short", "[{\"type\":", "modules.json: line 1"},
    {"a module a word", "[\"Pooling\"]", "module 0 is not an object"},
    {"no type", "[{\"path\":\"\"}]", "\"type\" is missing"},
    {"no path", "[{\"type\":\"a.Pooling\"}]", "\"path\" is missing"},
    {"path outside", "[{\"type\":\"a.Pooling\",\"path\":\"../x\"}]", "leaves the model's folder"},
    {"path hidden outside", "[{\"type\":\"Pooling\",\"path\":\"a/../../x\"}]",
     "leaves the model's folder"},
    {"path absolute", "[{\"type\":\"Pooling\",\"path\":\"/etc\"}]", "leaves the model's folder"},
    {"no such module", "[{\"type\":\"Pooling\",\"path\":\"9_Pooling\"}]",
     "9_Pooling/config.json: No such file"},
};

static void check(const char *name, const char *path, const char *part)
{
    struct model_config c;
    const ft_status status = model_config_read(&c, path);
    check_hostile(strstr(path, ".gguf") ? "GGUF" : "config.json", name);
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

/* Each size of a model, with what is no size. */
static void test_sizes(void)
{
    static const char *const keys[] = {"vocab_size",          "hidden_size",
                                       "intermediate_size",   "num_hidden_layers",
                                       "num_attention_heads", "max_position_embeddings"};
    static const char *const values[] = {"\"64\"",
                                         "12.5",
                                         "1e3",
                                         "true",
                                         "[64]",
                                         "{}",
                                         "-1",
                                         "0",
                                         "2147483648",
                                         "9223372036854775807",
                                         "9223372036854775808"};
    char path[FILE_PATH_MAX], text[160], part[64];
    CHECK_STATUS(file_join(path, folder, "config.json"), FT_OK);
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
        for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
            (void)snprintf(text, sizeof text, WITH("\"%s\":%s"), keys[k], values[v]);
            (void)snprintf(part, sizeof part, "\"%s\"", keys[k]);
            CHECK_STATUS(file_replace(path, text, strlen(text)), FT_OK);
            check(text, folder, part);
        }
    }
}

/* A family, sizes that are right, and what is wrong. */
#define OF(family, more)                                                                           \
    "{\"model_type\":\"" family "\",\"vocab_size\":50,\"num_hidden_layers\":3," more "}"

static const struct text_case family_cases[] = {
    {"no such family", "{\"model_type\":\"mamba\"}", "\"mamba\" is not supported, these are"},
    {"a window of one", OF("mistral", "\"sliding_window\":1"), "sliding window of 1"},
    {"a window below 0", OF("mistral", "\"sliding_window\":-1"), "\"sliding_window\" is -1"},
    {"a window as text", OF("phi3", "\"sliding_window\":\"4\""), "\"sliding_window\" is a string"},
    {"window switch", OF("qwen2", "\"use_sliding_window\":1"), "\"use_sliding_window\" is"},
    {"window layers", OF("qwen2", "\"max_window_layers\":-1"), "\"max_window_layers\" is -1"},
    {"layer types, too few", OF("gemma2", "\"layer_types\":[\"full_attention\"]"),
     "\"layer_types\" has 1 entries for 3 layers"},
    {"layer types, unknown",
     OF("gemma2", "\"layer_types\":[\"full_attention\",\"chunked_attention\",\"x\"]"),
     "\"chunked_attention\" of layer 1"},
    {"layer types, a number", OF("gemma2", "\"layer_types\":[\"full_attention\",1,2]"),
     "\"no word\" of layer 1"},
    {"layer types, a word", OF("gemma3_text", "\"layer_types\":\"full_attention\""),
     "\"layer_types\" is a string"},
    {"cap below 0", OF("gemma2", "\"attn_logit_softcapping\":-50.0"),
     "\"attn_logit_softcapping\" is -50"},
    {"scale of 0", OF("gemma2", "\"query_pre_attn_scalar\":0"), "\"query_pre_attn_scalar\" is 0"},
    {"both directions", OF("gemma3_text", "\"use_bidirectional_attention\":true"),
     "\"use_bidirectional_attention\" is true: not supported, 0 is"},
    {"nested rotation", OF("gemma3_text", "\"rope_parameters\":{\"full_attention\":3}"),
     "\"full_attention\" is an integer"},
    {"nested scaling",
     OF("gemma3_text", "\"rope_parameters\":{\"sliding_attention\":{\"rope_type\":\"su\"}}"),
     "RoPE scaling \"su\""},
    {"linear without factor", OF("llama", "\"rope_scaling\":{\"type\":\"linear\"}"),
     "\"factor\" is missing"},
    {"dynamic, factor 0", OF("llama", "\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":0}"),
     "\"factor\" is 0"},
    {"yarn, turns below 0",
     OF("llama", "\"rope_scaling\":{\"type\":\"yarn\",\"factor\":2,\"beta_fast\":-1}"),
     "\"beta_fast\" is -1"},
    {"yarn, truncate a number",
     OF("llama", "\"rope_scaling\":{\"type\":\"yarn\",\"factor\":2,\"truncate\":1}"),
     "\"truncate\" is"},
    {"share above 1", OF("phi3", "\"partial_rotary_factor\":1.5"),
     "\"partial_rotary_factor\" is 1.5"},
    {"share of an odd number", OF("gpt_neox", "\"rotary_pct\":0.005"), "0 elements of a head"},
    {"share as text", OF("gpt_neox", "\"rotary_pct\":\"all\""), "\"rotary_pct\" is a string"},
    {"parallel as text", OF("gpt_neox", "\"use_parallel_residual\":\"yes\""),
     "\"use_parallel_residual\" is a string"},
    {"scale by layer", OF("gpt2", "\"scale_attn_by_inverse_layer_idx\":true"),
     "\"scale_attn_by_inverse_layer_idx\" is true"},
    {"cross attention", OF("gpt2", "\"add_cross_attention\":true"),
     "\"add_cross_attention\" is true"},
    {"no heads", OF("gpt2", "\"n_head\":0"), "\"n_head\" is 0"},
    {"heads that do not divide", OF("gpt2", "\"n_head\":7"), "no multiple"},
    {"positions all padding", OF("roberta", "\"max_position_embeddings\":2"),
     "no position is left behind the padding id 1"},
    {"padding below 0", OF("roberta", "\"pad_token_id\":-1"), "\"pad_token_id\" is -1"},
    {"embedding above hidden", OF("electra", "\"embedding_size\":4096"),
     "embedding size 4096 above the hidden size 768"},
    {"groups", OF("albert", "\"num_hidden_groups\":2"), "\"num_hidden_groups\" is 2"},
    {"inner groups", OF("albert", "\"inner_group_num\":3"), "\"inner_group_num\" is 3"},
    {"every 0 layers", OF("modernbert", "\"global_attn_every_n_layers\":0"),
     "\"global_attn_every_n_layers\" is 0"},
    {"dropout in the mlp", OF("modernbert", "\"mlp_dropout\":0.1"), "\"mlp_dropout\" is 0.1"},
    {"too many layers", "{\"model_type\":\"distilbert\",\"n_layers\":1025}",
     "\"n_layers\" is 1025"},
};

static void test_families(void)
{
    char path[FILE_PATH_MAX];
    CHECK_STATUS(file_join(path, folder, "config.json"), FT_OK);
    for (size_t i = 0; i < sizeof family_cases / sizeof family_cases[0]; i++) {
        CHECK_STATUS(file_replace(path, family_cases[i].text, strlen(family_cases[i].text)), FT_OK);
        check(family_cases[i].name, folder, family_cases[i].part);
    }
}

static void test_bert(void)
{
    char path[FILE_PATH_MAX];
    CHECK_STATUS(file_join(path, folder, "config.json"), FT_OK);
    for (size_t i = 0; i < sizeof bert_cases / sizeof bert_cases[0]; i++) {
        CHECK_STATUS(file_replace(path, bert_cases[i].text, strlen(bert_cases[i].text)), FT_OK);
        check(bert_cases[i].name, folder, bert_cases[i].part);
    }
}

/* What a folder says about pooling. */
static void test_pooling(void)
{
    static const char config[] = "{\"model_type\":\"llama\"}";
    static const char modules[] = "[{\"type\":\"a.Transformer\",\"path\":\"\"},"
                                  "{\"type\":\"a.Pooling\",\"path\":\"1_Pooling\"}]";
    static const struct {
        const char *text;
        enum pooling pooling;
    } kinds[] = {
        {"{\"pooling_mode_mean_tokens\":true}", POOLING_MEAN},
        {"{\"pooling_mode_cls_token\":true,\"pooling_mode_mean_tokens\":false}", POOLING_CLS},
        {"{\"pooling_mode\":\"lasttoken\"}", POOLING_LAST},
        {"{\"pooling_mode_max_tokens\":true}", POOLING_AUTO},
        {"{\"pooling_mode_cls_token\":true,\"pooling_mode_mean_tokens\":true}", POOLING_AUTO},
        {"{}", POOLING_AUTO}};
    struct model_config c;
    char path[FILE_PATH_MAX], place[FILE_PATH_MAX];
    CHECK_STATUS(file_join(path, folder, "config.json"), FT_OK);
    CHECK_STATUS(file_replace(path, config, strlen(config)), FT_OK);
    CHECK_STATUS(file_join(path, folder, "modules.json"), FT_OK);
    for (size_t i = 0; i < sizeof module_cases / sizeof module_cases[0]; i++) {
        CHECK_STATUS(file_replace(path, module_cases[i].text, strlen(module_cases[i].text)), FT_OK);
        check(module_cases[i].name, folder, module_cases[i].part);
    }
    CHECK_STATUS(file_replace(path, modules, strlen(modules)), FT_OK);
    CHECK_STATUS(file_join(place, folder, "1_Pooling"), FT_OK);
    CHECK_STATUS(file_make_folders(place), FT_OK);
    CHECK_STATUS(file_join(path, place, "config.json"), FT_OK);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        CHECK_STATUS(file_replace(path, kinds[i].text, strlen(kinds[i].text)), FT_OK);
        CHECK_STATUS(model_config_read(&c, folder), FT_OK);
        CHECK(c.folder_pooling == kinds[i].pooling);
    }
    CHECK_STATUS(file_replace(path, "[1]", 3), FT_OK);
    check("pooling a list", folder, "1_Pooling/config.json: the document is not an object");
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
    {"llama.rope.dimension_count", 7, false, "7 elements of a head of 16 turn"},
    {"llama.rope.dimension_count", 18, false, "dimension_count is 18, not from 1 to 16"},
    {"tokenizer.ggml.eos_token_id", 50, false, "outside the vocabulary of 50"},
    {"llama.expert_count", 8, false, "mixtures of experts"},
    {"llama.embedding_length", 0, false, "llama.embedding_length is 0"},
    {"llama.block_count", 0, false, "llama.block_count is 0"},
    {"llama.block_count", 0, true, "llama.block_count is missing"},
    {"llama.attention.head_count", 0, true, "head_count is missing"},
    {"llama.attention.head_count_kv", 8, false, "do not divide among 8"},
    {"llama.feed_forward_length", 0, false, "llama.feed_forward_length is 0"},
    {"llama.context_length", 0, false, "llama.context_length is 0"},
    {"llama.vocab_size", 0, false, "llama.vocab_size is 0"},
    {"llama.vocab_size", 1u << 31, false, "llama.vocab_size is 2147483648"},
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
        check(key_cases[i].part, path, key_cases[i].part);
    }
    static const float epsilons[] = {0, -1e-5F, NAN, INFINITY};
    static const char *const names[] = {"epsilon 0", "epsilon below 0", "epsilon NaN",
                                        "epsilon infinite"};
    for (int i = 0; i < 4; i++) {
        build(&b, NULL, 0, false);
        memcpy(b.data + b.used - 4, &epsilons[i], 4);
        put(path, &b);
        check(names[i], path, "layer_norm_rms_epsilon is");
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
    test_sizes();
    test_bert();
    test_families();
    test_pooling();
    test_gguf();
    CHECK_STATUS(file_remove_folder(folder), FT_OK);
    return check_end();
}
