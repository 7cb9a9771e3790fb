/*
 * A SentencePiece vocabulary of pairs (tokenizer.ggml.model = "llama") has scores in place of
 * merges: two neighbours may merge where both together are a token, the one of the highest score
 * first. Written out, every way to cut a token into two tokens is a merge, ranked by the token's
 * score; among those of one token the longer left side comes first, as transformers converts such
 * vocabularies. Then it is BPE over characters, and tokenizer.json can say it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "token/gguf_parts.h"

#define META "\xe2\x96\x81" /* U+2581 */

/* Bounds the time that long tokens take: each byte may be a cut. */
enum { TOKEN_MAX = 1024 };

/* A token cut in two. */
struct cut {
    float score;
    int32_t left_characters, right_characters;
    int32_t id, left_bytes;
};

struct cut_list {
    struct cut *items;
    int64_t n, capacity;
};

static int compare_cuts(const void *a, const void *b)
{
    const struct cut *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->left_characters != y->left_characters)
        return x->left_characters > y->left_characters ? -1 : 1;
    if (x->right_characters != y->right_characters)
        return x->right_characters > y->right_characters ? -1 : 1;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return 0;
}

static ft_status add_cut(struct cut_list *list, struct cut cut)
{
    if (list->n == BPE_MERGES_MAX)
        return ft_fail(FT_ERR_INPUT, "the tokens can be cut in more than %d ways", BPE_MERGES_MAX);
    if (list->n == list->capacity) {
        const int64_t capacity = 2 * list->capacity + 1024;
        struct cut *items = mem_resize(list->items, (size_t)capacity, sizeof *items);
        if (!items)
            return FT_ERR_INTERNAL;
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->n++] = cut;
    return FT_OK;
}

static bool is_border(const char *text, size_t at)
{
    return ((unsigned char)text[at] & 0xc0) != 0x80;
}

/** All ways to cut a token into two tokens. */
static ft_status cut_token(struct cut_list *list, const struct vocab *vocab, int32_t id,
                           float score)
{
    size_t bytes = 0;
    int32_t characters = 0, left = 0;
    const char *text = vocab_text(vocab, id, &bytes);
    if (bytes > TOKEN_MAX)
        return ft_fail(FT_ERR_INPUT, "the token with id %d has %zu bytes, at most %d are read", id,
                       bytes, TOKEN_MAX);
    for (size_t i = 0; i < bytes; i++)
        characters += is_border(text, i);
    for (size_t i = 1; i < bytes; i++) {
        if (!is_border(text, i))
            continue;
        left++;
        if (vocab_find(vocab, text, i) < 0 || vocab_find(vocab, text + i, bytes - i) < 0)
            continue;
        FT_TRY(add_cut(list, (struct cut){.score = score,
                                          .left_characters = left,
                                          .right_characters = characters - left,
                                          .id = id,
                                          .left_bytes = (int32_t)i}));
    }
    return FT_OK;
}

static ft_status cut_tokens(struct cut_list *list, const struct vocab *vocab, const int32_t *types,
                            const float *scores)
{
    for (int32_t id = 0; id < vocab->n; id++) {
        if (types[id] != GGUF_TOKEN_CONTROL && types[id] != GGUF_TOKEN_UNKNOWN &&
            types[id] != GGUF_TOKEN_BYTE)
            FT_TRY(cut_token(list, vocab, id, scores[id]));
    }
    if (list->n > 0)
        qsort(list->items, (size_t)list->n, sizeof *list->items, compare_cuts);
    return FT_OK;
}

static ft_status add_merges(struct tokenizer *t, const int32_t *types, const float *scores)
{
    struct cut_list list = {0};
    ft_status status = cut_tokens(&list, &t->vocab, types, scores);
    for (int64_t i = 0; i < list.n && status == FT_OK; i++) {
        size_t bytes = 0;
        const char *text = vocab_text(&t->vocab, list.items[i].id, &bytes);
        const size_t left = (size_t)list.items[i].left_bytes;
        status = bpe_add_merge(&t->bpe, text, left, text + left, bytes - left);
    }
    mem_free(list.items);
    return status;
}

/** What SentencePiece does around its model, in the words of tokenizer.json. */
static ft_status add_rules(struct tokenizer *t, bool prefix)
{
    struct normalizer_step *step = NULL;
    struct decoder_step *decoder = NULL;
    if (prefix) {
        FT_TRY(normalizer_add(&t->normalizer, &step, NORMALIZER_PREPEND));
        step->text = mem_copy_text(META);
        if (!step->text)
            return FT_ERR_INTERNAL;
    }
    FT_TRY(normalizer_add(&t->normalizer, &step, NORMALIZER_REPLACE));
    FT_TRY(pattern_open_text(&step->pattern, " "));
    step->text = mem_copy_text(META);
    FT_TRY(decoder_add_text(&t->decoder, &decoder, DECODER_REPLACE, META));
    decoder->content = mem_copy_text(" ");
    if (!step->text || !decoder->content)
        return FT_ERR_INTERNAL;
    FT_TRY(decoder_add(&t->decoder, &decoder, DECODER_BYTE_FALLBACK));
    FT_TRY(decoder_add(&t->decoder, &decoder, DECODER_FUSE));
    if (prefix)
        FT_TRY(decoder_add_text(&t->decoder, &decoder, DECODER_STRIP, " "));
    decoder->start = prefix;
    return FT_OK;
}

ft_status gguf_read_spm(struct tokenizer *t, const struct gguf *g)
{
    static const char SCORES[] = "tokenizer.ggml.scores",
                      PREFIX[] = "tokenizer.ggml.add_space_prefix",
                      UNKNOWN[] = "tokenizer.ggml.unknown_token_id";
    const int32_t *types = NULL;
    const float *scores = NULL;
    int64_t n = 0;
    bool prefix = true;
    t->pieces = PIECES_BPE;
    t->model = &tokenizer_pipeline;
    FT_TRY(gguf_read_types(&types, t, g));
    FT_TRY(gguf_get_floats(g, SCORES, &scores, &n));
    if (n != t->vocab.n)
        return ft_fail(FT_ERR_INPUT, "%s: %s has %lld entries for %d tokens", gguf_path(g), SCORES,
                       (long long)n, t->vocab.n);
    FT_TRY(bpe_begin_characters(&t->bpe, &t->vocab));
    const ft_status status = add_merges(t, types, scores);
    if (status != FT_OK)
        return ft_fail_within(status, "%s: tokenizer.ggml.tokens", gguf_path(g));
    t->bpe.byte_fallback = t->bpe.fuse_unknown = true;
    t->bpe.unknown = 0;
    FT_TRY(gguf_read_token_id(&t->bpe.unknown, t, g, UNKNOWN));
    if (gguf_has(g, PREFIX))
        FT_TRY(gguf_get_bool(g, PREFIX, &prefix));
    return add_rules(t, prefix);
}
