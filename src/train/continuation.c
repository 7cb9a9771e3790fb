/*
 *     text -> [chat template] -> tokens -> prefill -> logits -> token -> text, until one ends it
 *                                              ^                  |
 *                                              +------ cache -----+
 */
#include "train/continuation.h"

#include <math.h>

#include "base/log.h"
#include "base/signals.h"
#include "data/text_input.h"
#include "model/generate.h"
#include "token/chat.h"
#include "train/alone.h"
#include "train/plan.h"
#include "train/run_settings.h"
#include "train/run_weights.h"

enum { USUAL_CONTEXT = 2048 };

struct request {
    const char *run_dir, *path;
    const struct continuation_options *options;
    const struct continuation_listener *listener;
};

struct continuer {
    const struct request *request;
    struct session session;
    struct text_input *input;
    struct kv_cache *cache;
    struct sampler *sampler;
    float *logits; /* (V) */
    int context;   /* tokens of a text and its continuation */
    struct token_list tokens;
    struct token_stream stream;
    struct buffer piece;
    struct chat_list chat;
    struct chat_text rendered;
    int64_t n_texts, n_cut;
};

static bool is_instruct(const struct continuer *c)
{
    return c->session.settings->task == RUN_TASK_INSTRUCT;
}

static int find_context(const struct session *s, int max_tokens)
{
    const int wanted =
        s->settings->data.seq_len > USUAL_CONTEXT ? s->settings->data.seq_len : USUAL_CONTEXT;
    const int context = wanted > max_tokens + 1 ? wanted : max_tokens + 1;
    return context < s->config.T_max ? context : s->config.T_max;
}

static ft_status create_model(struct continuer *c)
{
    struct session *s = &c->session;
    struct memory_plan plan;
    struct model_shape shape;
    plan_model_shape(&shape, s->settings, false);
    shape.max_tokens = shape.max_length = c->context;
    shape.max_segments = 1;
    FT_TRY(memory_plan_of_shape(&plan, s->comm, s->settings, &s->config, &shape));
    FT_TRY(memory_plan_check(&plan, s->comm));
    FT_TRY(model_create(&s->model, &s->config, &shape));
    return kv_cache_create(&c->cache, s->model, c->context);
}

static ft_status check_session(const struct continuer *c)
{
    const struct session *s = &c->session;
    if (is_instruct(c) && !s->chat)
        return ft_fail(FT_ERR_USAGE, "%s", s->chat_failure);
    if (c->context <= c->request->options->max_tokens)
        return ft_fail(FT_ERR_USAGE,
                       "--max-tokens is %d, and the model has %d positions for a text and its "
                       "continuation",
                       c->request->options->max_tokens, s->config.T_max);
    return FT_OK;
}

static ft_status open_all(struct continuer *c, struct comm *solo, const struct settings *settings)
{
    struct session *s = &c->session;
    FT_TRY(text_input_open(&c->input, c->request->path, settings->data.text_field));
    FT_TRY(session_open_model(s, solo, settings));
    c->context = find_context(s, c->request->options->max_tokens);
    FT_TRY(check_session(c));
    FT_TRY(create_model(c));
    FT_TRY(sampler_create(&c->sampler, &c->request->options->sampling, s->config.V));
    FT_TRY(FT_ALLOC(c->logits, s->config.V));
    return run_weights_load(s, false);
}

static void close_all(struct continuer *c)
{
    chat_text_clear(&c->rendered);
    chat_list_clear(&c->chat);
    buffer_clear(&c->piece);
    token_stream_clear(&c->stream);
    token_list_clear(&c->tokens);
    mem_free(c->logits);
    sampler_destroy(&c->sampler);
    kv_cache_destroy(&c->cache);
    text_input_close(&c->input);
    session_close(&c->session);
}

/* What the user says, as the template puts it, and the header of the answer. */
static ft_status render(struct continuer *c, const char **text, size_t *bytes)
{
    c->chat.n = 0;
    c->chat.text.used = 0;
    FT_TRY(buffer_append(&c->chat.text, *text, *bytes));
    FT_TRY(chat_list_add(&c->chat, CHAT_USER, 0));
    FT_TRY(chat_render(&c->rendered, c->session.chat, &c->chat, 1, true));
    *text = c->rendered.text.data;
    *bytes = c->rendered.text.used;
    return FT_OK;
}

/* The tokens to begin with: at least one, and room is left for the continuation. */
static ft_status read_tokens(struct continuer *c, const char *text, size_t bytes)
{
    struct tokenizer *t = c->session.tokenizer;
    const int64_t most = c->context - c->request->options->max_tokens;
    c->tokens.n = 0;
    if (is_instruct(c))
        FT_TRY(render(c, &text, &bytes));
    FT_TRY(tokenizer_encode(t, &c->tokens, text, bytes));
    if (c->tokens.n == 0) { /* a text begins where another one ended */
        const int32_t eos = tokenizer_eos(t);
        FT_TRY(token_list_append(&c->tokens, &eos, 1));
    }
    c->n_cut += c->tokens.n > most;
    return FT_OK;
}

static ft_status show(struct continuer *c)
{
    const struct continuation_listener *l = c->request->listener;
    return c->piece.used > 0 ? l->piece(l->context, c->piece.data, c->piece.used) : FT_OK;
}

/* Reads n tokens and chooses the one that follows. */
static ft_status next(struct continuer *c, int32_t *id, const int32_t *tokens, int n, int64_t made)
{
    const int V = c->session.config.V;
    FT_TRY(signals_check("texts were being continued"));
    model_continue(c->session.model, c->cache, c->logits, tokens, n);
    for (int i = 0; i < V; i++)
        if (!isfinite(c->logits[i]))
            return ft_fail(FT_ERR_INTERNAL,
                           "%s, text %lld: the model's answer is not a finite number",
                           text_input_name(c->input), (long long)c->n_texts + 1);
    *id = sampler_choose(c->sampler, c->logits, c->n_texts, made);
    return FT_OK;
}

static ft_status continue_text(struct continuer *c)
{
    const struct continuation_listener *l = c->request->listener;
    const struct tokenizer *t = c->session.tokenizer;
    const int most = c->request->options->max_tokens;
    const int64_t room = c->context - most, skipped = c->tokens.n > room ? c->tokens.n - room : 0;
    int64_t made = 0;
    int32_t id;
    kv_cache_clear(c->cache);
    FT_TRY(next(c, &id, c->tokens.ids + skipped, (int)(c->tokens.n - skipped), 0));
    while (made < most && id != tokenizer_eos(t)) {
        made++;
        c->piece.used = 0;
        FT_TRY(tokenizer_stream(t, &c->stream, &c->piece, id));
        FT_TRY(show(c));
        if (made < most)
            FT_TRY(next(c, &id, &id, 1, made));
    }
    c->piece.used = 0;
    FT_TRY(tokenizer_stream_end(t, &c->stream, &c->piece));
    FT_TRY(show(c));
    return l->end(l->context, made, made < most);
}

static ft_status continue_all(struct continuer *c)
{
    const char *text;
    size_t bytes;
    enum text_state state;
    for (;; c->n_texts++) {
        FT_TRY(text_input_next(c->input, &text, &bytes, &state, true));
        if (state == TEXT_END)
            return FT_OK;
        FT_TRY(read_tokens(c, text, bytes));
        FT_TRY(continue_text(c));
    }
}

static void report(const struct continuer *c)
{
    log_info("%lld text%s continued", (long long)c->n_texts, c->n_texts == 1 ? "" : "s");
    if (c->n_cut > 0)
        log_warn("%lld text%s longer than %d tokens: the beginning was left out",
                 (long long)c->n_cut, c->n_cut == 1 ? " was" : "s were",
                 c->context - c->request->options->max_tokens);
}

/* On rank 0, in a world of its own: local and collective is the same. */
static ft_status run(struct comm *solo, void *context)
{
    struct continuer c = {.request = context};
    struct settings *settings = NULL;
    ft_status status = run_settings_read(&settings, c.request->run_dir);
    if (status == FT_OK)
        status = open_all(&c, solo, settings);
    if (status == FT_OK) {
        log_info("reading texts from %s", text_input_name(c.input));
        status = continue_all(&c);
        report(&c);
    }
    close_all(&c);
    settings_destroy(&settings);
    return status;
}

ft_status continue_texts(struct comm *comm, const char *run_dir, const char *path,
                         const struct continuation_options *options,
                         const struct continuation_listener *listener)
{
    struct request request = {run_dir, path, options, listener};
    return alone_run(comm, run, &request);
}
