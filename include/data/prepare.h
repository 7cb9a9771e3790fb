/** Tokenising a run of text files into a folder of shards, for data/corpus.c. */
#ifndef FT_DATA_PREPARE_H
#define FT_DATA_PREPARE_H

#include "data/corpus.h"

/**
 * Makes the shards of a key and appends them to a set. Collective.
 *
 * @param[in] info    key, hashes and max_tokens of the shards
 * @param[in] folder  CACHE/KEY; another job's sound one is taken, a damaged one replaced
 * @return as corpus_open
 */
ft_status prepare_shards(struct token_set *set, struct comm *comm,
                         const struct corpus_request *request, struct tokenizer *tokenizer,
                         const struct token_set_info *info, const char *folder,
                         const struct source *files, int64_t n_files);

#endif
