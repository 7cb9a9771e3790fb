#include "data/samples.h"

struct sample_set sample_set_of(const struct window_set *windows,
                                const struct document_set *documents)
{
    return (struct sample_set){.windows = windows,
                               .documents = documents,
                               .n = windows ? windows->n_windows : documents->n_documents};
}

ft_status sample_set_fill(struct batch *b, const struct sample_set *s, const int64_t *numbers,
                          int n)
{
    return s->windows ? batch_fill(b, s->windows, numbers, n)
                      : document_batch_fill(b, s->documents, numbers, n);
}
