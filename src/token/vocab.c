#include "token/vocab.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "token/tokenizer.h"

enum { ALPHABET_END = 0x144 }; /* one beyond the largest character */

static bool stands_for_itself(uint32_t code)
{
    return (code >= 33 && code <= 126) || (code >= 161 && code <= 172) ||
           (code >= 174 && code <= 255);
}

/** Character of a byte: those that do not stand for themselves are numbered from U+0100 in order.
 */
static uint32_t character_of(unsigned byte)
{
    if (stands_for_itself(byte))
        return byte;
    if (byte <= 32)
        return 256 + byte;
    return byte == 173 ? 0x143 : 256 + 33 + (byte - 127);
}

/** Byte of a character; -1 when the alphabet lacks it. */
static int byte_of(uint32_t code)
{
    if (code < 256)
        return stands_for_itself(code) ? (int)code : -1;
    if (code >= ALPHABET_END)
        return -1;
    const int k = (int)code - 256;
    return k <= 32 ? k : code == 0x143 ? 173 : 127 + (k - 33);
}

ft_status vocab_from_bytes(struct buffer *out, const char *data, size_t bytes)
{
    FT_TRY(buffer_reserve(out, 2 * bytes + 4));
    for (size_t i = 0; i < bytes; i++) {
        char text[4];
        const int n = utf8_encode(text, character_of((unsigned char)data[i]));
        FT_TRY(buffer_append(out, text, (size_t)n));
    }
    return FT_OK;
}

ft_status vocab_to_bytes(struct buffer *out, const char *text, size_t bytes)
{
    const size_t start = out->used;
    FT_TRY(buffer_reserve(out, bytes));
    for (size_t i = 0; i < bytes;) {
        int n = 0;
        const int byte = byte_of(utf8_decode(text + i, &n));
        if (byte < 0) {
            out->used = start;
            return buffer_append(out, text, bytes);
        }
        const char value = (char)byte;
        FT_TRY(buffer_append(out, &value, 1));
        i += (size_t)n;
    }
    return FT_OK;
}

void vocab_find_byte_tokens(const struct vocab *v, int32_t ids[256])
{
    for (int byte = 0; byte < 256; byte++) {
        char text[8];
        const int n = snprintf(text, sizeof text, "<0x%02X>", (unsigned)byte);
        ids[byte] = vocab_find(v, text, (size_t)n);
    }
}

static int hexadecimal(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int vocab_byte_of_token(const char *text, size_t bytes)
{
    if (bytes != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>')
        return -1;
    const int high = hexadecimal(text[3]), low = hexadecimal(text[4]);
    if (text[3] == '+' && low >= 0) /* as Rust reads a number */
        return low;
    return high < 0 || low < 0 ? -1 : 16 * high + low;
}

/* Bytes of the character that text starts with; 0 for what is no character, or none to show. */
static int shown_bytes(const char *text, size_t bytes)
{
    const unsigned char c = (unsigned char)text[0];
    if (c < 0x80)
        return c >= 32 && c != 127;
    const int n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return (size_t)n <= bytes && utf8_check(text, (size_t)n, NULL) ? n : 0;
}

const char *vocab_quote(char out[VOCAB_QUOTE], const char *text, size_t bytes)
{
    size_t used = 0;
    out[used++] = '"';
    size_t i = 0;
    while (i < bytes && used < VOCAB_QUOTE - 12) {
        const int n = shown_bytes(text + i, bytes - i);
        if (n > 0)
            memcpy(out + used, text + i, (size_t)n);
        else
            (void)snprintf(out + used, 5, "\\x%02x", (unsigned)(unsigned char)text[i]);
        used += n > 0 ? (size_t)n : 4;
        i += n > 0 ? (size_t)n : 1;
    }
    (void)snprintf(out + used, VOCAB_QUOTE - used, "%s\"", i < bytes ? "..." : "");
    return out;
}

/** Slot of a text: where it is, or the free one where it belongs. */
static uint64_t find_slot(const struct vocab *v, const char *text, size_t bytes)
{
    uint64_t i = XXH3_64bits(text, bytes) & (v->n_slots - 1);
    while (v->slots[i] >= 0) {
        const struct vocab_text *token = &v->tokens[v->slots[i]];
        if ((size_t)token->bytes == bytes &&
            memcmp(v->texts.data + token->offset, text, bytes) == 0)
            break;
        i = (i + 1) & (v->n_slots - 1);
    }
    return i;
}

static ft_status grow_slots(struct vocab *v)
{
    if (2 * ((uint64_t)v->count + 1) <= v->n_slots)
        return FT_OK;
    const uint64_t n_slots = v->n_slots ? 2 * v->n_slots : 1024;
    int32_t *slots = mem_alloc_raw(n_slots, sizeof *slots);
    if (!slots)
        return FT_ERR_INTERNAL;
    memset(slots, 0xff, n_slots * sizeof *slots);
    mem_free(v->slots);
    v->slots = slots;
    v->n_slots = n_slots;
    for (int32_t id = 0; id < v->n; id++) {
        const struct vocab_text *token = &v->tokens[id];
        if (token->bytes)
            slots[find_slot(v, v->texts.data + token->offset, (size_t)token->bytes)] = id;
    }
    return FT_OK;
}

static ft_status grow_ids(struct vocab *v, int32_t id)
{
    if (id < v->capacity)
        return FT_OK;
    const int32_t capacity = id < 1024 ? 1024 : id + id / 2;
    struct vocab_text *tokens = mem_resize(v->tokens, (size_t)capacity, sizeof *tokens);
    if (!tokens)
        return FT_ERR_INTERNAL;
    v->tokens = tokens;
    v->capacity = capacity;
    return FT_OK;
}

static ft_status check_token(int64_t id, const char *text, size_t bytes)
{
    char quote[VOCAB_QUOTE];
    if (bytes == 0)
        return ft_fail(FT_ERR_INPUT, "the token with id %lld has no text", (long long)id);
    if (!utf8_check(text, bytes, NULL))
        return ft_fail(FT_ERR_INPUT, "the token with id %lld is not valid UTF-8", (long long)id);
    (void)vocab_quote(quote, text, bytes);
    if (bytes > TOKENIZER_TEXT_MAX)
        return ft_fail(FT_ERR_INPUT, "token %s has %zu bytes, at most %d are read", quote, bytes,
                       TOKENIZER_TEXT_MAX);
    if (id < 0 || id >= TOKENIZER_VOCAB_MAX)
        return ft_fail(FT_ERR_INPUT, "token %s has id %lld, outside 0 ... %d", quote, (long long)id,
                       TOKENIZER_VOCAB_MAX - 1);
    return FT_OK;
}

ft_status vocab_add(struct vocab *v, int64_t id, const char *text, size_t bytes)
{
    char quote[VOCAB_QUOTE], other[VOCAB_QUOTE];
    FT_TRY(check_token(id, text, bytes));
    FT_TRY(grow_slots(v));
    FT_TRY(grow_ids(v, (int32_t)id));
    struct vocab_text *token = &v->tokens[id];
    if (token->bytes)
        return ft_fail(FT_ERR_INPUT, "tokens %s and %s both have id %lld",
                       vocab_quote(other, v->texts.data + token->offset, (size_t)token->bytes),
                       vocab_quote(quote, text, bytes), (long long)id);
    const uint64_t slot = find_slot(v, text, bytes);
    if (v->slots[slot] >= 0)
        return ft_fail(FT_ERR_INPUT, "token %s is there twice, as ids %d and %lld",
                       vocab_quote(quote, text, bytes), v->slots[slot], (long long)id);
    const uint64_t offset = v->texts.used;
    FT_TRY(buffer_append(&v->texts, text, bytes));
    FT_TRY(buffer_append(&v->texts, "", 1));
    *token = (struct vocab_text){offset, (int32_t)bytes};
    v->slots[slot] = (int32_t)id;
    v->n = id >= v->n ? (int32_t)id + 1 : v->n;
    v->count++;
    return FT_OK;
}

int32_t vocab_find(const struct vocab *v, const char *text, size_t bytes)
{
    return v->n_slots ? v->slots[find_slot(v, text, bytes)] : -1;
}

const char *vocab_text(const struct vocab *v, int32_t id, size_t *bytes)
{
    if (id < 0 || id >= v->n || v->tokens[id].bytes == 0)
        return NULL;
    *bytes = (size_t)v->tokens[id].bytes;
    return v->texts.data + v->tokens[id].offset;
}

void vocab_clear(struct vocab *v)
{
    buffer_clear(&v->texts);
    mem_free(v->tokens);
    mem_free(v->slots);
    *v = (struct vocab){0};
}
