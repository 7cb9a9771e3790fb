#include "train/session.h"

#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/pulse.h"
#include "data/features.h"
#include "model/convert.h"
#include "train/plan.h"

static ft_status read_config(struct session *s)
{
    FT_TRY(fault_point("model-config"));
    if (comm_node_rank(s->comm) != 0)
        return FT_OK;
    return model_config_read(&s->config, s->settings->model.path);
}

static ft_status open_tokenizer(struct session *s)
{
    const struct settings *settings = s->settings;
    FT_TRY(fault_point("tokenizer"));
    FT_TRY(tokenizer_open(&s->tokenizer, settings->model.path));
    if (tokenizer_vocab_size(s->tokenizer) > s->config.V)
        return ft_fail(FT_ERR_INPUT,
                       "%s: the tokenizer has %d tokens, the model embeds only %d: they do not "
                       "belong together",
                       settings->model.path, tokenizer_vocab_size(s->tokenizer), s->config.V);
    if (settings->task != RUN_TASK_CLASSIFICATION && s->config.is_encoder)
        return ft_fail(FT_ERR_USAGE,
                       "task = \"%s\", but %s (%s) is an encoder: it does not predict the next "
                       "token; set task = \"classification\"",
                       settings->task == RUN_TASK_INSTRUCT ? "instruct" : "causal-lm",
                       settings->model.path, s->config.family);
    if (settings->task != RUN_TASK_CLASSIFICATION && tokenizer_eos(s->tokenizer) < 0)
        return ft_fail(FT_ERR_INPUT,
                       "%s: no end-of-text token (eos_token in tokenizer_config.json, eos_token_id "
                       "in config.json, or tokenizer.ggml.eos_token_id); documents cannot be "
                       "separated",
                       settings->model.path);
    if (settings->data.seq_len > s->config.T_max)
        return ft_fail(FT_ERR_USAGE, "data.seq_len = %d, but the model has %d positions",
                       settings->data.seq_len, s->config.T_max);
    const int n_template = tokenizer_template_size(s->tokenizer);
    if (settings->task == RUN_TASK_CLASSIFICATION && settings->data.seq_len <= n_template)
        return ft_fail(FT_ERR_USAGE,
                       "data.seq_len = %d leaves no room for text: the tokenizer's template alone "
                       "has %d tokens",
                       settings->data.seq_len, n_template);
    int first, last;
    return settings->mode == RUN_MODE_TRANSFER
               ? features_layers(&first, &last, settings->transfer.layer, s->config.L)
               : FT_OK;
}

/* A template of the model that is not known is no failure yet: not all data need one. */
static ft_status open_chat(struct session *s)
{
    const struct settings *settings = s->settings;
    const char *name = settings->data.chat_template;
    if (settings->task != RUN_TASK_INSTRUCT)
        return FT_OK;
    const ft_status status = chat_template_open(&s->chat, s->tokenizer, name);
    if (status == FT_OK) {
        const char *system = chat_template_default_system(s->chat);
        log_info("chat template %s%s%s%s%s", chat_template_name(s->chat),
                 strcmp(name, "auto") == 0 ? ", recognised in the model's files" : "",
                 system && *system ? ", with the system message \"" : "",
                 system && *system ? system : "", system && *system ? "\"" : "");
        return FT_OK;
    }
    (void)snprintf(s->chat_failure, sizeof s->chat_failure, "%.800s (%.200s)", ft_error_text(),
                   settings->model.path);
    return status == FT_ERR_INPUT && strcmp(name, "auto") == 0 ? FT_OK : status;
}

ft_status session_cache_folder(char out[FILE_PATH_MAX], const struct settings *settings)
{
    return settings->data.cache[0] ? file_join(out, "", settings->data.cache)
                                   : file_join(out, settings->output.dir, "cache");
}

ft_status session_open_model(struct session *s, struct comm *comm, const struct settings *settings)
{
    *s = (struct session){.comm = comm, .settings = settings};
    pulse_phase("model");
    timers_start(&s->timers);
    FT_AGREE(comm, read_config(s));
    comm_node_bcast(comm, &s->config, sizeof s->config);
    if (settings->training.dropout != DROPOUT_AUTO)
        model_config_set_dropout(&s->config, settings->training.dropout);
    FT_AGREE(comm, open_tokenizer(s));
    FT_AGREE(comm, open_chat(s));
    timers_stop(&s->timers, PHASE_MODEL);
    log_info("model %s: %s, %d layers, %d channels, %d heads (%d key/value), vocabulary %d",
             file_base_name(settings->model.path), s->config.family, s->config.L, s->config.C,
             s->config.Hq, s->config.Hkv, s->config.V);
    return FT_OK;
}

static bool is_classification(const struct session *s)
{
    return s->settings->task == RUN_TASK_CLASSIFICATION;
}

/* What was found, and of conversations how much of it is learnt. */
static void report_corpus(const char *what, const struct corpus *corpus, bool is_instruct,
                          const char *set_aside)
{
    const struct corpus_stats *stats = corpus_stats(corpus);
    const char *made = stats->was_reused ? "token shards reused" : "tokenised";
    if (!is_instruct) {
        log_info("%s: %lld documents, %lld tokens%s (%lld without tokens skipped); %s in %.1f s",
                 what, (long long)stats->n_documents, (long long)stats->n_tokens, set_aside,
                 (long long)stats->n_skipped, made, stats->seconds);
        return;
    }
    log_info("%s: %lld conversations, %lld tokens%s; %s in %.1f s", what,
             (long long)stats->n_documents, (long long)stats->n_tokens, set_aside, made,
             stats->seconds);
    log_info("    %lld tokens supervised, %lld masked (%.1f %%); %lld conversations cut to %lld "
             "tokens, %lld skipped without a supervised token",
             (long long)stats->n_supervised, (long long)(stats->n_tokens - stats->n_supervised),
             100.0 * (double)(stats->n_tokens - stats->n_supervised) / (double)stats->n_tokens,
             (long long)stats->n_truncated, (long long)stats->max_tokens,
             (long long)stats->n_skipped);
}

static ft_status open_corpus(struct corpus **out, struct session *s, const char *what,
                             const struct text_list *paths, double fraction, bool want_validation)
{
    char cache[FILE_PATH_MAX];
    const struct settings *settings = s->settings;
    const bool is_instruct = settings->task == RUN_TASK_INSTRUCT;
    const struct instruct_request instruct = {.chat = s->chat,
                                              .failure = s->chat_failure,
                                              .trains_all = settings->data.train_on == TRAIN_ON_ALL,
                                              .max_tokens = settings->data.seq_len};
    FT_TRY(session_cache_folder(cache, settings));
    const struct corpus_request request = {
        .paths = paths->items,
        .n_paths = paths->n,
        .text_field = settings->data.text_field,
        .label_field = is_classification(s) ? settings->data.label_field : NULL,
        .instruct = is_instruct ? &instruct : NULL,
        .seq_len = settings->data.seq_len,
        .cache_dir = cache,
        .seed = settings->seed,
        .validation_fraction = fraction,
        .want_validation = want_validation};
    FT_TRY(corpus_open(out, s->comm, &request, s->tokenizer));
    report_corpus(what, *out, is_instruct, want_validation ? " set aside" : "");
    return FT_OK;
}

/* A corpus cut into what a step draws: windows, documents or conversations. Collective. */
static ft_status cut(struct dataset *d, struct session *s, bool is_evaluation)
{
    const struct settings *settings = s->settings;
    if (is_classification(s)) {
        FT_TRY(document_set_open(&d->documents, s->comm, d->corpus, &s->labels,
                                 settings->data.max_windows));
        d->samples = sample_set_of_documents(&d->documents);
        return FT_OK;
    }
    if (settings->task == RUN_TASK_INSTRUCT) {
        FT_TRY(conversation_set_open(&d->conversations, s->comm, d->corpus, settings->data.seq_len,
                                     settings->data.packing, settings->data.max_windows));
        d->samples = sample_set_of_conversations(&d->conversations);
        return FT_OK;
    }
    FT_AGREE(s->comm,
             window_set_init(&d->windows, d->corpus, settings->data.seq_len, is_evaluation,
                             settings->data.max_windows, settings->data.isolate_documents));
    d->samples = sample_set_of_windows(&d->windows);
    return FT_OK;
}

/* n / (K n_k), so that every label weighs the same in all. */
static ft_status balance(struct session *s)
{
    const struct document_set *set = &s->train.documents;
    if (s->settings->training.class_weights == CLASS_WEIGHTS_NONE)
        return FT_OK;
    FT_TRY(FT_ALLOC(s->class_weights, s->labels.n));
    for (int k = 0; k < s->labels.n; k++)
        s->class_weights[k] = (float)((double)set->n_documents /
                                      ((double)s->labels.n *
                                       (double)(set->n_per_label[k] ? set->n_per_label[k] : 1)));
    return FT_OK;
}

void session_set_head(struct session *s)
{
    const struct settings *settings = s->settings;
    s->config.head = (struct head_config){
        .n_labels = s->labels.n,
        .pooling = model_config_pooling(&s->config, settings->transfer.pooling),
        .kind = settings->transfer.head,
        .bias = s->config.is_encoder || settings->transfer.head == HEAD_MLP};
}

/* With a validation fraction both parts of data.train are opened: labels are those of all of it. */
static ft_status open_train(struct session *s, double fraction)
{
    const struct settings *settings = s->settings;
    FT_TRY(
        open_corpus(&s->train.corpus, s, "training data", &settings->data.train, fraction, false));
    if (fraction > 0.0)
        FT_TRY(open_corpus(&s->validation.corpus, s, "validation data", &settings->data.train,
                           fraction, true));
    if (is_classification(s) && s->labels.n == 0) {
        struct corpus *parts[2] = {s->train.corpus, s->validation.corpus};
        FT_TRY(label_names_open(&s->labels, s->comm, parts, s->validation.corpus ? 2 : 1));
    }
    FT_TRY(cut(&s->train, s, false));
    if (is_classification(s)) {
        FT_AGREE(s->comm, document_set_check_training(&s->train.documents, &s->labels));
        FT_AGREE(s->comm, balance(s));
    }
    return FT_OK;
}

static ft_status open_evaluation(struct dataset *d, struct session *s, const char *what,
                                 const struct text_list *paths, double fraction)
{
    if (!d->corpus)
        FT_TRY(open_corpus(&d->corpus, s, what, paths, fraction, fraction > 0.0));
    return cut(d, s, true);
}

ft_status session_open_data(struct session *s, int wanted)
{
    const struct settings *settings = s->settings;
    const double fraction = settings->data.validation.n ? 0.0 : settings->data.validation_fraction;
    pulse_phase("data");
    timers_start(&s->timers);
    if (wanted & SESSION_TRAIN)
        FT_TRY(open_train(s, fraction));
    if ((wanted & SESSION_VALIDATION) && settings->data.validation.n)
        FT_TRY(
            open_evaluation(&s->validation, s, "validation data", &settings->data.validation, 0.0));
    else if ((wanted & SESSION_VALIDATION) && fraction > 0.0)
        FT_TRY(
            open_evaluation(&s->validation, s, "validation data", &settings->data.train, fraction));
    if ((wanted & SESSION_TEST) && settings->data.test.n)
        FT_TRY(open_evaluation(&s->test, s, "test data", &settings->data.test, 0.0));
    if (is_classification(s))
        session_set_head(s);
    timers_stop(&s->timers, PHASE_DATA);
    return FT_OK;
}

ft_status session_create_model(struct session *s, bool trains)
{
    struct memory_plan plan;
    struct model_shape shape;
    FT_AGREE(s->comm, memory_plan_make(&plan, s->comm, s->settings, &s->config, trains));
    FT_TRY(memory_plan_check(&plan, s->comm));
    s->planned_bytes = plan.total;
    plan_model_shape(&shape, s->settings, trains);
    FT_AGREE(s->comm, model_create(&s->model, &s->config, &shape));
    s->model->class_weights = s->class_weights;
    s->model->label_smoothing = (float)s->settings->training.label_smoothing;
    return FT_OK;
}

ft_status session_create_batch(struct batch *out, const struct session *s)
{
    const int micro_batch = s->settings->training.micro_batch, length = s->settings->data.seq_len;
    return is_classification(s) ? document_batch_create(out, micro_batch, length)
                                : batch_create(out, micro_batch, length);
}

static ft_status read_params(struct session *s)
{
    FT_TRY(fault_point("model-weights"));
    if (comm_node_rank(s->comm) != 0)
        return FT_OK;
    return model_read_params(s->model->params, s->model->layout, &s->config,
                             s->settings->model.path);
}

/* Identity of model.path, whatever head stands on it. Local: rank 0 finds it. */
static ft_status hash_backbone(struct session *s)
{
    if (comm_rank(s->comm) != 0)
        return FT_OK;
    return s->config.head.n_labels > 0
               ? model_hash_backbone(s->model_hash, s->model->layout, s->model->params, &s->config,
                                     s->settings->model.path)
               : model_hash(s->model_hash, s->model->layout, s->model->params);
}

ft_status session_load_params(struct session *s)
{
    const int64_t N = s->model->layout->N;
    pulse_phase("model");
    timers_start(&s->timers);
    FT_AGREE(s->comm, read_params(s));
    comm_node_bcast(s->comm, s->model->params, N * (int64_t)sizeof(float));
    FT_AGREE(s->comm, hash_backbone(s));
    comm_bcast(s->comm, s->model_hash, sizeof s->model_hash, 0);
    if (s->config.head.n_labels > 0)
        model_init_head(s->model, (uint64_t)s->settings->seed);
    model_round_params(s->model);
    timers_stop(&s->timers, PHASE_MODEL);
    log_info("%lld parameters, content hash %s", (long long)N, s->model_hash);
    return FT_OK;
}

static void dataset_close(struct dataset *d)
{
    document_set_close(&d->documents);
    conversation_set_close(&d->conversations);
    corpus_close(&d->corpus);
}

void session_close(struct session *s)
{
    model_destroy(&s->model);
    dataset_close(&s->test);
    dataset_close(&s->validation);
    dataset_close(&s->train);
    label_names_clear(&s->labels);
    FT_FREE(s->class_weights);
    chat_template_close(&s->chat);
    tokenizer_close(&s->tokenizer);
}
