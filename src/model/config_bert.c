/* config.json of the BERT family; absent keys take the defaults of transformers' BertConfig. */
#include "format/weights.h"
#include "model_file.h"

static ft_status get_sizes(struct model_config *c, const json_t *json)
{
    int64_t n_types = 2;
    bool found;
    FT_TRY(config_get_dim(json, "vocab_size", V_MAX, 30522, &c->V));
    FT_TRY(config_get_dim(json, "hidden_size", C_MAX, 768, &c->C));
    FT_TRY(config_get_dim(json, "num_hidden_layers", L_MAX, 12, &c->L));
    FT_TRY(config_get_dim(json, "num_attention_heads", H_MAX, 12, &c->Hq));
    FT_TRY(config_get_dim(json, "intermediate_size", F_MAX, 3072, &c->F));
    FT_TRY(config_get_dim(json, "max_position_embeddings", T_LIMIT, 512, &c->T_max));
    FT_TRY(json_get_int(json, "type_vocab_size", 0, V_MAX, &n_types, &found));
    c->n_types = (int)n_types;
    c->Hkv = c->Hq;
    if (c->C % c->Hq != 0)
        return ft_fail(FT_ERR_INPUT,
                       "key \"hidden_size\" (%d) is no multiple of \"num_attention_heads\" (%d)",
                       c->C, c->Hq);
    c->D = c->C / c->Hq;
    return FT_OK;
}

/* classifier_dropout that is null or absent is hidden_dropout_prob. */
static ft_status get_dropout(struct model_config *c, const json_t *json)
{
    bool found;
    c->hidden_dropout = c->attention_dropout = 0.1;
    FT_TRY(json_get_real(json, "hidden_dropout_prob", 0, DROPOUT_MAX, &c->hidden_dropout, &found));
    FT_TRY(json_get_real(json, "attention_probs_dropout_prob", 0, DROPOUT_MAX,
                         &c->attention_dropout, &found));
    c->classifier_dropout = c->hidden_dropout;
    return json_get_real(json, "classifier_dropout", 0, DROPOUT_MAX, &c->classifier_dropout,
                         &found);
}

/* A BERT can be built as the decoder half of a translator. */
static ft_status refuse_decoder(const json_t *json)
{
    static const char *const keys[] = {"is_decoder", "add_cross_attention"};
    for (int i = 0; i < 2; i++) {
        bool value = false, found;
        FT_TRY(json_get_bool(json, keys[i], &value, &found));
        if (value)
            return ft_fail(FT_ERR_INPUT, "key \"%s\" is true: not supported, only encoders are",
                           keys[i]);
    }
    return FT_OK;
}

ft_status config_from_bert(struct model_config *c, const json_t *json)
{
    bool found;
    FT_TRY(config_require_word(json, "hidden_act", "gelu"));
    FT_TRY(config_require_word(json, "position_embedding_type", "absolute"));
    FT_TRY(refuse_decoder(json));
    FT_TRY(get_sizes(c, json));
    FT_TRY(get_dropout(c, json));
    c->norm_eps = 1e-12;
    FT_TRY(json_get_real(json, "layer_norm_eps", 1e-12, 1, &c->norm_eps, &found));
    c->is_encoder = c->post_norm = true;
    c->norm = NORM_LAYER;
    c->activation = ACTIVATION_GELU;
    c->positions = POSITION_LEARNED;
    c->attention_bias = c->mlp_bias = true;
    c->bos = c->eos = -1;
    return FT_OK;
}

ft_status config_find_pooler(struct model_config *c, const char *folder)
{
    struct weights *w;
    FT_TRY(weights_open(&w, folder));
    c->has_pooler = weights_find(w, "pooler.dense.weight") >= 0 ||
                    weights_find(w, "bert.pooler.dense.weight") >= 0;
    weights_close(&w);
    return FT_OK;
}
