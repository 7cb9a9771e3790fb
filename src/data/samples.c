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
