/* BERT, and RoBERTa, XLM-R and CamemBERT, which are BERTs whose positions begin behind the padding
 * id. */
#include "families.h"

/* A norm stands behind the half block that it follows: the one that a block's attention reads is
 * named after the block before. */
const char *const bert_names[N_ROLES] = {[ROLE_EMBED] = "embeddings.word_embeddings.weight",
                                         [ROLE_POSITIONS] = "embeddings.position_embeddings.weight",
                                         [ROLE_TYPES] = "embeddings.token_type_embeddings.weight",
                                         [ROLE_EMBED_NORM] = "embeddings.LayerNorm.weight",
                                         [ROLE_EMBED_NORM_BIAS] = "embeddings.LayerNorm.bias",
                                         [ROLE_EMBED_OUT] = "embeddings_project.weight",
                                         [ROLE_EMBED_OUT_BIAS] = "embeddings_project.bias",
                                         [ROLE_ATTN_NORM] = "output.LayerNorm.weight",
                                         [ROLE_ATTN_NORM_BIAS] = "output.LayerNorm.bias",
                                         [ROLE_Q] = "attention.self.query.weight",
                                         [ROLE_K] = "attention.self.key.weight",
                                         [ROLE_V] = "attention.self.value.weight",
                                         [ROLE_Q_BIAS] = "attention.self.query.bias",
                                         [ROLE_K_BIAS] = "attention.self.key.bias",
                                         [ROLE_V_BIAS] = "attention.self.value.bias",
                                         [ROLE_O] = "attention.output.dense.weight",
                                         [ROLE_O_BIAS] = "attention.output.dense.bias",
                                         [ROLE_MLP_NORM] = "attention.output.LayerNorm.weight",
                                         [ROLE_MLP_NORM_BIAS] = "attention.output.LayerNorm.bias",
                                         [ROLE_UP] = "intermediate.dense.weight",
                                         [ROLE_UP_BIAS] = "intermediate.dense.bias",
                                         [ROLE_DOWN] = "output.dense.weight",
                                         [ROLE_DOWN_BIAS] = "output.dense.bias",
                                         [ROLE_FINAL_NORM] = "output.LayerNorm.weight",
                                         [ROLE_FINAL_NORM_BIAS] = "output.LayerNorm.bias",
                                         [ROLE_POOLER] = "pooler.dense.weight",
                                         [ROLE_POOLER_BIAS] = "pooler.dense.bias"};

/* Its own head is the pooler and a linear layer; the mlp is RoBERTa's. */
static const char *const head_names[N_ROLES] = {[ROLE_HEAD_DENSE] = "classifier.dense.weight",
                                                [ROLE_HEAD_DENSE_BIAS] = "classifier.dense.bias",
                                                [ROLE_HEAD_OUT] = "classifier.weight",
                                                [ROLE_HEAD_OUT_BIAS] = "classifier.bias"};

const char *const bert_harmless[] = {
    "cls.",       "lm_head.", "pooler.", "embeddings.position_ids", "discriminator_predictions.",
    "generator_", NULL};

#define BERT_KEYS(vocabulary, types, eps)                                                          \
    {"vocab_size", KEY_SIZE, KEY_AT(V), V_MAX, vocabulary, 1},                                     \
        {"hidden_size", KEY_SIZE, KEY_AT(C), C_MAX, 768, 1},                                       \
        {"num_hidden_layers", KEY_SIZE, KEY_AT(L), L_MAX, 12, 1},                                  \
        {"num_attention_heads", KEY_SIZE, KEY_AT(Hq), H_MAX, 12, 1},                               \
        {"intermediate_size", KEY_SIZE, KEY_AT(F), F_MAX, 3072, 1},                                \
        {"max_position_embeddings", KEY_SIZE, KEY_AT(T_max), T_LIMIT, 512, 1},                     \
        {"type_vocab_size", KEY_COUNT, KEY_AT(n_types), V_MAX, types, 0},                          \
        {"hidden_act", KEY_FUNCTION, KEY_AT(function), 0, FUNCTION_GELU, 0},                       \
        {"layer_norm_eps", KEY_REAL, KEY_AT(norm_eps), 1, eps, 1e-12},                             \
        KEY_RATE("hidden_dropout_prob", hidden_dropout, 0.1),                                      \
        KEY_RATE("attention_probs_dropout_prob", attention_dropout, 0.1),                          \
        KEY_RATE("classifier_dropout", classifier_dropout, -1),                                    \
        {"is_decoder", KEY_FIXED, 0, 0, 0, 0},                                                     \
    {                                                                                              \
        "add_cross_attention", KEY_FIXED, 0, 0, 0, 0                                               \
    }

static const struct config_key bert_keys[] = {BERT_KEYS(30522, 2, 1e-12), {NULL, 0, 0, 0, 0, 0}};
static const struct config_key roberta_keys[] = {BERT_KEYS(50265, 2, 1e-12), {NULL, 0, 0, 0, 0, 0}};

/* classifier_dropout that is null or absent is hidden_dropout_prob. */
static ft_status settle_bert(struct model_config *c, const json_t *json)
{
    c->embedding_dropout = c->hidden_dropout;
    if (c->classifier_dropout < 0)
        c->classifier_dropout = c->hidden_dropout;
    c->bos = c->eos = -1;
    return config_require_word(json, "position_embedding_type", "absolute");
}

/* Rows 0 ... padding id of the table of positions belong to padding. */
static ft_status settle_roberta(struct model_config *c, const json_t *json)
{
    int64_t padding = 1;
    bool found;
    FT_TRY(json_get_int(json, "pad_token_id", 0, V_MAX, &padding, &found));
    c->position_offset = (int)padding + 1;
    if (c->T_max <= c->position_offset)
        return ft_fail(FT_ERR_INPUT,
                       "key \"max_position_embeddings\" is %d: no position is left behind the "
                       "padding id %lld",
                       c->T_max, (long long)padding);
    c->T_max -= c->position_offset;
    return settle_bert(c, json);
}

static void unsettle_roberta(struct model_config *c)
{
    c->T_max += c->position_offset;
}

#define BERT_TRAITS                                                                                \
    .positions = POSITION_LEARNED, .embed_norm = true, .norm = NORM_LAYER, .norm_bias = true,      \
    .post_norm = true, .skips_first_norm = true, .is_encoder = true, .attention_bias = true,       \
    .output_bias = true, .mlp_bias = true

const struct family family_bert = {
    .type = "bert",
    .base_class = "BertModel",
    .classifier_class = "BertForSequenceClassification",
    .keys = bert_keys,
    .prefix = "bert.",
    .block = {"encoder.layer.", "."},
    .names = bert_names,
    .head_names = head_names,
    .harmless = bert_harmless,
    .traits = {BERT_TRAITS, .has_pooler = true, .head_function = FUNCTION_TANH},
    .settle = settle_bert};

static const char *const roberta_head_names[N_ROLES] = {
    [ROLE_HEAD_DENSE] = "classifier.dense.weight",
    [ROLE_HEAD_DENSE_BIAS] = "classifier.dense.bias",
    [ROLE_HEAD_OUT] = "classifier.out_proj.weight",
    [ROLE_HEAD_OUT_BIAS] = "classifier.out_proj.bias"};

#define ROBERTA(name, classes)                                                                     \
    {                                                                                              \
        .type = name, .base_class = classes "Model",                                               \
        .classifier_class = classes "ForSequenceClassification", .own_head = HEAD_MLP,             \
        .keys = roberta_keys, .prefix = "roberta.", .block = {"encoder.layer.", "."},              \
        .names = bert_names, .head_names = roberta_head_names, .harmless = bert_harmless,          \
        .traits = {BERT_TRAITS, .head_function = FUNCTION_TANH}, .settle = settle_roberta,         \
        .unsettle = unsettle_roberta                                                               \
    }

const struct family family_roberta = ROBERTA("roberta", "Roberta");
const struct family family_xlm_roberta = ROBERTA("xlm-roberta", "XLMRoberta");
const struct family family_camembert = ROBERTA("camembert", "Camembert");

/* ELECTRA: a BERT without pooler, whose embeddings may be smaller than its hidden size. */
static const struct config_key electra_keys[] = {
    BERT_KEYS(30522, 2, 1e-12),
    {"embedding_size", KEY_SIZE, KEY_AT(E), C_MAX, 128, 1},
    {NULL, 0, 0, 0, 0, 0}};

const struct family family_electra = {.type = "electra",
                                      .base_class = "ElectraModel",
                                      .classifier_class = "ElectraForSequenceClassification",
                                      .own_head = HEAD_MLP,
                                      .keys = electra_keys,
                                      .prefix = "electra.",
                                      .block = {"encoder.layer.", "."},
                                      .names = bert_names,
                                      .head_names = roberta_head_names,
                                      .harmless = bert_harmless,
                                      .traits = {BERT_TRAITS, .head_function = FUNCTION_GELU},
                                      .settle = settle_bert};
