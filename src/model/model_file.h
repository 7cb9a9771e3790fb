/* What the readers and writers of model files share; not for other layers. */
#ifndef FT_MODEL_MODEL_FILE_H
#define FT_MODEL_MODEL_FILE_H

#include <stdbool.h>

#include "format/json.h"
#include "model/config.h"

#define CONFIG_BYTES_MAX (16 << 20)
#define DROPOUT_MAX 0.99

/* Largest sizes of a model. */
enum {
    V_MAX = 1 << 24,
    C_MAX = 1 << 18,
    L_MAX = MODEL_LAYERS_MAX,
    H_MAX = 4096,
    F_MAX = 1 << 22,
    T_LIMIT = 1 << 28
};

/* Whether the name ends in .gguf. */
bool model_path_is_gguf(const char *path);

struct family;
struct local_pattern;

/* A word that must be the one that is supported, where it is there at all. */
ft_status config_require_word(const json_t *json, const char *key, const char *wanted);

/* What is always so in that family; everything else is 0. */
void config_begin(struct model_config *c, const struct family *family);

/* Marks the local layers of a pattern, n being its number; none without a window. */
void config_mark_pattern(struct model_config *c, const struct local_pattern *pattern, int n);

/* What no field alone can say; the message names no file. */
ft_status config_check(const struct model_config *c);

/* config_rope.c: rotation from config.json; the name of a scaling there; what yarn multiplies
 * cosines and sines with where nothing is said. */
ft_status config_get_rope(struct model_config *c, const struct family *f, const json_t *json);
const char *rope_scaling_name(enum rope_scaling scaling);
double rope_yarn_attention(double factor, double mscale);

/* config_gguf.c: metadata; what llama3's scaling divides frequency i by where so many elements
 * turn, by the formula of transformers. */
ft_status config_read_gguf(struct model_config *c, const char *path);
double rope_llama3_divisor(const struct rope_config *r, int rotary, int i);

/* config_pooling.c: folder_pooling from modules.json and the pooling module's config.json. */
ft_status config_read_pooling(struct model_config *c, const char *folder);

#endif
