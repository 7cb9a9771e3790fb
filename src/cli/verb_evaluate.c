#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/signals.h"
#include "cli/startup.h"
#include "cli/verbs.h"
#include "format/json.h"
#include "train/run_evaluate.h"
#include "train/scores.h"

static ft_status print_line(const char *line)
{
    const bool failed = printf("%s\n", line) < 0 || fflush(stdout) != 0;
    if (failed)
        return ft_fail(FT_ERR_IO, "cannot write to standard output");
    return FT_OK;
}

static ft_status print_loss(const struct evaluation *e)
{
    char line[160];
    (void)snprintf(line, sizeof line, "{\"loss\": %.17g, \"perplexity\": %.17g, \"tokens\": %lld}",
                   e->loss, exp(e->loss), (long long)e->n);
    return print_line(line);
}

static ft_status print_scores(const struct scores *scores, double loss, const char *const *names)
{
    json_t *json = NULL;
    FT_TRY(scores_print(stderr, scores, names));
    FT_TRY(scores_to_json(&json, scores, loss, names));
    char *line = NULL;
    ft_status status = json_print(&line, json, 0, "result of the evaluation");
    json_decref(json);
    if (status == FT_OK)
        status = print_line(line);
    free(line);
    return status;
}

/* One JSON line on stdout, by rank 0; of a classification the tables on stderr too. Local. */
static ft_status print_result(void *context, const struct session *s, const struct dataset *set,
                              const struct evaluation *e)
{
    (void)context;
    struct scores scores = {0};
    const int K = s->labels.n;
    if (comm_rank(s->comm) != 0)
        return FT_OK;
    if (K == 0)
        return print_loss(e);
    ft_status status = scores_of(&scores, set->documents.labels, e->predictions, e->n, K);
    if (status == FT_OK)
        status = print_scores(&scores, e->loss, s->labels.names);
    scores_clear(&scores);
    return status;
}

ft_status verb_evaluate(struct comm *comm, int argc, char **argv)
{
    struct settings *settings = NULL;
    bool base = false;
    int n = 0;
    for (int i = 0; i < argc; i++) { /* the flag may stand anywhere */
        if (strcmp(argv[i], "--base") == 0)
            base = true;
        else
            argv[n++] = argv[i];
    }
    signals_watch();
    FT_TRY(startup_load(&settings, comm, n, argv));
    ft_status status = startup_report(comm, settings);
    if (status == FT_OK)
        status = run_evaluate(comm, settings, base, print_result, NULL);
    settings_destroy(&settings);
    return status;
}
