#include "train/columns.h"

#include <string.h>
#include <utf8proc.h>

/* One code point as it is shown: what a terminal would not show is replaced. */
struct shown {
    utf8proc_int32_t code;
    int bytes;        /* of the text that it stands for */
    int width;        /* columns */
    const char *text; /* instead of the original; NULL: the original */
};

static struct shown show(const char *text)
{
    utf8proc_int32_t code;
    const utf8proc_ssize_t n =
        utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)strlen(text), &code);
    if (n <= 0)
        return (struct shown){.code = 0xfffd, .bytes = 1, .width = 1, .text = "\xef\xbf\xbd"};
    if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029)
        return (struct shown){.code = ' ', .bytes = (int)n, .width = 1, .text = " "};
    return (struct shown){.code = code, .bytes = (int)n, .width = utf8proc_charwidth(code)};
}

/* The next character with its combining marks: its bytes and columns. */
static struct shown next_cluster(const char *text)
{
    struct shown cluster = show(text), after;
    utf8proc_int32_t state = 0, last = cluster.code;
    while (text[cluster.bytes] && (after = show(text + cluster.bytes), !after.text) &&
           !utf8proc_grapheme_break_stateful(last, after.code, &state)) {
        last = after.code;
        cluster.bytes += after.bytes;
        cluster.width = after.width > cluster.width ? after.width : cluster.width;
    }
    return cluster;
}

int columns_width(const char *text)
{
    int width = 0;
    while (*text) {
        const struct shown cluster = next_cluster(text);
        width += cluster.width;
        text += cluster.bytes;
    }
    return width;
}

/* Appends whole characters from text while they fit into *room columns; stops at its end. */
static ft_status put_start(struct buffer *out, const char *text, int *room)
{
    while (*text) {
        const struct shown cluster = next_cluster(text);
        if (cluster.width > *room)
            return FT_OK;
        const char *from = cluster.text ? cluster.text : text;
        FT_TRY(buffer_append(out, from, cluster.text ? strlen(from) : (size_t)cluster.bytes));
        *room -= cluster.width;
        text += cluster.bytes;
    }
    return FT_OK;
}

/* The longest end of text, whole characters, that takes at most `room` columns. */
static const char *end_within(const char *text, int room)
{
    while (columns_width(text) > room)
        text += next_cluster(text).bytes;
    return text;
}

ft_status columns_put(struct buffer *out, const char *text, int width, bool to_the_right)
{
    const int all = columns_width(text);
    int room = width - all;
    if (room >= 0) {
        if (to_the_right)
            FT_TRY(buffer_print(out, "%*s", room, ""));
        int whole = all;
        FT_TRY(put_start(out, text, &whole));
        return to_the_right ? FT_OK : buffer_print(out, "%*s", room, "");
    }
    const char *end = end_within(text, (width - 1) / 3);
    int start = width - 1 - columns_width(end);
    FT_TRY(put_start(out, text, &start));
    FT_TRY(buffer_append(out, "\xe2\x80\xa6", 3));
    int rest = width;
    FT_TRY(put_start(out, end, &rest));
    return buffer_print(out, "%*s", start, "");
}
