/* What gguf.c (parser), gguf_get.c (getters) share; not for other modules. */
#ifndef FT_FORMAT_GGUF_FILE_H
#define FT_FORMAT_GGUF_FILE_H

#include "format/gguf.h"

/* Value types of metadata; numbers as in the file. */
enum gguf_type {
    GGUF_U8,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_STRING,
    GGUF_ARRAY,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64,
    GGUF_N_TYPES
};

struct gguf_entry {
    const char *key;
    const unsigned char *value; /* bytes of a number, a terminated string, or an array's elements */
    size_t bytes;               /* of a string */
    int type;
    int element;        /* of an array */
    int64_t n;          /* elements of an array */
    char **items;       /* of an array of strings; owned */
    size_t *item_bytes; /* owned */
};

struct gguf {
    char *path;
    int fd;               /* -1: parsed from memory */
    unsigned char *block; /* start of the file, at least the header; strings and arrays live here */
    uint64_t file_bytes;
    int n_entries;
    struct gguf_entry *entries; /* sorted by key */
    int n_tensors;
    struct gguf_tensor *tensors;        /* in the file's order */
    const struct gguf_tensor **by_name; /* sorted by name */
};

/* Bytes of a number or bool of this type; 0 for strings, arrays and unknown types. */
size_t gguf_type_bytes(int type);

/* "u32" and so on, for messages. */
const char *gguf_type_text(int type);

#endif
