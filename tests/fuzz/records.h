/** What the targets of JSONL and CSV share: one file, read as documents and as conversations. */
#ifndef FT_TESTS_FUZZ_RECORDS_H
#define FT_TESTS_FUZZ_RECORDS_H

#include "data/source.h"

/** Reads the file in every way; gives the number of documents without labels, -1 for a failure. */
int64_t records_read_all(const char *path, enum source_kind kind, size_t bytes);

#endif
