/** Classes of characters that splitters ask for. */
#ifndef FT_TOKEN_CLASSES_H
#define FT_TOKEN_CLASSES_H

#include <stdbool.h>
#include <stdint.h>

/** \w of Rust's regex: Alphabetic, M, Nd, Pc, Join_Control (Unicode Technical Standard 18, annex
 * C). */
bool class_is_word(uint32_t code);

/** Nd, Nl, No. */
bool class_is_number(uint32_t code);

/** ASCII's punctuation and symbols, and P beyond it. */
bool class_is_punctuation(uint32_t code);

#endif
