/*
 * tokenizer.json from the parts of a tokenizer, in the form that `tokenizers` writes: for a GGUF
 * file, whose metadata has the vocabulary and names the rest, and for a vocab.txt. The rules
 * written are those that encoding here uses, so that both give the same ids.
 */
#include <string.h>

#include "base/file.h"
#include "token/parts.h"

ft_status tokenizer_put_string(struct buffer *out, const char *text, size_t bytes)
{
    FT_TRY(buffer_append(out, "\"", 1));
    size_t plain = 0; /* start of what needs no escape */
    for (size_t i = 0; i < bytes; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c >= 32 && c != '"' && c != '\\')
            continue;
        FT_TRY(buffer_append(out, text + plain, i - plain));
        FT_TRY(c < 32 ? buffer_print(out, "\\u%04x", (unsigned)c) : buffer_print(out, "\\%c", c));
        plain = i + 1;
    }
    FT_TRY(buffer_append(out, text + plain, bytes - plain));
    return buffer_append(out, "\"", 1);
}

ft_status write_pattern(struct buffer *out, const struct pattern *pattern)
{
    const char *source = pattern_source(pattern);
    FT_TRY(buffer_print(
        out, ", \"pattern\": {\"%s\": ", pattern_is_regex(pattern) ? "Regex" : "String"));
    FT_TRY(tokenizer_put_string(out, source, strlen(source)));
    return buffer_append(out, "}", 1);
}

ft_status write_bert_rules(struct buffer *out, const struct bert *b)
{
    return buffer_print(
        out,
        ", \"clean_text\": %s, \"handle_chinese_chars\": %s, \"strip_accents\": %s, "
        "\"lowercase\": %s",
        tokenizer_truth(b->clean), tokenizer_truth(b->spaced), tokenizer_truth(b->strip),
        tokenizer_truth(b->lower));
}

ft_status tokenizer_put_token(struct buffer *out, const struct tokenizer *t, int32_t id)
{
    size_t bytes = 0;
    const char *text = vocab_text(&t->vocab, id, &bytes);
    return tokenizer_put_string(out, text, bytes);
}

const char *tokenizer_truth(unsigned flag)
{
    return flag ? "true" : "false";
}

ft_status tokenizer_put_vocab(struct buffer *out, const struct tokenizer *t)
{
    const char *comma = "";
    FT_TRY(buffer_append(out, "{", 1));
    for (int32_t id = 0; id < t->n_model; id++) {
        size_t bytes = 0;
        if (!vocab_text(&t->vocab, id, &bytes))
            continue;
        FT_TRY(buffer_print(out, "%s\n      ", comma));
        FT_TRY(tokenizer_put_token(out, t, id));
        FT_TRY(buffer_print(out, ": %d", id));
        comma = ",";
    }
    return buffer_print(out, "\n    }");
}

ft_status tokenizer_put_bpe(struct buffer *out, const struct tokenizer *t)
{
    const struct bpe *bpe = &t->bpe;
    FT_TRY(buffer_print(out, "{\"type\": \"BPE\", \"dropout\": null, \"unk_token\": "));
    FT_TRY(bpe->unknown >= 0 ? tokenizer_put_token(out, t, bpe->unknown)
                             : buffer_print(out, "null"));
    FT_TRY(buffer_print(out,
                        ", \"continuing_subword_prefix\": null, \"end_of_word_suffix\": null,\n"
                        "    \"fuse_unk\": %s, \"byte_fallback\": %s, \"ignore_merges\": %s,\n"
                        "    \"vocab\": ",
                        tokenizer_truth(bpe->fuse_unknown), tokenizer_truth(bpe->byte_fallback),
                        tokenizer_truth(bpe->ignore_merges)));
    FT_TRY(tokenizer_put_vocab(out, t));
    FT_TRY(buffer_print(out, ",\n    \"merges\": ["));
    for (int32_t i = 0; i < bpe->n_pairs; i++) {
        FT_TRY(buffer_print(out, "%s\n      [", i ? "," : ""));
        FT_TRY(tokenizer_put_token(out, t, bpe->pairs[i].left));
        FT_TRY(buffer_append(out, ", ", 2));
        FT_TRY(tokenizer_put_token(out, t, bpe->pairs[i].right));
        FT_TRY(buffer_append(out, "]", 1));
    }
    return buffer_print(out, "\n    ]\n  }");
}

ft_status tokenizer_put_wordpiece(struct buffer *out, const struct tokenizer *t)
{
    const char *prefix = t->wordpiece.prefix;
    FT_TRY(buffer_print(out, "{\"type\": \"WordPiece\", \"unk_token\": "));
    FT_TRY(tokenizer_put_token(out, t, t->wordpiece.unknown));
    FT_TRY(buffer_print(out, ", \"continuing_subword_prefix\": "));
    FT_TRY(tokenizer_put_string(out, prefix, strlen(prefix)));
    FT_TRY(buffer_print(out, ", \"max_input_chars_per_word\": %lld,\n    \"vocab\": ",
                        (long long)t->wordpiece.chars_max));
    FT_TRY(tokenizer_put_vocab(out, t));
    return buffer_print(out, "\n  }");
}

static ft_status put_added(struct buffer *out, const struct tokenizer *t)
{
    FT_TRY(buffer_print(out, "  \"added_tokens\": ["));
    for (int32_t i = 0; i < t->added.n; i++) {
        const struct added_token *token = &t->added.tokens[i];
        FT_TRY(buffer_print(out, "%s\n    {\"id\": %d, \"content\": ", i ? "," : "", token->id));
        FT_TRY(tokenizer_put_token(out, t, token->id));
        FT_TRY(buffer_print(out,
                            ", \"single_word\": %s, \"lstrip\": %s, \"rstrip\": %s, "
                            "\"normalized\": %s, \"special\": %s}",
                            tokenizer_truth(token->flags & ADDED_SINGLE_WORD),
                            tokenizer_truth(token->flags & ADDED_LSTRIP),
                            tokenizer_truth(token->flags & ADDED_RSTRIP),
                            tokenizer_truth(token->flags & ADDED_NORMALIZED),
                            tokenizer_truth(token->flags & ADDED_SPECIAL)));
    }
    return buffer_print(out, "%s],\n", t->added.n ? "\n  " : "");
}

static ft_status put_piece(struct buffer *out, const struct tokenizer *t, int32_t id, int type_id)
{
    FT_TRY(buffer_print(out, "{\"SpecialToken\": {\"id\": "));
    FT_TRY(tokenizer_put_token(out, t, id));
    return buffer_print(out, ", \"type_id\": %d}}", type_id);
}

/** A text with the template around it; the tokens before it only where asked for. */
static ft_status put_around(struct buffer *out, const struct tokenizer *t, const char *text,
                            int type_id, bool with_before)
{
    for (int64_t i = 0; with_before && i < t->before.n; i++) {
        FT_TRY(put_piece(out, t, t->before.ids[i], type_id));
        FT_TRY(buffer_append(out, ", ", 2));
    }
    FT_TRY(buffer_print(out, "{\"Sequence\": {\"id\": \"%s\", \"type_id\": %d}}", text, type_id));
    for (int64_t i = 0; i < t->after.n; i++) {
        FT_TRY(buffer_append(out, ", ", 2));
        FT_TRY(put_piece(out, t, t->after.ids[i], type_id));
    }
    return FT_OK;
}

static int32_t template_id(const struct tokenizer *t, int64_t i)
{
    return i < t->before.n ? t->before.ids[i] : t->after.ids[i - t->before.n];
}

/** The special tokens of the template, each once. */
static ft_status put_specials(struct buffer *out, const struct tokenizer *t)
{
    for (int64_t i = 0; i < tokenizer_template_size(t); i++) {
        const int32_t id = template_id(t, i);
        int64_t first = 0;
        while (template_id(t, first) != id)
            first++;
        if (first < i)
            continue;
        FT_TRY(buffer_print(out, "%s\n      ", i ? "," : ""));
        FT_TRY(tokenizer_put_token(out, t, id));
        FT_TRY(buffer_print(out, ": {\"id\": "));
        FT_TRY(tokenizer_put_token(out, t, id));
        FT_TRY(buffer_print(out, ", \"ids\": [%d], \"tokens\": [", id));
        FT_TRY(tokenizer_put_token(out, t, id));
        FT_TRY(buffer_append(out, "]}", 2));
    }
    return FT_OK;
}

/** The template. A pair is not used here: BOS stands before each of two texts, CLS before both. */
static ft_status put_post_processor(struct buffer *out, const struct tokenizer *t)
{
    if (tokenizer_template_size(t) == 0)
        return buffer_print(out, "  \"post_processor\": null,\n");
    FT_TRY(buffer_print(out, "  \"post_processor\": {\"type\": \"TemplateProcessing\",\n"
                             "    \"single\": ["));
    FT_TRY(put_around(out, t, "A", 0, true));
    FT_TRY(buffer_print(out, "],\n    \"pair\": ["));
    FT_TRY(put_around(out, t, "A", 0, true));
    FT_TRY(buffer_append(out, ", ", 2));
    FT_TRY(put_around(out, t, "B", 1, t->after.n == 0));
    FT_TRY(buffer_print(out, "],\n    \"special_tokens\": {"));
    FT_TRY(put_specials(out, t));
    return buffer_print(out, "\n    }},\n");
}

static ft_status put_tokenizer(struct buffer *out, const struct tokenizer *t)
{
    FT_TRY(buffer_print(out, "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n"
                             "  \"padding\": null,\n"));
    FT_TRY(put_added(out, t));
    FT_TRY(put_post_processor(out, t));
    FT_TRY(buffer_print(out, "  \"decoder\": "));
    FT_TRY(decoder_write(&t->decoder, out));
    FT_TRY(buffer_append(out, ",\n", 2));
    FT_TRY(t->model->write(t, out));
    return buffer_print(out, "\n}\n");
}

/** A member of tokenizer_config.json, where it is known. */
static ft_status put_member(struct buffer *out, const char *key, const char *text)
{
    if (!text)
        return FT_OK;
    FT_TRY(buffer_print(out, ",\n  \"%s\": ", key));
    return tokenizer_put_string(out, text, strlen(text));
}

/* With a class of its own transformers may rebuild the splitter by that class and give other ids.
 */
static ft_status put_config(struct buffer *out, const struct tokenizer *t)
{
    FT_TRY(buffer_print(out, "{\n  \"tokenizer_class\": \"PreTrainedTokenizerFast\",\n"
                             "  \"clean_up_tokenization_spaces\": false"));
    for (int role = 0; role < ROLES; role++)
        FT_TRY(put_member(out, token_role_key((enum token_role)role), t->roles[role]));
    if (t->length_max > 0)
        FT_TRY(buffer_print(out, ",\n  \"model_max_length\": %lld", (long long)t->length_max));
    FT_TRY(put_member(out, "chat_template", t->chat_template));
    return buffer_print(out, "\n}\n");
}

static ft_status write_file(const char *folder, const char *name, const void *data, size_t bytes)
{
    char path[FILE_PATH_MAX];
    FT_TRY(file_join(path, folder, name));
    return file_replace(path, data, bytes);
}

void tokenizer_set_length_max(struct tokenizer *t, int64_t n)
{
    t->length_max = n;
}

ft_status tokenizer_write(const struct tokenizer *t, const char *folder)
{
    struct buffer made = {0};
    ft_status status = FT_OK;
    if (t->json) {
        FT_TRY_OUT(write_file(folder, "tokenizer.json", t->json, t->json_bytes));
    } else {
        FT_TRY_OUT(put_tokenizer(&made, t));
        FT_TRY_OUT(write_file(folder, "tokenizer.json", made.data, made.used));
    }
    made.used = 0;
    FT_TRY_OUT(put_config(&made, t));
    FT_TRY_OUT(write_file(folder, "tokenizer_config.json", made.data, made.used));
out:
    buffer_clear(&made);
    return status;
}
