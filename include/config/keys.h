/** The one table of configuration keys. Used by config/ itself; others read struct settings. */
#ifndef FT_CONFIG_KEYS_H
#define FT_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "config/settings.h"

enum key_type {
    KEY_BOOL,  /**< bool */
    KEY_INT,   /**< int */
    KEY_LONG,  /**< int64_t */
    KEY_REAL,  /**< double */
    KEY_TEXT,  /**< char *, owned */
    KEY_PATH,  /**< char *, owned, made absolute unless "" */
    KEY_PATHS, /**< struct text_list, owned, made absolute */
    KEY_WORD   /**< an enum whose values count from 0 in the order of words */
};

enum {
    KEY_REQUIRED = 1,   /**< must not be empty */
    KEY_ABOVE_LOW = 2,  /**< low itself is out of range */
    KEY_BELOW_HIGH = 4, /**< high itself is out of range */
    KEY_MAY_DIFFER = 8  /**< may differ between a checkpoint and the run that resumes from it */
};

struct key {
    const char *name; /**< "section.key", or "key" at the top level; sections stand together */
    enum key_type type;
    size_t at;                /**< offset of the member in struct settings */
    const char *default_text; /**< as it is given in an override; "" is an empty text or list */
    double low, high;         /**< numbers only */
    const char *words;        /**< separated by one space; KEY_WORD, and KEY_INT or KEY_REAL (low >=
                                 0) that take a word too */
    unsigned flags;
    const char *help;
};

/** The table; ends with a name of NULL. */
extern const struct key config_keys[];

/** The key of that full name, or NULL. */
const struct key *key_find(const char *name);

/** The key whose name is nearest to name by edit distance; never NULL. */
const struct key *key_nearest(const char *name);

/** Whether some key is named "section.something". */
bool key_is_section(const char *section);

/** Length of the section part of a key's name, 0 at the top level. */
size_t key_section_length(const struct key *key);

/** Number of word among the words of a KEY_WORD key, or -1. */
int key_word_number(const struct key *key, const char *word);

/** What the member of a KEY_INT or KEY_REAL key holds for a word; false: it takes no such word. */
bool key_word_value(const struct key *key, const char *word, double *value);

/** Appends the key's value in s, as it is written in a file. */
ft_status key_format(const struct key *key, const struct settings *s, struct buffer *out);

/** Appends what the key accepts: "integer, 1 to 1048576". */
ft_status key_describe(const struct key *key, struct buffer *out);

#endif
