/* base/utf8: every sequence of up to three bytes, the corners of four, and the place of the fault.
 */
#include <stdlib.h>

#include "base/utf8.h"
#include "support/check.h"

/* RFC 3629's table of well-formed sequences read in the slow way: decode, encode, compare. */
static bool is_one_character(const unsigned char *p, int n)
{
    static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
    static const unsigned lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    if (n == 1)
        return p[0] < 0x80;
    const unsigned lead_mask = 0xffu << (7 - n) & 0xffu;
    if ((p[0] & lead_mask) != lead[n])
        return false;
    uint32_t code = p[0] & ~lead_mask & 0xffu;
    for (int i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return false;
        code = code << 6 | (p[i] & 0x3fu);
    }
    return code >= lowest[n] && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
}

static bool is_valid_slowly(const unsigned char *p, int n)
{
    while (n > 0) {
        int taken = 0;
        for (int k = 1; k <= 4 && k <= n && !taken; k++)
            taken = is_one_character(p, k) ? k : 0;
        if (!taken)
            return false;
        p += taken;
        n -= taken;
    }
    return true;
}

static void test_all_short_sequences(void)
{
    long wrong = 0;
    for (uint32_t v = 0; v < 1u << 24; v++) {
        const unsigned char p[3] = {(unsigned char)(v >> 16), (unsigned char)(v >> 8),
                                    (unsigned char)v};
        wrong += utf8_check((const char *)p, 3, NULL) != is_valid_slowly(p, 3);
    }
    CHECK(wrong == 0);
    for (uint32_t v = 0; v < 1u << 16; v++) {
        const unsigned char p[2] = {(unsigned char)(v >> 8), (unsigned char)v};
        wrong += utf8_check((const char *)p, 2, NULL) != is_valid_slowly(p, 2);
    }
    CHECK(wrong == 0);
}

static void test_four_bytes(void)
{
    long wrong = 0;
    static const unsigned char tails[] = {0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xff};
    for (unsigned v = 0xf000; v <= 0xffff; v++) {
        for (int k = 0; k < 36; k++) {
            const unsigned char p[4] = {(unsigned char)(v >> 8), (unsigned char)v, tails[k / 6],
                                        tails[k % 6]};
            wrong += utf8_check((const char *)p, 4, NULL) != is_valid_slowly(p, 4);
        }
    }
    CHECK(wrong == 0);
}

static void test_every_code_point(void)
{
    long wrong = 0;
    for (uint32_t code = 0; code <= 0x10ffff; code++) {
        char text[4];
        const int n = utf8_encode(text, code);
        const bool surrogate = code >= 0xd800 && code <= 0xdfff;
        int back = 0;
        wrong += utf8_check(text, (size_t)n, NULL) == surrogate;
        wrong += !surrogate && (utf8_decode(text, &back) != code || back != n);
    }
    CHECK(wrong == 0);
}

/* A fault at every place of a text of 100 bytes, cut to every length: the long and the short loop.
 */
static void test_place(void)
{
    char text[100];
    size_t at = 0;
    for (size_t n = 1; n <= sizeof text; n++) {
        memset(text, 'a', sizeof text);
        CHECK(utf8_check(text, n, &at));
        for (size_t bad = 0; bad < n; bad++) {
            text[bad] = (char)0xe4;
            CHECK(!utf8_check(text, n, &at) && at == bad);
            text[bad] = 'a';
        }
    }
    CHECK(!utf8_check("ab\xc3\xa4\xe2\x82", 6, &at) && at == 4);
    CHECK(utf8_check("", 0, NULL));
}

int main(void)
{
    test_all_short_sequences();
    test_four_bytes();
    test_every_code_point();
    test_place();
    return check_end();
}
