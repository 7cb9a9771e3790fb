#include "train/classify.h"

#include <math.h>

int32_t class_of_logits(const float *logits, int n_labels)
{
    int32_t best = 0;
    for (int32_t k = 1; k < n_labels; k++)
        if (logits[k] > logits[best])
            best = k;
    return best;
}

void class_probabilities(double *probabilities, const float *logits, int n_labels)
{
    const double top = (double)logits[class_of_logits(logits, n_labels)];
    double sum = 0;
    for (int k = 0; k < n_labels; k++) {
        probabilities[k] = exp((double)logits[k] - top);
        sum += probabilities[k];
    }
    for (int k = 0; k < n_labels; k++)
        probabilities[k] /= sum;
}

double class_loss(const float *logits, int n_labels, int32_t label)
{
    const double top = (double)logits[class_of_logits(logits, n_labels)];
    double sum = 0;
    for (int k = 0; k < n_labels; k++)
        sum += exp((double)logits[k] - top);
    return log(sum) + top - (double)logits[label];
}
