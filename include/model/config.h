/** Architecture of a model, from config.json or GGUF metadata: every number is in a checked range.
 */
#ifndef FT_MODEL_CONFIG_H
#define FT_MODEL_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "config/settings.h"
#include "math/activation.h"

#define MODEL_ROPE_DIVISORS_MAX 256
#define MODEL_LAYERS_MAX 1024

enum rope_scaling { ROPE_PLAIN, ROPE_LINEAR, ROPE_DYNAMIC, ROPE_LLAMA3, ROPE_YARN };
enum norm_kind { NORM_RMS, NORM_LAYER }; /**< NORM_LAYER subtracts the mean */
enum position_kind { POSITION_ROPE, POSITION_LEARNED };

/** What of queries and keys goes through an RMS norm: nothing, each head, or all heads at once. */
enum qk_norm { QK_NORM_NONE, QK_NORM_HEAD, QK_NORM_ALL };

/** How fast queries and keys turn with their position. */
struct rope_config {
    double theta; /**< 0: there is no such rotation */
    enum rope_scaling scaling;
    double factor;                            /**< every kind but ROPE_PLAIN */
    int original_positions;                   /**< ROPE_LLAMA3, ROPE_YARN */
    double low_freq_factor, high_freq_factor; /**< ROPE_LLAMA3 */
    double beta_fast, beta_slow;              /**< ROPE_YARN */
    double attention_factor;                  /**< ROPE_YARN: cosines and sines times this */
    bool truncate;  /**< ROPE_YARN: the ramp begins and ends at integers */
    int n_divisors; /**< 0, or half of what turns: the plain frequencies are divided by divisor */
    double divisor[MODEL_ROPE_DIVISORS_MAX]; /**< GGUF's rope_freqs.weight; scaling then says in
                                                  llama3's numbers the same */
};

/** What classification puts behind the last block. */
struct head_config {
    int n_labels;         /**< K; 0: the model predicts tokens */
    enum pooling pooling; /**< never POOLING_AUTO where n_labels > 0 */
    enum head_kind kind;
    bool bias; /**< linear: encoders have one, decoders have none; mlp: always */
};

/** Plain data without pointers: it can be sent to other ranks as bytes. */
struct model_config {
    char family[32]; /**< model_type of config.json: "llama", "bert" ... */

    /* sizes */
    int V;     /**< vocabulary */
    int C;     /**< hidden size */
    int E;     /**< embedding size, at most C; where it is less, a dense layer leads to C */
    int L;     /**< layers */
    int Hq;    /**< query heads */
    int Hkv;   /**< key and value heads; divides Hq */
    int D;     /**< head size; even */
    int F;     /**< intermediate size of the MLP */
    int T_max; /**< positions the model was made for */

    /* embedding */
    enum position_kind positions;
    int position_offset; /**< POSITION_LEARNED: rows of the table before that of position 0 */
    int n_types;         /**< rows of the token-type table, of which row 0 is used; 0 = none */
    double embed_scale;  /**< token embeddings times this; 0 = 1 */
    bool embed_norm;     /**< a norm behind the sum of embeddings */

    /* norms */
    enum norm_kind norm;
    double norm_eps;
    double norm_shift; /**< 1: weights are kept as their distance from 1 (Gemma) */
    bool norm_bias;    /**< NORM_LAYER only */
    bool pre_norms;    /**< a norm before each half block */
    bool output_norms; /**< a norm behind each half block, before it is added */
    bool post_norm;    /**< the stream goes on from the norm of the next half block, as in BERT */
    bool skips_first_norm; /**< the first block has none before its attention: embed_norm is it */

    /* attention */
    bool is_encoder; /**< every token sees its whole sequence; there is no output layer of tokens */
    int rotary;      /**< POSITION_ROPE: elements of a head that turn; even, at most D */
    struct rope_config rope, rope_local; /**< rope_local where local layers turn otherwise */
    int window; /**< of local layers; decoder: keys that a token sees, itself included; encoder:
                     how far it sees to either side. 0 = no layer is local */
    uint64_t local_layers[MODEL_LAYERS_MAX / 64]; /**< bit l % 64 of word l / 64 */
    enum qk_norm qk_norm;
    double attention_scale;       /**< of the scores; 0 = 1 / sqrt(D) */
    double attention_softcap;     /**< 0 = none */
    bool attention_bias;          /**< q, k and v */
    bool output_bias;             /**< o */
    bool skips_attention_dropout; /**< hidden_dropout is behind the MLP alone */

    /* MLP */
    enum function function;
    bool gated; /**< f(gate) * up, else f(up) */
    bool mlp_bias;

    /* the way of storing and of joining */
    bool parallel;      /**< attention and MLP read the same stream, and both are added to it */
    bool shared_layers; /**< all blocks have the same weights */
    bool fused_qkv;     /**< q, k and v are one tensor */
    bool interleaved;   /**< fused_qkv: q, k, v of head 0, then of head 1 ...; Hkv = Hq */
    bool fused_gate_up; /**< gate and up are one tensor */
    bool transposed;    /**< matrices of the blocks are stored (in, out) */

    /* output */
    bool tied_embeddings;        /**< the output layer is the embedding matrix */
    double logit_softcap;        /**< 0 = none */
    int64_t bos, eos;            /**< token ids, the first of a list; -1 = none */
    bool has_pooler;             /**< dense + tanh on the first token */
    enum function head_function; /**< of an mlp head's dense layer */

    /** Rates of config.json; embedding: behind the embeddings, hidden: behind each half block. */
    double embedding_dropout, hidden_dropout, attention_dropout, classifier_dropout;
    enum pooling folder_pooling; /**< what the folder's pooling configuration says, else AUTO */
    struct head_config head;     /**< n_labels = 0 after model_config_read */
};

/** Whether a layer sees only its window. */
static inline bool model_layer_is_local(const struct model_config *config, int layer)
{
    return config->window > 0 && (config->local_layers[layer / 64] >> (layer % 64) & 1) != 0;
}

/** Blocks that have weights of their own: L, or 1. */
static inline int model_config_blocks(const struct model_config *config)
{
    return config->shared_layers ? 1 : config->L;
}

/** The same rate at every place of dropout. */
static inline void model_config_set_dropout(struct model_config *config, double rate)
{
    config->embedding_dropout = config->hidden_dropout = rate;
    config->attention_dropout = config->classifier_dropout = rate;
}

/**
 * What POOLING_AUTO stands for outside mode transfer: the folder's word, else cls for encoders with
 * a pooler, mean for other encoders, last for decoders.
 */
enum pooling model_config_pooling(const struct model_config *config, enum pooling wanted);

/**
 * Reads config.json of a folder, or the metadata of a .gguf file. Absent keys take the defaults of
 * transformers' configuration of that family. Not collective.
 *
 * @return FT_OK; FT_ERR_INPUT: the message names file and key, and for what is not supported
 *         (architecture, activation, RoPE scaling) its name; FT_ERR_IO
 */
ft_status model_config_read(struct model_config *out, const char *path);

#endif
