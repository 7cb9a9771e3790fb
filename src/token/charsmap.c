/*
 * Text is replaced cluster by cluster (extended grapheme clusters, Unicode Standard Annex 29): a
 * cluster of less than six bytes by the image of the shortest sequence at its start that has one,
 * however much of the cluster that is; any other character by character. A cluster's length counts
 * only up to six bytes, so of the rules those for Hangul, flags and joined pictures keep long
 * clusters whole, and decide nothing else. That Indic conjuncts do not end at a virama is left
 * out: such clusters have six bytes and more either way.
 */
#include "token/charsmap.h"

#include <string.h>
#include <utf8proc.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "token/normal.h"

enum { CLUSTER_MAX = 6 }; /* bytes from which on a cluster is taken apart */

struct charsmap {
    char *source;
    size_t source_bytes;
    unsigned char *data; /* decoded */
    const unsigned char *units;
    uint32_t n_units;
    const char *texts; /* valid UTF-8, ends with a zero byte */
    size_t text_bytes;
    bool plain[128]; /* ASCII that stays as it is, whatever follows in ASCII */
};

static int digit_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/** Base64 with padding (RFC 4648). */
static ft_status decode(unsigned char **out, size_t *n, const char *text, size_t bytes)
{
    size_t digits = bytes;
    while (digits > 0 && text[digits - 1] == '=' && bytes - digits < 2)
        digits--;
    if (bytes == 0 || bytes % 4 != 0 || digits % 4 == 1)
        return ft_fail(FT_ERR_INPUT,
                       "precompiled_charsmap is no base64 text: it has %zu characters", bytes);
    FT_TRY(FT_ALLOC(*out, bytes / 4 * 3));
    uint32_t held = 0;
    *n = 0;
    for (size_t i = 0; i < digits; i++) {
        const int digit = digit_of(text[i]);
        if (digit < 0)
            return ft_fail(FT_ERR_INPUT,
                           "precompiled_charsmap is no base64 text, at its character %zu", i);
        held = held << 6 | (uint32_t)digit;
        if (i % 4 != 0)
            (*out)[(*n)++] = (unsigned char)(held >> (6 - 2 * (i % 4)));
    }
    return FT_OK;
}

static uint32_t unit_at(const struct charsmap *map, uint32_t index)
{
    uint32_t unit;
    memcpy(&unit, map->units + 4 * (size_t)index, sizeof unit);
    return unit;
}

static uint32_t offset_of(uint32_t unit)
{
    return unit >> 10 << ((unit & 1u << 9) >> 6);
}

/** Image of the shortest sequence at the start of text that has one; NULL where none has. */
static const char *image_of(const struct charsmap *map, const char *text, size_t bytes)
{
    uint32_t node = offset_of(unit_at(map, 0));
    for (size_t i = 0; i < bytes && text[i]; i++) {
        const unsigned char byte = (unsigned char)text[i];
        node ^= byte;
        if (node >= map->n_units)
            return NULL;
        const uint32_t unit = unit_at(map, node);
        if ((unit & (1u << 31 | 0xffu)) != byte)
            return NULL;
        node ^= offset_of(unit);
        if (!(unit & 1u << 8))
            continue;
        if (node >= map->n_units)
            return NULL;
        const uint32_t value = unit_at(map, node) & ~(1u << 31);
        const bool inside = value < map->text_bytes && (map->texts[value] & 0xc0) != 0x80;
        return inside ? map->texts + value : NULL;
    }
    return NULL;
}

static ft_status read_map(struct charsmap *map)
{
    size_t n = 0;
    uint32_t trie_bytes = 0;
    FT_TRY(decode(&map->data, &n, map->source, map->source_bytes));
    if (n >= sizeof trie_bytes)
        memcpy(&trie_bytes, map->data, sizeof trie_bytes);
    if (n < sizeof trie_bytes || trie_bytes == 0 || trie_bytes % 4 != 0 ||
        trie_bytes > n - sizeof trie_bytes)
        return ft_fail(FT_ERR_INPUT,
                       "precompiled_charsmap has an array of %lu bytes in %zu bytes of data",
                       (unsigned long)trie_bytes, n);
    map->units = map->data + sizeof trie_bytes;
    map->n_units = trie_bytes / 4;
    map->texts = (const char *)map->units + trie_bytes;
    map->text_bytes = n - sizeof trie_bytes - trie_bytes;
    if (map->text_bytes == 0 || map->texts[map->text_bytes - 1] != 0 ||
        !utf8_check(map->texts, map->text_bytes, NULL))
        return ft_fail(FT_ERR_INPUT, "precompiled_charsmap: its texts are not UTF-8 that ends with "
                                     "a zero byte");
    for (unsigned char c = 0; c < 128; c++) {
        const char text = (char)c;
        map->plain[c] = c != '\r' && !image_of(map, &text, 1);
    }
    return FT_OK;
}

ft_status charsmap_open(struct charsmap **out, const char *base64, size_t bytes)
{
    *out = NULL;
    FT_TRY(FT_ALLOC(*out, 1));
    (*out)->source = mem_copy_text(base64);
    (*out)->source_bytes = bytes;
    const ft_status status = (*out)->source ? read_map(*out) : FT_ERR_INTERNAL;
    if (status != FT_OK)
        charsmap_close(out);
    return status;
}

void charsmap_close(struct charsmap **map)
{
    struct charsmap *old = *map;
    if (!old)
        return;
    mem_free(old->source);
    mem_free(old->data);
    FT_FREE(*map);
}

const char *charsmap_source(const struct charsmap *map, size_t *bytes)
{
    *bytes = map->source_bytes;
    return map->source;
}

/** What a character is for the borders of clusters. */
enum cluster_class { OTHER, CONTROL, JOINING, PREPEND, FLAG, PICTURE, ZWJ, L, V, T, LV, LVT };

static enum cluster_class class_of(uint32_t code)
{
    static const struct code_range PREPENDED[] = {
        {0x600, 0x605},     {0x6dd, 0x6dd},     {0x70f, 0x70f},     {0x890, 0x891},
        {0x8e2, 0x8e2},     {0xd4e, 0xd4e},     {0x110bd, 0x110bd}, {0x110cd, 0x110cd},
        {0x111c2, 0x111c3}, {0x113d1, 0x113d1}, {0x1193f, 0x1193f}, {0x11941, 0x11941},
        {0x11a84, 0x11a89}, {0x11d46, 0x11d46}, {0x11f02, 0x11f02}};
    static const struct code_ranges PREPENDS = {PREPENDED,
                                                (int)(sizeof PREPENDED / sizeof *PREPENDED)};
    if (code < 0x80)
        return code < 32 || code == 127 ? CONTROL : OTHER;
    if (code == 0x200d)
        return ZWJ;
    if (code_in_ranges(&normal_joining, code))
        return JOINING;
    if (code >= 0x600 && code_in_ranges(&PREPENDS, code))
        return PREPEND;
    switch (utf8proc_get_property((utf8proc_int32_t)code)->boundclass) {
    case UTF8PROC_BOUNDCLASS_CONTROL:
        return CONTROL;
    case UTF8PROC_BOUNDCLASS_REGIONAL_INDICATOR:
        return FLAG;
    case UTF8PROC_BOUNDCLASS_EXTENDED_PICTOGRAPHIC:
        return PICTURE;
    case UTF8PROC_BOUNDCLASS_L:
        return L;
    case UTF8PROC_BOUNDCLASS_V:
        return V;
    case UTF8PROC_BOUNDCLASS_T:
        return T;
    case UTF8PROC_BOUNDCLASS_LV:
        return LV;
    case UTF8PROC_BOUNDCLASS_LVT:
        return LVT;
    default:
        return OTHER;
    }
}

/** What has been seen of a cluster. */
struct cluster {
    enum cluster_class last;
    int flags;    /* regional indicators at its end */
    bool picture; /* a picture and only joining characters behind it */
};

/** Whether a character of this class goes on with the cluster. */
static bool goes_on(const struct cluster *c, enum cluster_class next)
{
    if (c->last == CONTROL || next == CONTROL)
        return false;
    if (next == JOINING || next == ZWJ || c->last == PREPEND)
        return true;
    switch (next) {
    case FLAG:
        return c->flags % 2 == 1;
    case PICTURE:
        return c->picture && c->last == ZWJ;
    case L:
    case LV:
    case LVT:
        return c->last == L;
    case V:
        return c->last == L || c->last == V || c->last == LV;
    case T:
        return c->last == V || c->last == T || c->last == LV || c->last == LVT;
    default:
        return false;
    }
}

static void add_class(struct cluster *c, enum cluster_class next)
{
    c->flags = next == FLAG ? c->flags + 1 : 0;
    c->picture = next == PICTURE || (c->picture && (next == JOINING || next == ZWJ));
    c->last = next;
}

/** Bytes of the cluster at the start of text. */
static size_t cluster_bytes(const char *text, size_t bytes)
{
    struct cluster c = {0};
    int taken = 0;
    if (bytes > 1 && text[0] == '\r' && text[1] == '\n')
        return 2;
    add_class(&c, class_of(utf8_decode(text, &taken)));
    size_t at = (size_t)taken;
    while (at < bytes) {
        const enum cluster_class next = class_of(utf8_decode(text + at, &taken));
        if (!goes_on(&c, next))
            break;
        add_class(&c, next);
        at += (size_t)taken;
    }
    return at;
}

/** Appends the image of a sequence, or the sequence itself where it has none: then false. */
static ft_status put_image(const struct charsmap *map, struct buffer *out, bool *has,
                           const char *text, size_t bytes)
{
    const char *image = image_of(map, text, bytes);
    *has = image != NULL;
    return image ? buffer_append(out, image, strlen(image)) : FT_OK;
}

static ft_status put_cluster(const struct charsmap *map, struct buffer *out, const char *text,
                             size_t bytes)
{
    bool has = false;
    if (bytes < CLUSTER_MAX)
        FT_TRY(put_image(map, out, &has, text, bytes));
    for (size_t i = 0; i < bytes && !has;) {
        int taken = 0;
        bool replaced = false;
        (void)utf8_decode(text + i, &taken);
        FT_TRY(put_image(map, out, &replaced, text + i, (size_t)taken));
        if (!replaced)
            FT_TRY(buffer_append(out, text + i, (size_t)taken));
        i += (size_t)taken;
    }
    return FT_OK;
}

ft_status charsmap_append(const struct charsmap *map, struct buffer *out, const char *text,
                          size_t bytes)
{
    FT_TRY(buffer_reserve(out, bytes));
    for (size_t i = 0; i < bytes;) {
        size_t end = i;
        while (end < bytes && (unsigned char)text[end] < 0x80 &&
               map->plain[(unsigned char)text[end]])
            end++;
        if (end > i && end < bytes && (unsigned char)text[end] >= 0x80)
            end--; /* what follows may join it */
        FT_TRY(buffer_append(out, text + i, end - i));
        if (end < bytes) {
            const size_t n = cluster_bytes(text + end, bytes - end);
            FT_TRY(put_cluster(map, out, text + end, n));
            end += n;
        }
        i = end;
    }
    return FT_OK;
}
