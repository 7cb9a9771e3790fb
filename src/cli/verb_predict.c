#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/signals.h"
#include "cli/options.h"
#include "cli/verbs.h"
#include "format/json.h"
#include "train/classify.h"
#include "train/continuation.h"
#include "train/predict.h"
#include "train/run_settings.h"

/* Writes answers as JSON lines. */
struct writer {
    struct buffer names;   /* of the labels as JSON texts, each ended by a zero byte */
    int64_t *first;        /* (K) where each begins */
    double *probabilities; /* (K) */
    struct buffer lines;
};

static ft_status add_name(struct writer *w, int k, const char *name)
{
    json_t *json = json_string(name);
    char *text = NULL;
    ft_status status = json_print(&text, json, 0, "name of a label");
    json_decref(json);
    w->first[k] = (int64_t)w->names.used;
    if (status == FT_OK)
        status = buffer_append(&w->names, text, strlen(text) + 1);
    free(text);
    return status;
}

static ft_status writer_open(struct writer *w, const struct label_names *labels)
{
    FT_TRY(FT_ALLOC(w->first, labels->n));
    FT_TRY(FT_ALLOC(w->probabilities, labels->n));
    for (int k = 0; k < labels->n; k++)
        FT_TRY(add_name(w, k, labels->names[k]));
    return FT_OK;
}

static void writer_clear(struct writer *w)
{
    buffer_clear(&w->names);
    buffer_clear(&w->lines);
    mem_free(w->first);
    mem_free(w->probabilities);
}

static const char *name_of(const struct writer *w, int k)
{
    return w->names.data + w->first[k];
}

/* {"label": "a", "probabilities": {"a": 0.9, "b": 0.1}} */
static ft_status add_line(struct writer *w, const float *logits, int K)
{
    class_probabilities(w->probabilities, logits, K);
    FT_TRY(buffer_print(&w->lines, "{\"label\": %s, \"probabilities\": {",
                        name_of(w, class_of_logits(logits, K))));
    for (int k = 0; k < K; k++)
        FT_TRY(buffer_print(&w->lines, "%s%s: %.17g", k > 0 ? ", " : "", name_of(w, k),
                            w->probabilities[k]));
    return buffer_print(&w->lines, "}}\n");
}

/* One JSON line a text. Local. */
static ft_status write_answers(void *context, const struct answers *answers)
{
    static const char no_label[] = "{\"label\": null, \"probabilities\": null}\n";
    struct writer *w = context;
    const int K = answers->labels->n;
    if (!w->first)
        FT_TRY(writer_open(w, answers->labels));
    w->lines.used = 0;
    for (int i = 0; i < answers->n; i++)
        FT_TRY(answers->n_tokens[i] > 0 ? add_line(w, answers->logits + (int64_t)i * K, K)
                                        : buffer_append(&w->lines, no_label, sizeof no_label - 1));
    if (fwrite(w->lines.data, 1, w->lines.used, stdout) != w->lines.used || fflush(stdout) != 0)
        return ft_fail(FT_ERR_IO, "cannot write to standard output");
    return FT_OK;
}

/* Continuations: on a terminal the text itself as it comes, else one JSON line a text. */
struct speaker {
    bool is_terminal;
    struct buffer text;
};

static ft_status say(const char *text, size_t bytes)
{
    if (fwrite(text, 1, bytes, stdout) != bytes || fflush(stdout) != 0)
        return ft_fail(FT_ERR_IO, "cannot write to standard output");
    return FT_OK;
}

static ft_status hear_piece(void *context, const char *text, size_t bytes)
{
    struct speaker *s = context;
    return s->is_terminal ? say(text, bytes) : buffer_append(&s->text, text, bytes);
}

static ft_status hear_end(void *context, int64_t n_tokens, bool is_complete)
{
    struct speaker *s = context;
    if (s->is_terminal)
        return say("\n", 1);
    json_t *json = json_pack("{s:s%, s:I, s:b}", "continuation", s->text.used ? s->text.data : "",
                             s->text.used, "tokens", (json_int_t)n_tokens, "complete", is_complete);
    char *line = NULL;
    ft_status status = json_print(&line, json, 0, "continuation");
    json_decref(json);
    s->text.used = 0;
    if (status == FT_OK)
        status = say(line, strlen(line));
    free(line);
    return status == FT_OK ? say("\n", 1) : status;
}

struct arguments {
    const char *places[2]; /* RUN_DIR FILE */
    int n_places;
    const char *max_tokens, *temperature, *top_p, *seed;
};

static bool has_options(const struct arguments *a)
{
    return a->max_tokens || a->temperature || a->top_p || a->seed;
}

static ft_status sort_arguments(struct arguments *a, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (options_take_value(&a->max_tokens, "--max-tokens", argc, argv, &i) ||
            options_take_value(&a->temperature, "--temperature", argc, argv, &i) ||
            options_take_value(&a->top_p, "--top-p", argc, argv, &i) ||
            options_take_value(&a->seed, "--seed", argc, argv, &i))
            continue;
        if (argv[i][0] == '-' && argv[i][1])
            return ft_fail(FT_ERR_USAGE, "predict knows no option %.80s", argv[i]);
        if (a->n_places < 2)
            a->places[a->n_places] = argv[i];
        a->n_places++;
    }
    if (a->n_places == 1 || a->n_places == 2)
        return FT_OK;
    return ft_fail(FT_ERR_USAGE, "usage: finetune predict RUN_DIR [FILE|-] [--max-tokens N] "
                                 "[--temperature T] [--top-p P] [--seed S]");
}

static ft_status set_options(struct continuation_options *o, const struct arguments *a)
{
    int64_t max_tokens = 128, seed = 42;
    *o = (struct continuation_options){.sampling = {.temperature = 0, .top_p = 1}};
    FT_TRY(options_int(&max_tokens, "--max-tokens", a->max_tokens, 1, 1 << 20));
    FT_TRY(options_real(&o->sampling.temperature, "--temperature", a->temperature, 0, 100));
    FT_TRY(options_real(&o->sampling.top_p, "--top-p", a->top_p, 1e-6, 1));
    FT_TRY(options_int(&seed, "--seed", a->seed, 0, INT64_MAX));
    o->max_tokens = (int)max_tokens;
    o->sampling.seed = (uint64_t)seed;
    return FT_OK;
}

static ft_status label(struct comm *comm, const struct arguments *a)
{
    struct writer writer = {0};
    if (has_options(a))
        return ft_fail(FT_ERR_USAGE,
                       "--max-tokens, --temperature, --top-p and --seed are for runs that continue "
                       "texts; this one labels them");
    const ft_status status =
        predict_texts(comm, a->places[0], a->places[1], write_answers, &writer);
    writer_clear(&writer);
    return status;
}

static ft_status speak(struct comm *comm, const struct arguments *a)
{
    struct speaker speaker = {.is_terminal = log_to_terminal(STDOUT_FILENO)};
    const struct continuation_listener listener = {hear_piece, hear_end, &speaker};
    struct continuation_options options;
    FT_TRY(set_options(&options, a));
    const ft_status status = continue_texts(comm, a->places[0], a->places[1], &options, &listener);
    buffer_clear(&speaker.text);
    return status;
}

ft_status verb_predict(struct comm *comm, int argc, char **argv)
{
    struct arguments a = {0};
    enum run_task task;
    signals_watch();
    FT_TRY(sort_arguments(&a, argc, argv));
    FT_TRY(run_settings_task(&task, comm, a.places[0]));
    return task == RUN_TASK_CLASSIFICATION ? label(comm, &a) : speak(comm, &a);
}
