#include "train/classifier.h"

#include <string.h>

#include "base/log.h"
#include "train/labels_file.h"
#include "train/plan.h"
#include "train/transfer.h"

enum {
    BATCH_TOKENS = 2048, /* of one pass, where data.seq_len is not larger */
    BATCH_TEXTS = 256,
    BATCH_LOGITS = 1 << 22 /* with many labels a pass has fewer texts */
};

static bool is_transfer(const struct session *s)
{
    return s->settings->mode == RUN_MODE_TRANSFER;
}

static ft_status open_labels(struct session *s)
{
    const struct settings *settings = s->settings;
    if (is_transfer(s)) /* the model is the frozen backbone, without a head of its own */
        return transfer_read_labels(&s->labels, settings);
    FT_TRY(labels_file_read(&s->labels, settings->output.dir));
    session_set_head(s);
    return FT_OK;
}

static void set_shape(struct model_shape *shape, const struct session *s)
{
    const int fits = BATCH_LOGITS / s->labels.n;
    plan_model_shape(shape, s->settings, false);
    if (shape->max_length < BATCH_TOKENS)
        shape->max_tokens = BATCH_TOKENS;
    else
        shape->max_tokens = shape->max_length;
    shape->max_segments = fits < BATCH_TEXTS ? fits : BATCH_TEXTS;
}

static ft_status create_model(struct classifier *c)
{
    struct session *s = &c->session;
    struct memory_plan plan;
    FT_TRY(memory_plan_of_shape(&plan, s->comm, s->settings, &s->config, &c->shape));
    FT_TRY(memory_plan_check(&plan, s->comm));
    return model_create(&s->model, &s->config, &c->shape);
}

/* The head's numbers were checked among themselves when it was read; here against the model. */
static ft_status check_head(const struct classifier *c, const char *path)
{
    char tokenizer[HASH_TEXT];
    const struct session *s = &c->session;
    const struct transfer_head *head = &c->head;
    hash_format(tokenizer, tokenizer_hash(s->tokenizer));
    FT_TRY(head_file_check(head, path, s->model_hash, tokenizer));
    if (head->seq_len != s->settings->data.seq_len)
        return ft_fail(FT_ERR_INPUT,
                       "%s was made with data.seq_len = %d, resolved.cfg beside it says %d", path,
                       head->seq_len, s->settings->data.seq_len);
    for (int i = 0; i < head->n_layers; i++)
        if (head->C != s->config.C || head->layers[i] > s->config.L || head->K != s->labels.n)
            return ft_fail(FT_ERR_INPUT,
                           "%s: layer %d of %d channels, %d labels; the model has %d layers of %d "
                           "channels, the run %d labels",
                           path, head->layers[i], head->C, head->K, s->config.L, s->config.C,
                           s->labels.n);
    return FT_OK;
}

static ft_status create_head(struct classifier *c)
{
    const int64_t n = c->shape.max_segments;
    FT_TRY(FT_ALLOC(c->pooled, n * c->head.C));
    FT_TRY(FT_ALLOC(c->features, n * transfer_head_width(&c->head)));
    if (c->head.kind == HEAD_MLP)
        FT_TRY(FT_ALLOC(c->scratch, n * c->head.hidden));
    return FT_ALLOC(c->logits, n * c->head.K);
}

static ft_status load_head(struct classifier *c)
{
    char path[FILE_PATH_MAX];
    FT_TRY(file_join(path, c->session.settings->output.dir, "head.h5"));
    FT_TRY(session_load_params(&c->session));
    FT_TRY(transfer_read_head(&c->head, c->session.settings));
    FT_TRY(check_head(c, path));
    FT_TRY(create_head(c));
    log_info("weights: %s on %s", path, c->session.settings->model.path);
    return FT_OK;
}

static ft_status check_task(const struct settings *settings)
{
    if (settings->task == RUN_TASK_CLASSIFICATION)
        return FT_OK;
    return ft_fail(FT_ERR_USAGE,
                   "%s: this run's task is not classification, it has no labels to give",
                   settings->output.dir);
}

static ft_status open_labelled(struct classifier *c, struct comm *solo,
                               const struct settings *settings)
{
    *c = (struct classifier){0};
    FT_TRY(check_task(settings));
    FT_TRY(session_open_model(&c->session, solo, settings));
    FT_TRY(open_labels(&c->session));
    set_shape(&c->shape, &c->session);
    return FT_OK;
}

ft_status classifier_open(struct classifier *c, struct comm *solo, const struct settings *settings)
{
    FT_TRY(open_labelled(c, solo, settings));
    FT_TRY(create_model(c));
    return is_transfer(&c->session) ? load_head(c) : run_weights_load(&c->session, false);
}

ft_status classifier_open_exact(struct classifier *c, struct comm *solo,
                                const struct settings *settings,
                                const struct weights_choice *choice, struct weights_found *found)
{
    FT_TRY(open_labelled(c, solo, settings));
    c->shape.elem = ELEM_F32;
    if (is_transfer(&c->session) &&
        (choice->source == WEIGHTS_STEP || choice->source == WEIGHTS_BEST))
        return ft_fail(FT_ERR_USAGE, "%s is a run of mode transfer: it has no checkpoints",
                       settings->output.dir);
    FT_TRY(create_model(c));
    if (!is_transfer(&c->session))
        return run_weights_find(&c->session, choice, found);
    found->step = -1;
    FT_TRY(file_join(found->path, settings->output.dir, "head.h5"));
    return load_head(c);
}

struct visit {
    struct classifier *c;
    const struct batch *batch;
};

/* Puts the vectors of one block into their columns of the head's input. */
static void take_layer(void *context, int layer, const float *hidden)
{
    const struct visit *v = context;
    struct classifier *c = v->c;
    const struct transfer_head *head = &c->head;
    const size_t C = (size_t)head->C, width = (size_t)transfer_head_width(head);
    for (int i = 0; i < head->n_layers; i++) {
        if (head->layers[i] != layer)
            continue;
        model_pool(c->session.model, c->pooled, hidden, v->batch, layer, head->pooling);
        for (size_t k = 0; k < (size_t)v->batch->n_segments; k++)
            memcpy(c->features + k * width + (size_t)i * C, c->pooled + k * C, C * sizeof(float));
    }
}

const float *classifier_logits(struct classifier *c, const struct batch *batch)
{
    struct visit visit = {c, batch};
    if (c->head.K == 0) {
        (void)model_loss(c->session.model, batch);
        return model_class_logits(c->session.model);
    }
    model_hidden(c->session.model, batch, take_layer, &visit);
    transfer_head_apply(c->logits, &c->head, c->features, batch->n_segments, c->scratch);
    return c->logits;
}

void classifier_close(struct classifier *c)
{
    transfer_head_clear(&c->head);
    mem_free(c->pooled);
    mem_free(c->features);
    mem_free(c->scratch);
    mem_free(c->logits);
    session_close(&c->session);
}
