/*
 * data/token_writer and data/token_set: more shards than files may be open at once, of all ranks in
 * order, read across their borders; manifests that lie.
 */
#include <stdlib.h>

#include "base/hash.h"
#include "data/token_set.h"
#include "data/token_writer.h"
#include "support/check.h"

enum { PER_RANK = 140, PER_DOCUMENT = 7 };

static char folder[FILE_PATH_MAX];
static struct token_set_info head = {.key = "0123456789abcdef0123456789abcdef",
                                     .data_hash = "00000000000000000000000000000000",
                                     .tokenizer_hash = "ffffffffffffffffffffffffffffffff",
                                     .n_skipped = 3};

/* Documents of seven tokens that count on over all ranks; two documents fill a shard. */
static void write_shards(struct comm *comm)
{
    struct token_writer writer;
    const int rank = comm_rank(comm);
    int32_t next = rank * PER_RANK * PER_DOCUMENT;
    token_writer_init(&writer, folder, &head, rank);
    writer.limit = 2 * PER_DOCUMENT;
    for (int i = 0; i < PER_RANK; i++) {
        const int64_t start = writer.tokens.n;
        for (int k = 0; k < PER_DOCUMENT; k++, next++)
            CHECK_STATUS(token_list_append(&writer.tokens, &next, 1), FT_OK);
        CHECK_STATUS(token_writer_document(&writer, start, 5, NULL), FT_OK);
    }
    CHECK_STATUS(token_writer_finish(&writer), FT_OK);
    CHECK_STATUS(token_writer_publish(&writer, comm, &head), FT_OK);
    token_writer_clear(&writer);
}

static void check_reading(struct token_set *set, int64_t n_tokens)
{
    enum { PIECE = 100 };
    int32_t got[PIECE];
    int64_t starts[PIECE], n_starts;
    const int64_t n_before = mem_alloc_count();
    for (int64_t i = 0; i < 400; i++) {
        const int64_t first = i * 104729 % (n_tokens - PIECE), n = 1 + i % PIECE;
        CHECK_STATUS(token_set_read(set, got, first, n), FT_OK);
        for (int64_t k = 0; k < n; k++)
            CHECK(got[k] == first + k);
        CHECK_STATUS(token_set_starts(set, starts, &n_starts, first, n, n), FT_OK);
        int64_t expected = (first + PER_DOCUMENT - 1) / PER_DOCUMENT * PER_DOCUMENT, k = 0;
        for (; expected < first + n; expected += PER_DOCUMENT, k++)
            CHECK(k < n_starts && starts[k] == expected);
        CHECK(k == n_starts && set->n_open <= 64);
    }
    CHECK_FAILS(token_set_starts(set, starts, &n_starts, 0, 70, 9), FT_ERR_INPUT, "more than 9");
    CHECK(mem_alloc_count() == n_before);
}

/* The manifest with one text in place of another is refused for a reason. */
static void check_lie(struct comm *comm, const char *from, const char *to, const char *message)
{
    char path[FILE_PATH_MAX], *good = NULL;
    size_t bytes = 0;
    struct token_set set = {0};
    struct token_set_info info;
    const struct token_set_wanted wanted = {head.tokenizer_hash, head.key, 0, true, NULL};
    CHECK_STATUS(file_join(path, folder, "manifest.json"), FT_OK);
    comm_barrier(comm);
    CHECK_STATUS(file_read_all(&good, &bytes, path, 1 << 20), FT_OK);
    comm_barrier(comm);
    if (comm_rank(comm) == 0) {
        char *bad = mem_copy_text(good), *at = strstr(bad, from);
        CHECK(at && strlen(from) == strlen(to));
        if (at)
            memcpy(at, to, strlen(to));
        CHECK_STATUS(file_replace(path, bad, bytes), FT_OK);
        mem_free(bad);
    }
    comm_barrier(comm);
    CHECK_FAILS(token_set_add(&set, &info, comm, folder, NULL, &wanted), FT_ERR_INPUT, message);
    CHECK(set.n_shards == 0 && set.n_tokens == 0 && set.n_documents == 0);
    token_set_clear(&set);
    comm_barrier(comm);
    if (comm_rank(comm) == 0)
        CHECK_STATUS(file_replace(path, good, bytes), FT_OK);
    mem_free(good);
    comm_barrier(comm);
}

static void test_lies(struct comm *comm)
{
    check_lie(comm, "finetune-tokens", "finetune-tokenz", "format \"finetune-tokenz\"");
    check_lie(comm, "\"version\": 1", "\"version\": 2", "version 2");
    check_lie(comm, head.key, "1123456789abcdef0123456789abcdef", "other data or settings");
    check_lie(comm, head.key, "zzz3456789abcdef0123456789abcdef", "is not a hash");
    check_lie(comm, head.tokenizer_hash, "efffffffffffffffffffffffffffffff", "another tokenizer");
    check_lie(comm, "\"n_tokens\": 14", "\"n_tokens\": 15", "/tokens does not hold");
    check_lie(comm, "\"n_tokens\": 14", "\"n_tokens\": -4", "n_tokens");
    check_lie(comm, "\"n_documents\": 2", "\"n_documents\": 3", "/document_starts does not hold");
    check_lie(comm, "\"n_skipped\": 3", "\"n_skipped\": x", "manifest.json");
    check_lie(comm, "\"n_bytes\": 10", "\"n_bites\": 10", "n_bytes");
    check_lie(comm, "\"shards\": [", "\"shardz\": [", "shards");
    check_lie(comm, "\"file_bytes\": ", "\"file_bytes\":9", "its manifest says 9");
    check_lie(comm, "\"xxh3_128\": \"", "\"xxh3_128\":9\"", "manifest.json");
}

int main(int argc, char **argv)
{
    struct comm *comm = NULL;
    struct token_set set = {0};
    struct token_set_info info;
    CHECK_STATUS(comm_open(&comm, &argc, &argv), FT_OK);
    (void)snprintf(folder, sizeof folder, "/tmp/ft-tokens-XXXXXX");
    if (comm_rank(comm) == 0)
        CHECK(mkdtemp(folder) != NULL);
    comm_bcast(comm, folder, sizeof folder, 0);
    write_shards(comm);
    const int64_t n_documents = comm_size(comm) * (int64_t)PER_RANK;
    for (int twice = 0; twice < 2; twice++) { /* a second folder goes behind the first */
        const struct token_set_wanted wanted = {head.tokenizer_hash, head.key, 0, twice, NULL};
        CHECK_STATUS(token_set_add(&set, &info, comm, folder, NULL, &wanted), FT_OK);
        CHECK(info.n_skipped == 3 && info.n_shards == n_documents / 2);
        CHECK(set.n_documents == (twice + 1) * n_documents && set.n_skipped == 3 * (twice + 1));
        CHECK(set.n_tokens == set.n_documents * PER_DOCUMENT && set.n_bytes == set.n_documents * 5);
    }
    check_reading(&set, n_documents * PER_DOCUMENT);
    token_set_clear(&set);
    test_lies(comm);
    comm_barrier(comm);
    if (comm_rank(comm) == 0)
        CHECK_STATUS(file_remove_folder(folder), FT_OK);
    comm_close(&comm);
    return check_end();
}
