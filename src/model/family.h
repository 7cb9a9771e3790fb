/*
 * A family of models as data: how its config.json spells our configuration, what its tensors are
 * called, and what is always so. One file a family, family_<name>.c; not for other layers.
 */
#ifndef FT_MODEL_FAMILY_H
#define FT_MODEL_FAMILY_H

#include <stddef.h>

#include "format/json.h"
#include "model/config.h"
#include "model/layout.h"

enum key_kind {
    KEY_SIZE,     /* int: 1 ... max */
    KEY_COUNT,    /* int: 0 ... max */
    KEY_WINDOW,   /* int: 0 ... max; 0 is null in the file */
    KEY_REAL,     /* double: min ... max */
    KEY_CAP,      /* double: 0 ... max; 0 is null in the file */
    KEY_SCALE,    /* double: 1 / sqrt of what the file says, which is an integer */
    KEY_BOOL,     /* bool */
    KEY_FUNCTION, /* enum function, by name */
    KEY_ID,       /* int64_t: a token id or a list of them; null is -1 */
    KEY_FIXED     /* an integer, real or bool that must be `absent`: nothing else is supported */
};

/* One key of config.json. */
struct config_key {
    const char *name;
    enum key_kind kind;
    size_t at; /* offset in struct model_config */
    double max;
    double absent; /* the value where the key is not there */
    double min;
};

#define KEY_AT(member) offsetof(struct model_config, member)

/* How the file keeps a tensor that GGUF has in another way than Hugging Face. */
enum gguf_order {
    GGUF_SAME,
    GGUF_LLAMA, /* rows of Q and K: pairs side by side */
    GGUF_NEOX,  /* rows of the fused tensor: all queries, all keys, all values */
    GGUF_GPT2,  /* matrices of the blocks: (out, in) */
    GGUF_GEMMA  /* norm weights: plus 1 */
};

/* Which layers are local where a window is in use and config.json has no layer_types. */
struct local_pattern {
    enum {
        LOCAL_ALL,              /* and layer_types is not looked at */
        LOCAL_ALL_BUT_LAST_OF,  /* the last of each n layers is global */
        LOCAL_ALL_BUT_FIRST_OF, /* the first of each n */
        LOCAL_FROM              /* the layers n ... L-1 */
    } kind;
    const char *key; /* of n; NULL: it is always n */
    int n;           /* where the key is absent */
};

struct family {
    const char *type;             /* model_type */
    const char *base_class;       /* "LlamaModel" */
    const char *lm_class;         /* "LlamaForCausalLM"; NULL for encoders */
    const char *classifier_class; /* NULL: transformers has none that fits */
    enum head_kind own_head;      /* of that class */
    const char *gguf;             /* general.architecture; NULL: llama.cpp has none */
    enum gguf_order gguf_order;
    enum function gguf_function; /* activation, of which GGUF says nothing */

    const struct config_key *keys;   /* ends with a name of NULL */
    const char *theta, *local_theta; /* keys of rope_theta and of the local layers' */
    double theta_absent, local_theta_absent;
    double rotary_absent;      /* share of a head that turns, where no key says so */
    const char *rotary_share;  /* its key */
    const char *window_switch; /* key that must be true for local layers; or NULL */

    const char *prefix;            /* of tensors in a model with a head: "model." */
    const char *block[2];          /* before and behind the layer's number: "layers.", "." */
    const char *const *names;      /* (N_ROLES) behind prefix and, in a block, block */
    const char *const *head_names; /* (N_ROLES) without prefix: output layer and heads */
    const char *const *harmless; /* beginnings of names, without prefix, that say nothing new; ends
                                    with NULL */

    struct model_config traits; /* what is always so; keys are read on top of it */

    /* What no table can say; or NULL. After the keys. */
    ft_status (*settle)(struct model_config *config, const json_t *json);
    /* Undoes what settle did to numbers, before they are written; or NULL. */
    void (*unsettle)(struct model_config *config);
    /* What GGUF metadata do not say; or NULL. */
    void (*settle_gguf)(struct model_config *config);
    struct local_pattern pattern;
};

/* NULL where there is no such family. */
const struct family *family_find(const char *type);
const struct family *family_find_gguf(const char *architecture);
const struct family *family_of(const struct model_config *config);

/* Whether transformers' own classification head is an mlp, not a linear layer alone. */
bool family_has_mlp(const struct family *family);

/* "llama, mistral ...", model types or architectures of GGUF, for messages. */
enum { FAMILY_LIST = 512 };
void family_list(char out[FAMILY_LIST], bool of_gguf);

/* Names of activation functions in config.json. */
const char *function_name(enum function function);
bool function_find(enum function *out, const char *name);

#endif
