#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"
#include "cli/verbs.h"
#include "format/gguf.h"
#include "format/json.h"
#include "train/export.h"

/* The words of --type; those of the other format's world are understood too. */
static const struct {
    const char *word;
    int type;
    bool gguf_alone;
} types[] = {{"fp32", GGML_F32, false}, {"f32", GGML_F32, false}, {"bf16", GGML_BF16, false},
             {"fp16", GGML_F16, false}, {"f16", GGML_F16, false}, {"q8_0", GGML_Q8_0, true}};

struct arguments {
    const char *places[2]; /* RUN_DIR OUT */
    int n_places;
    const char *format, *type, *step;
    bool best;
};

static ft_status sort_arguments(struct arguments *a, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        if (options_take_value(&a->format, "--format", argc, argv, &i) ||
            options_take_value(&a->type, "--type", argc, argv, &i) ||
            options_take_value(&a->step, "--step", argc, argv, &i))
            continue;
        if (strcmp(argv[i], "--best") == 0)
            a->best = true;
        else if (argv[i][0] == '-')
            return ft_fail(FT_ERR_USAGE, "export knows no option %.80s", argv[i]);
        else if (a->n_places == 2)
            a->n_places++;
        else if (a->n_places < 2)
            a->places[a->n_places++] = argv[i];
    }
    if (a->n_places == 2 && a->places[0][0] && a->places[1][0])
        return FT_OK;
    return ft_fail(FT_ERR_USAGE, "usage: finetune export RUN_DIR OUT [--format hf|gguf] [--type "
                                 "fp32|bf16|fp16|q8_0] [--step N | --best]");
}

static bool is_gguf_name(const char *name)
{
    const size_t n = strlen(name);
    return n > 5 && strcmp(name + n - 5, ".gguf") == 0;
}

static ft_status set_format(struct export_request *r, const struct arguments *a)
{
    const bool named = is_gguf_name(r->out);
    r->gguf = named;
    if (!a->format)
        return FT_OK;
    r->gguf = strcmp(a->format, "gguf") == 0;
    if (!r->gguf && strcmp(a->format, "hf") != 0)
        return ft_fail(FT_ERR_USAGE, "--format is hf or gguf, not %.40s", a->format);
    if (r->gguf != named)
        return ft_fail(FT_ERR_USAGE,
                       r->gguf ? "%.200s: the name of a GGUF file ends in .gguf"
                               : "%.200s: a folder whose name ends in .gguf would be taken for a "
                                 "GGUF file; name another",
                       r->out);
    return FT_OK;
}

static ft_status set_type(struct export_request *r, const struct arguments *a)
{
    r->type = r->gguf ? GGML_F16 : GGML_F32;
    if (!a->type)
        return FT_OK;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(types[i].word, a->type) != 0)
            continue;
        if (types[i].gguf_alone && !r->gguf)
            return ft_fail(FT_ERR_USAGE,
                           "--type %s is of GGUF alone; a folder is written in fp32, "
                           "bf16 or fp16",
                           types[i].word);
        r->type = types[i].type;
        return FT_OK;
    }
    return ft_fail(FT_ERR_USAGE, "--type is fp32, bf16, fp16 or (GGUF) q8_0, not %.40s", a->type);
}

static ft_status set_weights(struct export_request *r, const struct arguments *a)
{
    r->weights = (struct weights_choice){a->best ? WEIGHTS_BEST : WEIGHTS_TRAINED, -1};
    if (!a->step)
        return FT_OK;
    if (a->best)
        return ft_fail(FT_ERR_USAGE, "--step and --best exclude each other");
    r->weights.source = WEIGHTS_STEP;
    return options_int(&r->weights.step, "--step", a->step, 0, INT64_MAX);
}

static ft_status parse(struct export_request *r, int argc, char **argv)
{
    struct arguments a = {0};
    FT_TRY(sort_arguments(&a, argc, argv));
    *r = (struct export_request){.run_dir = a.places[0], .out = a.places[1]};
    FT_TRY(set_format(r, &a));
    FT_TRY(set_type(r, &a));
    return set_weights(r, &a);
}

/* One JSON line on stdout. */
static ft_status print_report(const struct export_request *r, const struct export_report *report)
{
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:I, s:f, s:f, s:f, s:f}", "path", r->out, "kind", report->kind,
                  "type", ggml_type_name(r->type), "logits", (json_int_t)report->n_logits,
                  "largest_difference", report->difference, "largest_logit", report->largest,
                  "rms_difference", report->mean_difference, "rms_logit", report->mean);
    char *line = NULL;
    const ft_status status =
        json_print(&line, json, 0, "the line about the export (all of it was written)");
    json_decref(json);
    FT_TRY(status);
    const bool failed = printf("%s\n", line) < 0 || fflush(stdout) != 0;
    free(line);
    return failed ? ft_fail(FT_ERR_IO, "cannot write to standard output") : FT_OK;
}

ft_status verb_export(struct comm *comm, int argc, char **argv)
{
    struct export_request request;
    struct export_report report;
    FT_TRY(parse(&request, argc, argv));
    FT_TRY(export_run(comm, &request, &report));
    return comm_agree(comm, comm_rank(comm) == 0 ? print_report(&request, &report) : FT_OK);
}
