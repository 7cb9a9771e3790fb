/** A scratch folder that all ranks know, files in it, and a tokenizer whose ids are bytes; EOS is
 * 256. */
#ifndef FT_TESTS_CORPUS_FIXTURE_H
#define FT_TESTS_CORPUS_FIXTURE_H

#include <stdlib.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "comm/comm.h"
#include "data/corpus.h"
#include "support/check.h"
#include "token/tokenizer.h"

enum { FIXTURE_EOS = 256 };

struct fixture {
    struct comm *comm;
    int rank, size;
    char folder[FILE_PATH_MAX], cache[FILE_PATH_MAX];
    struct tokenizer *tokenizer;
};

/** Path of a name in the scratch folder. */
static inline void fixture_path(char out[FILE_PATH_MAX], const struct fixture *f, const char *name)
{
    CHECK_STATUS(file_join(out, f->folder, name), FT_OK);
}

/** Rank 0 writes a file (folders are made) when no rank reads the old one any more; the others
 * wait. */
static inline void fixture_write(const struct fixture *f, const char *name, const void *data,
                                 size_t bytes)
{
    comm_barrier(f->comm);
    if (f->rank == 0) {
        char path[FILE_PATH_MAX], folder[FILE_PATH_MAX];
        fixture_path(path, f, name);
        file_folder(folder, path);
        CHECK_STATUS(file_make_folders(folder), FT_OK);
        FILE *file = fopen(path, "wb");
        CHECK(file && fwrite(data, 1, bytes, file) == bytes && fclose(file) == 0);
    }
    comm_barrier(f->comm);
}

/* The alphabet of byte-level BPE: printable Latin-1 stands for itself, the rest for U+0100 and on.
 */
static inline void fixture_print_vocab(struct buffer *out)
{
    int n_moved = 0;
    for (int byte = 0; byte < 256; byte++) {
        const int is_plain = (byte > 32 && byte < 127) || (byte > 160 && byte != 173);
        const int code = is_plain ? byte : 256 + n_moved++;
        CHECK_STATUS(buffer_print(out, "%s\"\\u%04x\":%d", byte ? "," : "", (unsigned)code, byte),
                     FT_OK);
    }
}

/** A tokenizer folder; eos "" = none, else "</s>" (id 256) or "<x>" (id 257). */
static inline void fixture_write_tokenizer(const struct fixture *f, const char *folder,
                                           const char *eos)
{
    struct buffer text = {0};
    char name[64];
    CHECK_STATUS(
        buffer_print(&text,
                     "{\"added_tokens\":["
                     "{\"id\":256,\"content\":\"</s>\",\"single_word\":false,\"lstrip\":false,"
                     "\"rstrip\":false,\"normalized\":false,\"special\":true},"
                     "{\"id\":257,\"content\":\"<x>\",\"single_word\":false,\"lstrip\":false,"
                     "\"rstrip\":false,\"normalized\":false,\"special\":true}],"
                     "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"
                     "\"trim_offsets\":true,\"use_regex\":true},"
                     "\"decoder\":{\"type\":\"ByteLevel\"},"
                     "\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":{"),
        FT_OK);
    fixture_print_vocab(&text);
    CHECK_STATUS(buffer_print(&text, "}}}"), FT_OK);
    (void)snprintf(name, sizeof name, "%s/tokenizer.json", folder);
    fixture_write(f, name, text.data, text.used);
    text.used = 0;
    CHECK_STATUS(buffer_print(&text, eos[0] ? "{\"eos_token\": \"%s\"}" : "{}%s", eos), FT_OK);
    (void)snprintf(name, sizeof name, "%s/tokenizer_config.json", folder);
    fixture_write(f, name, text.data, text.used);
    buffer_clear(&text);
}

static inline void fixture_open_tokenizer(struct tokenizer **out, const struct fixture *f,
                                          const char *folder)
{
    char path[FILE_PATH_MAX];
    fixture_path(path, f, folder);
    CHECK_STATUS(tokenizer_open(out, path), FT_OK);
}

static inline void fixture_open(struct fixture *f, int *argc, char ***argv)
{
    CHECK_STATUS(comm_open(&f->comm, argc, argv), FT_OK);
    f->rank = comm_rank(f->comm);
    f->size = comm_size(f->comm);
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/ft-corpus-XXXXXX");
    if (f->rank == 0)
        CHECK(mkdtemp(f->folder) != NULL);
    comm_bcast(f->comm, f->folder, sizeof f->folder, 0);
    fixture_path(f->cache, f, "cache");
    fixture_write_tokenizer(f, "tokenizer", "</s>");
    fixture_open_tokenizer(&f->tokenizer, f, "tokenizer");
    if (!f->tokenizer)
        abort();
}

static inline int fixture_close(struct fixture *f)
{
    tokenizer_close(&f->tokenizer);
    comm_barrier(f->comm);
    if (f->rank == 0)
        CHECK_STATUS(file_remove_folder(f->folder), FT_OK);
    comm_close(&f->comm);
    return check_end();
}

/** What corpus_open is asked for: up to eight names in the scratch folder, field "text". */
struct fixture_request {
    char paths[8][FILE_PATH_MAX];
    char *list[8];
    struct corpus_request request;
};

static inline void fixture_request(struct fixture_request *r, const struct fixture *f,
                                   const char *const *names, int n_names)
{
    for (int i = 0; i < n_names; i++) {
        fixture_path(r->paths[i], f, names[i]);
        r->list[i] = r->paths[i];
    }
    r->request = (struct corpus_request){.paths = r->list,
                                         .n_paths = n_names,
                                         .text_field = "text",
                                         .cache_dir = f->cache,
                                         .seed = 42};
}

#endif
