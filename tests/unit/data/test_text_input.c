#include "data/text_input.h"

#include <stdlib.h>
#include <unistd.h>

#include "support/check.h"

/* The write end of a pipe whose read end is opened as an input. */
static int open_pipe(struct text_input **in)
{
    int ends[2];
    char path[64];
    if (pipe(ends) != 0)
        abort();
    (void)snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    CHECK_STATUS(text_input_open(in, path, "text"), FT_OK);
    (void)close(ends[0]);
    return ends[1];
}

static void put(int fd, const char *text, size_t bytes)
{
    if (write(fd, text, bytes) != (ssize_t)bytes)
        abort();
}

/* Whether the next text is this one; NULL: there is none, and why not is `state`. */
static bool next_is(struct text_input *in, const char *expected, size_t n, enum text_state state)
{
    const char *text = NULL;
    size_t bytes = 0;
    enum text_state got;
    CHECK_STATUS(text_input_next(in, &text, &bytes, &got, state != TEXT_WAITING && !expected),
                 FT_OK);
    if (!expected)
        return got == state;
    return got == TEXT_READY && bytes == n && memcmp(text, expected, n) == 0;
}

#define NEXT_IS(in, text) CHECK(next_is(in, text, sizeof(text) - 1, TEXT_READY))

static void test_pauses(void)
{
    struct text_input *in = NULL;
    const int fd = open_pipe(&in);
    CHECK(next_is(in, NULL, 0, TEXT_WAITING));
    put(fd, "one\ntwo\nthr", 11);
    NEXT_IS(in, "one");
    NEXT_IS(in, "two");
    CHECK(next_is(in, NULL, 0, TEXT_WAITING));
    CHECK(next_is(in, NULL, 0, TEXT_WAITING));
    put(fd, "ee\r", 3);
    CHECK(next_is(in, NULL, 0, TEXT_WAITING));
    put(fd, "\n\n\r\nlast\r", 9);
    NEXT_IS(in, "three");
    NEXT_IS(in, "");
    NEXT_IS(in, "");
    CHECK(next_is(in, NULL, 0, TEXT_WAITING));
    (void)close(fd);
    NEXT_IS(in, "last");
    CHECK(next_is(in, NULL, 0, TEXT_END));
    CHECK(next_is(in, NULL, 0, TEXT_END));
    text_input_close(&in);
    CHECK(!in);
}

static void test_marks(void)
{
    struct text_input *in = NULL;
    const int fd = open_pipe(&in);
    put(fd, "\xef\xbb\xbfone\n\xef\xbb\xbftwo\nth\0ree\n", 21);
    (void)close(fd);
    NEXT_IS(in, "one");
    NEXT_IS(in, "\xef\xbb\xbftwo"); /* only the first one is no text */
    NEXT_IS(in, "th\0ree");
    CHECK(next_is(in, NULL, 0, TEXT_END));
    text_input_close(&in);
}

static void test_bad_bytes(void)
{
    struct text_input *in = NULL;
    const char *text = NULL;
    size_t bytes = 0;
    enum text_state state;
    const int fd = open_pipe(&in);
    put(fd, "good\nno \xc3", 9);
    (void)close(fd);
    NEXT_IS(in, "good");
    CHECK_FAILS(text_input_next(in, &text, &bytes, &state, true), FT_ERR_INPUT,
                "line 2, byte 4: invalid UTF-8 (byte 0xc3)");
    text_input_close(&in);
}

/* Writes a file for a test, which removes it. */
static void write_file(char path[64], const char *end, const char *text, size_t bytes)
{
    (void)snprintf(path, 64, "text-input-XXXXXX%s", end);
    const int fd = mkstemps(path, (int)strlen(end));
    if (fd < 0)
        abort();
    put(fd, text, bytes);
    (void)close(fd);
}

/* Lines longer than what is read at a time, and blocks that end anywhere in a line. */
static void test_long_lines(void)
{
    enum { N = 40, LONGEST = 1 << 20 };
    char path[64], *text = malloc((size_t)N * LONGEST), *at = text;
    struct text_input *in = NULL;
    if (!text)
        abort();
    for (size_t i = 0; i < N; i++) {
        const size_t n = (i * 7919 * 131 + 17) % LONGEST;
        memset(at, 'a' + (int)(i % 26), n);
        at[n] = '\n';
        at += n + 1;
    }
    write_file(path, ".txt", text, (size_t)(at - text));
    CHECK_STATUS(text_input_open(&in, path, "text"), FT_OK);
    at = text;
    for (size_t i = 0; i < N; i++) {
        const size_t n = (i * 7919 * 131 + 17) % LONGEST;
        CHECK(next_is(in, at, n, TEXT_READY));
        at += n + 1;
    }
    CHECK(next_is(in, NULL, 0, TEXT_END));
    text_input_close(&in);
    (void)unlink(path);
    free(text);
}

static void test_objects(void)
{
    static const char lines[] =
        "{\"text\": \"a\\nb\"}\n\n{\"n\": 1, \"text\": \"\"}\n{\"text\": 1}\n";
    char path[64];
    struct text_input *in = NULL;
    const char *text = NULL;
    size_t bytes = 0;
    enum text_state state;
    write_file(path, ".jsonl", lines, sizeof lines - 1);
    CHECK_STATUS(text_input_open(&in, path, "text"), FT_OK);
    NEXT_IS(in, "a\nb");
    NEXT_IS(in, "");
    CHECK_FAILS(text_input_next(in, &text, &bytes, &state, true), FT_ERR_INPUT,
                "line 4, byte 1: field \"text\" is a number, not a string");
    text_input_close(&in);
    (void)unlink(path);
    write_file(path, ".jsonl", "", 0);
    CHECK_STATUS(text_input_open(&in, path, "text"), FT_OK);
    CHECK(next_is(in, NULL, 0, TEXT_END));
    text_input_close(&in);
    (void)unlink(path);
}

static void test_open(void)
{
    struct text_input *in = NULL;
    CHECK_FAILS(text_input_open(&in, "/none/none.txt", "text"), FT_ERR_INPUT, "/none/none.txt");
    CHECK(!in);
    CHECK_FAILS(text_input_open(&in, "/none/none.jsonl", "text"), FT_ERR_INPUT, "/none/none.jsonl");
    CHECK_FAILS(text_input_open(&in, "/", "text"), FT_ERR_INPUT, "is a folder");
    CHECK_STATUS(text_input_open(&in, "-", "text"), FT_OK);
    CHECK(in && strcmp(text_input_name(in), "standard input") == 0);
    text_input_close(&in);
    for (int64_t nth = 1; nth <= 3; nth++) { /* whatever fails, nothing is left behind */
        mem_fail_nth(nth, 1);
        const ft_status status = text_input_open(&in, "/dev/null", "text");
        mem_fail_nth(0, 0);
        CHECK(status == (nth == 1 ? FT_ERR_INTERNAL : FT_OK));
        text_input_close(&in);
    }
}

int main(void)
{
    test_pauses();
    test_marks();
    test_bad_bytes();
    test_long_lines();
    test_objects();
    test_open();
    return check_end();
}
