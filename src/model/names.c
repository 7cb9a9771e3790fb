#include "names.h"

#include <stdio.h>

#include "family.h"
#include "model/layout.h"

const char *tensor_prefix(const struct model_config *c)
{
    return family_of(c)->prefix;
}

/* With post-norm the norm that a block's attention reads is named after the block before. */
static int named_layer(const struct model_config *c, int role, int layer)
{
    if (!c->post_norm)
        return layer;
    if (role == ROLE_FINAL_NORM || role == ROLE_FINAL_NORM_BIAS)
        return model_config_blocks(c) - 1;
    return role == ROLE_ATTN_NORM || role == ROLE_ATTN_NORM_BIAS ? layer - 1 : layer;
}

/* Those of its own mlp head are said in the family's table; of a linear one beside it, here. */
static const char *head_name(const struct family *family, const struct model_config *c, int role)
{
    const bool is_out = role == ROLE_HEAD_OUT || role == ROLE_HEAD_OUT_BIAS;
    const char *name = family->head_names[role];
    if (name && is_out && c->head.kind == HEAD_MLP && !family_has_mlp(family))
        return role == ROLE_HEAD_OUT ? "classifier.out_proj.weight" : "classifier.out_proj.bias";
    if (name && is_out && c->head.kind == HEAD_LINEAR && family_has_mlp(family))
        return role == ROLE_HEAD_OUT ? "classifier.weight" : "classifier.bias";
    return name;
}

void tensor_name(char name[TENSOR_NAME], const struct model_config *c, int role, int layer)
{
    const struct family *family = family_of(c);
    const char *head = head_name(family, c, role);
    const int place = named_layer(c, role, layer);
    if (head)
        (void)snprintf(name, TENSOR_NAME, "%s", head);
    else if (place < 0)
        (void)snprintf(name, TENSOR_NAME, "%s%s", family->prefix, family->names[role]);
    else
        (void)snprintf(name, TENSOR_NAME, "%s%s%d%s%s", family->prefix, family->block[0], place,
                       family->block[1], family->names[role]);
}
