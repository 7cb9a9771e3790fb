#include "data/instruct.h"

#include <string.h>

#include "base/mem.h"

void instruct_clear(struct instruct *x)
{
    conversation_reader_clear(&x->reader);
    chat_list_clear(&x->conversation.list);
    chat_text_clear(&x->text);
    chat_text_clear(&x->prompt);
    token_list_clear(&x->scratch);
}

void instruct_hash(char text[HASH_TEXT], const struct instruct_request *request)
{
    const struct hash_value none = {0};
    const struct hash_value chat = request->chat ? chat_template_hash(request->chat) : none;
    const uint64_t parts[3] = {chat.high, chat.low, request->trains_all};
    hash_format(text, hash_bytes(parts, sizeof parts));
}

/* The ids of a text, and how much of them and of it is known to belong together. */
struct aligned {
    struct tokenizer *tokenizer;
    struct token_list *scratch;
    const char *text;
    const int32_t *ids; /* (n) */
    int64_t n;
    size_t at; /* the ids below `token` are those of the text before `at` */
    int64_t token;
};

/* How many ids are equal from the beginning, marks of b left aside. */
static int64_t common(const int32_t *a, int64_t n, const int32_t *b, int64_t m)
{
    int64_t i = 0;
    while (i < n && i < m && a[i] == (b[i] & ~INSTRUCT_SUPERVISED))
        i++;
    return i;
}

/*
 * The first token that reaches beyond the text before `at`; *cuts: it lies across. Where the text
 * from a->at on gives just the next ids, that is the answer; else the text from its beginning is
 * tokenised up to here, and a token that lies across makes the difference.
 */
static ft_status find_border(const struct aligned *a, size_t at, int64_t *token, bool *cuts)
{
    struct token_list *found = a->scratch;
    *cuts = false;
    found->n = 0;
    FT_TRY(tokenizer_encode(a->tokenizer, found, a->text + a->at, at - a->at));
    const int64_t same = common(found->ids, found->n, a->ids + a->token, a->n - a->token);
    *token = a->token + same;
    if (same == found->n)
        return FT_OK;
    found->n = 0;
    FT_TRY(tokenizer_encode(a->tokenizer, found, a->text, at));
    *token = common(found->ids, found->n, a->ids, a->n);
    *cuts = *token < found->n;
    return FT_OK;
}

static void mark(int32_t *ids, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to; i++)
        ids[i] |= INSTRUCT_SUPERVISED;
}

/* Marks the tokens of the spans of a text, with one that reaches into it; those behind max are
 * left. No template ends a turn within a token. */
static ft_status mark_spans(struct instruct *x, struct tokenizer *t, struct token_list *out,
                            int64_t first, int64_t max)
{
    const struct chat_text *text = &x->text;
    struct aligned a = {.tokenizer = t,
                        .scratch = &x->scratch,
                        .text = text->text.data,
                        .ids = out->ids + first,
                        .n = out->n - first};
    for (int64_t i = 0; i < text->n_spans; i++) {
        const struct chat_span *span = &text->spans[i];
        int64_t from, end, to;
        bool cuts;
        if (span->to == span->from)
            continue;
        FT_TRY(find_border(&a, span->from, &from, &cuts));
        if (from >= max)
            break;
        FT_TRY(find_border(&a, span->end, &end, &cuts));
        if (!cuts) {
            a.at = span->end;
            a.token = end;
        }
        FT_TRY(find_border(&a, span->to, &to, &cuts));
        mark(out->ids + first, from, to);
    }
    return FT_OK;
}

/* Texts: the prompt's tokens are as many as the prompt alone has, whatever they are. */
static ft_status encode_texts(struct instruct *x, struct token_list *out, struct tokenizer *t,
                              int64_t *from)
{
    struct chat_list *list = &x->conversation.list;
    const char *eos = tokenizer_eos_text(t);
    const size_t n_eos = strlen(eos);
    const bool has_eos = list->items[1].bytes >= n_eos &&
                         memcmp(list->text.data + list->text.used - n_eos, eos, n_eos) == 0;
    if (!has_eos)
        FT_TRY(buffer_append(&list->text, eos, n_eos));
    x->scratch.n = 0;
    FT_TRY(tokenizer_encode_document(t, &x->scratch, list->text.data, list->items[0].bytes,
                                     INT32_MAX, NULL));
    *from = x->scratch.n;
    return tokenizer_encode_document(t, out, list->text.data, list->text.used, INT32_MAX, NULL);
}

/* Messages of a prompt and its completion: what follows the prompt is one span. */
static ft_status find_completion(struct instruct *x, const struct instruct_request *request)
{
    const struct conversation *c = &x->conversation;
    const size_t bytes = x->text.text.used;
    FT_TRY(chat_render(&x->prompt, request->chat, &c->list, c->n_prompt, true));
    const size_t n = x->prompt.text.used;
    if (n > bytes || memcmp(x->prompt.text.data, x->text.text.data, n) != 0)
        return ft_fail(FT_ERR_INPUT,
                       "chat template %s does not begin the conversation with its "
                       "prompt, so that the completion cannot be told from it",
                       chat_template_name(request->chat));
    if (x->text.n_spans == 0)
        return ft_fail(FT_ERR_INPUT, "\"completion\" has no message of the assistant");
    x->text.n_spans = 1;
    x->text.spans[0] = (struct chat_span){n, bytes, bytes};
    return FT_OK;
}

static ft_status encode_messages(struct instruct *x, struct token_list *out, struct tokenizer *t,
                                 const struct instruct_request *request)
{
    const struct chat_list *list = &x->conversation.list;
    const int64_t first = out->n;
    if (!request->chat)
        return ft_fail(FT_ERR_INPUT, "%s", request->failure);
    FT_TRY(chat_render(&x->text, request->chat, list, list->n, false));
    if (x->conversation.n_prompt >= 0)
        FT_TRY(find_completion(x, request));
    FT_TRY(tokenizer_encode(t, out, x->text.text.data, x->text.text.used));
    if (request->trains_all)
        return FT_OK;
    return mark_spans(x, t, out, first, request->max_tokens);
}

static ft_status encode(struct instruct *x, struct token_list *out, struct tokenizer *t,
                        const struct instruct_request *request)
{
    const int64_t first = out->n;
    int64_t from = 0;
    if (!x->conversation.is_text) {
        FT_TRY(encode_messages(x, out, t, request));
    } else {
        FT_TRY(encode_texts(x, out, t, &from));
        if (from < out->n - first)
            mark(out->ids + first, from, out->n - first);
    }
    if (request->trains_all)
        mark(out->ids + first, 0, out->n - first);
    return FT_OK;
}

ft_status instruct_encode(struct instruct *x, struct token_list *out, struct tokenizer *t,
                          const struct instruct_request *request, const struct record *record,
                          struct instruct_counts *counts, int64_t *text_bytes)
{
    char text[FT_ERR_TEXT_MAX];
    const int64_t first = out->n;
    FT_TRY(conversation_read(&x->conversation, &x->reader, record));
    *text_bytes = (int64_t)x->conversation.list.text.used;
    const ft_status status = encode(x, out, t, request);
    if (status == FT_ERR_INPUT) {
        memcpy(text, ft_error_text(), sizeof text);
        return source_fail(record->file, record->offset, "%s", text);
    }
    FT_TRY(status);
    *counts = (struct instruct_counts){.n_text = out->n - first};
    if (counts->n_text > request->max_tokens)
        out->n = first + request->max_tokens;
    for (int64_t i = first + 1; i < out->n; i++)
        counts->n_supervised += (out->ids[i] & INSTRUCT_SUPERVISED) != 0;
    if (counts->n_supervised == 0)
        out->n = first;
    return FT_OK;
}
