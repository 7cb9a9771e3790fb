/** What a run has learnt as a model that other programs read. */
#ifndef FT_TRAIN_EXPORT_H
#define FT_TRAIN_EXPORT_H

#include <stdbool.h>

#include "comm/comm.h"
#include "model/export.h"
#include "train/run_weights.h"

struct export_request {
    const char *run_dir; /**< output.dir of a run, wherever it is now */
    const char *out;     /**< a folder, or a file that ends in .gguf; does not exist */
    bool gguf;           /**< a GGUF file; else a folder */
    int type;            /**< of the matrices: GGML_F32, GGML_F16, GGML_BF16; GGUF: GGML_Q8_0 */
    struct weights_choice weights;
};

struct export_report {
    const char *kind;       /**< "LlamaForCausalLM", "sentence-transformers", "GGUF" */
    int64_t n_logits;       /**< that were compared with the trained model's */
    double difference;      /**< largest of them */
    double largest;         /**< largest logit of the trained model, in size */
    double mean_difference; /**< root mean square */
    double mean;            /**< root mean square of the trained model's logits */
};

/**
 * Writes the model beside request->out, reads it back, compares its logits on fixed prompts with
 * those of the trained model and its tokenizer's ids with the run's own, and renames it into place;
 * a model that is not the trained one with rounded weights is removed. Rank 0 works alone.
 * Collective; arguments must agree.
 *
 * One copy of the parameters is in memory at a time.
 *
 * @param[out] report rank 0's
 * @return FT_OK; FT_ERR_USAGE: the form cannot hold this model, a weight is too large for the type,
 *         memory; FT_ERR_INPUT: no such run, nothing learnt yet; FT_ERR_OUTPUT: out exists or
 *         cannot be made; FT_ERR_INTERNAL: the written model is not the trained one; FT_ERR_IO
 */
ft_status export_run(struct comm *comm, const struct export_request *request,
                     struct export_report *report);

/**
 * Writes a model with the tokenizer and the labels of a session into a folder, which is made.
 * Texts of a classification shall be cut there as in the session. Local.
 *
 * @param[in] type of every tensor
 * @return as model_export_folder, tokenizer_write; FT_ERR_OUTPUT
 */
ft_status export_write_folder(const char *folder, struct session *s, const struct model_tensors *m,
                              int type);

#endif
