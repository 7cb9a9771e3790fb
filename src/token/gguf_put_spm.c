/*
 * A BPE over characters as GGUF's model "llama": scores in place of merges. A token's score is the
 * rank of the first merge that makes it, so that the order among neighbours stays. What decides ids
 * beside that, the file can only say in one way: ▁ for spaces, and perhaps one in front.
 */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "format/gguf_write.h"
#include "token/gguf_parts.h"

#define META "\xe2\x96\x81"       /* U+2581 */
static const float NEVER = -1e9f; /* of tokens that no merge makes */

/* Whether a step before the model is one that GGUF's reader makes too, and puts ▁ in front. */
static bool is_sayable_normalizer(const struct normalizer_step *s, bool *prefix)
{
    *prefix = *prefix || s->kind == NORMALIZER_PREPEND;
    return (s->kind == NORMALIZER_PREPEND || s->kind == NORMALIZER_REPLACE) &&
           strcmp(s->text, META) == 0;
}

static bool is_sayable_pretokenizer(const struct pretokenizer_step *s, bool *prefix)
{
    if (s->kind == PRETOKENIZER_SPLIT) /* Gemma's, of a space that is none any more */
        return s->behavior == SPLIT_MERGED_WITH_PREVIOUS && !s->invert;
    *prefix = *prefix || s->prepend != PREPEND_NEVER;
    return s->kind == PRETOKENIZER_METASPACE && strcmp(s->replacement, META) == 0;
}

bool gguf_says_spm(const struct tokenizer *t, bool *prefix)
{
    *prefix = false;
    if (t->pieces != PIECES_BPE || !t->bpe.characters || !t->bpe.byte_fallback)
        return false;
    for (int i = 0; i < t->normalizer.n; i++)
        if (!is_sayable_normalizer(&t->normalizer.steps[i], prefix))
            return false;
    for (int i = 0; i < t->pretokenizer.n; i++)
        if (!is_sayable_pretokenizer(&t->pretokenizer.steps[i], prefix))
            return false;
    return true;
}

/* (n_tokens) by id. */
static ft_status put_scores(const struct tokenizer *t, struct gguf_writer *w, int n_tokens)
{
    float *scores;
    FT_TRY(FT_ALLOC(scores, n_tokens));
    for (int i = 0; i < n_tokens; i++)
        scores[i] = NEVER;
    for (int32_t rank = t->bpe.n_pairs - 1; rank >= 0; rank--)
        scores[t->bpe.pairs[rank].merged] = -(float)rank;
    ft_status status = gguf_put_f32s(w, "tokenizer.ggml.scores", n_tokens);
    for (int i = 0; i < n_tokens && status == FT_OK; i++)
        status = gguf_add_f32(w, scores[i]);
    mem_free(scores);
    return status;
}

/* The file has one word for it: in front of every stretch of text between special tokens. */
static void warn_of_first(const struct tokenizer *t)
{
    for (int i = 0; i < t->pretokenizer.n; i++)
        if (t->pretokenizer.steps[i].kind == PRETOKENIZER_METASPACE &&
            t->pretokenizer.steps[i].prepend == PREPEND_FIRST)
            log_warn("GGUF cannot say that only the beginning of a text gets a space in front: "
                     "other programs may give other ids behind special tokens");
}

ft_status gguf_put_spm(const struct tokenizer *t, struct gguf_writer *w, int n_tokens)
{
    bool prefix;
    (void)gguf_says_spm(t, &prefix);
    warn_of_first(t);
    FT_TRY(gguf_put_text(w, "tokenizer.ggml.model", "llama"));
    FT_TRY(gguf_put_text(w, "tokenizer.ggml.pre", "default"));
    FT_TRY(gguf_put_bool(w, "tokenizer.ggml.add_space_prefix", prefix));
    return put_scores(t, w, n_tokens);
}
