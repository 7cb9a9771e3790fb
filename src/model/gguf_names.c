#include "gguf_names.h"

#include <stdio.h>
#include <string.h>

static const struct gguf_family families[] = {{"llama", "llama", true}};

/* Behind "blk.<layer>." in a block. */
static const char *const names[N_ROLES] = {
    [ROLE_EMBED] = "token_embd.weight",  [ROLE_ATTN_NORM] = "attn_norm.weight",
    [ROLE_Q] = "attn_q.weight",          [ROLE_K] = "attn_k.weight",
    [ROLE_V] = "attn_v.weight",          [ROLE_Q_BIAS] = "attn_q.bias",
    [ROLE_K_BIAS] = "attn_k.bias",       [ROLE_V_BIAS] = "attn_v.bias",
    [ROLE_O] = "attn_output.weight",     [ROLE_O_BIAS] = "attn_output.bias",
    [ROLE_MLP_NORM] = "ffn_norm.weight", [ROLE_GATE] = "ffn_gate.weight",
    [ROLE_UP] = "ffn_up.weight",         [ROLE_GATE_BIAS] = "ffn_gate.bias",
    [ROLE_UP_BIAS] = "ffn_up.bias",      [ROLE_DOWN] = "ffn_down.weight",
    [ROLE_DOWN_BIAS] = "ffn_down.bias",  [ROLE_FINAL_NORM] = "output_norm.weight",
    [ROLE_LM_HEAD] = "output.weight"};

const struct gguf_family *gguf_family_find(const struct model_config *config)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (strcmp(families[i].family, config->family) == 0)
            return &families[i];
    return NULL;
}

bool gguf_tensor_name(char name[TENSOR_NAME], const struct tensor_spec *t)
{
    if (!names[t->role])
        return false;
    if (t->layer < 0)
        (void)snprintf(name, TENSOR_NAME, "%s", names[t->role]);
    else
        (void)snprintf(name, TENSOR_NAME, "blk.%d.%s", t->layer, names[t->role]);
    return true;
}
