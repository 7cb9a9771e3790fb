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
#include "model/export.h"

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

bool gguf_tensor_name(char name[TENSOR_NAME], const struct model_config *c,
                      const struct tensor_spec *t)
{
    const char *fused = fused_name(c, t->role);
    const char *inner = fused ? fused : names[t->role];
    if (!inner)
        return false;
    if (t->layer < 0)
        (void)snprintf(name, TENSOR_NAME, "%s", inner);
    else
        (void)snprintf(name, TENSOR_NAME, "blk.%d.%s", t->layer, inner);
    return true;
}

bool gguf_is_turned(const struct model_config *c, const struct tensor_spec *t)
{
    return c->transposed && t->layer >= 0 && t->n_dims == 2;
}

/* The table's row of the file's row r. */
static int64_t table_row(const struct model_config *c, const struct tensor_spec *t, int64_t r)
{
    const enum gguf_order order = family_of(c)->gguf_order;
    const bool is_q = t->role == ROLE_Q || t->role == ROLE_Q_BIAS;
    const bool is_k = t->role == ROLE_K || t->role == ROLE_K_BIAS;
    const int64_t D = c->D, i = r % D;
    if (order == GGUF_LLAMA && (is_q || is_k))
        return r - i + i % 2 * (D / 2) + i / 2;
    if (order == GGUF_NEOX && is_q)
        return (3 * (r / D % c->Hq) + r / D / c->Hq) * D + i;
    return r;
}

/* What the file's values are more than the table's. */
static float shift_of(const struct model_config *c, const struct tensor_spec *t)
{
    const bool is_norm = t->role == ROLE_ATTN_NORM || t->role == ROLE_Q_NORM ||
                         t->role == ROLE_K_NORM || t->role == ROLE_ATTN_OUT_NORM ||
                         t->role == ROLE_MLP_NORM || t->role == ROLE_MLP_OUT_NORM ||
                         t->role == ROLE_FINAL_NORM;
    return family_of(c)->gguf_order == GGUF_GEMMA && is_norm ? 1.0f : 0.0f;
}

/* Where the file's element e is in the table, and how many follow it there as in the file. */
static int64_t table_element(const struct model_config *c, const struct tensor_spec *t, int64_t e,
                             int64_t *run)
{
    const bool is_turned = gguf_is_turned(c, t);
    const int64_t width = t->dims[is_turned ? 0 : 1], row = e / width, column = e % width;
    if (is_turned) {
        *run = 1;
        return column * t->dims[1] + row;
    }
    *run = width - column;
    return table_row(c, t, row) * width + column;
}

void gguf_order_give(float *out, const float *x, int64_t first, int64_t n,
                     const struct model_config *c, const struct tensor_spec *t)
{
    const float shift = shift_of(c, t);
    for (int64_t k = 0, run = 1; k < n; k += run) {
        const int64_t from = table_element(c, t, first + k, &run);
        run = run < n - k ? run : n - k;
        memcpy(out + k, x + from, (size_t)run * sizeof *out);
    }
    for (int64_t k = 0; k < (shift > 0 ? n : 0); k++)
        out[k] += shift;
}

ft_status model_gguf_order(float *x, const struct model_config *c, const struct tensor_spec *t,
                           bool to_file)
{
    float *table;
    if (!to_file)
        return gguf_order_read(x, c, t);
    if (family_of(c)->gguf_order == GGUF_SAME)
        return FT_OK;
    FT_TRY(FT_ALLOC(table, t->n));
    memcpy(table, x, (size_t)t->n * sizeof *x);
    gguf_order_give(x, table, 0, t->n, c, t);
    mem_free(table);
    return FT_OK;
}

ft_status gguf_order_read(float *x, const struct model_config *c, const struct tensor_spec *t)
{
    const float shift = shift_of(c, t);
    float *file;
    if (family_of(c)->gguf_order == GGUF_SAME)
        return FT_OK;
    FT_TRY(FT_ALLOC(file, t->n));
    memcpy(file, x, (size_t)t->n * sizeof *x);
    for (int64_t e = 0, run = 1; e < t->n; e += run) {
        const int64_t to = table_element(c, t, e, &run);
        memcpy(x + to, file + e, (size_t)run * sizeof *x);
    }
    for (int64_t i = 0; i < (shift > 0 ? t->n : 0); i++)
        x[i] -= shift;
    mem_free(file);
    return FT_OK;
}
