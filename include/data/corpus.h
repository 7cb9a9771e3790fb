/**
 * A corpus as one stream of tokens: its text is tokenised once, by all ranks together, into HDF5
 * shards in the cache folder, and read from there by every rank as it needs it.
 */
#ifndef FT_DATA_CORPUS_H
#define FT_DATA_CORPUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "comm/comm.h"
#include "data/instruct.h"
#include "data/source.h"
#include "data/token_set.h"
#include "token/tokenizer.h"

/** What is wanted. Must agree on all ranks; borrowed during corpus_open only. */
struct corpus_request {
    char *const *paths; /**< (n_paths) .jsonl, .csv, .txt, folders of .txt, or prepared shards */
    int n_paths;
    const char *text_field; /**< JSON member or CSV column of the text */
    /** NULL: a stream of tokens, an EOS behind each document. Else the member or column of the
     * label: documents as tokenizer_encode_document gives them, without EOS */
    const char *label_field;
    /** conversations in place of documents, cut to its max_tokens, which is seq_len; text_field and
     * label_field are not used. NULL: documents */
    const struct instruct_request *instruct;
    int seq_len;           /**< with labels: tokens that a document is cut to, template included */
    const char *cache_dir; /**< token shards go to cache_dir/KEY; on a file system all ranks see */
    int64_t seed;          /**< of the split */
    double validation_fraction; /**< share of documents set aside; 0 = no split */
    int want_validation;        /**< 0: the training part, 1: the part set aside */
};

struct corpus_stats {
    int64_t n_tokens; /**< EOS included */
    int64_t n_documents;
    int64_t n_skipped;    /**< documents without tokens; with labels: without text; conversations
                             without a supervised token */
    int64_t n_supervised; /**< conversations: tokens to learn */
    int64_t n_truncated;  /**< conversations that were cut */
    int64_t n_bytes;      /**< UTF-8 text of the documents */
    int64_t max_tokens;   /**< labelled documents and conversations: what each was cut to; 0 = a
                             stream with EOS */
    char data_hash[33];   /**< of the sources' kinds, sizes and contents, split not considered */
    bool was_reused;      /**< nothing was tokenised */
    double seconds;       /**< wall time of corpus_open */
};

/** Opened token shards: read-only, one per rank. */
struct corpus;

/**
 * Opens a corpus; tokenises it first where the cache holds no matching, undamaged shards.
 * Collective; request must agree, and tokenizer must be the same on all ranks.
 *
 * @param[out] out gives the corpus (corpus_close)
 * @return FT_OK; FT_ERR_INPUT (message: file, line, byte; or prepared shards of another tokenizer;
 * or without labels; or a tokenizer without EOS; or not one token); FT_ERR_USAGE (split of prepared
 * shards; the same field for text and label; seq_len without room for text); FT_ERR_OUTPUT,
 * FT_ERR_IO (cache folder); FT_STOPPED when a signal asked for a stop
 */
ft_status corpus_open(struct corpus **out, struct comm *comm, const struct corpus_request *request,
                      struct tokenizer *tokenizer);

/** Not collective. NULL is allowed; sets NULL. */
void corpus_close(struct corpus **c);

/** Borrowed; the same on all ranks but for `seconds`. */
const struct corpus_stats *corpus_stats(const struct corpus *c);

/** The shards: what data/documents.h and data/texts.h read. Borrowed. */
struct token_set *corpus_tokens(struct corpus *c);

/** The sources in order, prepared shards among them. Borrowed. */
const struct source_list *corpus_sources(const struct corpus *c);

/** The fields that were asked for; label_field is NULL where none is. Borrowed. */
void corpus_fields(const char **text_field, const char **label_field, const struct corpus *c);

/** Whether the document of that number among all of the sources is of this part of a split. */
bool corpus_holds(const struct corpus *c, int64_t number);

/** Folder of the shards that were made or reused; "" where all were named as prepared. Borrowed. */
const char *corpus_folder(const struct corpus *c);

/**
 * Tokens first ... first + n - 1 of the stream. Local; no allocation.
 *
 * @return FT_OK; FT_ERR_IO, FT_ERR_INPUT (file changed, id beyond the vocabulary)
 */
ft_status corpus_read(struct corpus *c, int32_t *out, int64_t first, int64_t n);

/**
 * Places in [first, first + n) of the stream at which a document starts, ascending. Local; no
 * allocation.
 *
 * @param[out] starts  (capacity) capacity = n always suffices; more starts are FT_ERR_INPUT
 */
ft_status corpus_document_starts(struct corpus *c, int64_t first, int64_t n, int64_t *starts,
                                 int64_t capacity, int64_t *n_starts);

#endif
