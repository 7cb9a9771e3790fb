/** Texts continued by the model of a run, token by token. */
#ifndef FT_TRAIN_CONTINUATION_H
#define FT_TRAIN_CONTINUATION_H

#include <stdbool.h>

#include "comm/comm.h"
#include "train/sampler.h"

struct continuation_options {
    int max_tokens; /**< of one continuation */
    struct sampling sampling;
};

/** Told on rank 0 what comes of a text. All texts are valid UTF-8. */
struct continuation_listener {
    /** A piece more of the text's continuation, as soon as it is known. */
    ft_status (*piece)(void *context, const char *text, size_t bytes);
    /** The continuation ends: after so many tokens, at the end of a text or at max_tokens. */
    ft_status (*end)(void *context, int64_t n_tokens, bool is_complete);
    void *context;
};

/**
 * Continues each text of a file or of standard input with the weights that evaluate would use. In
 * task instruct a text is what the user says, and the continuation is what the assistant answers.
 *
 * A text and its continuation share the model's positions, at most 2048 of them or data.seq_len of
 * the run where that is more; of a longer text the beginning is left out, which is counted and
 * said. Rank 0 works, the others wait. Collective.
 *
 * @param[in] path NULL or "-": standard input
 * @return FT_OK; FT_ERR_USAGE: the model cannot continue texts, memory; FT_ERR_INPUT; FT_ERR_IO
 */
ft_status continue_texts(struct comm *comm, const char *run_dir, const char *path,
                         const struct continuation_options *options,
                         const struct continuation_listener *listener);

#endif
