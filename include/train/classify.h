/** From the logits of one document to its label, its loss and its probabilities. Local. */
#ifndef FT_TRAIN_CLASSIFY_H
#define FT_TRAIN_CLASSIFY_H

#include <stdint.h>

/** The label with the largest logit; the first of equals. */
int32_t class_of_logits(const float *logits, int n_labels);

/** -log softmax[label] in f64 [nats]. */
double class_loss(const float *logits, int n_labels, int32_t label);

/** probabilities (n_labels) = softmax of the logits in f64. */
void class_probabilities(double *probabilities, const float *logits, int n_labels);

#endif
