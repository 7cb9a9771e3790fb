/**
 * What every verb with a RUN.cfg opens on the way to its work: model description, tokenizer,
 * corpora, model. Each step is collective and ends in agreement; session_close releases what was
 * opened.
 */
#ifndef FT_TRAIN_SESSION_H
#define FT_TRAIN_SESSION_H

#include "base/hash.h"
#include "comm/comm.h"
#include "config/settings.h"
#include "data/corpus.h"
#include "data/loader.h"
#include "model/model.h"
#include "token/tokenizer.h"
#include "train/timers.h"

struct session {
    struct comm *comm;               /**< borrowed */
    const struct settings *settings; /**< borrowed */
    struct model_config config;
    struct tokenizer *tokenizer;
    struct corpus *train, *validation, *test; /**< NULL where there is none */
    struct model *model;
    char model_hash[HASH_TEXT];
    struct timers timers;
};

/** Which corpora a verb wants. */
enum { SESSION_TRAIN = 1, SESSION_VALIDATION = 2, SESSION_TEST = 4 };

/** Reads the model's description (one rank a node) and its tokenizer; checks that they fit
 * together. */
ft_status session_open_model(struct session *s, struct comm *comm, const struct settings *settings);

/** Opens the wanted corpora, tokenising those that no cache holds. */
ft_status session_open_data(struct session *s, int wanted);

/** Checks the memory plan, then takes the memory. */
ft_status session_create_model(struct session *s, bool trains);

/** Reads the parameters (one rank a node), sends them to the node's other ranks, and hashes them.
 */
ft_status session_load_params(struct session *s);

/** Not collective. */
void session_close(struct session *s);

#endif
