/** The texts behind a corpus of labelled documents, read again without tokenising. Not collective.
 */
#ifndef FT_DATA_TEXTS_H
#define FT_DATA_TEXTS_H

#include <stdint.h>

#include "base/err.h"
#include "data/corpus.h"
#include "data/document.h"

/** Is told of one document: `number` as in struct document_set; document is borrowed. */
typedef ft_status (*document_visit)(void *context, int64_t number, const struct document *document);

/**
 * Reads the files of a corpus from the beginning and tells of its first n documents in order, the
 * same as those of a document_set. One rank alone may do so.
 *
 * @return FT_OK; what visit returned; FT_ERR_INPUT: prepared shards, of which there is no text; a
 * file that changed; FT_ERR_IO
 */
ft_status documents_for_each(struct corpus *c, int64_t n, document_visit visit, void *context);

/**
 * Fails with FT_ERR_INPUT and the place of a document before the message: file, line and byte, or
 * the shard where the text is not at hand. For the error path: it reads the files up to there.
 *
 * @param[in] number  of the document in the corpus
 */
ft_status document_fail(struct corpus *c, int64_t number, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Where a document stands. */
struct document_place {
    int64_t number;   /**< in the corpus */
    const char *path; /**< of its file, borrowed from the corpus; NULL: not known */
    int64_t line;     /**< where it begins, from 1 */
};

/**
 * Fills path and line of n documents with ascending numbers, on the error path: it reads the files
 * up to the last of them. They are not known where tokens were prepared elsewhere, where documents
 * without labels were skipped (numbers in corpus and files differ then), or where the files have
 * more than 8 GiB.
 *
 * @return FT_OK, also where they are not known; FT_ERR_INPUT: a file that changed; FT_ERR_IO
 */
ft_status document_places_find(struct document_place *places, int64_t n, struct corpus *c);

#endif
