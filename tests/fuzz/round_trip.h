/** When a text comes back from its ids as it was. */
#ifndef FT_TESTS_FUZZ_ROUND_TRIP_H
#define FT_TESTS_FUZZ_ROUND_TRIP_H

#include "token/parts.h"

/** Byte-level BPE with a token for each byte, and nothing that changes a text before it. */
static inline bool keeps_text(const struct tokenizer *t)
{
    bool keeps = t->model == &tokenizer_byte_level && !t->nfc;
    for (int i = 0; i < 256; i++)
        keeps = keeps && t->bpe.byte_ids[i] >= 0;
    for (int32_t i = 0; i < t->added.n; i++)
        keeps = keeps && !(t->added.tokens[i].flags & (ADDED_LSTRIP | ADDED_RSTRIP));
    return keeps;
}

#endif
