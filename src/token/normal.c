/*
 * Text is cut at ASCII, which never composes with what stands before it: runs of ASCII are copied,
 * and the rest is decomposed, put in canonical order and composed together with the one ASCII
 * character in front, as far as its next neighbour.
 *
 * utf8proc orders combining marks by insertion, which is quadratic in a run of marks: a megabyte of
 * them takes minutes. Here a run is ordered by counting its 256 possible classes.
 *
 * `tokenizers` normalises by the tables of Unicode 9, whatever else in it is newer. The characters
 * that took part in normalisation since then (as far as Unicode 18) are listed below; here, as
 * there, they are neither ordered nor composed nor decomposed, and nothing composes across them.
 */
#include "token/normal.h"

#include <stdbool.h>
#include <string.h>
#include <utf8proc.h>

#include "base/mem.h"
#include "base/utf8.h"

void normal_clear(struct normal *normal)
{
    mem_free(normal->codes);
    mem_free(normal->sorted);
    *normal = (struct normal){0};
}

ft_status normal_reserve(struct normal *normal, size_t n)
{
    if (n <= normal->capacity)
        return FT_OK;
    const size_t capacity = n < 4096 ? 4096 : n + n / 2;
    int32_t *codes = mem_resize(normal->codes, capacity, sizeof *codes);
    if (!codes)
        return FT_ERR_INTERNAL;
    normal->codes = codes;
    int32_t *sorted = mem_resize(normal->sorted, capacity, sizeof *sorted);
    if (!sorted)
        return FT_ERR_INTERNAL;
    normal->sorted = sorted;
    normal->capacity = capacity;
    return FT_OK;
}

static const struct {
    int32_t first, last;
} NEWER[] = {{0x5c8, 0x5c9},     {0x7fd, 0x7fd},     {0x897, 0x89f},     {0x8ca, 0x8d3},
             {0x9fe, 0x9fe},     {0xc3c, 0xc3c},     {0xd3b, 0xd3c},     {0xeba, 0xeba},
             {0x1715, 0x1715},   {0x1abf, 0x1af0},   {0x1df6, 0x1dfa},   {0xa82c, 0xa82c},
             {0x105c9, 0x105c9}, {0x105d2, 0x105d2}, {0x105da, 0x105da}, {0x105e4, 0x105e4},
             {0x10d24, 0x10d27}, {0x10d69, 0x10d6d}, {0x10eab, 0x10eac}, {0x10ecb, 0x10ecf},
             {0x10ef0, 0x10efb}, {0x10efd, 0x10eff}, {0x10f46, 0x10f50}, {0x10f82, 0x10f85},
             {0x11070, 0x11070}, {0x1133b, 0x1133b}, {0x11382, 0x11385}, {0x1138b, 0x1138b},
             {0x1138e, 0x1138e}, {0x11390, 0x11391}, {0x113c2, 0x113c2}, {0x113c5, 0x113c5},
             {0x113c7, 0x113c8}, {0x113ce, 0x113d0}, {0x1145e, 0x1145e}, {0x11839, 0x1183a},
             {0x11935, 0x11935}, {0x11938, 0x11938}, {0x1193d, 0x1193e}, {0x11943, 0x11943},
             {0x119e0, 0x119e0}, {0x11a34, 0x11a34}, {0x11a47, 0x11a47}, {0x11a99, 0x11a99},
             {0x11d42, 0x11d42}, {0x11d44, 0x11d45}, {0x11d97, 0x11d97}, {0x11f41, 0x11f42},
             {0x1611e, 0x1611e}, {0x16121, 0x16129}, {0x1612f, 0x1612f}, {0x16d63, 0x16d63},
             {0x16d67, 0x16d6a}, {0x16ff0, 0x16ff1}, {0x1d127, 0x1d128}, {0x1d250, 0x1d252},
             {0x1d25b, 0x1d25c}, {0x1d25f, 0x1d25f}, {0x1d280, 0x1d281}, {0x1e08f, 0x1e08f},
             {0x1e130, 0x1e136}, {0x1e2ae, 0x1e2ae}, {0x1e2ec, 0x1e2ef}, {0x1e4ec, 0x1e4ef},
             {0x1e5ee, 0x1e5ef}, {0x1e6e3, 0x1e6e3}, {0x1e6e6, 0x1e6e6}, {0x1e6ee, 0x1e6ef},
             {0x1e6f5, 0x1e6f5}};

static bool is_newer(int32_t code)
{
    int low = 0, high = (int)(sizeof NEWER / sizeof *NEWER);
    while (low < high) {
        const int middle = (low + high) / 2;
        if (code > NEWER[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < (int)(sizeof NEWER / sizeof *NEWER) && code >= NEWER[low].first;
}

/** Canonical combining class; 0 for a starter. */
static unsigned class_of(int32_t code)
{
    if (code < 0x300)
        return 0;
    const unsigned class = (unsigned)utf8proc_get_property(code)->combining_class & 255u;
    return class != 0 && is_newer(code) ? 0 : class;
}

/** Orders n marks by class, equal ones as they stand. */
static void order_marks(int32_t *marks, int32_t *sorted, size_t n)
{
    size_t start[257] = {0};
    for (size_t i = 0; i < n; i++)
        start[class_of(marks[i]) + 1]++;
    for (int k = 0; k < 256; k++)
        start[k + 1] += start[k];
    for (size_t i = 0; i < n; i++)
        sorted[start[class_of(marks[i])]++] = marks[i];
    memcpy(marks, sorted, n * sizeof *marks);
}

void normal_order(struct normal *normal, size_t n)
{
    int32_t *codes = normal->codes;
    for (size_t i = 0; i < n;) {
        size_t end = i;
        while (end < n && class_of(codes[end]) != 0)
            end++;
        if (end - i > 1)
            order_marks(codes + i, normal->sorted, end - i);
        i = end + 1;
    }
}

ft_status normal_decompose(struct normal *normal, size_t *n, int32_t code)
{
    if (is_newer(code)) {
        normal->codes[(*n)++] = code;
        return FT_OK;
    }
    const utf8proc_ssize_t made = utf8proc_decompose_char(
        code, normal->codes + *n, NORMAL_EXPANSION, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE, NULL);
    if (made < 0)
        return ft_fail(FT_ERR_INTERNAL, "utf8proc: %s", utf8proc_errmsg(made));
    *n += (size_t)made;
    return FT_OK;
}

/** Puts the compatible decomposition of a code where normal_decompose puts the canonical one. */
static ft_status decompose_compatibly(struct normal *normal, size_t *n, int32_t code)
{
    if (code < 0x80 || !code_in_ranges(&normal_compatible, (uint32_t)code))
        return normal_decompose(normal, n, code);
    const utf8proc_ssize_t made =
        utf8proc_decompose_char(code, normal->codes + *n, NORMAL_EXPANSION,
                                UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, NULL);
    if (made < 0 || made > NORMAL_EXPANSION)
        return ft_fail(FT_ERR_INTERNAL, "utf8proc: %s", utf8proc_errmsg(made));
    *n += (size_t)made;
    return FT_OK;
}

/** Decomposes text into normal->codes, which has room; gives the number of codes in *n. */
static ft_status decompose_text(struct normal *normal, size_t *n, enum normal_form form,
                                const char *text, size_t bytes)
{
    *n = 0;
    for (size_t i = 0; i < bytes;) {
        int taken = 0;
        const int32_t code = (int32_t)utf8_decode(text + i, &taken);
        i += (size_t)taken;
        FT_TRY(form & NORMAL_KD ? decompose_compatibly(normal, n, code)
                                : normal_decompose(normal, n, code));
    }
    return FT_OK;
}

static ft_status put_codes(struct buffer *out, const int32_t *codes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char text[4];
        FT_TRY(buffer_append(out, text, (size_t)utf8_encode(text, (uint32_t)codes[i])));
    }
    return FT_OK;
}

/** Composes codes and appends them as text. */
static ft_status compose(struct buffer *out, int32_t *codes, size_t n)
{
    const utf8proc_ssize_t left =
        utf8proc_normalize_utf32(codes, (utf8proc_ssize_t)n, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (left < 0)
        return ft_fail(FT_ERR_INTERNAL, "utf8proc: %s", utf8proc_errmsg(left));
    return put_codes(out, codes, (size_t)left);
}

/** Normalises one stretch as a whole. */
static ft_status normalise(struct normal *normal, struct buffer *out, enum normal_form form,
                           const char *text, size_t bytes)
{
    size_t n = 0;
    /* two bytes make at most three codes, three bytes at most 18 in a compatible form */
    FT_TRY(normal_reserve(normal, (form & NORMAL_KD ? 6 : 2) * bytes + NORMAL_EXPANSION));
    FT_TRY(decompose_text(normal, &n, form, text, bytes));
    normal_order(normal, n);
    FT_TRY(buffer_reserve(out, 4 * n));
    if (!(form & NORMAL_C))
        return put_codes(out, normal->codes, n);
    for (size_t i = 0; i < n;) {
        size_t end = i;
        while (end < n && !is_newer(normal->codes[end]))
            end++;
        FT_TRY(compose(out, normal->codes + i, end - i));
        if (end < n)
            FT_TRY(compose(out, normal->codes + end, 1));
        i = end + 1;
    }
    return FT_OK;
}

ft_status normal_append(struct normal *normal, struct buffer *out, enum normal_form form,
                        const char *text, size_t bytes)
{
    FT_TRY(buffer_reserve(out, bytes));
    for (size_t i = 0; i < bytes;) {
        size_t ascii = i;
        while (ascii < bytes && (unsigned char)text[ascii] < 0x80)
            ascii++;
        if (ascii < bytes && ascii > i)
            ascii--; /* a mark may follow it */
        FT_TRY(buffer_append(out, text + i, ascii - i));
        size_t end = ascii < bytes ? ascii + 1 : ascii;
        while (end < bytes && (unsigned char)text[end] >= 0x80)
            end++;
        FT_TRY(normalise(normal, out, form, text + ascii, end - ascii));
        i = end;
    }
    return FT_OK;
}
