#include "family.h"

#include <stdio.h>
#include <string.h>

#include "families.h"

static const struct family *const families[] = {
    &family_llama,   &family_mistral, &family_qwen2,       &family_qwen3,     &family_gemma2,
    &family_gemma3,  &family_phi3,    &family_olmo2,       &family_gpt2,      &family_gpt_neox,
    &family_bert,    &family_roberta, &family_xlm_roberta, &family_camembert, &family_distilbert,
    &family_electra, &family_albert,  &family_modernbert};
enum { N_FAMILIES = sizeof families / sizeof families[0] };

const struct family *family_find(const char *type)
{
    for (int i = 0; i < N_FAMILIES; i++)
        if (strcmp(families[i]->type, type) == 0)
            return families[i];
    return NULL;
}

const struct family *family_find_gguf(const char *architecture)
{
    for (int i = 0; i < N_FAMILIES; i++)
        if (families[i]->gguf && strcmp(families[i]->gguf, architecture) == 0)
            return families[i];
    return NULL;
}

const struct family *family_of(const struct model_config *config)
{
    return family_find(config->family);
}

bool family_has_mlp(const struct family *family)
{
    return family->own_head == HEAD_MLP;
}

void family_list(char out[FAMILY_LIST], bool of_gguf)
{
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < N_FAMILIES && used < FAMILY_LIST; i++) {
        const char *name = of_gguf ? families[i]->gguf : families[i]->type;
        if (name && (!of_gguf || family_find_gguf(name) == families[i]))
            used +=
                (size_t)snprintf(out + used, FAMILY_LIST - used, "%s%s", used ? ", " : "", name);
    }
}

/* The first name of a function is the one that is written. */
static const struct {
    const char *name;
    enum function function;
} functions[] = {{"silu", FUNCTION_SILU},          {"swish", FUNCTION_SILU},
                 {"gelu", FUNCTION_GELU},          {"gelu_pytorch_tanh", FUNCTION_GELU_TANH},
                 {"gelu_new", FUNCTION_GELU_TANH}, {"gelu_fast", FUNCTION_GELU_TANH},
                 {"relu", FUNCTION_RELU},          {"tanh", FUNCTION_TANH}};
enum { N_NAMES = sizeof functions / sizeof functions[0] };

const char *function_name(enum function function)
{
    int i = 0;
    while (functions[i].function != function)
        i++;
    return functions[i].name;
}

bool function_find(enum function *out, const char *name)
{
    for (int i = 0; i < N_NAMES; i++)
        if (strcmp(functions[i].name, name) == 0) {
            *out = functions[i].function;
            return true;
        }
    return false;
}
