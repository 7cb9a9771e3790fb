/*
 * The last token of a conversation predicts nothing and no other token sees it, so it takes no
 * place in a batch: a conversation of n tokens is a segment of n - 1.
 */
#include "data/conversations.h"

#include <string.h>

#include "base/mem.h"
#include "data/packing.h"
#include "format/h5.h"

/* Starts of the documents of all shards. Rank 0. */
static ft_status read_starts(struct conversation_set *s)
{
    const struct token_set *tokens = corpus_tokens(s->corpus);
    int64_t *out = s->first;
    for (int64_t i = 0; i < tokens->n_shards; i++) {
        const struct token_shard *shard = &tokens->shards[i];
        const int64_t n = shard->info.n_documents;
        struct h5_file *file = NULL;
        FT_TRY(h5_open_own(&file, shard->path));
        ft_status status = h5_read_slice(file, "/document_starts", H5_I64, 0, n, out);
        for (int64_t k = 0; k < n && status == FT_OK; k++) {
            if (out[k] < 0 || out[k] >= shard->info.n_tokens || (k == 0 && out[k] != 0))
                status = ft_fail(FT_ERR_INPUT, "/document_starts: document %lld begins at %lld",
                                 (long long)k, (long long)out[k]);
            out[k] += status == FT_OK ? shard->first_token : 0;
        }
        if (status == FT_ERR_INPUT)
            status = ft_fail_within(status, "%s", shard->path);
        (void)h5_close(&file);
        FT_TRY(status);
        out += n;
    }
    *out = tokens->n_tokens;
    return FT_OK;
}

/* What a file could have got wrong. */
static ft_status check(const struct conversation_set *s)
{
    for (int64_t i = 0; i < s->n_conversations; i++) {
        const int64_t length = s->first[i + 1] - s->first[i];
        if (length < 2 || length > s->seq_len)
            return ft_fail(FT_ERR_INPUT,
                           "conversation %lld of the prepared corpus has %lld tokens, 2 to %d are "
                           "possible: prepare the data again",
                           (long long)i, (long long)length, s->seq_len);
    }
    return FT_OK;
}

/* On equal arrays: the same on all ranks. */
static ft_status pack(struct conversation_set *s)
{
    int32_t *lengths = NULL;
    FT_TRY(FT_ALLOC(s->members, s->n_conversations));
    FT_TRY(FT_ALLOC(s->bounds, s->n_conversations + 1));
    FT_TRY(FT_ALLOC(lengths, s->n_conversations));
    for (int64_t i = 0; i < s->n_conversations; i++)
        lengths[i] = (int32_t)(s->first[i + 1] - s->first[i] - 1);
    const ft_status status =
        packing_best_fit(s->members, s->bounds, &s->n, lengths, s->n_conversations, s->seq_len);
    mem_free(lengths);
    return status;
}

static ft_status fill(struct conversation_set *s, struct comm *comm, bool packs)
{
    const int64_t n = s->n_conversations;
    FT_AGREE(comm, FT_ALLOC(s->first, n + 1));
    FT_AGREE(comm, comm_rank(comm) == 0 ? read_starts(s) : FT_OK);
    comm_bcast(comm, s->first, (n + 1) * (int64_t)sizeof *s->first, 0);
    FT_TRY(check(s)); /* of equal arrays: the same on all ranks */
    s->n = n;
    return packs ? comm_agree(comm, pack(s)) : FT_OK;
}

ft_status conversation_set_open(struct conversation_set *s, struct comm *comm,
                                struct corpus *corpus, int seq_len, bool packs, int64_t max)
{
    *s = (struct conversation_set){
        .corpus = corpus, .seq_len = seq_len, .n_conversations = corpus_stats(corpus)->n_documents};
    const ft_status status = fill(s, comm, packs);
    if (status != FT_OK)
        conversation_set_close(s);
    else if (max > 0 && max < s->n)
        s->n = max;
    return status;
}

void conversation_set_close(struct conversation_set *s)
{
    mem_free(s->first);
    mem_free(s->members);
    mem_free(s->bounds);
    *s = (struct conversation_set){0};
}

static ft_status append(struct batch *b, const struct conversation_set *s, int64_t number)
{
    const int64_t first = s->first[number];
    const int n = (int)(s->first[number + 1] - first) - 1, at = b->n_tokens;
    int32_t *tokens = b->tokens + at, *targets = b->targets + at;
    FT_TRY(corpus_read(s->corpus, tokens, first, n + 1));
    for (int k = 0; k < n; k++) {
        const int32_t next = tokens[k + 1];
        const bool is_supervised = next & INSTRUCT_SUPERVISED;
        targets[k] = is_supervised ? next & ~INSTRUCT_SUPERVISED : -1;
        b->n_supervised += is_supervised;
        tokens[k] &= ~INSTRUCT_SUPERVISED;
        b->positions[at + k] = k;
    }
    b->segment_ids[b->n_segments] = number;
    b->segment_start[b->n_segments++] = at;
    b->n_tokens += n;
    return FT_OK;
}

static ft_status append_sample(struct batch *b, const struct conversation_set *s, int64_t number)
{
    if (!s->members)
        return append(b, s, number);
    for (int64_t i = s->bounds[number]; i < s->bounds[number + 1]; i++)
        FT_TRY(append(b, s, s->members[i]));
    return FT_OK;
}

ft_status conversation_batch_fill(struct batch *b, const struct conversation_set *s,
                                  const int64_t *numbers, int n)
{
    b->n_tokens = b->n_segments = 0;
    b->n_supervised = 0;
    b->segment_start[0] = 0;
    if (n < 0 || n > b->micro_batch || s->seq_len != b->seq_len)
        return ft_fail(FT_ERR_INTERNAL, "a batch of %d x %d tokens cannot hold %d samples of %d",
                       b->micro_batch, b->seq_len, n, s->seq_len);
    for (int i = 0; i < n; i++) {
        if (numbers[i] < 0 || numbers[i] >= s->n)
            return ft_fail(FT_ERR_INTERNAL, "sample %lld of %lld was asked for",
                           (long long)numbers[i], (long long)s->n);
        FT_TRY(append_sample(b, s, numbers[i]));
    }
    b->segment_start[b->n_segments] = b->n_tokens;
    return FT_OK;
}
