/*
 * tokenizer.json from the parts of a tokenizer, in the form that `tokenizers` writes: for a GGUF
 * file, whose metadata has the vocabulary and names the rest. The rules written are those that
 * encoding here uses, so that both give the same ids.
 */
#include <string.h>

#include "base/file.h"
#include "token/parts.h"

/** Appends text as a JSON string. */
static ft_status put_string(struct buffer *out, const char *text, size_t bytes)
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

static ft_status put_token(struct buffer *out, const struct tokenizer *t, int32_t id)
{
    size_t bytes = 0;
    const char *text = vocab_text(&t->vocab, id, &bytes);
    return put_string(out, text, bytes);
}

static const char *truth(unsigned flag)
{
    return flag ? "true" : "false";
}

static ft_status put_added(struct buffer *out, const struct tokenizer *t)
{
    FT_TRY(buffer_print(out, "  \"added_tokens\": ["));
    for (int32_t i = 0; i < t->added.n; i++) {
        const struct added_token *token = &t->added.tokens[i];
        FT_TRY(buffer_print(out, "%s\n    {\"id\": %d, \"content\": ", i ? "," : "", token->id));
        FT_TRY(put_token(out, t, token->id));
        FT_TRY(buffer_print(out,
                            ", \"single_word\": %s, \"lstrip\": %s, \"rstrip\": %s, "
                            "\"normalized\": %s, \"special\": %s}",
                            truth(token->flags & ADDED_SINGLE_WORD),
                            truth(token->flags & ADDED_LSTRIP), truth(token->flags & ADDED_RSTRIP),
                            truth(token->flags & ADDED_NORMALIZED),
                            truth(token->flags & ADDED_SPECIAL)));
    }
    return buffer_print(out, "%s],\n", t->added.n ? "\n  " : "");
}

#define BYTE_LEVEL(trim, use_regex)                                                                \
    "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": " trim               \
    ", \"use_regex\": " use_regex "}"

static ft_status put_pre_tokenizer(struct buffer *out, const struct tokenizer *t)
{
    const char *pattern = split_json_pattern(t->kind);
    FT_TRY(buffer_print(out, "  \"pre_tokenizer\": "));
    if (t->kind == SPLIT_GPT2)
        return buffer_print(out, BYTE_LEVEL("true", "true") ",\n");
    FT_TRY(buffer_print(out, "{\"type\": \"Sequence\", \"pretokenizers\": [\n    "));
    if (!pattern)
        return buffer_print(out, "{\"type\": \"Digits\", \"individual_digits\": true},\n"
                                 "    " BYTE_LEVEL("true", "true") "\n  ]},\n");
    FT_TRY(buffer_print(out, "{\"type\": \"Split\", \"pattern\": {\"Regex\": "));
    FT_TRY(put_string(out, pattern, strlen(pattern)));
    return buffer_print(out, "}, \"behavior\": \"Isolated\", \"invert\": false},\n"
                             "    " BYTE_LEVEL("true", "false") "\n  ]},\n");
}

/** The template: BOS before each text where the model wants it, else nothing. */
static ft_status put_post_processor(struct buffer *out, const struct tokenizer *t)
{
    if (!t->adds_bos || !t->bos_text)
        return buffer_print(out, "  \"post_processor\": " BYTE_LEVEL("false", "true") ",\n");
    const size_t bytes = strlen(t->bos_text);
    FT_TRY(buffer_print(out, "  \"post_processor\": {\"type\": \"TemplateProcessing\",\n"
                             "    \"single\": [{\"SpecialToken\": {\"id\": "));
    FT_TRY(put_string(out, t->bos_text, bytes));
    FT_TRY(buffer_print(out,
                        ", \"type_id\": 0}}, {\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}],\n"
                        "    \"pair\": [{\"SpecialToken\": {\"id\": "));
    FT_TRY(put_string(out, t->bos_text, bytes));
    FT_TRY(buffer_print(out,
                        ", \"type_id\": 0}}, {\"Sequence\": {\"id\": \"A\", \"type_id\": 0}},\n"
                        "      {\"SpecialToken\": {\"id\": "));
    FT_TRY(put_string(out, t->bos_text, bytes));
    FT_TRY(buffer_print(out,
                        ", \"type_id\": 1}}, {\"Sequence\": {\"id\": \"B\", \"type_id\": 1}}],\n"
                        "    \"special_tokens\": {"));
    FT_TRY(put_string(out, t->bos_text, bytes));
    FT_TRY(buffer_print(out, ": {\"id\": "));
    FT_TRY(put_string(out, t->bos_text, bytes));
    FT_TRY(buffer_print(out, ", \"ids\": [%d], \"tokens\": [",
                        vocab_find(&t->vocab, t->bos_text, bytes)));
    FT_TRY(put_string(out, t->bos_text, bytes));
    return buffer_print(out, "]}}},\n");
}

static ft_status put_model(struct buffer *out, const struct tokenizer *t)
{
    size_t bytes = 0;
    FT_TRY(
        buffer_print(out, "  \"model\": {\"type\": \"BPE\", \"dropout\": null, \"unk_token\": "));
    FT_TRY(t->bpe.unknown >= 0 ? put_token(out, t, t->bpe.unknown) : buffer_print(out, "null"));
    FT_TRY(
        buffer_print(out,
                     ", \"continuing_subword_prefix\": null, \"end_of_word_suffix\": null,\n"
                     "    \"fuse_unk\": false, \"byte_fallback\": false, \"ignore_merges\": %s,\n"
                     "    \"vocab\": {",
                     truth(t->bpe.ignore_merges)));
    const char *comma = "";
    for (int32_t id = 0; id < t->bpe.n_model; id++) {
        if (!vocab_text(&t->vocab, id, &bytes))
            continue;
        FT_TRY(buffer_print(out, "%s\n      ", comma));
        FT_TRY(put_token(out, t, id));
        FT_TRY(buffer_print(out, ": %d", id));
        comma = ",";
    }
    FT_TRY(buffer_print(out, "\n    },\n    \"merges\": ["));
    for (int32_t i = 0; i < t->bpe.n_pairs; i++) {
        FT_TRY(buffer_print(out, "%s\n      [", i ? "," : ""));
        FT_TRY(put_token(out, t, t->bpe.pairs[i].left));
        FT_TRY(buffer_append(out, ", ", 2));
        FT_TRY(put_token(out, t, t->bpe.pairs[i].right));
        FT_TRY(buffer_append(out, "]", 1));
    }
    return buffer_print(out, "\n    ]\n  }\n}\n");
}

static ft_status put_tokenizer(struct buffer *out, const struct tokenizer *t)
{
    FT_TRY(buffer_print(out, "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n"
                             "  \"padding\": null,\n"));
    FT_TRY(put_added(out, t));
    FT_TRY(buffer_print(out, "  \"normalizer\": %s,\n", t->nfc ? "{\"type\": \"NFC\"}" : "null"));
    FT_TRY(put_pre_tokenizer(out, t));
    FT_TRY(put_post_processor(out, t));
    FT_TRY(buffer_print(out, "  \"decoder\": " BYTE_LEVEL("true", "true") ",\n"));
    return put_model(out, t);
}

/** A member of tokenizer_config.json, where it is known. */
static ft_status put_member(struct buffer *out, const char *key, const char *text)
{
    if (!text)
        return FT_OK;
    FT_TRY(buffer_print(out, ",\n  \"%s\": ", key));
    return put_string(out, text, strlen(text));
}

/* With a class of its own transformers may rebuild the splitter by that class and give other ids.
 */
static ft_status put_config(struct buffer *out, const struct tokenizer *t)
{
    FT_TRY(buffer_print(out, "{\n  \"tokenizer_class\": \"PreTrainedTokenizerFast\",\n"
                             "  \"clean_up_tokenization_spaces\": false"));
    FT_TRY(put_member(out, "bos_token", t->bos_text));
    FT_TRY(put_member(out, "eos_token", t->eos_text));
    FT_TRY(put_member(out, "pad_token", t->pad_text));
    FT_TRY(put_member(out, "chat_template", t->chat_template));
    return buffer_print(out, "\n}\n");
}

static ft_status write_file(const char *folder, const char *name, const void *data, size_t bytes)
{
    char path[FILE_PATH_MAX];
    FT_TRY(file_join(path, folder, name));
    return file_replace(path, data, bytes);
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
