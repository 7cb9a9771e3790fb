/** What the writers of tokenizer.json's parts share. Inside of token/ alone. */
#ifndef FT_TOKEN_WRITE_PARTS_H
#define FT_TOKEN_WRITE_PARTS_H

#include "token/bert.h"
#include "token/pattern.h"

/** Appends a JSON string. */
ft_status tokenizer_put_string(struct buffer *out, const char *text, size_t bytes);

/** "true" or "false". */
const char *tokenizer_truth(unsigned flag);

/** Appends , "pattern": {...}. */
ft_status write_pattern(struct buffer *out, const struct pattern *pattern);

/** Appends the rules of a BertNormalizer, with a comma before each. */
ft_status write_bert_rules(struct buffer *out, const struct bert *bert);

#endif
