/* What the trained model and the written one are both asked. */
#include <string.h>

#include "data/documents.h"
#include "data/loader.h"
#include "export_parts.h"

/* What tokenizers treat in ways of their own: contractions, digits, spaces, lines, code, accents,
 * other scripts, and characters that are cut into bytes. */
static const char *const texts[] = {
    "Permission is hereby granted, free of charge, to any person",
    "It wasn't what we'd hoped for: 3 of 12,345 films were good!\n\n  The rest",
    "int main(void)\t{ return x[0] != 1; }  // caf\xc3\xa9, na\xc3\xafve",
    "\xce\xb1\xce\xb2\xce\xb3 \xe4\xb8\x96\xe7\x95\x8c \xf0\x9f\x98\x80 \xd0\x9c\xd0\xb8\xd1\x80",
};
enum { PROMPT_TOKENS = 24 };
_Static_assert(sizeof texts / sizeof *texts == N_PROMPT_TEXTS, "a segment for each text");

static int most_tokens(const struct session *s)
{
    const int seq_len = s->settings->data.seq_len;
    return seq_len < PROMPT_TOKENS ? seq_len : PROMPT_TOKENS;
}

void prompts_shape(struct model_shape *shape, const struct session *s)
{
    *shape = (struct model_shape){.max_tokens = (N_PROMPT_TEXTS + 1) * most_tokens(s),
                                  .max_length = most_tokens(s),
                                  .max_segments = N_PROMPT_TEXTS + 1};
}

/* All texts one behind the other, as the model is used: documents with their template, or plain
 * text. */
static ft_status encode(struct prompt_ids *p, struct tokenizer *t, const struct session *s)
{
    const bool is_document = s->settings->task == RUN_TASK_CLASSIFICATION;
    for (int i = 0; i < N_PROMPT_TEXTS; i++) {
        const size_t bytes = strlen(texts[i]);
        FT_TRY(is_document
                   ? tokenizer_encode_document(t, &p->ids, texts[i], bytes, most_tokens(s), NULL)
                   : tokenizer_encode(t, &p->ids, texts[i], bytes));
        p->ends[i] = p->ids.n;
    }
    return FT_OK;
}

static void add_segment(struct batch *b, const int32_t *ids, int64_t n)
{
    if (n == 0)
        return;
    b->segment_ids[b->n_segments] = b->n_segments;
    b->labels[b->n_segments++] = -1;
    for (int i = 0; i < (int)n; i++, b->n_tokens++) {
        b->tokens[b->n_tokens] = ids[i];
        b->targets[b->n_tokens] = -1;
        b->positions[b->n_tokens] = i;
    }
    b->segment_start[b->n_segments] = b->n_tokens;
}

/* Rows of the embedding far from each other. */
static void add_spread(struct batch *b, const struct session *s)
{
    int32_t ids[PROMPT_TOKENS];
    const int n = most_tokens(s);
    for (int i = 0; i < n; i++)
        ids[i] = (int32_t)((int64_t)(s->config.V - 1) * i / (n > 1 ? n - 1 : 1));
    add_segment(b, ids, n);
}

ft_status prompts_open(struct prompts *p, struct session *s)
{
    *p = (struct prompts){0};
    FT_TRY(document_batch_create(&p->batch, N_PROMPT_TEXTS + 1, most_tokens(s)));
    FT_TRY(encode(&p->texts, s->tokenizer, s));
    for (int64_t i = 0, at = 0; i < N_PROMPT_TEXTS; at = p->texts.ends[i++]) {
        const int64_t n = p->texts.ends[i] - at;
        add_segment(&p->batch, p->texts.ids.ids + at, n < most_tokens(s) ? n : most_tokens(s));
    }
    add_spread(&p->batch, s);
    return FT_OK;
}

void prompts_close(struct prompts *p)
{
    token_list_clear(&p->texts.ids);
    batch_destroy(&p->batch);
}

ft_status prompts_check_tokenizer(const struct prompts *p, struct tokenizer *t,
                                  const struct session *s)
{
    struct prompt_ids got = {0};
    const struct prompt_ids *wanted = &p->texts;
    ft_status status = encode(&got, t, s);
    for (int64_t i = 0, at = 0; i < N_PROMPT_TEXTS && status == FT_OK; at = wanted->ends[i++])
        if (got.ends[i] != wanted->ends[i] ||
            memcmp(got.ids.ids + at, wanted->ids.ids + at,
                   (size_t)(wanted->ends[i] - at) * sizeof *got.ids.ids) != 0)
            status = ft_fail(FT_ERR_INTERNAL,
                             "the written tokenizer gives other ids than the run's own to \"%s\"",
                             texts[i]);
    token_list_clear(&got.ids);
    return status;
}
