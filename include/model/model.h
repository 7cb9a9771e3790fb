/**
 * A decoder or encoder, perhaps with a classification head: parameters, gradients, and the forward
 * and backward pass over one packed micro-batch.
 *
 * Local: links no MPI. All memory is taken in model_create; the passes allocate nothing. Every
 * segment of a batch has at least one token.
 */
#ifndef FT_MODEL_MODEL_H
#define FT_MODEL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "math/dropout.h"
#include "math/elem.h"
#include "math/gemm16.h"
#include "math/ops.h"
#include "model/batch.h"
#include "model/config.h"
#include "model/layout.h"

/** What is kept of a norm for its backward pass. */
struct norm_acts {
    float *x;    /**< (n, C) input: the residual stream */
    float *mean; /**< (n); NULL for NORM_RMS */
    float *rstd; /**< (n) */
};

/** What is kept of one block for its backward pass; rows are tokens, void: of the model's elem. */
struct block_acts {
    struct norm_acts attn_norm;
    void *qk;       /**< (n, (Hq + Hkv) * D) queries and keys before their norm; else NULL */
    float *qk_rstd; /**< of q (n, groups), then of k */
    void *qkv;      /**< (n, (Hq + 2 Hkv) * D) queries and keys (rotated with RoPE), values */
    void *att;      /**< (n, Hq * D) attention output */
    float *lse;     /**< (n, Hq) */
    struct norm_acts attn_out_norm; /**< with output_norms: what attention adds, before its norm */
    struct norm_acts mlp_norm;      /**< with parallel: x is that of attn_norm */
    void *up; /**< (n, 2F) gate and up, or (n, F) up alone: before the activation */
    struct norm_acts mlp_out_norm; /**< as attn_out_norm */
};

/** Element offsets in the flat buffer; -1 = the model has none. */
struct norm_offsets {
    int64_t weight, bias;
};

/** One layer of weights: y (n, out) = x (n, in) * w^T + bias. */
struct linear {
    int64_t weight; /**< offset of w (out, in), or (in, out) where transposed */
    int64_t bias;   /**< offset (out); -1 = none */
    int in, out;
    bool transposed;
};

/** What one block reads of the parameters; blocks that share their weights have equal ones. */
struct block_weights {
    struct norm_offsets attn_norm, attn_out_norm, mlp_norm, mlp_out_norm;
    int64_t q_norm, k_norm;
    struct linear qkv; /**< queries, keys, values */
    struct linear o;
    struct linear up; /**< gate and up, or up alone */
    struct linear down;
};

/** f(x w^T + b) of one vector a segment: the pooler, the mlp head's dense layer. */
struct head_stage {
    struct linear linear;
    enum function function;
    float *pre, *out; /**< (max_segments, C) before and behind the function */
};

/** Classification: what lies between the last norm and the logits. */
struct head {
    int n_stages; /**< 0 ... 2 */
    struct head_stage stages[2];
    struct linear out;
    float *pooled;           /**< (max_segments, C) */
    float *input;            /**< (max_segments, C) of the output layer, after dropout */
    float *logits, *dlogits; /**< (max_segments, K) */
    float *dx[2];            /**< (max_segments, C) backward only */
};

/** Rates and key of the pass that is going on; all 0 outside model_loss_backward. */
struct pass_dropout {
    struct dropout embedding, hidden, attention, classifier;
};

/** Told during a backward pass that model->grads from element `from` to its end are final for this
 * pass; from never grows, the last call says 0. */
typedef void model_gradient_watcher(void *context, int64_t from);

struct model {
    struct model_config config;
    struct layout *layout;
    float *params;          /**< (N) */
    uint16_t *params16;     /**< (N) the same rounded to bf16; NULL with ELEM_F32 */
    enum elem elem;         /**< of what the large matrix products read */
    struct gemm16 *gemm16;  /**< NULL with ELEM_F32 */
    int64_t trainable_from; /**< 0 when everything learns */
    int first_layer;        /**< first block that learns */
    enum recompute recompute;
    struct layout *trainable; /**< the tensors from there on */
    float *grads; /**< (trainable->N) of the trainable part; sums over supervised tokens; NULL for a
                       model that only evaluates */
    const float *class_weights;    /**< (K) borrowed, or NULL: all 1; set by the caller */
    float label_smoothing;         /**< classification; set by the caller */
    model_gradient_watcher *watch; /**< or NULL; set by the caller, with its context */
    void *watch_context;
    struct kv_cache *cache; /**< NULL, or of the text that model_continue continues */

    int max_tokens;                /**< largest batch */
    int max_length;                /**< longest sequence */
    int max_segments;              /**< sequences of a batch; classification */
    struct block_weights *weights; /**< (L) */
    int64_t embed, positions, types;
    struct norm_offsets embed_norm, final_norm;
    struct linear embed_out; /**< from E to C; weight -1 where they are equal */
    struct linear lm_head;
    struct heads q, k; /**< where they lie in a row of queries, keys and values */
    struct pass_dropout dropout;

    struct arena memory;        /**< everything below, and the buffers of head */
    struct head head;           /**< also of an encoder with a pooler and no head */
    struct block_acts *acts;    /**< (L); blocks that are frozen, or all when only evaluating, share
                                  one, and so do all in what is computed again */
    struct norm_acts embed_sum; /**< (n, E) the embedding norm's; NULL where there is none */
    struct norm_acts last;      /**< the final norm's */
    float *h;                   /**< (max_tokens, C) normed rows */
    uint16_t *h16;              /**< the same, rounded; NULL with ELEM_F32 */
    float *delta;               /**< (max_tokens, C) what a half block adds, or its gradient */
    float *aside;  /**< (max_tokens, C) with parallel: what the MLP adds, or the gradient that both
                       halves take; else NULL */
    void *act;     /**< (max_tokens, F) of elem */
    float *logits; /**< (LM_CHUNK or max_tokens, V); NULL without tokens to predict */
    float *losses; /**< (max_tokens) */
    struct rotation rotation, rotation_local; /**< of global and local layers; NULL without */
    float *attention;                         /**< tile scratch */
    float *dx, *dh;                           /**< (max_tokens, C) backward only, as what follows */
    void *ddelta; /**< (max_tokens, C) of elem: dx as products read it; NULL with f32 */
    void *datt, *dqkv, *dact, *dup; /**< of elem */
    float *dkv;
};

/** Logits exist for so many rows at a time. */
enum { LM_CHUNK = 512 };

/** How large a model's batches may be, what of it learns, and how exactly it multiplies. */
struct model_shape {
    int max_tokens;       /**< of the largest micro-batch */
    int max_length;       /**< of the longest sequence */
    int max_segments;     /**< sequences of a micro-batch */
    bool trains;          /**< with gradients and what the backward pass needs */
    bool grads_elsewhere; /**< the caller sets model->grads, (trainable->N) zeros of its own, before
                               the first backward pass, and NULL before model_destroy */
    int trainable_layers; /**< the last so many blocks and what follows them; 0 = everything */

    /** ELEM_BF16: the blocks' and the output layer's matrix products read bf16 copies of weights
     * and activations and sum in f32. Parameters, gradients, the residual stream, norms, softmax,
     * loss and a classification head stay f32. */
    enum elem elem;

    /** What the backward pass of the blocks that learn computes again instead of finding it in
     * memory: RECOMPUTE_ATTENTION queries, keys, values and attention's output, RECOMPUTE_BLOCK
     * everything but a block's input. The gradients have the same bits. */
    enum recompute recompute;
};

/**
 * Builds a model and takes all its memory; parameters and gradients are zero.
 *
 * @param[out] out gives the model
 * @return FT_OK, FT_ERR_INTERNAL (memory)
 */
ft_status model_create(struct model **out, const struct model_config *config,
                       const struct model_shape *shape);

/** Takes *model (may be NULL), sets NULL. */
void model_destroy(struct model **model);

/** Makes params16 agree with params, where there is one: after every change of params that does not
 * see to it itself. Local. */
void model_round_params(struct model *model);

/** Bytes that model_create would take for activations, exactly, without taking them. */
ft_status model_activation_bytes(int64_t *bytes, const struct model_config *config,
                                 const struct model_shape *shape);

/**
 * A new head: weights from N(0, 0.02), biases zero; the rest is left alone. A pure function of the
 * seed, equal on all ranks.
 */
void model_init_head(struct model *model, uint64_t seed);

/**
 * Sum of the losses of the batch's supervised tokens [nats], or of its documents in classification
 * (each times its class weight). No dropout.
 *
 * @param[in] batch classification: labels from 0 to K-1, or -1 = not counted
 *
 * Source of the block: Touvron et al. 2023, section 2.2; Devlin et al. 2018.
 */
double model_loss(struct model *model, const struct batch *batch);

/** Classification: (n_segments, K) logits of the last batch that went through model_loss or
 * model_loss_backward. Borrowed until the next pass. */
const float *model_class_logits(const struct model *model);

/**
 * As model_loss, and adds the gradient of that SUM to model->grads. With dropout at the rates of
 * the configuration, keyed by batch->dropout_key, in the parts that learn; frozen parts know none.
 */
double model_loss_backward(struct model *model, const struct batch *batch);

/** Logits of every row: (n_tokens, V). For tests and continuations; training never holds them all.
 */
void model_logits(struct model *model, float *logits, const struct batch *batch);

/** Logits (V) of the last row alone. */
void model_last_logits(struct model *model, float *logits, const struct batch *batch);

/** Sees the output of block `layer` (from 1) as transformers' hidden_states[layer]: (n_tokens, C);
 * valid during the call. */
typedef void model_visitor(void *context, int layer, const float *hidden);

/** Runs the blocks alone and shows each one's output to visit, first to last. The last one's is
 * after the final norm. No dropout. */
void model_hidden(struct model *model, const struct batch *batch, model_visitor *visit,
                  void *context);

/**
 * One vector a segment: out (n_segments, C) from hidden (n_tokens, C) of a block. POOLING_CLS on
 * the last layer (layer = L) goes through the model's pooler where it has one.
 */
void model_pool(const struct model *model, float *out, const float *hidden,
                const struct batch *batch, int layer, enum pooling pooling);

/**
 * Floating-point operations of one training step over so many tokens in sequences of T: matrix
 * products alone, two for each element of a weight and token forward, as many for each gradient.
 *
 * @param[in] trainable_layers as model_shape's: frozen blocks run forward only
 */
double model_step_flops(const struct model_config *config, int trainable_layers, double n_tokens,
                        double T);

#endif
