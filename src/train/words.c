/*
 * str.lower() of Python maps character by character with two exceptions: U+0130 becomes i and a
 * combining dot, which is no word character and so ends the word; and a capital sigma becomes the
 * final one where a letter with case comes before it and none behind it, marks and the like aside
 * (Unicode Standard, section 3.13, Final_Sigma).
 */
#include "words.h"

#include <stdint.h>
#include <utf8proc.h>

#include "base/utf8.h"

enum { DOTTED_I = 0x130, SIGMA = 0x3a3, SMALL_SIGMA = 0x3c3, FINAL_SIGMA = 0x3c2 };

/* \w: letters, numbers, underscore; marks are none. */
static bool is_word(uint32_t code)
{
    if (code < 0x80)
        return (code >= '0' && code <= '9') || (code >= 'a' && code <= 'z') ||
               (code >= 'A' && code <= 'Z') || code == '_';
    switch (utf8proc_category((utf8proc_int32_t)code)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return true;
    default:
        return false;
    }
}

static bool is_cased(uint32_t code)
{
    const utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code);
    return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL ||
           category == UTF8PROC_CATEGORY_LT;
}

/* Case_Ignorable: marks, modifiers, format characters, and what may stand inside a word. */
static bool is_ignorable(uint32_t code)
{
    static const uint16_t inside[] = {0x27,   0x2e,   0x3a,   0xb7,   0x387,  0x55f,
                                      0x5f4,  0x2018, 0x2019, 0x2024, 0x2027, 0xfe13,
                                      0xfe52, 0xfe55, 0xff07, 0xff0e, 0xff1a};
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++)
        if (code == inside[i])
            return true;
    switch (utf8proc_category((utf8proc_int32_t)code)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
        return true;
    default:
        return false;
    }
}

/* Whether the first character behind `from`, the ignorable aside, has case. */
static bool is_cased_after(const struct words *w, size_t from)
{
    while (from < w->bytes) {
        int length;
        const uint32_t code = utf8_decode(w->text + from, &length);
        if (!is_ignorable(code))
            return is_cased(code);
        from += (size_t)length;
    }
    return false;
}

static bool is_cased_before(const struct words *w, size_t from)
{
    while (from > 0) {
        int length;
        do
            from--;
        while (from > 0 && ((unsigned char)w->text[from] & 0xc0) == 0x80);
        const uint32_t code = utf8_decode(w->text + from, &length);
        if (!is_ignorable(code))
            return is_cased(code);
    }
    return false;
}

static uint32_t lower(const struct words *w, uint32_t code, size_t at, size_t end)
{
    if (code < 0x80)
        return code >= 'A' && code <= 'Z' ? code + 32 : code;
    if (code == SIGMA)
        return is_cased_before(w, at) && !is_cased_after(w, end) ? FINAL_SIGMA : SMALL_SIGMA;
    if (code == DOTTED_I)
        return 'i';
    return (uint32_t)utf8proc_tolower((utf8proc_int32_t)code);
}

ft_status words_next(struct words *w, bool *found)
{
    int n_chars = 0;
    w->word->used = 0;
    *found = false;
    while (w->at < w->bytes) {
        char encoded[4];
        int length;
        const size_t from = w->at;
        const uint32_t code = utf8_decode(w->text + from, &length);
        w->at += (size_t)length;
        if (is_word(code)) {
            const int n = utf8_encode(encoded, lower(w, code, from, w->at));
            FT_TRY(buffer_append(w->word, encoded, (size_t)n));
            n_chars++;
        }
        if (!is_word(code) || code == DOTTED_I || w->at == w->bytes) {
            *found = n_chars >= 2;
            if (*found)
                return buffer_append(w->word, "", 1);
            n_chars = 0;
            w->word->used = 0;
        }
    }
    return FT_OK;
}
