/*
 * Labels that are none: each file has one defect of its own, and is refused with code 65 and a
 * message that says what and where, the same on every rank, with nothing left in the cache.
 */
#include <dirent.h>

#include "base/log.h"
#include "support/corpus_fixture.h"

#define BYTES(text) (text), sizeof(text) - 1
#define GOOD "{\"text\": \"a\", \"label\": \"x\"}\n"

struct hostile {
    const char *name; /**< of the file; its ending says how it is read */
    const char *data;
    size_t bytes;
    const char *message; /**< part that must be in the error */
};

static const struct hostile files[] = {
    {"missing.jsonl", BYTES(GOOD "\n{\"text\": \"b\", \"id\": 1}\n"),
     "line 3, byte 1: no field \"label\" (fields here: text, id): set data.text_field or "
     "data.label"},
    {"no-text.jsonl", BYTES(GOOD "{\"label\": \"x\"}\n"), "line 2, byte 1: no field \"text\""},
    {"null.jsonl", BYTES(GOOD "{\"text\": \"b\", \"label\": null}\n"),
     "line 2, byte 24: label \"label\" is null, not a string, a number, true or false"},
    {"empty.jsonl", BYTES(GOOD "{\"label\":\"\",\"text\": \"b\"}\n"),
     "line 2, byte 10: label \"label\" is empty"},
    {"list.jsonl", BYTES("{\"text\": \"b\", \"label\": [\"x\"]}\n"), "\"label\" is an array"},
    {"object.jsonl", BYTES("{\"text\": \"b\", \"label\": {}}\n"), "\"label\" is an object"},
    {"nested.jsonl", BYTES("{\"text\": \"b\", \"a\": {\"label\": 1}}\n"), "no field \"label\""},
    {"octal.jsonl", BYTES(GOOD "{\"text\": \"b\", \"label\": 007}\n"),
     "line 2, byte 24: invalid JSON"},
    {"nan.jsonl", BYTES("{\"text\": \"b\", \"label\": NaN}\n"), "line 1, byte"},
    {"huge.jsonl", BYTES("{\"text\": \"b\", \"label\": 1e999}\n"), "real number overflow"},
    {"twice.jsonl", BYTES("{\"text\": \"b\", \"label\": 1, \"label\": 2}\n"),
     "duplicate object key"},
    {"zero.jsonl", BYTES("{\"text\": \"b\", \"label\": \"a\\u0000b\"}\n"),
     "line 1, byte 24: label \"label\" holds a zero byte"},
    {"latin1.jsonl", BYTES("{\"text\": \"b\", \"label\": \"\xe9\"}\n"), "byte 25: invalid UTF-8"},
    {"surrogate.jsonl", BYTES("{\"text\": \"b\", \"label\": \"\\ud800\"}\n"), "invalid Unicode"},
    {"blank-text.jsonl", BYTES("{\"text\": \" \\n\", \"label\": \"x\"}\n"),
     "no document with text (1 without tokens skipped)"},
    {"blank-text-without.jsonl", BYTES(GOOD "{\"text\": \"\"}\n"),
     "line 2, byte 1: no field \"label\""},
    {"long.jsonl", NULL, 257, "label \"label\" has 257 bytes, at most 256 are possible"},

    {"column.csv", BYTES("text,class\na,x\n"),
     "line 1, byte 1: no column \"label\" (header: text,class): set data.text_field or data.label"},
    {"text-column.csv", BYTES("label,class\na,x\n"), "no column \"text\" (header: label,class)"},
    {"twice.csv", BYTES("label,text,label\na,x,b\n"),
     "line 1, byte 12: the header names column \"label\" twice"},
    {"empty.csv", BYTES("text,label\n\"a\nb\",x\nb,\n"),
     "line 4, byte 3: label \"label\" is empty"},
    {"quoted-empty.csv", BYTES("label,text\nx,a\n\"\",b\n"),
     "line 3, byte 1: label \"label\" is empty"},
    {"zero.csv", BYTES("text,label\nb,x\0y\n"),
     "line 2, byte 3: label \"label\" holds a zero byte"},
    {"latin1.csv", BYTES("text,label\nb,\xe9\n"), "line 2, byte 3: invalid UTF-8"},
    {"ragged.csv", BYTES("text,label\nb,x,y\n"), "the row has 3 fields, the header has 2"},
    {"short.csv", BYTES("text,label\nb,x\nb\n"), "line 3, byte 1: the row has 1 fields"},
    {"long.csv", NULL, 257, "line 2, byte 3: label \"label\" has 257 bytes"},

    {"text.txt", BYTES("text"),
     "a .txt file holds no labels: classification reads .jsonl and .csv"},
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

static ft_status open_file(struct corpus **c, const struct fixture *f, const char *name)
{
    struct fixture_request r;
    fixture_request(&r, f, &name, 1);
    r.request.label_field = "label";
    r.request.seq_len = 16;
    return corpus_open(c, f->comm, &r.request, f->tokenizer);
}

/* A file whose one label has that many bytes. */
static void write_long(const struct fixture *f, const char *name, size_t bytes)
{
    struct buffer out = {0};
    const bool is_csv = strstr(name, ".csv") != NULL;
    CHECK_STATUS(buffer_print(&out, is_csv ? "text,label\nt," : "{\"text\":\"t\",\"label\":\""),
                 FT_OK);
    for (size_t i = 0; i < bytes; i++)
        CHECK_STATUS(buffer_append(&out, "x", 1), FT_OK);
    CHECK_STATUS(buffer_print(&out, is_csv ? "\n" : "\"}\n"), FT_OK);
    fixture_write(f, name, out.data, out.used);
    buffer_clear(&out);
}

static void check_refused(const struct fixture *f, const struct hostile *file)
{
    struct corpus *c = NULL;
    const int before = check_failures;
    if (f->rank == 0)
        check_hostile("labels", file->name);
    if (file->data)
        fixture_write(f, file->name, file->data, file->bytes);
    else
        write_long(f, file->name, file->bytes);
    CHECK_FAILS(open_file(&c, f, file->name), FT_ERR_INPUT, file->message);
    CHECK(!c && strstr(ft_error_text(), file->name));
    corpus_close(&c);
    comm_barrier(f->comm);
    CHECK(count_entries(f->cache) == 0);
    comm_barrier(f->comm);
    if (check_failures != before)
        (void)fprintf(stderr, "rank %d: %s\n", f->rank, file->name);
}

/* Just short enough, and spaces, which are as good a label as any. */
static void test_accepted(const struct fixture *f)
{
    struct corpus *c = NULL;
    write_long(f, "most.csv", 256);
    CHECK_STATUS(open_file(&c, f, "most.csv"), FT_OK);
    corpus_close(&c);
    write_long(f, "most.jsonl", 256);
    CHECK_STATUS(open_file(&c, f, "most.jsonl"), FT_OK);
    corpus_close(&c);
    fixture_write(f, "space.csv", BYTES("text,label\na, \n"));
    CHECK_STATUS(open_file(&c, f, "space.csv"), FT_OK);
    corpus_close(&c);
}

int main(int argc, char **argv)
{
    struct fixture f;
    log_set_speaking(false);
    fixture_open(&f, &argc, &argv);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        check_refused(&f, &files[i]);
    test_accepted(&f);
    return fixture_close(&f);
}
