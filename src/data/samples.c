#include "data/samples.h"

struct sample_set sample_set_of_windows(const struct window_set *windows)
{
    return (struct sample_set){.windows = windows, .n = windows->n_windows};
}

struct sample_set sample_set_of_documents(const struct document_set *documents)
{
    return (struct sample_set){.documents = documents, .n = documents->n_documents};
}

struct sample_set sample_set_of_conversations(const struct conversation_set *conversations)
{
    return (struct sample_set){.conversations = conversations, .n = conversations->n};
}

const char *sample_set_unit(const struct sample_set *s)
{
    if (s->documents)
        return "documents";
    return s->windows || s->conversations->members ? "windows" : "conversations";
}

ft_status sample_set_fill(struct batch *b, const struct sample_set *s, const int64_t *numbers,
                          int n)
{
    if (s->windows)
        return batch_fill(b, s->windows, numbers, n);
    return s->documents ? document_batch_fill(b, s->documents, numbers, n)
                        : conversation_batch_fill(b, s->conversations, numbers, n);
}

static ft_status append_number(struct buffer *out, int64_t number)
{
    return buffer_append(out, (const char *)&number, sizeof number);
}

static ft_status window_documents(struct buffer *out, const struct window_set *s, int64_t number)
{
    struct token_set *tokens = corpus_tokens(s->corpus);
    const int64_t begin = number * s->seq_len, end = begin + s->seq_len;
    int64_t first, last;
    FT_TRY(token_set_document(tokens, &first, begin));
    FT_TRY(token_set_document(tokens, &last, end < tokens->n_tokens ? end : tokens->n_tokens - 1));
    for (int64_t document = first; document <= last; document++)
        FT_TRY(append_number(out, document));
    return FT_OK;
}

ft_status sample_set_documents(struct buffer *out, const struct sample_set *s, int64_t number)
{
    const struct conversation_set *c = s->conversations;
    if (s->windows)
        return window_documents(out, s->windows, number);
    if (s->documents || !c->members)
        return append_number(out, number);
    for (int64_t i = c->bounds[number]; i < c->bounds[number + 1]; i++)
        FT_TRY(append_number(out, c->members[i]));
    return FT_OK;
}
