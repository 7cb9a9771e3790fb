/**
 * What every verb with a RUN.cfg opens on the way to its work: model description, tokenizer,
 * corpora, model. Each step is collective and ends in agreement; session_close releases what was
 * opened.
 */
#ifndef FT_TRAIN_SESSION_H
#define FT_TRAIN_SESSION_H

#include "base/file.h"
#include "base/hash.h"
#include "comm/comm.h"
#include "config/settings.h"
#include "data/corpus.h"
#include "data/documents.h"
#include "data/label_names.h"
#include "data/samples.h"
#include "model/model.h"
#include "token/tokenizer.h"
#include "train/timers.h"

/** One set of the data, ready to be read: windows, labelled documents or conversations. */
struct dataset {
    struct corpus *corpus;                 /**< NULL where there is no such set */
    struct window_set windows;             /**< causal-lm */
    struct document_set documents;         /**< classification */
    struct conversation_set conversations; /**< instruct */
    struct sample_set samples;             /**< whichever of the three it is */
};

struct session {
    struct comm *comm;               /**< borrowed */
    const struct settings *settings; /**< borrowed */
    struct model_config config;      /**< with its head, once the labels are known */
    struct tokenizer *tokenizer;
    struct chat_template *chat;         /**< instruct; NULL where the model's is not known */
    char chat_failure[FT_ERR_TEXT_MAX]; /**< why it is not */
    struct label_names labels;          /**< classification; n = 0 until the data are open */
    struct dataset train, validation, test;
    float *class_weights; /**< (labels.n), or NULL: all 1 */
    struct model *model;
    char model_hash[HASH_TEXT];
    struct timers timers;
    int64_t planned_bytes; /**< memory of this rank, once the model was made */
};

/** Which corpora a verb wants. */
enum { SESSION_TRAIN = 1, SESSION_VALIDATION = 2, SESSION_TEST = 4 };

/** Reads the model's description (one rank a node) and its tokenizer; checks that they fit
 * together. */
ft_status session_open_model(struct session *s, struct comm *comm, const struct settings *settings);

/**
 * Opens the wanted sets, tokenising those that no cache holds, and cuts them into windows or
 * documents. In classification the labels are those of data.train, which is opened whenever the
 * session does not know them yet.
 */
ft_status session_open_data(struct session *s, int wanted);

/** data.cache, or the folder that stands for it. Not collective. */
ft_status session_cache_folder(char out[FILE_PATH_MAX], const struct settings *settings);

/** Gives config its classification head, from the settings and the labels that are known. */
void session_set_head(struct session *s);

/** Checks the memory plan, then takes the memory. */
ft_status session_create_model(struct session *s, bool trains);

/** Makes room for a micro-batch of windows or documents. Not collective; batch_destroy. */
ft_status session_create_batch(struct batch *out, const struct session *s);

/** Reads the parameters (one rank a node), sends them to the node's other ranks, and hashes them.
 */
ft_status session_load_params(struct session *s);

/** Not collective. */
void session_close(struct session *s);

#endif
