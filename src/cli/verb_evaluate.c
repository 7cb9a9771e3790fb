#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/startup.h"
#include "cli/verbs.h"
#include "train/evaluate.h"
#include "train/run_weights.h"
#include "train/session.h"

/* The data that evaluate reads: test, else validation, else the part set aside. */
static ft_status open_evaluation_data(struct corpus **out, struct session *s)
{
    const struct settings *settings = s->settings;
    const bool has_fraction = settings->data.validation_fraction > 0.0 && settings->data.train.n;
    if (!settings->data.test.n && !settings->data.validation.n && !has_fraction)
        return ft_fail(FT_ERR_USAGE, "nothing to evaluate: set data.test, data.validation or "
                                     "data.validation_fraction");
    FT_TRY(session_open_data(s, settings->data.test.n ? SESSION_TEST : SESSION_VALIDATION));
    *out = settings->data.test.n ? s->test : s->validation;
    return FT_OK;
}

static ft_status print_result(const struct comm *comm, const struct evaluation *e)
{
    if (comm_rank(comm) != 0)
        return FT_OK;
    if (printf("{\"loss\": %.17g, \"perplexity\": %.17g, \"tokens\": %lld}\n", e->loss,
               exp(e->loss), (long long)e->tokens) < 0 ||
        fflush(stdout) != 0)
        return ft_fail(FT_ERR_IO, "cannot write to standard output");
    return FT_OK;
}

static ft_status evaluate(struct session *s, struct batch *batch, bool base)
{
    const struct settings *settings = s->settings;
    struct corpus *corpus = NULL;
    struct window_set set;
    struct evaluation result;
    FT_TRY(open_evaluation_data(&corpus, s));
    FT_AGREE(s->comm,
             window_set_init(&set, corpus, settings->data.seq_len, true, settings->data.max_windows,
                             settings->data.isolate_documents));
    FT_TRY(session_create_model(s, false));
    FT_TRY(run_weights_load(s, base));
    FT_AGREE(s->comm, batch_create(batch, settings->training.micro_batch, settings->data.seq_len));
    FT_TRY(evaluate_windows(&result, s->comm, s->model, &set, batch));
    return comm_agree(s->comm, print_result(s->comm, &result));
}

ft_status verb_evaluate(struct comm *comm, int argc, char **argv)
{
    struct settings *settings = NULL;
    struct session session = {0};
    struct batch batch = {0};
    bool base = false;
    int n = 0;
    for (int i = 0; i < argc; i++) { /* the flag may stand anywhere */
        if (strcmp(argv[i], "--base") == 0)
            base = true;
        else
            argv[n++] = argv[i];
    }
    FT_TRY(startup_load(&settings, comm, n, argv));
    ft_status status = startup_report(comm, settings);
    if (status == FT_OK)
        status = session_open_model(&session, comm, settings);
    if (status == FT_OK)
        status = evaluate(&session, &batch, base);
    batch_destroy(&batch);
    session_close(&session);
    settings_destroy(&settings);
    return status;
}
