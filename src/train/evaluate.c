/*
 * Documents are dealt out in order of their length, so that a batch holds documents of like length
 * and ranks get like work. Batches are the same at every rank count, and losses are added up in one
 * order, so the result is too, bit for bit: what is best on validation does not depend on the
 * number of ranks. Each rank knows the labels of all documents; only verdicts travel.
 */
#include "train/evaluate.h"

#include <math.h>
#include <string.h>

#include "base/fault.h"
#include "base/pulse.h"
#include "train/classify.h"
#include "train/scores.h"

/* Sum of losses and tokens of samples first ... last-1. Local. */
static ft_status sum_samples(double sums[2], struct model *model, const struct sample_set *set,
                             struct batch *batch, int64_t first, int64_t last)
{
    const int most = batch->micro_batch;
    FT_TRY(fault_point("evaluate"));
    for (int64_t at = first; at < last; at += most) {
        const int n = (int)(last - at < most ? last - at : most);
        for (int i = 0; i < n; i++)
            batch->windows[i] = at + i;
        FT_TRY(sample_set_fill(batch, set, batch->windows, n));
        sums[0] += model_loss(model, batch);
        sums[1] += (double)batch->n_supervised;
    }
    return FT_OK;
}

/* Of windows or conversations. */
static ft_status evaluate_tokens(struct evaluation *out, struct comm *comm, struct model *model,
                                 const struct sample_set *set, struct batch *batch)
{
    const int64_t W = set->n, rank = comm_rank(comm), size = comm_size(comm);
    double sums[2] = {0, 0};
    FT_AGREE(comm, sum_samples(sums, model, set, batch, rank * W / size, (rank + 1) * W / size));
    comm_sum_f64(comm, sums, 2);
    out->n = (int64_t)sums[1];
    out->loss = sums[0] / sums[1];
    return FT_OK;
}

/* What the model says of one document. */
struct verdict {
    double loss;
    int32_t prediction;
};

/* Of the documents order[first ... last-1], from out on. Local. */
static ft_status judge_documents(struct verdict *out, struct model *model,
                                 const struct document_set *set, struct batch *batch,
                                 const int64_t *order, int64_t first, int64_t last)
{
    const int most = batch->micro_batch, K = model->config.head.n_labels;
    FT_TRY(fault_point("evaluate"));
    for (int64_t at = first; at < last; at += most) {
        const int n = (int)(last - at < most ? last - at : most);
        FT_TRY(document_batch_fill(batch, set, order + at, n));
        (void)model_loss(model, batch);
        const float *logits = model_class_logits(model);
        for (int i = 0; i < n; i++, logits += K, out++) {
            out->loss = class_loss(logits, K, batch->labels[i]);
            out->prediction = class_of_logits(logits, K);
        }
    }
    return FT_OK;
}

/* First document of a rank: batches are not divided. */
static int64_t share_of(int64_t rank, int64_t size, int64_t n, int64_t most)
{
    const int64_t first = rank * ((n + most - 1) / most) / size * most;
    return first < n ? first : n;
}

/* mine, all: (n) room for this rank's share and for what all ranks say. Collective. */
static ft_status share_documents(struct evaluation *out, struct comm *comm, struct model *model,
                                 const struct document_set *set, struct batch *batch,
                                 const int64_t *order, struct verdict *mine, struct verdict *all)
{
    const int64_t n = set->n_documents, rank = comm_rank(comm), size = comm_size(comm);
    const int64_t first = share_of(rank, size, n, batch->micro_batch);
    const int64_t last = share_of(rank + 1, size, n, batch->micro_batch);
    int64_t *counts = NULL;
    ft_status local = FT_ALLOC(counts, size);
    if (local == FT_OK)
        local = judge_documents(mine, model, set, batch, order, first, last);
    const ft_status status = comm_agree(comm, local);
    if (status == FT_OK) {
        comm_allgather_varying(comm, all, counts, mine, (last - first) * (int64_t)sizeof *mine);
        for (int64_t i = 0; i < n; i++) {
            out->predictions[order[i]] = all[i].prediction;
            out->loss += all[i].loss / (double)n;
        }
    }
    mem_free(counts);
    return status;
}

static ft_status evaluate_documents(struct evaluation *out, struct comm *comm, struct model *model,
                                    const struct document_set *set, struct batch *batch)
{
    int64_t *order = NULL;
    struct verdict *verdicts = NULL;
    out->n = set->n_documents;
    ft_status status = document_order_by_length(&order, set);
    if (status == FT_OK)
        status = FT_ALLOC(verdicts, 2 * out->n);
    if (status == FT_OK)
        status = FT_ALLOC(out->predictions, out->n);
    status = comm_agree(comm, status);
    if (status == FT_OK)
        status = share_documents(out, comm, model, set, batch, order, verdicts, verdicts + out->n);
    if (status == FT_OK)
        status = comm_agree(comm, evaluation_score(out, set, model->config.head.n_labels));
    mem_free(verdicts);
    mem_free(order);
    return status;
}

ft_status evaluation_score(struct evaluation *e, const struct document_set *set, int n_labels)
{
    int64_t *counts = NULL, n_correct = 0;
    FT_TRY(FT_ALLOC(counts, 3 * (int64_t)n_labels));
    int64_t *correct = counts, *support = counts + n_labels, *predicted = support + n_labels;
    for (int64_t i = 0; i < set->n_documents; i++) {
        const int32_t truth = set->labels[i], guess = e->predictions[i];
        support[truth]++;
        predicted[guess]++;
        correct[truth] += truth == guess;
        n_correct += truth == guess;
    }
    e->accuracy = (double)n_correct / (double)set->n_documents;
    e->macro_f1 = scores_macro_f1(correct, support, predicted, n_labels);
    mem_free(counts);
    return FT_OK;
}

ft_status evaluate_set(struct evaluation *out, struct comm *comm, struct model *model,
                       const struct dataset *set, struct batch *batch)
{
    *out = (struct evaluation){0};
    pulse_phase("evaluate");
    if (model->config.head.n_labels > 0)
        FT_TRY(evaluate_documents(out, comm, model, &set->documents, batch));
    else
        FT_TRY(evaluate_tokens(out, comm, model, &set->samples, batch));
    if (!isfinite(out->loss))
        return ft_fail(FT_ERR_INTERNAL, "the loss of an evaluation is not finite");
    return FT_OK;
}

void evaluation_clear(struct evaluation *e)
{
    mem_free(e->predictions);
    *e = (struct evaluation){0};
}
