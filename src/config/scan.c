/*
 * libconfig reads numbers with atoll and atof and cannot report that one did not fit: 5000000000
 * becomes 705032704, 1e400 infinity, 010 ten, "." zero. The text is therefore looked over once
 * before libconfig sees it. The scan knows only what it must tell apart (comments, strings, words,
 * numbers, the rest); grammar stays libconfig's business.
 */
#include "config/scan.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_MAX = 63 };

struct scan {
    const char *at, *end, *name;
    int line;
    bool is_after_string; /* nothing but white space and comments since a string ended */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* length of the digits at text; 0 where they start with a zero that is not alone */
static size_t n_digits(const char *text, size_t length, bool may_lead_zero)
{
    size_t n = 0;
    while (n < length && is_digit(text[n]))
        n++;
    return n > 1 && text[0] == '0' && !may_lead_zero ? 0 : n;
}

static size_t n_sign(const char *text, size_t length)
{
    return length > 0 && (text[0] == '-' || text[0] == '+') ? 1 : 0;
}

bool scan_integer(int64_t *value, const char *text, size_t length)
{
    char copy[NUMBER_MAX + 1];
    const size_t sign = n_sign(text, length);
    const size_t digits = n_digits(text + sign, length - sign, false);
    if (digits == 0 || sign + digits != length || length > NUMBER_MAX)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    errno = 0;
    *value = strtoll(copy, NULL, 10);
    return errno == 0;
}

/* [sign] digits [. digits] [e [sign] digits], or [sign] . digits ... ; at least one digit */
static bool is_number_shape(const char *text, size_t length)
{
    size_t at = n_sign(text, length);
    const size_t whole = n_digits(text + at, length - at, false);
    size_t fraction = 0;
    if (whole == 0 && at < length && is_digit(text[at]))
        return false; /* 010 */
    at += whole;
    if (at < length && text[at] == '.') {
        fraction = n_digits(text + at + 1, length - at - 1, true);
        at += 1 + fraction;
    }
    if (whole + fraction == 0)
        return false;
    if (at < length && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        at += n_sign(text + at, length - at);
        const size_t exponent = n_digits(text + at, length - at, true);
        if (exponent == 0)
            return false;
        at += exponent;
    }
    return at == length;
}

bool scan_number(double *value, const char *text, size_t length)
{
    char copy[NUMBER_MAX + 1];
    if (length > NUMBER_MAX || !is_number_shape(text, length))
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    errno = 0;
    *value = strtod(copy, NULL);
    return errno == 0 && isfinite(*value);
}

static ft_status refuse(const struct scan *s, const char *what, const char *text, size_t length)
{
    return ft_fail(FT_ERR_USAGE, "%s:%d: %.*s%s %s", s->name, s->line,
                   (int)(length > 40 ? 40 : length), text, length > 40 ? "..." : "", what);
}

static ft_status check_hex(const struct scan *s, const char *text, size_t length, bool is_long)
{
    uint64_t value = 0;
    for (size_t i = 2; i < length; i++) {
        const char c = (char)tolower((unsigned char)text[i]);
        if (!isxdigit((unsigned char)c))
            return refuse(s, "is not a number", text, length);
        if (value >> 60)
            return refuse(s, "does not fit 64 bits", text, length);
        value = value << 4 | (uint64_t)(is_digit(c) ? c - '0' : c - 'a' + 10);
    }
    if (value > (is_long ? (uint64_t)INT64_MAX : (uint64_t)INT_MAX))
        return refuse(s, is_long ? "does not fit 64 bits" : "does not fit 32 bits; append L to it",
                      text, length);
    return FT_OK;
}

static ft_status check_integer(const struct scan *s, const char *text, size_t length, bool is_long)
{
    int64_t integer;
    const size_t sign = n_sign(text, length);
    if (length - sign > 1 && text[sign] == '0')
        return refuse(s, "has a leading zero: it looks octal and would be read as decimal", text,
                      length);
    if (!scan_integer(&integer, text, length))
        return refuse(s, "does not fit 64 bits", text, length);
    if (!is_long && (integer > INT_MAX || integer < INT_MIN))
        return refuse(s, "does not fit 32 bits; append L to it, as in 5000000000L", text, length);
    return FT_OK;
}

static ft_status check_number(const struct scan *s, const char *text, size_t all)
{
    double real;
    size_t length = all;
    while (length > 1 && text[length - 1] == 'L' && all - length < 2)
        length--;
    const bool is_long = length < all;
    const size_t sign = n_sign(text, length);
    if (length > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
        return check_hex(s, text, length, is_long);
    if (length > sign && n_digits(text + sign, length - sign, true) == length - sign)
        return check_integer(s, text, length, is_long);
    if (is_long || !is_number_shape(text, length))
        return refuse(s, "is not a number", text, all);
    return scan_number(&real, text, length)
               ? FT_OK
               : refuse(s, "does not fit a double: too large, too small or too long", text, all);
}

static ft_status scan_number_token(struct scan *s)
{
    const char *start = s->at;
    for (s->at++; s->at < s->end; s->at++) {
        const char before = (char)tolower((unsigned char)s->at[-1]);
        const bool is_exponent_sign = (*s->at == '-' || *s->at == '+') && before == 'e';
        if (!is_word(*s->at) && *s->at != '.' && !is_exponent_sign)
            break;
    }
    return check_number(s, start, (size_t)(s->at - start));
}

static bool is_null_escape(const char *at, const char *end)
{
    return end - at >= 4 && at[0] == '\\' && (at[1] == 'x' || at[1] == 'X') && at[2] == '0' &&
           at[3] == '0';
}

static ft_status scan_string(struct scan *s)
{
    const int first_line = s->line;
    if (s->is_after_string)
        return ft_fail(FT_ERR_USAGE,
                       "%s:%d: two strings side by side would be joined; put a comma or a "
                       "semicolon between them",
                       s->name, s->line);
    for (s->at++; s->at < s->end && *s->at != '"'; s->at++) {
        if (*s->at == '\n')
            s->line++;
        if (is_null_escape(s->at, s->end))
            return ft_fail(FT_ERR_USAGE, "%s:%d: \\x00 would end the string there; remove it",
                           s->name, s->line);
        if (*s->at == '\\' && s->at + 1 < s->end)
            s->at++;
    }
    if (s->at >= s->end)
        return ft_fail(FT_ERR_USAGE, "%s:%d: string without a closing \"", s->name, first_line);
    s->at++;
    s->is_after_string = true;
    return FT_OK;
}

static ft_status skip_block_comment(struct scan *s)
{
    const int first_line = s->line;
    for (s->at += 2; s->at + 1 < s->end; s->at++) {
        if (s->at[0] == '*' && s->at[1] == '/') {
            s->at += 2;
            return FT_OK;
        }
        if (*s->at == '\n')
            s->line++;
    }
    return ft_fail(FT_ERR_USAGE, "%s:%d: comment without a closing */", s->name, first_line);
}

static void skip_line_comment(struct scan *s)
{
    while (s->at < s->end && *s->at != '\n')
        s->at++;
}

/* a name, or one character of anything else; libconfig's names may hold - and * */
static void skip_word(struct scan *s)
{
    const bool is_name = is_word(*s->at) || *s->at == '*';
    s->at++;
    while (is_name && s->at < s->end && (is_word(*s->at) || *s->at == '-' || *s->at == '*'))
        s->at++;
}

static ft_status scan_token(struct scan *s)
{
    const char c = *s->at, next = s->at + 1 < s->end ? s->at[1] : '\0';
    if (isspace((unsigned char)c)) {
        s->line += c == '\n';
        s->at++;
        return FT_OK;
    }
    if (c == '#' || (c == '/' && next == '/')) {
        skip_line_comment(s);
        return FT_OK;
    }
    if (c == '/' && next == '*')
        return skip_block_comment(s);
    if (c == '"')
        return scan_string(s);
    s->is_after_string = false;
    if (c == '@')
        return ft_fail(FT_ERR_USAGE,
                       "%s:%d: @include is not supported; put all settings into one file", s->name,
                       s->line);
    if (is_digit(c) || c == '.' || c == '-' || c == '+')
        return scan_number_token(s);
    skip_word(s);
    return FT_OK;
}

ft_status scan_text(const char *text, size_t bytes, const char *name)
{
    struct scan s = {.at = text, .end = text + bytes, .name = name, .line = 1};
    const char *zero = memchr(text, '\0', bytes);
    if (zero)
        return ft_fail(FT_ERR_USAGE, "%s: byte %zu is zero: not a text file", name,
                       (size_t)(zero - text));
    while (s.at < s.end)
        FT_TRY(scan_token(&s));
    return FT_OK;
}
