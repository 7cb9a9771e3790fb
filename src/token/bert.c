/*
 * ASCII goes through a table of 128 bytes. What lies between two kept ASCII characters is collected
 * as codes, cleaned and decomposed one by one, put in canonical order, and written back without
 * marks and in lower case: in that order, because a dropped character lets marks meet that did not.
 *
 * Lower case is one character's own mapping, without context: U+0130 becomes two characters, a
 * final sigma stays U+03C3. utf8proc knows the pairs of its Unicode version; those that came since
 * version 13 are listed, so that every utf8proc gives what `tokenizers` gives.
 */
#include "token/bert.h"

#include <utf8proc.h>

#include "base/utf8.h"

static bool is_han(uint32_t code)
{
    static const struct code_range HAN[] = {
        {0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xf900, 0xfaff},  {0x20000, 0x2a6df},
        {0x2a700, 0x2b81f}, {0x2b920, 0x2ceaf}, {0x2f800, 0x2fa1f}};
    static const struct code_ranges RANGES = {HAN, (int)(sizeof HAN / sizeof *HAN)};
    return code >= HAN[0].first && code_in_ranges(&RANGES, code);
}

static unsigned char ascii_becomes(const struct bert *bert, unsigned char c)
{
    if (bert->clean && (c == '\t' || c == '\n' || c == '\r'))
        return ' ';
    if (bert->clean && (c < 32 || c == 127))
        return BERT_DROPPED;
    return bert->lower && c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}

void bert_prepare(struct bert *bert)
{
    for (unsigned char c = 0; c < 128; c++)
        bert->ascii[c] = ascii_becomes(bert, c);
}

/** Puts a character at the end of scratch->codes, by the rules that come before the order. */
static ft_status add_code(const struct bert *bert, struct normal *scratch, size_t *n, uint32_t code)
{
    if (bert->clean && code_in_ranges(&bert_others, code))
        return FT_OK;
    if (bert->clean && utf8_is_space(code))
        code = ' ';
    const bool han = bert->spaced && is_han(code);
    if (han)
        scratch->codes[(*n)++] = ' ';
    if (bert->strip)
        FT_TRY(normal_decompose(scratch, n, (int32_t)code));
    else
        scratch->codes[(*n)++] = (int32_t)code;
    if (han)
        scratch->codes[(*n)++] = ' ';
    return FT_OK;
}

uint32_t bert_to_lower(uint32_t code)
{
    static const struct {
        uint32_t first, last;
        int32_t shift;
    } NEWER[] = {{0x1c89, 0x1c89, 1},   {0xa7cb, 0xa7cb, -42343}, {0xa7cc, 0xa7cc, 1},
                 {0xa7ce, 0xa7ce, 1},   {0xa7d2, 0xa7d2, 1},      {0xa7d4, 0xa7d4, 1},
                 {0xa7da, 0xa7da, 1},   {0xa7dc, 0xa7dc, -42561}, {0x10d50, 0x10d65, 32},
                 {0x16ea0, 0x16eb8, 27}};
    const uint32_t known = (uint32_t)utf8proc_tolower((utf8proc_int32_t)code);
    if (known != code || code < NEWER[0].first)
        return known;
    for (size_t i = 0; i < sizeof NEWER / sizeof *NEWER; i++) {
        if (code >= NEWER[i].first && code <= NEWER[i].last)
            return code + (uint32_t)NEWER[i].shift;
    }
    return code;
}

/** Appends a code by the rules that come after the order. */
static ft_status put_code(const struct bert *bert, struct buffer *out, uint32_t code)
{
    char text[4];
    if (bert->strip && code_in_ranges(&bert_marks, code))
        return FT_OK;
    if (bert->lower && code == 0x130)
        return buffer_append(out, "i\xcc\x87", 3);
    return buffer_append(out, text,
                         (size_t)utf8_encode(text, bert->lower ? bert_to_lower(code) : code));
}

/** Appends what lies between two kept ASCII characters. */
static ft_status put_stretch(const struct bert *bert, struct normal *scratch, struct buffer *out,
                             const char *text, size_t bytes)
{
    size_t n = 0;
    FT_TRY(normal_reserve(scratch, 2 * bytes + NORMAL_EXPANSION));
    for (size_t i = 0; i < bytes;) {
        int taken = 0;
        const uint32_t code = utf8_decode(text + i, &taken);
        i += (size_t)taken;
        if (code >= 0x80)
            FT_TRY(add_code(bert, scratch, &n, code));
    }
    if (bert->strip)
        normal_order(scratch, n);
    for (size_t i = 0; i < n; i++)
        FT_TRY(put_code(bert, out, (uint32_t)scratch->codes[i]));
    return FT_OK;
}

/** Appends the ASCII at the start of text; gives its length. */
static ft_status put_ascii(const struct bert *bert, struct buffer *out, size_t *taken,
                           const char *text, size_t bytes)
{
    size_t n = 0, i = 0;
    while (n < bytes && (unsigned char)text[n] < 0x80)
        n++;
    *taken = n;
    if (n == 0)
        return FT_OK;
    FT_TRY(buffer_reserve(out, n));
    unsigned char *to = (unsigned char *)out->data + out->used;
    for (size_t k = 0; k < n; k++) {
        to[i] = bert->ascii[(unsigned char)text[k]];
        i += to[i] != BERT_DROPPED;
    }
    out->used += i;
    return FT_OK;
}

ft_status bert_normalise(const struct bert *bert, struct normal *scratch, struct buffer *out,
                         const char *text, size_t bytes)
{
    for (size_t i = 0, end = 0; i < bytes; i = end) {
        size_t taken = 0;
        FT_TRY(put_ascii(bert, out, &taken, text + i, bytes - i));
        i += taken;
        end = i;
        while (end < bytes && ((unsigned char)text[end] >= 0x80 ||
                               bert->ascii[(unsigned char)text[end]] == BERT_DROPPED))
            end++;
        if (end > i)
            FT_TRY(put_stretch(bert, scratch, out, text + i, end - i));
    }
    return FT_OK;
}

enum { IN_WORD, SPACE, ALONE };

/** What an ASCII character is to the splitter. */
static const unsigned char KINDS[128] = {
    ['\t'] = SPACE, ['\n'] = SPACE, ['\v'] = SPACE, ['\f'] = SPACE, ['\r'] = SPACE, [' '] = SPACE,
    ['!'] = ALONE,  ['"'] = ALONE,  ['#'] = ALONE,  ['$'] = ALONE,  ['%'] = ALONE,  ['&'] = ALONE,
    ['\''] = ALONE, ['('] = ALONE,  [')'] = ALONE,  ['*'] = ALONE,  ['+'] = ALONE,  [','] = ALONE,
    ['-'] = ALONE,  ['.'] = ALONE,  ['/'] = ALONE,  [':'] = ALONE,  [';'] = ALONE,  ['<'] = ALONE,
    ['='] = ALONE,  ['>'] = ALONE,  ['?'] = ALONE,  ['@'] = ALONE,  ['['] = ALONE,  ['\\'] = ALONE,
    [']'] = ALONE,  ['^'] = ALONE,  ['_'] = ALONE,  ['`'] = ALONE,  ['{'] = ALONE,  ['|'] = ALONE,
    ['}'] = ALONE,  ['~'] = ALONE};

static int kind_at(const char *text, int *taken)
{
    *taken = 1;
    if ((unsigned char)*text < 0x80)
        return KINDS[(unsigned char)*text];
    const uint32_t code = utf8_decode(text, taken);
    return utf8_is_space(code) ? SPACE : code_in_ranges(&bert_punctuation, code) ? ALONE : IN_WORD;
}

size_t bert_next_word(const char *text, size_t bytes, size_t *at)
{
    int taken = 0, kind = SPACE;
    size_t i = *at;
    while (i < bytes && (kind = kind_at(text + i, &taken)) == SPACE)
        i += (size_t)taken;
    *at = i;
    if (i == bytes || kind == ALONE)
        return i < bytes ? i + (size_t)taken : i;
    while (i < bytes && kind_at(text + i, &taken) == IN_WORD)
        i += (size_t)taken;
    return i;
}
