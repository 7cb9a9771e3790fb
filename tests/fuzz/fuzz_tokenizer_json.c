/*
 * Tokenizers: tokenizer.json, a text to encode and decode, tokenizer_config.json, config.json, chat
 * template (what follows may be missing), and in place of an empty tokenizer.json vocab.txt.
 */
#include "base/mem.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "round_trip.h"
#include "token/chat.h"
#include "token/tokenizer.h"

enum { N_FILES = 5 };

/* Ids are in range, and another thread's tokenizer gives the same. */
static void check_ids(struct tokenizer *t, const struct token_list *ids, const char *text,
                      size_t bytes)
{
    struct tokenizer *other;
    struct token_list again = {0};
    for (int64_t i = 0; i < ids->n; i++)
        FUZZ_CHECK(ids->ids[i] >= 0 && ids->ids[i] < tokenizer_vocab_size(t));
    FUZZ_CHECK(tokenizer_share(&other, t) == FT_OK);
    FUZZ_CHECK(tokenizer_encode(other, &again, text, bytes) == FT_OK);
    FUZZ_CHECK(again.n == ids->n);
    FUZZ_CHECK(ids->n == 0 || memcmp(again.ids, ids->ids, (size_t)ids->n * sizeof *ids->ids) == 0);
    token_list_clear(&again);
    tokenizer_close(&other);
}

/* A stream gives valid UTF-8, and where the decoded text is valid, just that. */
static void check_decoding(const struct tokenizer *t, const struct token_list *ids,
                           const char *text, size_t bytes)
{
    struct buffer whole = {0}, pieces = {0};
    struct token_stream stream = {0};
    FUZZ_CHECK(tokenizer_decode(t, &whole, ids->ids, ids->n) == FT_OK);
    if (keeps_text(t))
        FUZZ_CHECK(whole.used == bytes && (bytes == 0 || memcmp(whole.data, text, bytes) == 0));
    for (int64_t i = 0; i < ids->n; i++)
        FUZZ_CHECK(tokenizer_stream(t, &stream, &pieces, ids->ids[i]) == FT_OK);
    FUZZ_CHECK(tokenizer_stream_end(t, &stream, &pieces) == FT_OK);
    FUZZ_CHECK(utf8_check(pieces.data, pieces.used, NULL));
    if (utf8_check(whole.data, whole.used, NULL))
        FUZZ_CHECK(whole.used == pieces.used &&
                   (whole.used == 0 || memcmp(whole.data, pieces.data, whole.used) == 0));
    token_stream_clear(&stream);
    buffer_clear(&whole);
    buffer_clear(&pieces);
}

/* Documents are cut to what was asked for. */
static void check_document(struct tokenizer *t, const struct token_list *ids, const char *text,
                           size_t bytes)
{
    struct token_list document = {0};
    const int64_t most = tokenizer_template_size(t) + 3;
    int64_t n_text = -1;
    FUZZ_CHECK(tokenizer_encode_document(t, &document, text, bytes, most, &n_text) == FT_OK);
    FUZZ_CHECK(document.n <= most && n_text == ids->n);
    token_list_clear(&document);
}

static void encode(struct tokenizer *t, const char *text, size_t bytes)
{
    struct token_list ids = {0};
    const bool is_valid = utf8_check(text, bytes, NULL);
    const bool is_done = fuzz_ok(tokenizer_encode(t, &ids, text, bytes));
    FUZZ_CHECK(is_valid || !is_done);
    FUZZ_CHECK(is_done || ids.n == 0);
    if (is_done) {
        check_ids(t, &ids, text, bytes);
        check_decoding(t, &ids, text, bytes);
        check_document(t, &ids, text, bytes);
    }
    token_list_clear(&ids);
}

static void render(const struct tokenizer *t)
{
    struct chat_template *c;
    struct chat_text out = {0};
    struct chat_list list = {0};
    if (!fuzz_ok(chat_template_open(&c, t, "auto")))
        return;
    FUZZ_CHECK(buffer_append(&list.text, "say it", 6) == FT_OK);
    FUZZ_CHECK(chat_list_add(&list, CHAT_USER, 0) == FT_OK);
    (void)fuzz_ok(chat_render(&out, c, &list, 1, true));
    chat_list_clear(&list);
    chat_text_clear(&out);
    chat_template_close(&c);
}

static void use(struct tokenizer *t, const char *text, size_t bytes)
{
    FUZZ_CHECK(tokenizer_vocab_size(t) > 0 && tokenizer_eos(t) < tokenizer_vocab_size(t));
    FUZZ_CHECK(strlen(tokenizer_kind(t)) > 0);
    if (text)
        encode(t, text, bytes);
    render(t);
}

/* The files of a folder; an empty tokenizer.json is none. */
static void open_folder(struct tokenizer **t, const char *const texts[N_FILES],
                        const size_t bytes[N_FILES])
{
    static const char *const names[N_FILES] = {"tokenizer.json", NULL, "tokenizer_config.json",
                                               "config.json", "chat_template.jinja"};
    const bool is_vocab = bytes[0] == 0;
    for (int i = 0; i < N_FILES; i++)
        if (names[i])
            (void)fuzz_file(names[i],
                            i == 4 && is_vocab     ? NULL
                            : texts[i] && bytes[i] ? texts[i]
                                                   : NULL,
                            bytes[i]);
    (void)fuzz_file("spiece.model", is_vocab && !texts[4] ? "" : NULL, 0);
    (void)fuzz_file("vocab.txt", is_vocab ? texts[4] : NULL, bytes[4]);
    (void)fuzz_ok(tokenizer_open(t, fuzz_folder()));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_parts parts = {data, size};
    const char *texts[N_FILES];
    size_t bytes[N_FILES];
    struct tokenizer *t = NULL;
    for (int i = 0; i < N_FILES; i++)
        texts[i] = fuzz_next(&parts, &bytes[i]);
    fuzz_begin();
    if (texts[2])
        open_folder(&t, texts, bytes);
    else
        (void)fuzz_ok(tokenizer_open_json(&t, texts[0] ? texts[0] : "", bytes[0], "memory"));
    if (t)
        use(t, texts[1], bytes[1]);
    tokenizer_close(&t);
    fuzz_end(1024 * size + (1 << 20));
    return 0;
}
