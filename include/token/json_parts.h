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

/** Reads one step. where names it, for messages; type is its own. */
typedef ft_status (*json_step_reader)(struct tokenizer *t, const json_t *step, const char *where,
                                      const char *type);

/** Puts a step's name before the message of a failure. */
ft_status json_part_within(ft_status status, const char *where, const char *type);

/**
 * Reads the steps of a part in order, those of a Sequence in a Sequence as well; none where the
 * part is absent or null.
 *
 * @param[in] list key of a Sequence's steps
 */
ft_status json_part_steps(struct tokenizer *t, const json_t *part, const char *where,
                          const char *list, json_step_reader read);

/** Reads "pattern": {"String": ...} or {"Regex": ...}. */
ft_status json_part_pattern(struct pattern **out, const json_t *step);

/** Reads the rules of a BertNormalizer. */
ft_status json_part_bert_rules(struct bert *bert, const json_t *step);

/** Reads a key that holds one character; gives it terminated. */
ft_status json_part_character(char out[5], const json_t *step, const char *key);

/** Reads add_prefix_space and prepend_scheme of a Metaspace. */
ft_status json_part_prepend(enum prepend_scheme *scheme, const json_t *step);

/** Adds the tokens of a model's "vocab": an object of ids by text. */
ft_status json_part_vocab(struct vocab *vocab, json_t *object);

/** Id of the model's unk_token: *id stays as it is where the key is absent or null. */
ft_status json_part_unknown_token(int32_t *id, const struct vocab *vocab, const json_t *model);

/* The parts. A model is read when the pre_tokenizer is known. */

ft_status json_part_read_normalizer(struct tokenizer *t, const json_t *part);
ft_status json_part_read_pre_tokenizer(struct tokenizer *t, const json_t *part);
ft_status json_part_read_decoder(struct tokenizer *t, const json_t *part);

ft_status json_part_read_bpe(struct tokenizer *t, const json_t *model);
ft_status json_part_read_wordpiece(struct tokenizer *t, const json_t *model);

/** As the others; text is the whole file, in which scores are read as they are written. */
ft_status json_part_read_unigram(struct tokenizer *t, const json_t *model, const char *text,
                                 size_t bytes);

/** post_processor, when all tokens are known: what encode_document puts around a text. */
ft_status json_part_read_template(struct tokenizer *t, const json_t *part);

/**
 * The number at the start of text as serde_json reads it, which rounds twice where a number has
 * many digits: sums of scores then tie where they do in `tokenizers`.
 */
double json_part_real(const char *text, size_t bytes);

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
