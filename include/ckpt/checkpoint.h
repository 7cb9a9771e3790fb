/**
 * Checkpoints of the training state: committed atomically, verified before they are believed,
 * loaded at any rank count.
 *
 * A run folder holds checkpoints/step-00000100/ with one shard per rank, index.h5 and
 * manifest.json, and perhaps a symbolic link `best` to one of the step folders. A step folder is
 * either complete and under its final name, or it does not count. See src/ckpt/checkpoint.c for the
 * protocol.
 *
 * Slices: rank r of a run owns elements first[r] ... first[r+1] - 1 of the flat buffer (N),
 * whatever distributed.zero is. The number of ranks may change between save and load.
 */
#ifndef FT_CKPT_CHECKPOINT_H
#define FT_CKPT_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/hash.h"
#include "comm/comm.h"
#include "model/layout.h"

/** What a checkpoint says about the run, besides the tensors. Equal on all ranks. */
struct ckpt_meta {
    int64_t step;             /**< optimizer steps done */
    double epoch;             /**< epochs done, fraction included */
    int64_t position;         /**< sequences consumed */
    int64_t seed;             /**< seed of the run */
    double best_metric;       /**< best validation metric so far; NaN: no evaluation yet */
    int64_t best_step;        /**< its step; 0: none */
    int64_t evals_since_best; /**< evaluations without improvement: patience */
    int64_t evaluation_due;   /**< 1: a signal came before the step was evaluated; else 0 */
    char *settings_text;      /**< resolved configuration */
    char model_hash[HASH_TEXT], tokenizer_hash[HASH_TEXT], data_hash[HASH_TEXT];
    char program[64];     /**< "finetune 0.1.0" */
    char revision[64];    /**< git revision of the program */
    char blas[128];       /**< BLAS build and kernel name: other kernels round differently */
    char mpi[128];        /**< MPI library */
    char parent_run[256]; /**< run that this one continues; "" where it began by itself */
    double *loss;         /**< (n_loss) loss of every step so far: /history/loss */
    int64_t n_loss;
};

/** What a checkpoint holds. Everything is borrowed. */
struct ckpt_state {
    const struct layout *layout; /**< tensor table; tied tensors appear once */
    const int64_t *first;        /**< (size + 1) ascending slice borders in elements, from 0 to N */
    float *params;               /**< (N) full replica */
    float *m, *v; /**< first and second moments of this rank's slice, from its start on */
    struct ckpt_meta meta;
};

/** Releases what ckpt_load_meta gave. */
void ckpt_meta_clear(struct ckpt_meta *meta);

/** Bytes of one checkpoint, a little too many: for the plan, and for the free space a save asks
 * for. */
uint64_t ckpt_predict_bytes(const struct layout *layout, int world_size, int64_t n_loss);

/**
 * Writes and commits a checkpoint, then deletes what retention does not keep.
 *
 * Collective; output_dir, s->first, s->meta and keep must agree. A checkpoint of the same step is
 * replaced.
 *
 * @param[in] s    only read
 * @param[in] keep checkpoints to keep, the new one included; below 2 counts as 2. The target of
 * `best` is kept besides.
 * @return FT_OK, also when an old checkpoint could not be deleted (a warning says so); FT_ERR_IO
 * when the disk lacks 1.1 times the predicted bytes (nothing was written) or writing failed: all
 *         older checkpoints are as they were. The same on all ranks.
 */
ft_status ckpt_save(struct comm *c, const char *output_dir, struct ckpt_state *s, int keep);

/**
 * Finds the newest checkpoint that is complete and unchanged since it was written, reading every
 * byte.
 *
 * Collective. Folders that saves or deletions of dead runs left behind are removed first, so the
 * caller holds the run's lock. An invalid checkpoint is renamed to step-....corrupt with a warning
 * that names the file and the reason, and the next older one is tried.
 *
 * @param[out] step -1: there is no checkpoint
 * @return FT_OK; FT_ERR_INPUT when checkpoints exist and none of them is valid; FT_ERR_IO when a
 * disk cannot be read: nothing is renamed then. The same on all ranks.
 */
ft_status ckpt_find(struct comm *c, const char *output_dir, int64_t *step);

/**
 * As ckpt_find for readers who do not hold the run's lock: nothing is removed or renamed, a run
 * that is going on is not disturbed. Not collective.
 */
ft_status ckpt_newest(const char *output_dir, int64_t *step);

/**
 * Reads what a checkpoint says about its run. Collective.
 *
 * @param[out] out gives settings_text and loss; ckpt_meta_clear, also after a failure
 * @return FT_OK, FT_ERR_INPUT (absent, damaged, or not what it should be), FT_ERR_IO
 */
ft_status ckpt_load_meta(struct comm *c, const char *output_dir, int64_t step,
                         struct ckpt_meta *out);

/**
 * Reads tensors and moments, written at any rank count. Every byte is hashed before it is used.
 *
 * Collective. Each rank reads its slice of params, m and v from the shards that hold it; the slices
 * of params are then shared, so the file system delivers each element once however many ranks there
 * are.
 *
 * @param[in,out] s layout and first are read; params (N), m and v (slice) are filled; meta is left
 * alone
 * @return FT_OK; FT_ERR_INPUT when the checkpoint is absent, damaged, or of another model;
 * FT_ERR_IO. After a failure the buffers are unspecified.
 */
ft_status ckpt_load(struct comm *c, const char *output_dir, int64_t step, struct ckpt_state *s);

/**
 * Reads the full parameters of a checkpoint folder (or of the link `best`), hashes verified. Not
 * collective: for evaluate and export.
 *
 * @param[out] params (N)
 */
ft_status ckpt_read_params(const char *checkpoint_dir, const struct layout *layout, float *params);

/** Hash of the base model that the run of a checkpoint started from. Not collective. */
ft_status ckpt_read_base_hash(char out[HASH_TEXT], const char *checkpoint_dir);

/**
 * Points output_dir/best to the checkpoint of that step, atomically. Collective.
 *
 * @return FT_OK; FT_ERR_INPUT when there is no such checkpoint, FT_ERR_IO
 */
ft_status ckpt_set_best(struct comm *c, const char *output_dir, int64_t step);

/**
 * As ckpt_set_best, for a run that goes on: it may have died between the checkpoint that says which
 * step is best and the link. Nothing where that step's folder is gone. Collective.
 */
ft_status ckpt_restore_best(struct comm *c, const char *output_dir, int64_t step);

/** Whether path is something ckpt_describe can describe. Not collective. */
bool ckpt_recognises(const char *path);

/**
 * Prints what a shard, a checkpoint folder or a run folder holds: step, ranks, tensors, sizes, and
 * whether it is whole. Not collective.
 *
 * @return FT_OK, also for a damaged checkpoint of a run (the text says so); FT_ERR_INPUT when path
 * is nothing of the kind or is itself damaged
 */
ft_status ckpt_describe(const char *path, FILE *to);

#endif
