/** One rank's token shards while a corpus is prepared: collects documents, writes a file when it is
 * full. */
#ifndef FT_DATA_TOKEN_WRITER_H
#define FT_DATA_TOKEN_WRITER_H

#include <stdint.h>

#include "base/err.h"
#include "comm/comm.h"
#include "data/label_columns.h"
#include "data/token_set.h"
#include "token/tokenizer.h"

enum { TOKEN_WRITER_TOKENS = 16 << 20 }; /**< a shard is written when it holds so many: 64 MiB */

struct token_writer {
    const char *folder; /**< borrowed, as info */
    const struct token_set_info *info;
    int rank;
    int64_t limit;            /**< tokens that make a shard full; TOKEN_WRITER_TOKENS */
    struct token_list tokens; /**< of the shard under way: append a document's ids here */
    int64_t *starts;          /**< where its documents start */
    int64_t n_documents, starts_capacity, n_bytes;
    int64_t n_supervised, n_truncated; /**< conversations: add here, before their end */
    struct label_columns columns;      /**< of labelled documents */
    struct token_shard_info *written;  /**< shards on disk: part-RRRRR-SSSSS.h5 */
    int64_t n_written, written_capacity;
};

void token_writer_init(struct token_writer *writer, const char *folder,
                       const struct token_set_info *info, int rank);
void token_writer_clear(struct token_writer *writer);

/**
 * Ends a document whose ids were appended to writer->tokens from `start` on, EOS included. Local.
 *
 * @param[in] text_bytes  length of its text
 * @param[in] label       NULL where info->max_tokens is 0: documents without labels
 */
ft_status token_writer_document(struct token_writer *writer, int64_t start, int64_t text_bytes,
                                const struct document_label *label);

/** Writes what is left. Local. */
ft_status token_writer_finish(struct token_writer *writer);

/**
 * Gives the shards of all ranks their final names, in rank order, and writes the manifest.
 * Collective.
 *
 * @param[in,out] info  n_shards is filled in
 */
ft_status token_writer_publish(struct token_writer *writer, struct comm *comm,
                               struct token_set_info *info);

#endif
