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
#include "base/signals.h"
#include "base/timer.h"
#include "train/classify.h"
#include "train/scores.h"

/* Ranks agree about once in so many seconds, so that all stop soon after one got a signal. */
static const double ROUND_SECONDS = 1.0;

/* Works on the batches first ... last-1 of this rank's share, as far as it has them. Local. */
typedef ft_status batch_work(void *context, int64_t first, int64_t last);

/* n: the most batches that any rank has. As many as take about a second go between two agreements,
 * by the clock of the slowest rank. Collective. */
static ft_status work_in_rounds(struct comm *comm, batch_work *work, void *context, int64_t n)
{
    int64_t length = 1;
    FT_AGREE(comm, fault_point("evaluate"));
    for (int64_t at = 0; at < n;) {
        double seconds = timer_now();
        FT_AGREE(comm, work(context, at, at + length));
        seconds = timer_now() - seconds;
        comm_max_f64(comm, &seconds, 1);
        at += length;
        if (seconds < ROUND_SECONDS / 2)
            length *= 2;
        else if (seconds > 2 * ROUND_SECONDS && length > 1)
            length /= 2;
    }
    return FT_OK;
}

/* What one rank evaluates: samples first ... last-1, or documents of that place in the order. */
struct share {
    struct model *model;
    struct batch *batch;
    int64_t first, last;
    const struct sample_set *samples; /* windows or conversations */
    double sums[2];                   /* loss, tokens */
    const struct document_set *documents;
    const int64_t *order;
    struct verdict *verdicts; /* (last - first) */
};

/* First sample of a batch of the share. */
static int64_t batch_begin(const struct share *s, int64_t number)
{
    const int64_t at = s->first + number * s->batch->micro_batch;
    return at < s->last ? at : s->last;
}

static ft_status sum_samples(void *context, int64_t first, int64_t last)
{
    struct share *s = context;
    struct batch *batch = s->batch;
    for (int64_t number = first; number < last; number++) {
        const int64_t at = batch_begin(s, number);
        const int n = (int)(batch_begin(s, number + 1) - at);
        if (n == 0)
            break;
        FT_TRY(signals_check("evaluating"));
        for (int i = 0; i < n; i++)
            batch->windows[i] = at + i;
        FT_TRY(sample_set_fill(batch, s->samples, batch->windows, n));
        s->sums[0] += model_loss(s->model, batch);
        s->sums[1] += (double)batch->n_supervised;
    }
    return FT_OK;
}

/* Of windows or conversations. */
static ft_status evaluate_tokens(struct evaluation *out, struct comm *comm, struct model *model,
                                 const struct sample_set *set, struct batch *batch)
{
    const int64_t W = set->n, rank = comm_rank(comm), size = comm_size(comm);
    struct share share = {.model = model,
                          .batch = batch,
                          .first = rank * W / size,
                          .last = (rank + 1) * W / size,
                          .samples = set};
    const int64_t most = (W + size - 1) / size;
    FT_TRY(work_in_rounds(comm, sum_samples, &share,
                          (most + batch->micro_batch - 1) / batch->micro_batch));
    comm_sum_f64(comm, share.sums, 2);
    out->n = (int64_t)share.sums[1];
    out->loss = share.sums[0] / share.sums[1];
    return FT_OK;
}

/* What the model says of one document. */
struct verdict {
    double loss;
    int32_t prediction;
};

static ft_status judge_documents(void *context, int64_t first, int64_t last)
{
    struct share *s = context;
    const int K = s->model->config.head.n_labels;
    for (int64_t number = first; number < last; number++) {
        const int64_t at = batch_begin(s, number);
        const int n = (int)(batch_begin(s, number + 1) - at);
        struct verdict *out = s->verdicts + (at - s->first);
        if (n == 0)
            break;
        FT_TRY(signals_check("evaluating"));
        FT_TRY(document_batch_fill(s->batch, s->documents, s->order + at, n));
        (void)model_loss(s->model, s->batch);
        const float *logits = model_class_logits(s->model);
        for (int i = 0; i < n; i++, logits += K, out++) {
            out->loss = class_loss(logits, K, s->batch->labels[i]);
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
    const int64_t most = batch->micro_batch, n_batches = (n + most - 1) / most;
    struct share share = {.model = model,
                          .batch = batch,
                          .first = share_of(rank, size, n, most),
                          .last = share_of(rank + 1, size, n, most),
                          .documents = set,
                          .order = order,
                          .verdicts = mine};
    int64_t *counts = NULL;
    ft_status status = comm_agree(comm, FT_ALLOC(counts, size));
    if (status == FT_OK)
        status = work_in_rounds(comm, judge_documents, &share, (n_batches + size - 1) / size);
    if (status == FT_OK) {
        comm_allgather_varying(comm, all, counts, mine,
                               (share.last - share.first) * (int64_t)sizeof *mine);
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
