/*
 * Text is cut at ASCII, which never composes with what stands before it: runs of ASCII are copied,
 * and the rest is decomposed, put in canonical order and composed together with the one ASCII
 * character in front, as far as its next neighbour.
 *
 * utf8proc orders combining marks by insertion, which is quadratic in a run of marks: a megabyte of
 * them takes minutes. Here a run is ordered by counting its 256 possible classes.
 */
#include "token/normal.h"

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

static ft_status reserve(struct normal *normal, size_t n)
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

/** Canonical combining class; 0 for a starter. */
static unsigned class_of(int32_t code)
{
    return code < 0x300 ? 0 : (unsigned)utf8proc_get_property(code)->combining_class & 255u;
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

static void order_all(int32_t *codes, int32_t *sorted, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t end = i;
        while (end < n && class_of(codes[end]) != 0)
            end++;
        if (end - i > 1)
            order_marks(codes + i, sorted, end - i);
        i = end + 1;
    }
}

/** Normalises one stretch as a whole. */
static ft_status normalise(struct normal *normal, struct buffer *out, const char *text,
                           size_t bytes)
{
    enum { EXPANSION = 8 }; /* no character has a longer canonical decomposition (UAX 15: 4) */
    size_t n = 0;
    FT_TRY(reserve(normal, 2 * bytes + EXPANSION)); /* two bytes make at most three */
    for (size_t i = 0; i < bytes;) {
        int taken = 0;
        const uint32_t code = utf8_decode(text + i, &taken);
        const utf8proc_ssize_t made =
            utf8proc_decompose_char((utf8proc_int32_t)code, normal->codes + n, EXPANSION,
                                    UTF8PROC_STABLE | UTF8PROC_DECOMPOSE, NULL);
        if (made < 0)
            return ft_fail(FT_ERR_INTERNAL, "utf8proc: %s", utf8proc_errmsg(made));
        n += (size_t)made;
        i += (size_t)taken;
    }
    order_all(normal->codes, normal->sorted, n);
    const utf8proc_ssize_t left = utf8proc_normalize_utf32(normal->codes, (utf8proc_ssize_t)n,
                                                           UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    FT_TRY(buffer_reserve(out, 4 * n));
    for (utf8proc_ssize_t i = 0; i < left; i++) {
        char text_of[4];
        const int made = utf8_encode(text_of, (uint32_t)normal->codes[i]);
        FT_TRY(buffer_append(out, text_of, (size_t)made));
    }
    return FT_OK;
}

ft_status normal_nfc(struct normal *normal, struct buffer *out, const char *text, size_t bytes)
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
        FT_TRY(normalise(normal, out, text + ascii, end - ascii));
        i = end;
    }
    return FT_OK;
}
