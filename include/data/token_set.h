/**
 * Token shards on disk: HDF5 files in one folder, and the manifest.json that makes them valid.
 *
 *     FOLDER/tokens-00000-of-00002.h5   /tokens           (n_tokens) u32, contiguous
 *            tokens-00001-of-00002.h5   /document_starts  (n_documents) i64, within the shard
 *            manifest.json              counts, sizes and XXH3-128 of every shard; written last
 *
 * A shard holds whole documents, each with its EOS; shards in order are the token stream. Shards of
 * labelled documents (max_tokens > 0 in the manifest) hold them as tokenizer_encode_document gives
 * them, without EOS, and the datasets of data/label_columns.h. Shards of conversations (a hash
 * "instruct" in the manifest) hold the ids of data/instruct.h, with a mark in those to learn.
 */
#ifndef FT_DATA_TOKEN_SET_H
#define FT_DATA_TOKEN_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/file.h"
#include "base/hash.h"
#include "comm/comm.h"

enum { TOKEN_SET_VERSION = 1 };

/** What the manifest says of one shard. */
struct token_shard_info {
    int64_t n_tokens, n_documents;
    int64_t n_bytes;                   /**< text */
    int64_t file_bytes;                /**< size of the .h5 file */
    int64_t n_supervised, n_truncated; /**< conversations: tokens to learn; how many were cut */
    char hash[HASH_TEXT];
};

/** What the manifest says of all of them. */
struct token_set_info {
    char key[HASH_TEXT];       /**< data, tokenizer, fields and split: name of the folder */
    char data_hash[HASH_TEXT]; /**< of the sources */
    char tokenizer_hash[HASH_TEXT];
    int64_t n_skipped;        /**< documents without tokens */
    int64_t max_tokens;       /**< labelled documents and conversations: what each was cut to; 0 = a
                             stream with EOS */
    char instruct[HASH_TEXT]; /**< conversations: of template and train_on; "" = none are held */
    int64_t n_shards;
};

/** What shards must be to be of use. */
struct token_set_wanted {
    const char *tokenizer_hash;
    const char *key;      /**< what the folder must have been made for; NULL = anything */
    int64_t max_tokens;   /**< as in struct token_set_info */
    bool verifies;        /**< false: sizes and shapes only, the files were hashed just now */
    const char *instruct; /**< as in struct token_set_info; NULL: no conversations */
};

/** One opened shard. */
struct token_shard {
    char *path;
    struct token_shard_info info;
    int64_t first_token, first_document; /**< in the whole stream */
    int64_t tokens_at, starts_at;        /**< file offsets of the datasets' elements */
    int fd;                              /**< -1: not open at the moment */
    int64_t last_use;
};

struct token_set {
    struct token_shard *shards;
    int64_t n_shards;
    int64_t n_tokens, n_documents, n_bytes, n_skipped, n_supervised, n_truncated;
    int n_open; /**< file descriptors in use: bounded */
    int64_t n_uses;
};

/** "tokens-00000-of-00002.h5" in folder. */
ft_status token_shard_path(char out[FILE_PATH_MAX], const char *folder, int64_t index, int64_t n);

/** Writes FOLDER/manifest.json (durably). Local. */
ft_status token_manifest_write(const char *folder, const struct token_set_info *info,
                               const struct token_shard_info *shards);

/**
 * Appends the shards of a folder to the set: rank 0 reads the manifest, and the ranks share the
 * work of comparing each file with it. Collective; arguments must agree.
 *
 * @param[out] info            the manifest's head
 * @param[in]  folder          where manifest.json is
 * @param[in]  only            name of the one shard to take, or NULL for all
 * @param[in]  wanted          another tokenizer, kind or key is FT_ERR_INPUT
 * @return FT_OK; FT_ERR_INPUT when anything does not match (set unchanged then)
 */
ft_status token_set_add(struct token_set *set, struct token_set_info *info, struct comm *comm,
                        const char *folder, const char *only,
                        const struct token_set_wanted *wanted);

/** Compares one shard with the manifest beside it, before HDF5 sees it: FT_ERR_INPUT where it
 * differs or is not listed. Local. */
ft_status token_shard_verify(const char *path);

/** Closes all files; a zeroed set is allowed. */
void token_set_clear(struct token_set *set);

/** Tokens first ... first + n - 1 of the stream. Local; no allocation. */
ft_status token_set_read(struct token_set *set, int32_t *out, int64_t first, int64_t n);

/** Number of the document that holds a token of the stream. Local; no allocation. */
ft_status token_set_document(struct token_set *set, int64_t *number, int64_t token);

/** Starts of documents in [first, first + n), as corpus_document_starts. Local; no allocation. */
ft_status token_set_starts(struct token_set *set, int64_t *starts, int64_t *n_starts, int64_t first,
                           int64_t n, int64_t capacity);

#endif
