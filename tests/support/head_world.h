/** The classifiers of tests/golden/heads with their batch of documents. */
#ifndef FT_TESTS_HEAD_WORLD_H
#define FT_TESTS_HEAD_WORLD_H

#include "model/convert.h"
#include "model/model.h"
#include "support/golden.h"

#define HEADS TESTS_DIR "/golden/heads"

enum { DOCUMENTS = 5, TOKENS = 44, K = 3, STEPS = 5, N_CASES = 6 };

struct head_case {
    const char *name, *folder;
    struct head_config head;
};

static const struct head_case cases[N_CASES] = {
    {"bert-cls", HEADS "/bert", {K, POOLING_CLS, HEAD_LINEAR, true}},
    {"bert-cls", HEADS "/bert-prefixed", {K, POOLING_CLS, HEAD_LINEAR, true}},
    {"bert-mean", HEADS "/bert", {K, POOLING_MEAN, HEAD_LINEAR, true}},
    {"bert-mlp", HEADS "/bert", {K, POOLING_LAST, HEAD_MLP, false}},
    {"llama-last", HEADS "/llama", {K, POOLING_LAST, HEAD_LINEAR, false}},
    {"llama-mean", HEADS "/llama", {K, POOLING_MEAN, HEAD_LINEAR, false}}};

struct world {
    struct weights *file;
    struct model *model;
    struct batch batch;
    int32_t positions[TOKENS];
    int64_t segment_ids[DOCUMENTS];
    float *class_weights;
    double total; /* of the weights of the documents */
};

static inline void open_batch(struct world *w)
{
    struct batch *b = &w->batch;
    *b = (struct batch){.n_segments = DOCUMENTS,
                        .n_tokens = TOKENS,
                        .positions = w->positions,
                        .segment_ids = w->segment_ids};
    b->tokens = golden_read(w->file, "tokens", true);
    b->segment_start = golden_read(w->file, "starts", true);
    b->labels = golden_read(w->file, "labels", true);
    CHECK(b->segment_start[DOCUMENTS] == TOKENS);
    for (int s = 0; s < DOCUMENTS; s++) {
        w->segment_ids[s] = 1000 + 7 * s;
        w->total += w->class_weights ? (double)w->class_weights[b->labels[s]] : 1.0;
        for (int t = b->segment_start[s]; t < b->segment_start[s + 1]; t++)
            w->positions[t] = t - b->segment_start[s];
    }
}

/** What learns, and the rates of dropout. */
struct world_options {
    int trainable_layers;
    double hidden, attention, classifier;
    enum elem elem;
    enum recompute recompute;
};

static const struct world_options everything = {.trainable_layers = 0};

/** The model of a case, its parameters from the folder and the head's from the case. */
static inline void open_world(struct world *w, const struct head_case *c,
                              const struct world_options *options)
{
    char name[64];
    struct model_config config;
    const struct model_shape shape = {.max_tokens = TOKENS + 3,
                                      .max_length = 17,
                                      .max_segments = DOCUMENTS,
                                      .trains = true,
                                      .trainable_layers = options->trainable_layers,
                                      .elem = options->elem,
                                      .recompute = options->recompute};
    *w = (struct world){0};
    (void)snprintf(name, sizeof name, "%s.safetensors", c->name);
    golden_open(&w->file, HEADS, name);
    CHECK_STATUS(model_config_read(&config, c->folder), FT_OK);
    config.head = c->head;
    config.embedding_dropout = config.hidden_dropout = options->hidden;
    config.attention_dropout = options->attention;
    config.classifier_dropout = options->classifier;
    CHECK_STATUS(model_create(&w->model, &config, &shape), FT_OK);
    CHECK_STATUS(model_read_params(w->model->params, w->model->layout, &config, c->folder), FT_OK);
    int n_head = 0;
    for (int i = 0; i < w->model->layout->n_tensors; i++) {
        const struct tensor_spec *t = &w->model->layout->tensors[i];
        char init[160];
        (void)snprintf(init, sizeof init, "init/%s", t->name);
        float *values = golden_find(w->file, init, false);
        if (values)
            memcpy(w->model->params + t->offset, values, (size_t)t->n * sizeof *values);
        n_head += values != NULL;
        mem_free(values);
    }
    CHECK(n_head == (c->head.kind == HEAD_MLP ? 4 : c->head.bias ? 2 : 1));
    w->class_weights = golden_find(w->file, "weights", false);
    float *smoothing = golden_read(w->file, "smoothing", false);
    w->model->label_smoothing = *smoothing;
    w->model->class_weights = w->class_weights;
    mem_free(smoothing);
    open_batch(w);
}

static inline void close_world(struct world *w)
{
    mem_free(w->class_weights);
    mem_free(w->batch.labels);
    mem_free(w->batch.segment_start);
    mem_free(w->batch.tokens);
    weights_close(&w->file);
    model_destroy(&w->model);
}

#endif
