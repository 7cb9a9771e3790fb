/**
 * The text files of a corpus in order, as one virtual row of bytes that ranks cut among themselves.
 *
 * Each file takes its bytes and one more, so that an empty file has a place too.
 */
#ifndef FT_DATA_SOURCE_H
#define FT_DATA_SOURCE_H

#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "comm/comm.h"

enum source_kind { SOURCE_JSONL, SOURCE_CSV, SOURCE_TXT, SOURCE_SHARDS };

struct source {
    char *path;
    enum source_kind kind;
    int64_t bytes;
    int64_t first; /**< place of its first byte in the row; the next file's is first + bytes + 1 */
    int form;      /**< enum conversation_form, once data/conversation.h has found it */
};

struct source_list {
    struct source *files;
    int64_t n_files;
    int64_t total; /**< length of the row */
};

/**
 * Finds the files behind paths: .jsonl, .csv and .txt files, folders of .txt files (byte order of
 * the names), and prepared shards (kind SOURCE_SHARDS: a folder with manifest.json, or one of its
 * .h5 files). Rank 0 looks and tells the others. Collective; paths must agree.
 *
 * @return FT_OK; FT_ERR_INPUT when one is missing, of another kind, or a folder without .txt files
 */
ft_status source_list_create(struct source_list *list, struct comm *comm, char *const *paths,
                             int n_paths);

/** Releases the list; a zeroed one is allowed. */
void source_list_destroy(struct source_list *list);

/**
 * Hash of kinds, sizes and contents of n files: blocks of 16 MiB are shared among the ranks, and
 * their hashes hashed again in order, so the value is the same at every rank count. Collective.
 */
ft_status source_hash(char text[HASH_TEXT], struct comm *comm, const struct source *files,
                      int64_t n_files);

/** Newlines in the bytes from ... to-1 of a file; those up to where reading fails. */
int64_t source_newlines(const struct source *file, int64_t from, int64_t to);

/**
 * Fails with FT_ERR_INPUT and "PATH line L, byte B: " before the message; reads the file up to
 * offset again to count lines, so it is for the error path only.
 *
 * @param[in] offset  where in the file, from 0; L and B count from 1
 */
ft_status source_fail(const struct source *file, int64_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
