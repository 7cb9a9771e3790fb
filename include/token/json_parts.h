/** What the readers of tokenizer.json and of a folder's other files share. Inside of token/ alone.
 */
#ifndef FT_TOKEN_JSON_PARTS_H
#define FT_TOKEN_JSON_PARTS_H

#include <stdbool.h>

#include "format/json.h"
#include "token/parts.h"

/** What is read, for the end of a message. */
extern const char json_part_advice[];

/** No keys but these (a list that ends with NULL). */
ft_status json_part_only_keys(const json_t *object, const char *where, const char *const *keys);

/** Type of a part: *type is NULL where the part is absent or null. */
ft_status json_part_type(const char **type, const json_t *part, const char *where);

/** FT_ERR_INPUT: a part of this type is not read. */
ft_status json_part_unknown(const char *where, const char *type);

/** Whether type (may be NULL) is the wanted one. */
bool json_part_is(const char *type, const char *wanted);

/** Adds the tokens of a model's "vocab": an object of ids by text. */
ft_status json_part_vocab(struct vocab *vocab, json_t *object);

/** Id of the model's unk_token: *id stays as it is where the key is absent or null. */
ft_status json_part_unknown_token(int32_t *id, const struct vocab *vocab, const json_t *model);

/** normalizer, pre_tokenizer, decoder and model of byte-level BPE. */
ft_status json_part_read_bpe(struct tokenizer *t, const json_t *root, const json_t *model);

/** normalizer, pre_tokenizer, decoder and model of WordPiece. */
ft_status json_part_read_wordpiece(struct tokenizer *t, const json_t *root, const json_t *model);

/** post_processor, when all tokens are known: what encode_document puts around a text. */
ft_status json_part_read_template(struct tokenizer *t, const json_t *part);

/* A folder with vocab.txt alone, in the order of these calls: */

/** Reads the tokens. */
ft_status tokenizer_read_vocab(struct tokenizer *t, const char *path);

/** Refuses special tokens of a tokenizer_config.json or special_tokens_map.json that a vocab.txt
 * does not hold, or that have flags. */
ft_status tokenizer_check_vocab_roles(const json_t *config);

/** Reads the rules from tokenizer_config.json; the roles are known. */
ft_status tokenizer_read_vocab_rules(struct tokenizer *t, const json_t *config);

/** Makes the model, the added tokens and the template. */
ft_status tokenizer_finish_vocab(struct tokenizer *t);

#endif
