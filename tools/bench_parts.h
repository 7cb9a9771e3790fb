/**
 * The parts of the program bench. Under mpirun every rank measures at the same time, as in a run,
 * and the slowest rank's value counts. Everything here is collective.
 */
#ifndef FT_TOOLS_BENCH_PARTS_H
#define FT_TOOLS_BENCH_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "comm/comm.h"
#include "math/elem.h"
#include "model/config.h"

enum { BENCH_STEPS_MAX = 64 };

/** What is measured: bits of bench_options.parts. */
enum bench_part { PART_PRODUCTS = 1, PART_MEMORY = 2, PART_MESSAGES = 4, PART_STEPS = 8 };

struct bench_options {
    const char *model;     /**< folder or .gguf */
    int seq_len;           /**< tokens of a sequence */
    int micro_batch;       /**< sequences of a step, on each rank */
    int steps;             /**< timed ones */
    enum elem elem;        /**< what the step's matrix products read */
    bool has_random;       /**< weights are drawn, not read: config.json is enough */
    unsigned parts;        /**< what is measured: enum bench_part */
    int64_t message_count; /**< elements of the large message; 0 = the model's gradient */
};

/** What the machine gives; rates of a rank. 0 = not measured. */
struct bench_rates {
    double product[2];           /**< [FLOP/s] by enum elem, on the model's shapes */
    double triad_one, triad_all; /**< [byte/s] one thread, all threads */
    double latency_s;            /**< of the sum of one number over the ranks */
    double small_s, large_s;     /**< sum of 1 MiB and of the large message over the ranks */
    double reduce_s, gather_s;   /**< a step's exchanges of the large message: optim/reducer.h */
    double small_bytes, large_bytes;
};

/** What a training step takes [s]: medians. */
struct bench_steps {
    double forward, backward, adamw, step;
    double attention;    /**< scores, softmax and weighted sums of all layers, both passes */
    double tokens;       /**< of a step on one rank */
    double flops;        /**< of the matrix products of a step on one rank */
    double peak_bytes;   /**< resident */
    double memory_bytes; /**< of the activations */
    double parameters;
    double early; /**< parameters before the first block: their gradients are final last */
};

/** Prints a row for each shape on rank 0. FT_OK or FT_ERR_INTERNAL (memory). */
ft_status bench_products(double *flops_per_s, struct comm *comm, const struct model_config *c,
                         const struct bench_options *options, enum elem elem);

/** a = b + s * c over 3 x 256 MiB on each rank. FT_OK or FT_ERR_INTERNAL (memory). */
ft_status bench_triad(struct bench_rates *rates, struct comm *comm);

/** Sums over the ranks and a step's exchanges of count f32; nothing is measured on one. FT_OK or
 * FT_ERR_INTERNAL (memory). */
ft_status bench_messages(struct bench_rates *rates, struct comm *comm, int64_t count);

/** Training steps on random tokens; an encoder learns to tell two classes, with its dropout. */
ft_status bench_train(struct bench_steps *out, struct comm *comm, const struct model_config *c,
                      const struct bench_options *options);

/** Median of n values over the repeats, of the slowest rank. Sorts values. */
double bench_median(struct comm *comm, double *values, int n);

#endif
