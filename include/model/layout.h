/**
 * The ONE tensor table: name, shape and place of every parameter in the flat buffer (N) f32. It
 * drives import, export, optimizer, ZeRO-1, checkpoint and head-only training.
 *
 * Tensors follow each other without padding, in this order; what is joined by + is one matrix to
 * read:
 *
 *     embed, positions, types, embed_norm, embed_norm_bias, embed_out, embed_out_bias
 *     per layer: attn_norm, attn_norm_bias, q + k + v, q_bias + k_bias + v_bias, q_norm, k_norm,
 *                o, o_bias, attn_out_norm, mlp_norm, mlp_norm_bias, gate + up,
 *                gate_bias + up_bias, down, down_bias, mlp_out_norm
 *     final_norm, final_norm_bias
 *     lm_head (only where it is not the embedding, and not for classification)
 *     pooler, pooler_bias, head_dense, head_dense_bias, head_out, head_out_bias
 *
 * Where q, k and v are one tensor in the family's files it has the role of q, gate and up that of
 * gate. Matrices of the blocks are (in, out) where the configuration says transposed.
 *
 * A norm belongs to the half block that reads it. In a model with post_norm Hugging Face names it
 * after the half block before: attn_norm of layer l > 0 is encoder.layer.(l-1).output.LayerNorm,
 * mlp_norm is attention.output.LayerNorm, final_norm is that of the last layer. With shared_layers
 * there is one block, and its attn_norm is final_norm. What learns in mode last-layers is a suffix
 * of the buffer.
 */
#ifndef FT_MODEL_LAYOUT_H
#define FT_MODEL_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/config.h"

enum tensor_role {
    ROLE_EMBED,           /**< (V, E) */
    ROLE_POSITIONS,       /**< (position_offset + T_max, E) learned positions */
    ROLE_TYPES,           /**< (n_types, E) */
    ROLE_EMBED_NORM,      /**< (E) */
    ROLE_EMBED_NORM_BIAS, /**< (E) */
    ROLE_EMBED_OUT,       /**< (C, E) where E is less than C */
    ROLE_EMBED_OUT_BIAS,  /**< (C) */
    ROLE_ATTN_NORM,       /**< (C) */
    ROLE_ATTN_NORM_BIAS,  /**< (C) */
    ROLE_Q,               /**< (Hq*D, C); with K and V behind it (Hq*D + 2*Hkv*D, C) */
    ROLE_K,               /**< (Hkv*D, C) */
    ROLE_V,               /**< (Hkv*D, C) */
    ROLE_Q_BIAS,          /**< (Hq*D) */
    ROLE_K_BIAS,          /**< (Hkv*D) */
    ROLE_V_BIAS,          /**< (Hkv*D) */
    ROLE_Q_NORM,          /**< (D), or (Hq*D) */
    ROLE_K_NORM,          /**< (D), or (Hkv*D) */
    ROLE_O,               /**< (C, Hq*D) */
    ROLE_O_BIAS,          /**< (C) */
    ROLE_ATTN_OUT_NORM,   /**< (C) */
    ROLE_MLP_NORM,        /**< (C) */
    ROLE_MLP_NORM_BIAS,   /**< (C) */
    ROLE_GATE,            /**< (F, C); with UP behind it (2*F, C) */
    ROLE_UP,              /**< (F, C) */
    ROLE_GATE_BIAS,       /**< (F) */
    ROLE_UP_BIAS,         /**< (F) */
    ROLE_DOWN,            /**< (C, F) */
    ROLE_DOWN_BIAS,       /**< (C) */
    ROLE_MLP_OUT_NORM,    /**< (C) */
    ROLE_FINAL_NORM,      /**< (C) */
    ROLE_FINAL_NORM_BIAS, /**< (C) */
    ROLE_LM_HEAD,         /**< (V, C) */
    ROLE_POOLER,          /**< (C, C) */
    ROLE_POOLER_BIAS,     /**< (C) */
    ROLE_HEAD_DENSE,      /**< (C, C) mlp */
    ROLE_HEAD_DENSE_BIAS, /**< (C) */
    ROLE_HEAD_OUT,        /**< (K, C) */
    ROLE_HEAD_OUT_BIAS,   /**< (K) */
    N_ROLES
};

struct tensor_spec {
    char name[128];  /**< Hugging Face's name: "model.layers.0.self_attn.q_proj.weight" */
    int n_dims;      /**< 1 or 2 */
    int64_t dims[2]; /**< slowest first; dims[1] = 1 for a vector */
    int64_t offset;  /**< elements from the start of the flat buffer */
    int64_t n;       /**< elements */
    bool decays;     /**< weight decay applies: n_dims >= 2 */
    int layer;       /**< -1 outside the blocks */
    int role;        /**< enum tensor_role */
};

struct layout {
    int n_tensors;
    struct tensor_spec *tensors; /**< in order of offset */
    int64_t N;                   /**< elements of the flat buffer */
};

/**
 * Builds the table of a model. Not collective; equal on all ranks for equal configurations.
 *
 * @param[out] out gives the table; layout_destroy
 * @return FT_OK, FT_ERR_INPUT (more parameters than can be counted), FT_ERR_INTERNAL
 */
ft_status layout_create(struct layout **out, const struct model_config *config);

/** Takes *layout (may be NULL) and sets it to NULL. */
void layout_destroy(struct layout **layout);

/**
 * The tensors from offset `from` on as a table of their own, their offsets counted from there: what
 * learns when the rest is frozen. Optimizer and checkpoints take it as they take the whole table.
 *
 * @param[out] out  gives the table; layout_destroy
 * @param[in]  from offset of a tensor
 */
ft_status layout_suffix(struct layout **out, const struct layout *layout, int64_t from);

/** Where the trainable part begins when only the last n_layers blocks and what follows them learn;
 * 0 for n_layers = 0, which stands for all. */
int64_t layout_trainable_from(const struct layout *layout, const struct model_config *config,
                              int n_layers);

/** Offset of the tensor with this role in this layer (-1 outside the blocks); -1 when absent. */
int64_t layout_offset(const struct layout *layout, int role, int layer);

/** Index of a tensor by its Hugging Face name; -1 when there is none. */
int layout_find(const struct layout *layout, const char *name);

#endif
