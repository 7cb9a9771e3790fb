#include "train/bag_of_words_run.h"

#include "base/log.h"
#include "base/pulse.h"
#include "data/texts.h"
#include "optim/logistic.h"
#include "train/alone.h"
#include "train/bag_of_words.h"
#include "train/classify.h"
#include "train/output_dir.h"
#include "train/penalty_search.h"

/* For rows of length 1, which are not standardised. */
static const double grid[] = {1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6};

struct request {
    const struct settings *settings;
    evaluation_user *use;
    void *context;
};

static ft_status add_text(void *context, int64_t number, const struct document *document)
{
    (void)number;
    return bag_of_words_add(context, document->text, document->bytes);
}

static ft_status add_texts(struct bag_of_words *bag, const struct dataset *set)
{
    return set->corpus ? documents_for_each(set->corpus, set->documents.n_documents, add_text, bag)
                       : FT_OK;
}

/* Weights at the chosen penalty: weight (K, d), the biases (K) behind. Held-out rows stay out only
 * where they are validation documents. */
static ft_status fit(float *weight, struct design *design, struct judged_rows *rows, double l2)
{
    const struct logistic_options options = {.tolerance = 1e-5, .max_iterations = 1000};
    struct logistic_result result = {.weight = weight,
                                     .bias = weight + (int64_t)rows->K * design->d};
    const struct logistic_problem problem = {.row_weight = rows->weights, .l2 = l2};
    for (int64_t i = 0; rows->n_splits == 1 && i < rows->n; i++)
        if (rows->split[i] == 0)
            rows->weights[i] = 0.0f;
    FT_TRY(logistic_fit(&result, design, rows->labels, rows->K, &problem, 1, &options));
    log_info("bag of words: %d terms, L2 %g, gradient %.1e after %d iterations", design->d, l2,
             result.gradient, result.iterations);
    return FT_OK;
}

/* L2 by validation documents, else by 5 folds; then the weights. */
static ft_status solve(float *weight, struct session *s, const struct sparse_rows *rows)
{
    struct penalty_score best;
    struct design *design = NULL;
    struct judged_rows judged = {0};
    const struct document_set *train = &s->train.documents, *validation = &s->validation.documents;
    ft_status status = judged_rows_create(&judged, train->labels, train->n_documents,
                                          validation->labels, validation->n_documents, s->labels.n,
                                          s->class_weights, s->settings->seed);
    if (status == FT_OK)
        status = design_create_sparse(&design, rows);
    if (status == FT_OK)
        status = penalty_search(&best, design, &judged, grid, sizeof grid / sizeof *grid,
                                s->settings->training.best_metric);
    if (status == FT_OK)
        status = fit(weight, design, &judged, best.l2);
    design_destroy(&design);
    judged_rows_clear(&judged);
    return status;
}

static void row_logits(float *logits, const struct sparse_rows *rows, int64_t i,
                       const float *weight, int K)
{
    for (int k = 0; k < K; k++) {
        double sum = (double)weight[(int64_t)K * rows->d + k];
        for (int64_t at = rows->row_start[i]; at < rows->row_start[i + 1]; at++)
            sum +=
                (double)rows->value[at] * (double)weight[(int64_t)k * rows->d + rows->column[at]];
        logits[k] = (float)sum;
    }
}

static ft_status judge(struct evaluation *e, const struct session *s,
                       const struct sparse_rows *rows, const float *weight)
{
    const struct document_set *set = &s->test.documents;
    const int K = s->labels.n;
    float *logits;
    FT_TRY(FT_ALLOC(logits, K));
    ft_status status = FT_ALLOC(e->predictions, rows->n);
    for (int64_t i = 0; i < rows->n && status == FT_OK; i++) {
        row_logits(logits, rows, i, weight, K);
        e->predictions[i] = class_of_logits(logits, K);
        e->loss += class_loss(logits, K, set->labels[i]) / (double)rows->n;
    }
    mem_free(logits);
    e->n = rows->n;
    return status == FT_OK ? evaluation_score(e, set, K) : status;
}

/* Words are those of the training documents; the rows of the validation documents follow theirs. */
static ft_status learn(float **weight, struct bag_of_words *bag, struct session *s)
{
    struct sparse_rows rows = {0};
    pulse_phase("head");
    FT_TRY(add_texts(bag, &s->train));
    FT_TRY(bag_of_words_fit(bag));
    FT_TRY(add_texts(bag, &s->validation));
    FT_TRY(bag_of_words_take_rows(bag, &rows));
    ft_status status = FT_ALLOC(*weight, (int64_t)s->labels.n * (rows.d + 1));
    if (status == FT_OK)
        status = solve(*weight, s, &rows);
    sparse_rows_clear(&rows);
    return status;
}

static ft_status learn_and_judge(struct evaluation *e, struct session *s)
{
    struct bag_of_words *bag = NULL;
    struct sparse_rows rows = {0};
    float *weight = NULL;
    ft_status status = bag_of_words_create(&bag);
    if (status == FT_OK)
        status = learn(&weight, bag, s);
    if (status == FT_OK)
        status = add_texts(bag, &s->test);
    if (status == FT_OK)
        status = bag_of_words_take_rows(bag, &rows);
    if (status == FT_OK)
        status = judge(e, s, &rows, weight);
    if (status == FT_OK)
        e->stored_bytes =
            bag_of_words_bytes(bag) + (int64_t)sizeof *weight * s->labels.n * (rows.d + 1);
    mem_free(weight);
    sparse_rows_clear(&rows);
    bag_of_words_destroy(&bag);
    return status;
}

static ft_status work(struct comm *solo, void *context)
{
    const struct request *r = context;
    struct session s = {0};
    struct evaluation e = {0};
    ft_status status = session_open_model(&s, solo, r->settings);
    if (status == FT_OK)
        status = session_open_data(&s, SESSION_TRAIN | SESSION_VALIDATION | SESSION_TEST);
    if (status == FT_OK)
        status = learn_and_judge(&e, &s);
    if (status == FT_OK)
        status = r->use(r->context, &s, &s.test, &e);
    evaluation_clear(&e);
    session_close(&s);
    return status;
}

ft_status bag_of_words_run(struct comm *world, const struct settings *settings,
                           evaluation_user *use, void *context)
{
    struct request request = {settings, use, context};
    FT_TRY(output_dir_prepare(world, settings->output.dir));
    const ft_status status = alone_run(world, work, &request);
    output_dir_release();
    return status;
}
