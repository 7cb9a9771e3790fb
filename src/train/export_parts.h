/* What the steps of an export share; not for other layers. */
#ifndef FT_TRAIN_EXPORT_PARTS_H
#define FT_TRAIN_EXPORT_PARTS_H

#include "model/export.h"
#include "train/classifier.h"
#include "train/export.h"

enum { N_PROMPT_TEXTS = 4 };

/* The fixed texts in ids. */
struct prompt_ids {
    struct token_list ids;
    int64_t ends[N_PROMPT_TEXTS];
};

struct prompts {
    struct prompt_ids texts;
    struct batch batch; /* the texts, each cut, and ids from all over the vocabulary: segments */
};

/* What a model needs to answer prompts, in f32. */
void prompts_shape(struct model_shape *shape, const struct session *s);

ft_status prompts_open(struct prompts *p, struct session *s);

void prompts_close(struct prompts *p);

/* FT_ERR_INTERNAL where a tokenizer gives other ids to the fixed texts. */
ft_status prompts_check_tokenizer(const struct prompts *p, struct tokenizer *t,
                                  const struct session *s);

/* The model that is written: of mode transfer the frozen one up to the layer that the head reads,
 * with that head. */
struct exported {
    struct model_config config;
    struct layout *layout;
    float **values; /* (layout->n_tensors) the trained model's own memory */
};

/* FT_ERR_USAGE where no program reads a model with such a head. */
ft_status exported_open(struct exported *e, const struct classifier *trained);

void exported_close(struct exported *e);

/* One export from its request to what is left. */
struct exporter {
    const struct export_request *request;
    struct export_report *report;
    char out[FILE_PATH_MAX], temporary[FILE_PATH_MAX];
    struct settings *settings;
    struct classifier trained; /* of other tasks the session alone */
    struct weights_found found;
    struct exported exported;
    struct prompts prompts;
    float *expected, *rounded, *got; /* (n_logits) of the trained model, of it with its weights as
                                        the file has them, and of the written one */
};

static inline bool export_classifies(const struct exporter *x)
{
    return x->settings->task == RUN_TASK_CLASSIFICATION;
}

/* export_check.c: the trained model's logits on the prompts. */
ft_status export_ask_trained(struct exporter *x);

/* export_check.c: the written model is the trained one, by its files alone; fills the report. The
 * trained model's weights are rounded, then released. */
ft_status export_check_written(struct exporter *x);

/* model_card.c: README.md of a folder. */
ft_status model_card_write(const char *folder, const char *name, const struct exported *e,
                           const struct classifier *trained, const struct weights_found *found);

#endif
