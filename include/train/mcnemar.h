/**
 * McNemar's test: do two classifiers differ on the same documents by more than chance? Local.
 *
 * Only the documents count that exactly one of them gets right. If neither is better, each of these
 * goes to either with probability 1/2: an exact two-sided binomial test, for any number of them
 * (the chi-square form is an approximation of it and not needed).
 *
 * Source: McNemar 1947, Psychometrika 12; Dietterich 1998, Neural Computation 10, section 3.1.
 */
#ifndef FT_TRAIN_MCNEMAR_H
#define FT_TRAIN_MCNEMAR_H

#include <stdint.h>

struct mcnemar {
    int64_t a_only, b_only; /**< documents that only a, only b gets right */
    double p;               /**< two-sided, in (0, 1] (0 when it is less than the least double) */
};

/** p-value of the discordant counts: min(1, 2 P(X <= min(a_only, b_only))), X ~ B(a_only + b_only,
 * 1/2). Relative error below 1e-8 for up to 10^6 documents. */
double mcnemar_exact(int64_t a_only, int64_t b_only);

/**
 * @param[in] a, b (n) whether each document is classified right: 0 or 1
 */
struct mcnemar mcnemar_test(const uint8_t *a, const uint8_t *b, int64_t n);

#endif
