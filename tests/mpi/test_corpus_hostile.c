/*
 * Files that are no corpus: each has one defect of its own, and is refused with code 65 and a
 * message that says what and where, the same on every rank, with nothing left in the cache.
 */
#include <dirent.h>
#include <sys/stat.h>

#include "base/log.h"
#include "support/corpus_fixture.h"

#define BYTES(text) (text), sizeof(text) - 1

struct hostile {
    const char *name; /**< of the file; its ending says how it is read */
    const char *data;
    size_t bytes;
    const char *message; /**< part that must be in the error */
};

static const struct hostile files[] = {
    {"truncated.jsonl", BYTES("{\"text\": \"a\"}\n{\"text\": \"b"), "line 2, byte"},
    {"word.jsonl", BYTES("{\"text\": \"a\"}\n\n{\"text\": nope}\n"),
     "line 3, byte 13: invalid JSON"},
    {"array.jsonl", BYTES("[\"text\"]\n"), "line 1, byte 1: the line is an array, not an object"},
    {"string.jsonl", BYTES("{\"text\": \"a\"}\n\"text\"\n"),
     "line 2, byte 1: the line is a string"},
    {"null.jsonl", BYTES("null\n"), "the line is null"},
    {"missing.jsonl", BYTES("{\"text\": \"a\"}\n{\"body\": \"b\", \"id\": 1}\n"),
     "line 2, byte 1: no field \"text\" (fields here: body, id)"},
    {"number.jsonl", BYTES("{\"text\": 5}\n"), "field \"text\" is a number, not a string"},
    {"nothing.jsonl", BYTES("{\"text\": \"a\"}\n{\"text\": null}\n"),
     "line 2, byte 1: field \"text\" is null"},
    {"list.jsonl", BYTES("{\"text\": [\"a\"]}\n"), "field \"text\" is an array"},
    {"twice.jsonl", BYTES("{\"text\": \"a\", \"text\": \"b\"}\n"), "duplicate object key"},
    {"two.jsonl", BYTES("{\"text\": \"a\"} {\"text\": \"b\"}\n"), "line 1, byte 15: invalid JSON"},
    {"comma.jsonl", BYTES("{\"text\": \"a\"},\n{\"text\": \"b\"}\n"), "end of file expected"},
    {"quote.jsonl", BYTES("{'text': 'a'}\n"), "line 1, byte"},
    {"control.jsonl", BYTES("{\"text\": \"a\tb\"}\n"), "control character"},
    {"zero.jsonl", BYTES("{\"text\": \"a\"}\n{\"text\": \"a\0b\"}\n"), "line 2, byte"},
    {"escape.jsonl", BYTES("{\"text\": \"\\x41\"}\n"), "invalid escape"},
    {"surrogate.jsonl", BYTES("{\"text\": \"\\ud800\"}\n"), "invalid Unicode"},
    {"latin1.jsonl", BYTES("{\"text\": \"a\"}\n{\"text\": \"caf\xe9\"}\n"),
     "line 2, byte 14: invalid UTF-8 (byte 0xe9)"},
    {"overlong.jsonl", BYTES("{\"text\": \"\xc0\xaf\"}\n"), "byte 11: invalid UTF-8"},
    {"encoded-surrogate.jsonl", BYTES("{\"text\": \"\xed\xa0\x80\"}\n"), "(byte 0xed)"},
    {"beyond.jsonl", BYTES("{\"text\": \"\xf4\x90\x80\x80\"}\n"), "(byte 0xf4)"},
    {"cut.jsonl", BYTES("{\"text\": \"a\"}\n{\"text\": \"\xe2\x82"),
     "line 2, byte 11: invalid UTF-8"},
    {"utf16le.jsonl", BYTES("\xff\xfe{\0\"\0t\0"), "UTF-16 text: convert it to UTF-8"},
    {"utf16be.jsonl", BYTES("\xfe\xff\0{\0\"\0t"), "UTF-16 text"},
    {"gzip.jsonl", BYTES("\x1f\x8b\x08\0\0\0\0\0"), "gzip-compressed: unpack it first"},
    {"zip.jsonl", BYTES("PK\3\4\x14\0"), "a zip archive"},
    {"parquet.jsonl", BYTES("PAR1\x15\x04"), "a Parquet file"},
    {"hdf5.jsonl", BYTES("\x89HDF\r\n\x1a\n"), "an HDF5 file"},
    {"cr-only.jsonl", BYTES("{\"text\": \"a\"}\r{\"text\": \"b\"}\r"), "end of file expected"},
    {"deep.jsonl", NULL, 100000, "maximum parsing depth"},
    {"empty.jsonl", BYTES(""), "no document with text"},
    {"blank.jsonl", BYTES("\n  \n\t\r\n"), "no document with text"},
    {"no-text.jsonl", BYTES("{\"text\": \"\"}\n{\"text\": \"\"}\n"), "(2 without tokens skipped)"},

    {"open.csv", BYTES("id,text\n1,a\n2,\"b\n3,c\n"),
     "line 3, byte 1: the row that begins here opens a quote (\") that is never closed"},
    {"open-header.csv", BYTES("id,\"text\n1,a\n"),
     "line 1, byte 1: the row that begins here opens"},
    {"wide.csv", BYTES("id,text\n1,a\n2,b,c\n"),
     "line 3, byte 1: the row has 3 fields, the header has 2"},
    {"narrow.csv", BYTES("id,text\n\"1\n\",a\n2\n"), "line 4, byte 1: the row has 1 fields"},
    {"column.csv", BYTES("id,body\n1,a\n"), "no column \"text\" (header: id,body)"},
    {"twice.csv", BYTES("text,id,text\na,1,b\n"), "byte 9: the header names column \"text\" twice"},
    {"stray.csv", BYTES("id,text\n1,a \"quoted\" word\n"), "line 2, byte 5: quote in a field"},
    {"behind.csv", BYTES("id,text\n1,\"a\"b\n"), "line 2, byte 6: text behind the closing quote"},
    {"cr.csv", BYTES("id,text\r1,a\r"), "carriage return within the header"},
    {"cr-row.csv", BYTES("id,text\n1,a\r2,b\n"), "line 2, byte 4: carriage return within a row"},
    {"latin1.csv", BYTES("id,text\n1,\"a\nb\"\n2,\xe9\n"), "line 4, byte 3: invalid UTF-8"},
    {"latin1-header.csv", BYTES("id,text,\xe9\n1,a,b\n"), "line 1, byte 9: invalid UTF-8"},
    {"empty.csv", BYTES(""), "no header"},
    {"mark.csv", BYTES("\xef\xbb\xbf\n\n"), "no header"},
    {"header.csv", BYTES("id,text\n"), "no document with text"},

    {"latin1.txt", BYTES("one\ntwo\ncaf\xe9\n"), "line 3, byte 4: invalid UTF-8"},
    {"utf16.txt", BYTES("\xff\xfe\0a"), "UTF-16"},
    {"zstd.txt", BYTES("\x28\xb5\x2f\xfd\0"), "zstd-compressed"},
    {"empty.txt", BYTES(""), "(1 without tokens skipped)"},
    {"mark.txt", BYTES("\xef\xbb\xbf"), "no document with text"},
    {"corpus.json", BYTES("{}"), "no kind of corpus that is read"},
    {"fake.h5", BYTES("\x89HDF\r\n\x1a\n"), "no manifest.json beside it"},
    {"folder/notes.md", BYTES("x"), "no kind of corpus"},
};

static int count_entries(const char *path)
{
    int n = 0;
    DIR *folder = opendir(path);
    while (folder && readdir(folder))
        n++;
    if (folder)
        (void)closedir(folder);
    return folder ? n - 2 : 0;
}

static void check_refused(const struct fixture *f, const char *name, const char *message)
{
    struct fixture_request r;
    struct corpus *c = NULL;
    const int before = check_failures;
    if (f->rank == 0)
        check_hostile("corpus", name);
    fixture_request(&r, f, &name, 1);
    CHECK_FAILS(corpus_open(&c, f->comm, &r.request, f->tokenizer), FT_ERR_INPUT, message);
    CHECK(!c && strstr(ft_error_text(), file_base_name(name)));
    corpus_close(&c);
    comm_barrier(f->comm);
    CHECK(count_entries(f->cache) == 0);
    comm_barrier(f->comm);
    if (check_failures != before)
        (void)fprintf(stderr, "rank %d: %s\n", f->rank, name);
}

static void test_files(const struct fixture *f)
{
    char *deep = mem_alloc(100000, 1);
    memset(deep, '[', 100000);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        fixture_write(f, files[i].name, files[i].data ? files[i].data : deep, files[i].bytes);
        check_refused(f, files[i].name, files[i].message);
    }
    mem_free(deep);
}

static void test_not_files(const struct fixture *f)
{
    char path[FILE_PATH_MAX];
    check_refused(f, "absent.jsonl", "cannot open");
    check_refused(f, "absent", "cannot open");
    check_refused(f, "folder", "neither .txt files nor prepared shards");
    fixture_write(f, "shards/manifest.json",
                  BYTES("{\"format\": \"finetune-tokens\", \"version\": 99}"));
    check_refused(f, "shards", "version 99");
    fixture_path(path, f, "pipe.jsonl");
    if (f->rank == 0)
        CHECK(mkfifo(path, 0600) == 0);
    check_refused(f, "pipe.jsonl", "not a regular file");
    fixture_path(path, f, "device.jsonl");
    if (f->rank == 0)
        CHECK(symlink("/dev/zero", path) == 0);
    check_refused(f, "device.jsonl", "not a regular file");
    fixture_path(path, f, "dangling.csv");
    if (f->rank == 0)
        CHECK(symlink("nowhere.csv", path) == 0);
    check_refused(f, "dangling.csv", "cannot open");
    fixture_path(path, f, "loop.txt");
    if (f->rank == 0)
        CHECK(symlink("loop.txt", path) == 0);
    check_refused(f, "loop.txt", "cannot open");
}

/* A bad line far behind good ones: the line is counted over the whole file, whoever meets it. */
static void test_far_line(const struct fixture *f)
{
    struct buffer text = {0};
    for (int i = 0; i < 5000; i++)
        CHECK_STATUS(buffer_print(&text, i == 4242 ? "{\"text\": 1}\n" : "{\"text\": \"%d\"}\n", i),
                     FT_OK);
    fixture_write(f, "far.jsonl", text.data, text.used);
    check_refused(f, "far.jsonl", "line 4243, byte 1: field \"text\" is a number");
    text.used = 0;
    CHECK_STATUS(buffer_print(&text, "n,text\n"), FT_OK);
    for (int i = 0; i < 3000; i++)
        CHECK_STATUS(buffer_print(&text, i == 2000 ? "%d,\"x\"y\n" : "%d,\"a\n\"\"b\"\n", i),
                     FT_OK);
    fixture_write(f, "far.csv", text.data, text.used);
    check_refused(f, "far.csv", "line 4002, byte 9: text behind");
    buffer_clear(&text);
}

/* Much of what is nothing: a million empty lines, and columns without end. */
static void test_much(const struct fixture *f)
{
    enum { LINES = 1000000, COLUMNS = 100000 };
    struct buffer text = {0};
    CHECK_STATUS(buffer_reserve(&text, LINES), FT_OK);
    memset(text.data, '\n', LINES);
    fixture_write(f, "lines.jsonl", text.data, LINES);
    check_refused(f, "lines.jsonl", "no document with text");
    CHECK_STATUS(buffer_print(&text, "id"), FT_OK);
    for (int i = 1; i < COLUMNS; i++)
        CHECK_STATUS(buffer_append(&text, ",x", 2), FT_OK);
    CHECK_STATUS(buffer_print(&text, "\n1,2\n"), FT_OK);
    fixture_write(f, "columns.csv", text.data, text.used);
    check_refused(f, "columns.csv", "no column \"text\"");
    memcpy(text.data + 3, "text,", 5); /* over two columns and a comma */
    fixture_write(f, "narrow-row.csv", text.data, text.used);
    check_refused(f, "narrow-row.csv", "the row has 2 fields, the header has 99999");
    buffer_clear(&text);
}

int main(int argc, char **argv)
{
    struct fixture f;
    log_set_speaking(false);
    fixture_open(&f, &argc, &argv);
    test_files(&f);
    test_not_files(&f);
    test_far_line(&f);
    test_much(&f);
    return fixture_close(&f);
}
