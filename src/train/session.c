#include "train/session.h"

#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
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
    if (tokenizer_eos(s->tokenizer) < 0)
        return ft_fail(FT_ERR_INPUT,
                       "%s: no end-of-text token (eos_token in tokenizer_config.json, eos_token_id "
                       "in config.json, or tokenizer.ggml.eos_token_id); documents cannot be "
                       "separated",
                       settings->model.path);
    if (settings->data.seq_len > s->config.T_max)
        return ft_fail(FT_ERR_USAGE, "data.seq_len = %d, but the model has %d positions",
                       settings->data.seq_len, s->config.T_max);
    return FT_OK;
}

ft_status session_open_model(struct session *s, struct comm *comm, const struct settings *settings)
{
    *s = (struct session){.comm = comm, .settings = settings};
    timers_start(&s->timers);
    FT_AGREE(comm, read_config(s));
    comm_node_bcast(comm, &s->config, sizeof s->config);
    FT_AGREE(comm, open_tokenizer(s));
    timers_stop(&s->timers, PHASE_MODEL);
    log_info("model %s: %s, %d layers, %d channels, %d heads (%d key/value), vocabulary %d",
             file_base_name(settings->model.path), s->config.family, s->config.L, s->config.C,
             s->config.Hq, s->config.Hkv, s->config.V);
    return FT_OK;
}

static ft_status open_corpus(struct corpus **out, struct session *s, const char *what,
                             const struct text_list *paths, double fraction, bool want_validation)
{
    char cache[FILE_PATH_MAX];
    const struct settings *settings = s->settings;
    FT_TRY(settings->data.cache[0] ? file_join(cache, "", settings->data.cache)
                                   : file_join(cache, settings->output.dir, "cache"));
    const struct corpus_request request = {.paths = paths->items,
                                           .n_paths = paths->n,
                                           .text_field = settings->data.text_field,
                                           .cache_dir = cache,
                                           .seed = settings->seed,
                                           .validation_fraction = fraction,
                                           .want_validation = want_validation};
    FT_TRY(corpus_open(out, s->comm, &request, s->tokenizer));
    const struct corpus_stats *stats = corpus_stats(*out);
    log_info("%s: %lld documents, %lld tokens%s (%lld without tokens skipped); %s in %.1f s", what,
             (long long)stats->n_documents, (long long)stats->n_tokens,
             want_validation ? " set aside" : "", (long long)stats->n_skipped,
             stats->was_reused ? "token shards reused" : "tokenised", stats->seconds);
    return FT_OK;
}

ft_status session_open_data(struct session *s, int wanted)
{
    const struct settings *settings = s->settings;
    const double fraction = settings->data.validation.n ? 0.0 : settings->data.validation_fraction;
    timers_start(&s->timers);
    if (wanted & SESSION_TRAIN)
        FT_TRY(open_corpus(&s->train, s, "training data", &settings->data.train, fraction, false));
    if ((wanted & SESSION_VALIDATION) && settings->data.validation.n)
        FT_TRY(open_corpus(&s->validation, s, "validation data", &settings->data.validation, 0.0,
                           false));
    else if ((wanted & SESSION_VALIDATION) && fraction > 0.0)
        FT_TRY(open_corpus(&s->validation, s, "validation data", &settings->data.train, fraction,
                           true));
    if ((wanted & SESSION_TEST) && settings->data.test.n)
        FT_TRY(open_corpus(&s->test, s, "test data", &settings->data.test, 0.0, false));
    timers_stop(&s->timers, PHASE_DATA);
    return FT_OK;
}

ft_status session_create_model(struct session *s, bool trains)
{
    struct memory_plan plan;
    struct model_shape shape;
    FT_AGREE(s->comm, memory_plan_make(&plan, s->comm, s->settings, &s->config, trains));
    FT_TRY(memory_plan_check(&plan, s->comm));
    plan_model_shape(&shape, s->settings, trains);
    FT_AGREE(s->comm, model_create(&s->model, &s->config, &shape));
    return FT_OK;
}

static ft_status read_params(struct session *s)
{
    FT_TRY(fault_point("model-weights"));
    if (comm_node_rank(s->comm) != 0)
        return FT_OK;
    return model_read_params(s->model->params, s->model->layout, &s->config,
                             s->settings->model.path);
}

ft_status session_load_params(struct session *s)
{
    const int64_t N = s->model->layout->N;
    timers_start(&s->timers);
    FT_AGREE(s->comm, read_params(s));
    comm_node_bcast(s->comm, s->model->params, N * (int64_t)sizeof(float));
    FT_AGREE(s->comm, model_hash(s->model_hash, s->model->layout, s->model->params));
    timers_stop(&s->timers, PHASE_MODEL);
    log_info("%lld parameters, content hash %s", (long long)N, s->model_hash);
    return FT_OK;
}

void session_close(struct session *s)
{
    model_destroy(&s->model);
    corpus_close(&s->test);
    corpus_close(&s->validation);
    corpus_close(&s->train);
    tokenizer_close(&s->tokenizer);
}
