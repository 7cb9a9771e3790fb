#include "train/comparison.h"

#include <string.h>

#include "base/mem.h"
#include "train/scores.h"

static const char *const names[N_COMPARE_METHODS] = {"bag-of-words", "transfer", "last-layers",
                                                     "finetune"};

const char *comparison_method_name(int method)
{
    return names[method];
}

int comparison_method_of(const char *name)
{
    for (int m = 0; m < N_COMPARE_METHODS; m++)
        if (strcmp(names[m], name) == 0)
            return m;
    return -1;
}

static ft_status score(struct method_result *out, const int32_t *labels, const int32_t *predictions,
                       int64_t n, int n_classes, uint64_t seed)
{
    struct scores scores;
    ft_status status = scores_of(&scores, labels, predictions, n, n_classes);
    if (status == FT_OK)
        status = bootstrap_intervals(&out->interval, labels, predictions, n, n_classes, seed);
    if (status == FT_OK) {
        out->documents = scores.documents;
        out->accuracy = scores.accuracy;
        out->macro_f1 = scores.macro_f1;
    }
    scores_clear(&scores);
    return status;
}

ft_status comparison_score(struct method_result *out, const int32_t *labels,
                           const int32_t *predictions, int64_t n, int n_classes, uint64_t seed)
{
    out->done = false;
    FT_FREE(out->correct);
    FT_TRY(FT_ALLOC(out->correct, n));
    FT_TRY(score(out, labels, predictions, n, n_classes, seed));
    for (int64_t i = 0; i < n; i++)
        out->correct[i] = labels[i] == predictions[i];
    hash_format(out->labels_hash, hash_bytes(labels, (size_t)n * sizeof *labels));
    out->done = true;
    return FT_OK;
}

static ft_status check_same_labels(const struct comparison *c, int a, int b)
{
    const struct method_result *x = c->methods + a, *y = c->methods + b;
    if (x->documents == y->documents && strcmp(x->labels_hash, y->labels_hash) == 0)
        return FT_OK;
    return ft_fail(FT_ERR_INPUT,
                   "%s (%lld test documents) and %s (%lld) were measured on different test sets: "
                   "compare again in another output.dir",
                   names[a], (long long)x->documents, names[b], (long long)y->documents);
}

static ft_status test_pair(struct comparison *c, int a, int b)
{
    const struct method_result *x = c->methods + a, *y = c->methods + b;
    c->pairs[a][b] = c->pairs[b][a] = (struct mcnemar){.p = 1.0};
    if (a == b || !x->done || !y->done)
        return FT_OK;
    FT_TRY(check_same_labels(c, a, b));
    const struct mcnemar m = mcnemar_test(x->correct, y->correct, x->documents);
    c->pairs[a][b] = m;
    c->pairs[b][a] = (struct mcnemar){.a_only = m.b_only, .b_only = m.a_only, .p = m.p};
    return FT_OK;
}

ft_status comparison_test(struct comparison *c)
{
    c->cheapest = -1;
    for (int a = 0; a < N_COMPARE_METHODS; a++) {
        for (int b = a; b < N_COMPARE_METHODS; b++)
            FT_TRY(test_pair(c, a, b));
        if (c->methods[a].done &&
            (c->cheapest < 0 || c->methods[a].core_s < c->methods[c->cheapest].core_s))
            c->cheapest = a;
    }
    return FT_OK;
}

void method_result_clear(struct method_result *result)
{
    mem_free(result->correct);
    *result = (struct method_result){0};
}

void comparison_clear(struct comparison *c)
{
    for (int m = 0; m < N_COMPARE_METHODS; m++)
        method_result_clear(&c->methods[m]);
    *c = (struct comparison){.cheapest = -1};
}
