/**
 * The report of `compare`: a table for people, compare.json for programs and for a later run that
 * finishes what is missing. Rank 0; nothing here is collective.
 *
 * compare.json, one object; reals have 17 digits, so that they are read back to the bit:
 *   format          "finetune-compare"
 *   version         1
 *   test_documents  number of documents of the test set
 *   cheapest        name of the method of the fewest core-seconds
 *   methods         array, in this order, of those that are done:
 *     name            "bag-of-words" | "transfer" | "last-layers" | "finetune"
 *     documents       = test_documents
 *     accuracy, accuracy_low, accuracy_high    with its 95 % bootstrap interval, 0 ... 1
 *     macro_f1, macro_f1_low, macro_f1_high
 *     mcnemar_p       against the cheapest method; 1 for that itself
 *     wall_s          wall time [s]
 *     core_s          processor time of all ranks and threads [core-seconds]
 *     peak_bytes      largest resident memory, summed over the ranks
 *     stored_bytes    what must be kept to predict later
 *     key             hash of what the result depends on, "" = none
 *     labels_hash     XXH3-128 of the true labels
 *     correct         hexadecimal: document i is bit 7 - i % 8 of byte i / 8, 1 where it is
 *                     classified right (numpy.unpackbits order)
 *   pairs           array of every two methods that are done: a, b (names), a_only, b_only
 *                   (documents that only one of them gets right), p
 *   advice          the sentence of train/advice.h
 */
#ifndef FT_TRAIN_COMPARE_REPORT_H
#define FT_TRAIN_COMPARE_REPORT_H

#include <stdio.h>

#include "train/comparison.h"

/**
 * Prints the table, one line a method, then what its columns mean and the advice.
 *
 * @param[in] c tested by comparison_test
 * @return FT_OK, FT_ERR_IO, FT_ERR_INTERNAL (memory)
 */
ft_status compare_report_print(FILE *file, const struct comparison *c);

/**
 * Writes compare.json whole or not at all (file_replace).
 *
 * @param[in] c tested by comparison_test; at least one method done
 * @return FT_OK, FT_ERR_IO, FT_ERR_INTERNAL (memory, a number that is not finite)
 */
ft_status compare_report_write(const struct comparison *c, const char *path);

/**
 * Reads compare.json back. Every number is checked; cheapest, pairs and advice are not read but
 * computed anew (comparison_test has been called on return).
 *
 * @param[out] out released by comparison_clear, also after a failure; no method done where there is
 *                 no such file
 * @return FT_OK; FT_ERR_INPUT (message: path, method, key), FT_ERR_IO, FT_ERR_INTERNAL (memory)
 */
ft_status compare_report_read(struct comparison *out, const char *path);

#endif
