/* What the writers of model folders share; not for other layers. */
#ifndef FT_MODEL_EXPORT_H
#define FT_MODEL_EXPORT_H

#include "base/buffer.h"
#include "model/convert.h"

/* Whether transformers has a class for this head; else modules of sentence-transformers are
 * written. */
bool export_has_class(const struct model_config *c);

/* export_config.c: config.json. */
ft_status export_config(const char *folder, const struct model_config *c,
                        const char *const *label_names, const char *source_path);

/* export.c: one file of tensors. */
ft_status export_tensors(const char *folder, const char *name, const struct tensor_spec *tensors,
                         int n, const float *params);

/* export_modules.c: backbone, pooling and dense layers as sentence-transformers loads them. */
ft_status export_modules(const char *folder, const struct layout *layout,
                         const struct model_config *c, const float *params, int64_t shard_bytes);

#endif
