/*
 * The contents of the data are hashed first, to know what a stored result depends on. A method that
 * is done and whose key still holds is taken from compare.json. Scoring is part of a method's cost:
 * it is what using the method costs, and little beside training.
 */
#include "train/compare.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/source.h"
#include "train/bag_of_words_run.h"
#include "train/compare_report.h"
#include "train/cost.h"
#include "train/output_dir.h"
#include "train/run.h"
#include "train/run_evaluate.h"

struct compare {
    struct comm *comm;
    const struct settings *settings;
    struct comparison comparison; /* rank 0 */
    char path[FILE_PATH_MAX];     /* of compare.json */
    char data[2][HASH_TEXT];      /* contents of the training data and of those that judge */
};

/* Rank 0: one method's predictions become its scores. */
struct scoring {
    struct method_result *result;
    int64_t seed;
};

static ft_status score(void *context, const struct session *s, const struct dataset *set,
                       const struct evaluation *e)
{
    struct scoring *scoring = context;
    if (comm_rank(s->comm) != 0)
        return FT_OK;
    scoring->result->stored_bytes = e->stored_bytes;
    return comparison_score(scoring->result, set->documents.labels, e->predictions, e->n,
                            s->labels.n, (uint64_t)scoring->seed);
}

/* The ordinary run of a method, then its scores. Collective. */
static ft_status run_method(struct compare *c, int method, const struct settings *settings)
{
    struct scoring scoring = {&c->comparison.methods[method], c->settings->seed};
    if (method == COMPARE_BAG_OF_WORDS)
        return bag_of_words_run(c->comm, settings, score, &scoring);
    FT_TRY(run_train(c->comm, settings));
    return run_evaluate(c->comm, settings, false, score, &scoring);
}

/* What a stored result depends on: the method's settings and the data. Local. */
static ft_status make_key(char key[HASH_TEXT], const struct compare *c,
                          const struct settings *settings)
{
    struct buffer text = {0};
    ft_status status = settings_format(settings, &text);
    if (status == FT_OK)
        status = buffer_print(&text, "%s %s", c->data[0], c->data[1]);
    if (status == FT_OK)
        hash_format(key, hash_bytes(text.data, text.used));
    buffer_clear(&text);
    return status;
}

/* Whether compare.json holds the method's result already; known to rank 0, told to all. */
static bool is_done(struct compare *c, int method)
{
    int64_t done = c->comparison.methods[method].done;
    comm_bcast(c->comm, &done, sizeof done, 0);
    return done != 0;
}

/* The measured result goes to compare.json. Rank 0. */
static ft_status record(struct compare *c, int method, const char *key, const struct cost *cost)
{
    struct method_result *result = &c->comparison.methods[method];
    if (comm_rank(c->comm) != 0)
        return FT_OK;
    (void)snprintf(result->key, sizeof result->key, "%s", key);
    result->wall_s = cost->wall_s;
    result->core_s = cost->core_s;
    result->peak_bytes = cost->peak_bytes;
    FT_TRY(comparison_test(&c->comparison));
    return compare_report_write(&c->comparison, c->path);
}

static ft_status measure(struct compare *c, int method, const struct settings *settings)
{
    struct cost cost;
    char key[HASH_TEXT];
    FT_AGREE(c->comm, make_key(key, c, settings));
    if (is_done(c, method)) {
        log_info("compare: %s is done already", comparison_method_name(method));
        return FT_OK;
    }
    log_info("compare: %s", comparison_method_name(method));
    FT_TRY(cost_begin(&cost, c->comm, settings->output.dir, method == COMPARE_BAG_OF_WORDS));
    const ft_status status = run_method(c, method, settings);
    if (status != FT_OK) { /* the same on all ranks: what it has cost counts when it goes on */
        char text[1024];
        (void)snprintf(text, sizeof text, "%s", ft_error_text());
        (void)cost_end(&cost, c->comm, settings->output.dir);
        return ft_fail(status, "%s", text);
    }
    FT_TRY(cost_end(&cost, c->comm, settings->output.dir));
    return comm_agree(c->comm, record(c, method, key, &cost));
}

/* The bag of words has no model: it takes the rest of what transfer is told. */
static ft_status settings_of(struct settings **out, const struct compare *c, int method)
{
    char folder[FILE_PATH_MAX], dir[FILE_PATH_MAX];
    const char *name = comparison_method_name(method);
    FT_TRY(file_join(folder, c->settings->output.dir, "compare"));
    FT_TRY(file_join(dir, folder, name));
    return settings_for_method(out, c->settings, method == COMPARE_BAG_OF_WORDS ? "transfer" : name,
                               dir);
}

/* A contradiction in the last method's group is found before the first one runs. Local. */
static ft_status check_methods(const struct compare *c)
{
    ft_status status = FT_OK;
    for (int method = 0; method < N_COMPARE_METHODS && status == FT_OK; method++) {
        struct settings *settings = NULL;
        status = settings_of(&settings, c, method);
        settings_destroy(&settings);
    }
    return status;
}

/* Results that other settings or data gave are forgotten before the first method runs: none is
 * compared with a new one. Local. */
static ft_status forget_stale(struct compare *c)
{
    ft_status status = FT_OK;
    for (int method = 0; method < N_COMPARE_METHODS && status == FT_OK; method++) {
        char key[HASH_TEXT] = "";
        struct settings *settings = NULL;
        struct method_result *result = &c->comparison.methods[method];
        status = settings_of(&settings, c, method);
        if (status == FT_OK)
            status = make_key(key, c, settings);
        settings_destroy(&settings);
        if (status == FT_OK && strcmp(result->key, key) != 0)
            method_result_clear(result);
    }
    return status;
}

static ft_status run_all(struct compare *c)
{
    ft_status status = FT_OK;
    for (int method = 0; method < N_COMPARE_METHODS && status == FT_OK; method++) {
        struct settings *settings = NULL;
        status = comm_agree(c->comm, settings_of(&settings, c, method));
        if (status == FT_OK)
            status = measure(c, method, settings);
        settings_destroy(&settings);
    }
    return status;
}

static ft_status hash_paths(char out[HASH_TEXT], struct comm *comm, const struct text_list *paths)
{
    struct source_list list = {0};
    ft_status status = source_list_create(&list, comm, paths->items, paths->n);
    if (status == FT_OK)
        status = source_hash(out, comm, list.files, list.n_files);
    source_list_destroy(&list);
    return status;
}

/* Contents of the data, by which stored results are known again. Collective. */
static ft_status hash_data(struct compare *c)
{
    FT_TRY(hash_paths(c->data[0], c->comm, &c->settings->data.train));
    return hash_paths(c->data[1], c->comm, &c->settings->data.test);
}

static ft_status check(const struct settings *s)
{
    if (s->task != RUN_TASK_CLASSIFICATION)
        return ft_fail(FT_ERR_USAGE, "compare needs task = \"classification\"");
    if (s->data.test.n == 0)
        return ft_fail(FT_ERR_USAGE,
                       "data.test is missing: compare judges all methods on documents "
                       "that none of them has seen");
    return settings_require_training(s);
}

static ft_status open_results(struct compare *c)
{
    if (comm_rank(c->comm) != 0)
        return FT_OK;
    FT_TRY(run_check_folder(c->settings->output.dir, RUN_FOLDER_COMPARE));
    FT_TRY(file_join(c->path, c->settings->output.dir, "compare.json"));
    FT_TRY(run_write_settings(c->settings));
    return compare_report_read(&c->comparison, c->path);
}

static ft_status compare_all(struct compare *c)
{
    FT_AGREE(c->comm, check_methods(c));
    FT_AGREE(c->comm, open_results(c));
    FT_TRY(hash_data(c));
    FT_AGREE(c->comm, forget_stale(c));
    FT_TRY(run_all(c));
    return comm_agree(
        c->comm, comm_rank(c->comm) == 0 ? compare_report_print(stdout, &c->comparison) : FT_OK);
}

ft_status compare_run(struct comm *comm, const struct settings *settings)
{
    struct compare *c = NULL;
    FT_AGREE(comm, check(settings));
    FT_TRY(output_dir_prepare(comm, settings->output.dir));
    ft_status status = comm_agree(comm, FT_ALLOC(c, 1));
    if (status == FT_OK) {
        c->comm = comm;
        c->settings = settings;
        status = compare_all(c);
    }
    if (c)
        comparison_clear(&c->comparison);
    mem_free(c);
    output_dir_release();
    return status;
}
