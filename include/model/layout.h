/**
 * The ONE tensor table: name, shape and place of every parameter in the flat buffer (N) f32. It
 * drives import, export, optimizer, ZeRO-1, checkpoint and head-only training.
 *
 * Tensors follow each other without padding, in this order; what is joined by + is one matrix to
 * read:
 *
 *     embed
 *     per layer: attn_norm, q + k + v, q_bias + k_bias + v_bias, o, o_bias,
 *                mlp_norm, gate + up, gate_bias + up_bias, down, down_bias
 *     final_norm
 *     lm_head (only where it is not the embedding)
 */
#ifndef FT_MODEL_LAYOUT_H
#define FT_MODEL_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/config.h"

enum tensor_role {
    ROLE_EMBED,      /**< (V, C) */
    ROLE_ATTN_NORM,  /**< (C) */
    ROLE_Q,          /**< (Hq*D, C); with K and V behind it (Hq*D + 2*Hkv*D, C) */
    ROLE_K,          /**< (Hkv*D, C) */
    ROLE_V,          /**< (Hkv*D, C) */
    ROLE_Q_BIAS,     /**< (Hq*D) */
    ROLE_K_BIAS,     /**< (Hkv*D) */
    ROLE_V_BIAS,     /**< (Hkv*D) */
    ROLE_O,          /**< (C, Hq*D) */
    ROLE_O_BIAS,     /**< (C) */
    ROLE_MLP_NORM,   /**< (C) */
    ROLE_GATE,       /**< (F, C); with UP behind it (2*F, C) */
    ROLE_UP,         /**< (F, C) */
    ROLE_GATE_BIAS,  /**< (F) */
    ROLE_UP_BIAS,    /**< (F) */
    ROLE_DOWN,       /**< (C, F) */
    ROLE_DOWN_BIAS,  /**< (C) */
    ROLE_FINAL_NORM, /**< (C) */
    ROLE_LM_HEAD,    /**< (V, C) */
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

/** Offset of the tensor with this role in this layer (-1 outside the blocks); -1 when absent. */
int64_t layout_offset(const struct layout *layout, int role, int layer);

/** Index of a tensor by its Hugging Face name; -1 when there is none. */
int layout_find(const struct layout *layout, const char *name);

#endif
