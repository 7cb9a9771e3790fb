/*
 * Everything here runs on rank 0, in a world of its own (train/alone.h), so that the result cannot
 * depend on the number of ranks. The backbone is only read: its hash is taken before and after.
 *
 *     texts -> token shards -> frozen features (cache) -> layer, pooling, L2 -> head -> head.h5
 */
#include "train/transfer.h"

#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/pulse.h"
#include "model/convert.h"
#include "train/alone.h"
#include "train/classify.h"
#include "train/plan.h"
#include "train/precision.h"
#include "train/run.h"
#include "train/transfer_fit.h"

enum { APPLY_ROWS = 1024 };

static ft_status head_path(char out[FILE_PATH_MAX], const struct settings *settings)
{
    return file_join(out, settings->output.dir, "head.h5");
}

/* Bytes of the feature matrices of n documents: as read, standardised, the best so far, and one
 * layer of them. */
static int64_t matrix_bytes(const struct session *s, int64_t n)
{
    const int layer = s->settings->transfer.layer;
    const int64_t C = s->config.C;
    const bool is_wide = layer == LAYER_AUTO || layer == LAYER_LAST4;
    return n * C * (3 * (is_wide ? SEARCH_LAST : 1) + 1) * (int64_t)sizeof(float);
}

/* The frozen model as a folder holds it, with room for the batches of features_open. */
static ft_status open_backbone(struct session *s)
{
    struct memory_plan plan;
    struct model_shape shape;
    struct model_config config = s->config;
    config.head = (struct head_config){0};
    features_model_shape(&shape, s->settings->data.seq_len);
    shape.elem = precision_elem(s->settings);
    FT_TRY(memory_plan_of_shape(&plan, s->comm, s->settings, &config, &shape));
    memory_plan_add(
        &plan, s->comm,
        matrix_bytes(s, s->train.samples.n + s->validation.samples.n + s->test.samples.n));
    FT_TRY(memory_plan_check(&plan, s->comm));
    s->planned_bytes = plan.total;
    pulse_phase("model");
    timers_start(&s->timers);
    FT_TRY(model_create(&s->model, &config, &shape));
    FT_TRY(fault_point("model-weights"));
    FT_TRY(model_read_params(s->model->params, s->model->layout, &config, s->settings->model.path));
    FT_TRY(model_hash(s->model_hash, s->model->layout, s->model->params));
    model_round_params(s->model);
    timers_stop(&s->timers, PHASE_MODEL);
    log_info("frozen backbone: %lld parameters, content hash %s", (long long)s->model->layout->N,
             s->model_hash);
    return FT_OK;
}

/* The features of a set that a choice of layer and pooling needs. */
static ft_status open_features(struct features **out, struct session *s, const struct dataset *set,
                               const char *what, int layer, enum pooling pooling)
{
    char cache[FILE_PATH_MAX], tokenizer[HASH_TEXT];
    const struct settings *settings = s->settings;
    FT_TRY(session_cache_folder(cache, settings));
    hash_format(tokenizer, tokenizer_hash(s->tokenizer));
    const struct features_request request = {.model = s->model,
                                             .documents = &set->documents,
                                             .what = what,
                                             .cache_dir = settings->transfer.cache ? cache : NULL,
                                             .backbone_hash = s->model_hash,
                                             .tokenizer_hash = tokenizer,
                                             .seq_len = settings->data.seq_len,
                                             .precision = precision_name(settings),
                                             .layer = layer,
                                             .pooling = pooling};
    pulse_phase("features");
    timers_start(&s->timers);
    const ft_status status = features_open(out, &request);
    timers_stop(&s->timers, PHASE_COMPUTE);
    return status;
}

ft_status transfer_read_head(struct transfer_head *head, const struct settings *settings)
{
    char path[FILE_PATH_MAX];
    FT_TRY(head_path(path, settings));
    if (!file_exists(path))
        return ft_fail(FT_ERR_INPUT,
                       "%s does not exist: run `finetune` with this configuration first", path);
    return head_file_read(head, path);
}

ft_status transfer_read_labels(struct label_names *labels, const struct settings *settings)
{
    struct transfer_head head = {0};
    struct label_table table = {0};
    ft_status status = transfer_read_head(&head, settings);
    for (int k = 0; k < head.K && status == FT_OK; k++) {
        int32_t index;
        status = label_table_add(&index, &table, head.labels[k], strlen(head.labels[k]));
    }
    if (status == FT_OK)
        status = label_names_create(labels, &table);
    label_table_clear(&table);
    transfer_head_clear(&head);
    return status;
}

/* Whether output.dir holds a head of these settings; one of other settings is an error. */
static ft_status find_finished(bool *finished, const struct settings *settings)
{
    char path[FILE_PATH_MAX], *text = NULL;
    size_t bytes = 0;
    FT_TRY(head_path(path, settings));
    *finished = file_exists(path);
    if (!*finished)
        return FT_OK;
    FT_TRY(file_join(path, settings->output.dir, "resolved.cfg"));
    FT_TRY(file_read_all(&text, &bytes, path, SETTINGS_TEXT_MAX));
    const ft_status status = settings_compare_resume(settings, text);
    mem_free(text);
    return status;
}

/* The head there was learnt from these very data, so there is nothing to do. */
static ft_status check_finished(const struct session *s)
{
    struct transfer_head head = {0};
    const char *dir = s->settings->output.dir, *now = corpus_stats(s->train.corpus)->data_hash;
    FT_TRY(transfer_read_head(&head, s->settings));
    ft_status status = FT_OK;
    if (strcmp(head.data_hash, now) != 0)
        status =
            ft_fail(FT_ERR_USAGE,
                    "data.train: its content (%s) is not that from which %s/head.h5 was learnt "
                    "(%s); start afresh with another output.dir",
                    now, dir, head.data_hash);
    transfer_head_clear(&head);
    if (status == FT_OK)
        log_info("this run is finished: its head is in %s/head.h5", dir);
    return status;
}

/* The frozen weights are what they were: their hash says so. */
static ft_status check_unchanged(const struct session *s)
{
    char now[HASH_TEXT];
    FT_TRY(model_hash(now, s->model->layout, s->model->params));
    if (strcmp(now, s->model_hash) != 0)
        return ft_fail(FT_ERR_INTERNAL, "the frozen backbone has changed: hash %s, not %s", now,
                       s->model_hash);
    return FT_OK;
}

static ft_status search_and_fit(struct transfer_head *head, struct session *s,
                                const struct labelled_features *train,
                                const struct labelled_features *validation)
{
    struct search_result found = {0};
    pulse_phase("head");
    timers_start(&s->timers);
    ft_status status = head_search(&found, train, validation, s->settings, &s->config,
                                   s->class_weights, s->labels.n);
    if (status == FT_OK)
        status = transfer_fit(head, s, &found, train, validation);
    design_destroy(&found.design);
    timers_stop(&s->timers, PHASE_OPTIMIZER);
    return status;
}

static ft_status learn(struct transfer_head *head, struct session *s)
{
    const struct settings *settings = s->settings;
    struct labelled_features train = {.documents = &s->train.documents};
    struct labelled_features validation = {.documents = &s->validation.documents};
    ft_status status = open_features(&train.features, s, &s->train, "training data",
                                     settings->transfer.layer, settings->transfer.pooling);
    if (status == FT_OK && s->validation.corpus)
        status = open_features(&validation.features, s, &s->validation, "validation data",
                               settings->transfer.layer, settings->transfer.pooling);
    if (status == FT_OK)
        status = search_and_fit(head, s, &train, &validation);
    features_close(&validation.features);
    features_close(&train.features);
    return status == FT_OK ? check_unchanged(s) : status;
}

static ft_status learn_and_write(struct session *s)
{
    char path[FILE_PATH_MAX];
    struct transfer_head head = {0};
    FT_TRY(run_write_settings(s->settings));
    FT_TRY(head_path(path, s->settings));
    FT_TRY(open_backbone(s));
    ft_status status = learn(&head, s);
    if (status == FT_OK)
        status = fault_point("export");
    pulse_phase("export");
    if (status == FT_OK)
        status = head_file_write(&head, path);
    if (status == FT_OK)
        log_info("head written to %s (backbone unchanged)", path);
    transfer_head_clear(&head);
    FT_TRY(status);
    FT_TRY(file_join(path, s->settings->output.dir, "timers.json"));
    return timers_write(&s->timers, s->planned_bytes, s->comm, path);
}

static ft_status work(struct comm *solo, void *context)
{
    const struct settings *settings = context;
    struct session s = {0};
    bool finished = false;
    FT_TRY(find_finished(&finished, settings));
    ft_status status = session_open_model(&s, solo, settings);
    if (status == FT_OK)
        status = session_open_data(&s, SESSION_TRAIN | SESSION_VALIDATION);
    if (status == FT_OK)
        status = finished ? check_finished(&s) : learn_and_write(&s);
    session_close(&s);
    return status;
}

ft_status transfer_run(struct comm *world, const struct settings *settings)
{
    return alone_run(world, work, (void *)(uintptr_t)settings);
}

/* Predictions and loss of all documents by the head. */
static ft_status apply(struct evaluation *e, const struct transfer_head *head, const float *x,
                       const struct document_set *set)
{
    const int K = head->K, width = transfer_head_width(head);
    float *logits, *scratch = NULL;
    FT_TRY(FT_ALLOC(logits, (int64_t)APPLY_ROWS * K));
    ft_status status = head->hidden ? FT_ALLOC(scratch, (int64_t)APPLY_ROWS * head->hidden) : FT_OK;
    for (int64_t at = 0; at < set->n_documents && status == FT_OK; at += APPLY_ROWS) {
        const int64_t left = set->n_documents - at;
        const int n = (int)(left < APPLY_ROWS ? left : APPLY_ROWS);
        transfer_head_apply(logits, head, x + at * width, n, scratch);
        for (int i = 0; i < n; i++) {
            e->predictions[at + i] = class_of_logits(logits + (int64_t)i * K, K);
            e->loss += class_loss(logits + (int64_t)i * K, K, set->labels[at + i]) /
                       (double)set->n_documents;
        }
    }
    mem_free(scratch);
    mem_free(logits);
    return status;
}

static ft_status evaluate_head(struct evaluation *e, struct session *s, const struct dataset *set,
                               const struct transfer_head *head)
{
    struct features *features = NULL;
    float *x = NULL;
    const struct feature_choice choice = {
        .layer = head->n_layers > 1 ? LAYER_LAST4 : head->layers[0], .pooling = head->pooling};
    e->n = set->documents.n_documents;
    FT_TRY(FT_ALLOC(e->predictions, e->n));
    FT_TRY(open_features(&features, s, set, "documents to judge", choice.layer, choice.pooling));
    ft_status status = FT_ALLOC(x, e->n * transfer_head_width(head));
    if (status == FT_OK)
        status = feature_choice_read(x, features, &choice, &s->config);
    if (status == FT_OK)
        status = apply(e, head, x, &set->documents);
    if (status == FT_OK)
        status = evaluation_score(e, &set->documents, head->K);
    mem_free(x);
    features_close(&features);
    return status;
}

static ft_status file_size(int64_t *bytes, const char *path)
{
    uint64_t size = 0;
    int fd = -1;
    FT_TRY(file_open_read(&fd, &size, path));
    (void)close(fd);
    *bytes = (int64_t)size;
    return FT_OK;
}

ft_status transfer_evaluate(struct evaluation *e, struct session *s, const struct dataset *set)
{
    char path[FILE_PATH_MAX], tokenizer[HASH_TEXT];
    struct transfer_head head = {0};
    *e = (struct evaluation){0};
    FT_TRY(head_path(path, s->settings));
    FT_TRY(transfer_read_head(&head, s->settings));
    hash_format(tokenizer, tokenizer_hash(s->tokenizer));
    ft_status status = open_backbone(s);
    if (status == FT_OK)
        status = head_file_check(&head, path, s->model_hash, tokenizer);
    if (status == FT_OK)
        status = evaluate_head(e, s, set, &head);
    if (status == FT_OK)
        status = file_size(&e->stored_bytes, path);
    log_info("weights: %s on %s", path, s->settings->model.path);
    transfer_head_clear(&head);
    return status;
}

/* A head without a bias: the bias goes into the weights along the mean vector m (C), whose product
 * with any vector is about |m|^2; an approximation, for a start that training goes on from. */
static void fold_bias(float *weight, const float *bias, const double *m, int C, int K)
{
    double square = 0;
    for (int c = 0; c < C; c++)
        square += m[c] * m[c];
    for (int k = 0; k < K && square > 0; k++)
        for (int c = 0; c < C; c++)
            weight[(int64_t)k * C + c] += (float)((double)bias[k] * m[c] / square);
}

/* mean (C) of the last layer's vectors. */
static ft_status mean_vector(double *mean, struct features *features, int layer,
                             enum pooling pooling, int C)
{
    const int64_t n = features_count(features);
    float *x;
    FT_TRY(FT_ALLOC(x, n * C));
    const ft_status status = features_read(features, layer, pooling, x);
    for (int64_t i = 0; i < n && status == FT_OK; i++)
        for (int c = 0; c < C; c++)
            mean[c] += (double)x[i * C + c] / (double)n;
    mem_free(x);
    return status;
}

/* The head's tensors into the model's buffer. */
static ft_status adopt(struct model *model, const struct transfer_head *head,
                       const struct labelled_features *train)
{
    const struct model_config *c = &model->config;
    const int64_t C = c->C, K = head->K;
    float *p = model->params;
    double *mean = NULL;
    const int64_t out = layout_offset(model->layout, ROLE_HEAD_OUT, -1);
    memcpy(p + out, head->out_weight, (size_t)(K * C) * sizeof *p);
    if (head->kind == HEAD_MLP) {
        memcpy(p + layout_offset(model->layout, ROLE_HEAD_DENSE, -1), head->dense_weight,
               (size_t)(C * C) * sizeof *p);
        memcpy(p + layout_offset(model->layout, ROLE_HEAD_DENSE_BIAS, -1), head->dense_bias,
               (size_t)C * sizeof *p);
    }
    if (c->head.bias) {
        memcpy(p + layout_offset(model->layout, ROLE_HEAD_OUT_BIAS, -1), head->out_bias,
               (size_t)K * sizeof *p);
        return FT_OK;
    }
    FT_TRY(FT_ALLOC(mean, C));
    const ft_status status = mean_vector(mean, train->features, c->L, head->pooling, c->C);
    if (status == FT_OK)
        fold_bias(p + out, head->out_bias, mean, c->C, head->K);
    mem_free(mean);
    return status;
}

/* Rank 0: the head on the last layer's vectors as the model pools them. */
static ft_status start(struct comm *solo, void *context)
{
    struct session *s = context, mine = *s; /* with a backbone of its own */
    struct settings settings = *s->settings;
    struct labelled_features train = {.documents = &s->train.documents}, none = {0};
    struct transfer_head head = {0};
    settings.transfer.layer = -1;
    settings.transfer.pooling = s->config.head.pooling;
    mine.comm = solo;
    mine.settings = &settings;
    mine.model = NULL;
    ft_status status = open_backbone(&mine);
    if (status == FT_OK)
        status = open_features(&train.features, &mine, &mine.train, "training data", -1,
                               settings.transfer.pooling);
    if (status == FT_OK)
        status = search_and_fit(&head, &mine, &train, &none);
    if (status == FT_OK)
        status = adopt(s->model, &head, &train);
    transfer_head_clear(&head);
    features_close(&train.features);
    model_destroy(&mine.model);
    return status;
}

ft_status transfer_start_head(struct session *s)
{
    const struct layout *layout = s->model->layout;
    const int role = s->config.head.kind == HEAD_MLP ? ROLE_HEAD_DENSE : ROLE_HEAD_OUT;
    const int64_t from = layout_offset(layout, role, -1);
    FT_TRY(comm_alone(s->comm, start, s));
    comm_bcast(s->comm, s->model->params + from, (layout->N - from) * (int64_t)sizeof(float), 0);
    return FT_OK;
}
