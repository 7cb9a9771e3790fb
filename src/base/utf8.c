#include "base/utf8.h"

#include <string.h>

/** Bytes of the well-formed character at p of at most left bytes; 0 when there is none. */
static size_t character_bytes(const unsigned char *p, size_t left)
{
    const unsigned lead = p[0];
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    const size_t n = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (n > left)
        return 0;
    /* RFC 3629, section 4: only the second byte's range depends on the first. */
    const unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return n;
}

static bool is_ascii_32(const unsigned char *p)
{
    uint64_t words[4];
    memcpy(words, p, sizeof words);
    return ((words[0] | words[1] | words[2] | words[3]) & 0x8080808080808080u) == 0;
}

bool utf8_check(const char *text, size_t bytes, size_t *bad_at)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t i = 0;
    while (i < bytes) {
        if (bytes - i >= 32 && is_ascii_32(p + i)) {
            i += 32;
            continue;
        }
        const size_t stop = bytes - i < 32 ? bytes : i + 32;
        while (i < stop) {
            const size_t n = character_bytes(p + i, bytes - i);
            if (n == 0) {
                if (bad_at)
                    *bad_at = i;
                return false;
            }
            i += n;
        }
    }
    return true;
}
