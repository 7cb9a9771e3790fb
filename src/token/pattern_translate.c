/*
 * A regular expression of Oniguruma in PCRE2's spelling. Where the two differ:
 *
 * - \s is Unicode's White_Space; PCRE2's also holds U+180E. \w is Alphabetic, M, Nd, Pc; PCRE2's
 * is L,
 *   N and the low line. \h is a hexadecimal digit. Hence these are spelled out or refused.
 * - . stops at U+000A alone, $ stands before each one; ^ is not the same at the end of a text, \b
 * not
 *   where \w is not. In a class, [ and && have a meaning of their own.
 * - Without case Oniguruma knows characters that are two letters when folded: ss, st, ff, fi, fl.
 * - {n,m}+ repeats a repeat, {,n} begins at 0.
 * - ( ) captures, which nothing here asks for.
 *
 * Every group begins with a callout, at which matching looks at the clock. Between two of them
 * there is no more than a pass over the text for each item of the pattern.
 */
#include <string.h>

#include "base/utf8.h"
#include "token/pattern.h"
#include "token/vocab.h"

#define SPACE "\\p{Z}\\t-\\r\\x{85}"
#define WORD                                                                                       \
    "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{"     \
    "1f169}"                                                                                       \
    "\\x{1f170}-\\x{1f189}"

#define LOOK "(?C1)"

enum { GROUPS_MAX = 32 };

struct reader {
    const char *text, *at;
    struct buffer *out;
    int depth;
    bool folds[GROUPS_MAX + 1]; /* without case, by depth */
    char before;                /* letter just read, for pairs that fold */
};

static ft_status refuse(const struct reader *r, const char *what)
{
    char quote[VOCAB_QUOTE];
    return ft_fail(FT_ERR_INPUT, "the pattern %s has %s at its byte %zu, which is not supported",
                   vocab_quote(quote, r->text, strlen(r->text)), what, (size_t)(r->at - r->text));
}

static ft_status put(struct reader *r, const char *text)
{
    r->before = 0;
    return buffer_append(r->out, text, strlen(text));
}

static bool is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/** A character that stands for itself. */
static ft_status put_character(struct reader *r)
{
    static const char FOLDED[][3] = {"ss", "st", "ff", "fi", "fl"};
    int n = 0;
    const uint32_t code = utf8_decode(r->at, &n);
    if (r->folds[r->depth]) {
        const char letter = (char)(code < 0x80 ? code | 0x20 : 0);
        for (size_t i = 0; i < sizeof FOLDED / sizeof *FOLDED; i++) {
            if (r->before == FOLDED[i][0] && letter == FOLDED[i][1])
                return refuse(r, "letters without case that fold to one character");
        }
        if (code >= 0x80)
            return refuse(r, "a character beyond ASCII without case");
        r->before = letter;
    }
    if (code < 0x80 && !is_alphanumeric((char)code) && code > 32 && code < 127)
        FT_TRY(buffer_append(r->out, "\\", 1));
    FT_TRY(buffer_append(r->out, r->at, (size_t)n));
    r->at += n;
    return FT_OK;
}

/** \p{..}: a general category of one or two letters. */
static ft_status put_property(struct reader *r)
{
    const char *at = r->at;
    const size_t n = at[2] == '{' ? strcspn(at + 3, "}") : 0;
    if (n < 1 || n > 2 || at[3 + n] != '}' || !strchr("LMNPSZC", at[3]) ||
        (n == 2 && !(at[4] >= 'a' && at[4] <= 'z')))
        return refuse(r, "a property that is no general category");
    FT_TRY(buffer_append(r->out, at, 4 + n));
    r->at += 4 + n;
    r->before = 0;
    return FT_OK;
}

static ft_status put_escape(struct reader *r, bool in_class)
{
    static const struct {
        char letter;
        const char *in_class, *alone; /* NULL: not there */
    } ESCAPES[] = {{'s', SPACE, "[" SPACE "]"}, {'S', NULL, "[^" SPACE "]"},
                   {'w', WORD, "[" WORD "]"},   {'W', NULL, "[^" WORD "]"},
                   {'d', "\\p{Nd}", "\\p{Nd}"}, {'r', "\\r", "\\r"},
                   {'n', "\\n", "\\n"},         {'t', "\\t", "\\t"},
                   {'f', "\\f", "\\f"},         {'v', "\\x{0b}", "\\x{0b}"}};
    const char c = r->at[1];
    if (c == 'p' || c == 'P')
        return put_property(r);
    for (size_t i = 0; i < sizeof ESCAPES / sizeof *ESCAPES; i++) {
        const char *spelled = in_class ? ESCAPES[i].in_class : ESCAPES[i].alone;
        if (c == ESCAPES[i].letter && spelled) {
            r->at += 2;
            return put(r, spelled);
        }
    }
    if (c <= 32 || c == 127 || is_alphanumeric(c))
        return refuse(r, "an escape that is not known");
    r->at++;
    return put_character(r);
}

static ft_status put_class(struct reader *r)
{
    bool first = true;
    FT_TRY(put(r, "["));
    r->at++;
    if (*r->at == '^') {
        FT_TRY(put(r, "^"));
        r->at++;
    }
    for (; *r->at != ']' || first; first = false) {
        if (!*r->at)
            return refuse(r, "a class without an end");
        if (*r->at == '[' || *r->at == ']' || strncmp(r->at, "&&", 2) == 0)
            return refuse(r, "a class within a class");
        r->before = 0;
        if (*r->at == '\\') {
            FT_TRY(put_escape(r, true));
        } else if (*r->at == '-') {
            FT_TRY(put(r, r->at[1] == ']' || first ? "\\-" : "-"));
            r->at++;
        } else {
            FT_TRY(put_character(r));
        }
    }
    r->at++;
    return put(r, "]");
}

static ft_status put_group(struct reader *r)
{
    static const char *const OPENINGS[] = {"(?:", "(?i:", "(?=", "(?!", "(?<=", "(?<!"};
    if (r->depth == GROUPS_MAX)
        return refuse(r, "groups too deep");
    const bool folds = r->folds[r->depth++];
    r->folds[r->depth] = folds || strncmp(r->at, "(?i:", 4) == 0;
    if (r->at[1] != '?') {
        r->at++;
        return put(r, "(?:" LOOK);
    }
    for (size_t i = 0; i < sizeof OPENINGS / sizeof *OPENINGS; i++) {
        const size_t n = strlen(OPENINGS[i]);
        if (strncmp(r->at, OPENINGS[i], n) == 0) {
            r->at += n;
            FT_TRY(put(r, OPENINGS[i]));
            return put(r, LOOK);
        }
    }
    return refuse(r, "a group of another kind");
}

/** {n} {n,} {n,m}, or * + ?, each with what makes it lazy or possessive. */
static ft_status put_repeat(struct reader *r)
{
    const char *end = r->at + 1;
    if (*r->at == '{') {
        const size_t low = strspn(end, "0123456789");
        end += low;
        end += *end == ',' ? 1 + strspn(end + 1, "0123456789") : 0;
        if (low == 0 || *end != '}' || end[1] == '+')
            return refuse(r, "a repeat of another kind");
        end++;
    }
    if (*end == '?' || (*end == '+' && *r->at != '{'))
        end++;
    if (*end == '*' || *end == '+' || *end == '?' || *end == '{')
        return refuse(r, "a repeat of a repeat");
    FT_TRY(buffer_append(r->out, r->at, (size_t)(end - r->at)));
    r->before = 0;
    r->at = end;
    return FT_OK;
}

static ft_status put_next(struct reader *r)
{
    const char c = *r->at;
    switch (c) {
    case '\\':
        return put_escape(r, false);
    case '[':
        return put_class(r);
    case '(':
        return put_group(r);
    case ')':
        if (r->depth-- == 0)
            return refuse(r, "a parenthesis that closes nothing");
        break;
    case '|':
        break;
    case '*':
    case '+':
    case '?':
    case '{':
        return put_repeat(r);
    case '^':
    case ']':
    case '}':
        return refuse(r, "a character with a meaning of its own");
    case '.':
        r->at++;
        return put(r, "[^\\n]");
    case '$':
        r->at++;
        return put(r, "(?=\\n|\\z)");
    default:
        return put_character(r);
    }
    r->at++;
    r->before = 0;
    return buffer_append(r->out, &c, 1);
}

ft_status pattern_translate(struct buffer *out, const char *regex)
{
    struct reader r = {.text = regex, .at = regex, .out = out};
    FT_TRY(put(&r, "(?:" LOOK));
    while (*r.at)
        FT_TRY(put_next(&r));
    return r.depth == 0 ? put(&r, ")") : refuse(&r, "a group without an end");
}
