/*
 * llama.cpp keeps some tensors in an order of its own.
 *
 * Llama: Hugging Face rotates pairs (i, i + D/2) of a head, ggml pairs (2i, 2i + 1), so the rows of
 * Q and K in each head are
 *
 *     Hugging Face  j * D/2 + i   (j = 0, 1; i = 0 ... D/2 - 1)   ggml's   2 * i + j
 *
 * NeoX: q, k and v of a head are neighbours there, here all queries come first, then all keys.
 * GPT-2: matrices (in, out) become (out, in). Gemma: weights of norms are kept plus 1.
 */
#include "gguf_order.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "family.h"

static const char *const names[N_ROLES] = {[ROLE_EMBED] = "token_embd.weight",
                                           [ROLE_POSITIONS] = "position_embd.weight",
                                           [ROLE_ATTN_NORM] = "attn_norm.weight",
                                           [ROLE_ATTN_NORM_BIAS] = "attn_norm.bias",
                                           [ROLE_Q] = "attn_q.weight",
                                           [ROLE_K] = "attn_k.weight",
                                           [ROLE_V] = "attn_v.weight",
                                           [ROLE_Q_BIAS] = "attn_q.bias",
                                           [ROLE_K_BIAS] = "attn_k.bias",
                                           [ROLE_V_BIAS] = "attn_v.bias",
                                           [ROLE_Q_NORM] = "attn_q_norm.weight",
                                           [ROLE_K_NORM] = "attn_k_norm.weight",
                                           [ROLE_O] = "attn_output.weight",
                                           [ROLE_O_BIAS] = "attn_output.bias",
                                           [ROLE_ATTN_OUT_NORM] = "post_attention_norm.weight",
                                           [ROLE_MLP_NORM] = "ffn_norm.weight",
                                           [ROLE_MLP_NORM_BIAS] = "ffn_norm.bias",
                                           [ROLE_GATE] = "ffn_gate.weight",
                                           [ROLE_UP] = "ffn_up.weight",
                                           [ROLE_GATE_BIAS] = "ffn_gate.bias",
                                           [ROLE_UP_BIAS] = "ffn_up.bias",
                                           [ROLE_DOWN] = "ffn_down.weight",
                                           [ROLE_DOWN_BIAS] = "ffn_down.bias",
                                           [ROLE_MLP_OUT_NORM] = "post_ffw_norm.weight",
                                           [ROLE_FINAL_NORM] = "output_norm.weight",
                                           [ROLE_FINAL_NORM_BIAS] = "output_norm.bias",
                                           [ROLE_LM_HEAD] = "output.weight"};

/* What the one tensor is called that stands for several. */
static const char *fused_name(const struct model_config *c, int role)
{
    if (c->fused_qkv && role == ROLE_Q)
        return "attn_qkv.weight";
    if (c->fused_qkv && role == ROLE_Q_BIAS)
        return "attn_qkv.bias";
    if (c->fused_gate_up && role == ROLE_GATE)
        return "ffn_up.weight";
    return NULL;
}

void gguf_tensor_name(char name[TENSOR_NAME], const struct model_config *c,
                      const struct tensor_spec *t)
{
    const char *fused = fused_name(c, t->role);
    const char *inner = fused ? fused : names[t->role] ? names[t->role] : "";
    if (t->layer < 0)
        (void)snprintf(name, TENSOR_NAME, "%s", inner);
    else
        (void)snprintf(name, TENSOR_NAME, "blk.%d.%s", t->layer, inner);
}

bool gguf_is_turned(const struct model_config *c, const struct tensor_spec *t)
{
    return c->transposed && t->layer >= 0 && t->n_dims == 2;
}

/* Rows of x, each `width` elements: row to_of(i) of the result is row i, in groups of `group` rows.
 */
struct row_map {
    const struct model_config *config;
    int64_t (*file_row)(const struct model_config *c, int64_t row); /* of the table's row */
    int64_t group, width;
};

static ft_status move_rows(float *x, const struct row_map *map, int64_t n_rows, bool to_file)
{
    float *copy;
    const int64_t width = map->width;
    FT_TRY(FT_ALLOC(copy, map->group * width));
    for (int64_t first = 0; first < n_rows; first += map->group, x += map->group * width) {
        memcpy(copy, x, (size_t)(map->group * width) * sizeof *x);
        for (int64_t row = 0; row < map->group; row++) {
            const int64_t other = map->file_row(map->config, row);
            memcpy(x + (to_file ? other : row) * width, copy + (to_file ? row : other) * width,
                   (size_t)width * sizeof *x);
        }
    }
    mem_free(copy);
    return FT_OK;
}

/* Within a head. */
static int64_t llama_row(const struct model_config *c, int64_t row)
{
    const int64_t half = c->D / 2;
    return 2 * (row % half) + row / half;
}

/* In the whole fused tensor. */
static int64_t neox_row(const struct model_config *c, int64_t row)
{
    const int64_t D = c->D, head = row / (3 * D), part = row / D % 3;
    return (part * c->Hq + head) * D + row % D;
}

/* (rows, columns) becomes (columns, rows). */
static ft_status transpose(float *x, int64_t rows, int64_t columns)
{
    float *copy;
    FT_TRY(FT_ALLOC(copy, rows * columns));
    memcpy(copy, x, (size_t)(rows * columns) * sizeof *x);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            x[j * rows + i] = copy[i * columns + j];
    mem_free(copy);
    return FT_OK;
}

static bool is_norm(const struct tensor_spec *t)
{
    return t->role == ROLE_ATTN_NORM || t->role == ROLE_Q_NORM || t->role == ROLE_K_NORM ||
           t->role == ROLE_ATTN_OUT_NORM || t->role == ROLE_MLP_NORM ||
           t->role == ROLE_MLP_OUT_NORM || t->role == ROLE_FINAL_NORM;
}

static bool is_of_q_or_k(const struct tensor_spec *t)
{
    return t->role == ROLE_Q || t->role == ROLE_Q_BIAS || t->role == ROLE_K ||
           t->role == ROLE_K_BIAS;
}

static ft_status reorder(float *x, const struct model_config *c, const struct tensor_spec *t,
                         bool to_file)
{
    const int64_t rows = t->dims[0], width = t->dims[1];
    const struct row_map heads = {c, llama_row, c->D, width}, all = {c, neox_row, rows, width};
    switch (family_of(c)->gguf_order) {
    case GGUF_LLAMA:
        return is_of_q_or_k(t) ? move_rows(x, &heads, rows, to_file) : FT_OK;
    case GGUF_NEOX:
        return t->role == ROLE_Q || t->role == ROLE_Q_BIAS ? move_rows(x, &all, rows, to_file)
                                                           : FT_OK;
    case GGUF_GPT2:
        if (!gguf_is_turned(c, t))
            return FT_OK;
        return to_file ? transpose(x, rows, width) : transpose(x, width, rows);
    case GGUF_GEMMA:
        for (int64_t i = 0; i < (is_norm(t) ? t->n : 0); i++)
            x[i] += to_file ? 1.0f : -1.0f;
        return FT_OK;
    case GGUF_SAME:
        break;
    }
    return FT_OK;
}

ft_status gguf_order_read(float *x, const struct model_config *c, const struct tensor_spec *t)
{
    return reorder(x, c, t, false);
}

ft_status gguf_order_write(float *x, const struct model_config *c, const struct tensor_spec *t)
{
    return reorder(x, c, t, true);
}
