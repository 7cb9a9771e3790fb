/**
 * The settings of a run: read from a libconfig file and overrides, checked, and nothing else.
 *
 * Members are named as the keys are; what a key means, its range and its default stand in one
 * place, the table of src/config/keys.c, from which --help-config is printed. Nothing here is
 * collective. On a cluster rank 0 reads the file; the others parse the text that rank 0 formatted
 * (settings_format, settings_parse), so every rank has the same values, bit for bit.
 */
#ifndef FT_CONFIG_SETTINGS_H
#define FT_CONFIG_SETTINGS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/err.h"

enum run_mode {
    RUN_MODE_FINETUNE,
    RUN_MODE_TRANSFER,
    RUN_MODE_LAST_LAYERS,
    RUN_MODE_TRANSFER_THEN_FINETUNE
};
enum run_task { RUN_TASK_CAUSAL_LM, RUN_TASK_CLASSIFICATION, RUN_TASK_INSTRUCT };
enum precision { PRECISION_AUTO, PRECISION_FP32, PRECISION_BF16 };
enum train_on { TRAIN_ON_ASSISTANT, TRAIN_ON_ALL };
enum recompute { RECOMPUTE_NOTHING, RECOMPUTE_ATTENTION, RECOMPUTE_BLOCK };
enum schedule_kind { SCHEDULE_CONSTANT, SCHEDULE_LINEAR, SCHEDULE_COSINE, SCHEDULE_WSD };
enum best_metric { BEST_METRIC_LOSS, BEST_METRIC_ACCURACY, BEST_METRIC_MACRO_F1 };
enum on_spike { ON_SPIKE_IGNORE, ON_SPIKE_SKIP, ON_SPIKE_STOP };
enum wire { WIRE_FP32, WIRE_BF16 };
enum class_weights { CLASS_WEIGHTS_NONE, CLASS_WEIGHTS_BALANCED };
enum pooling { POOLING_AUTO, POOLING_CLS, POOLING_MEAN, POOLING_LAST };
enum head_kind { HEAD_LINEAR, HEAD_MLP };
enum head_solver { SOLVER_LBFGS, SOLVER_ADAMW };

/** Values of keys that take a word or a number: the words, outside the range of the numbers. */
#define DROPOUT_AUTO (-1.0)
#define L2_AUTO (-1.0)
#define LAYER_AUTO INT_MIN
#define LAYER_LAST4 (INT_MIN + 1)

/** Paths, in the order they were given; n = 0 where the key is "" or []. */
struct text_list {
    char **items; /**< (n) */
    int n;
};

struct settings {
    enum run_mode mode;
    enum run_task task;
    int64_t seed; /**< >= 0 */
    struct {
        char *path; /**< absolute; never empty */
        enum precision precision;
        int trainable_layers; /**< mode last-layers */
    } model;
    struct {
        struct text_list train, validation, test; /**< absolute paths */
        double validation_fraction;               /**< 0 <= x < 1 */
        char *text_field;
        char *label_field; /**< classification */
        char *cache;       /**< absolute, or "" = output.dir/cache */
        int seq_len;       /**< [tokens] */
        bool shuffle;
        int64_t max_windows; /**< 0 = all */
        bool isolate_documents;
        char *chat_template; /**< instruct: a name, or "auto" */
        enum train_on train_on;
        bool packing; /**< instruct */
    } data;
    struct {
        double epochs;     /**< > 0 */
        int64_t max_steps; /**< 0 = by epochs */
        int micro_batch;   /**< [sequences] on one rank */
        int global_batch;  /**< [sequences] per step over all ranks */
        double lr, min_lr; /**< 0 <= min_lr <= lr */
        enum schedule_kind schedule;
        double warmup; /**< < 1: fraction of all steps; else steps, a whole number */
        double weight_decay, beta1, beta2, eps;
        double clip; /**< global L2 norm; 0 = off */
        enum on_spike on_spike;
        double spike_sigma; /**< [standard deviations]; 0 = only what is not finite is a spike */
        enum recompute recompute;
        int64_t eval_every; /**< [steps]; 0 = at the end of every epoch */
        int patience;       /**< [evaluations]; 0 = no early stopping */
        enum best_metric best_metric;
        double dropout; /**< DROPOUT_AUTO, or 0 <= x < 1 */
        double label_smoothing;
        enum class_weights class_weights;
        double head_lr; /**< of a new head; 0 = lr */
    } training;
    struct {
        enum pooling pooling;
        int layer; /**< LAYER_AUTO, LAYER_LAST4, 1 ... L, or negative from the end: -1 = last */
        enum head_kind head;
        enum head_solver solver;
        double l2; /**< L2_AUTO, or >= 0 */
        bool cache;
    } transfer;
    struct {
        int zero; /**< 0 or 1 */
        bool overlap;
        int bucket_mb; /**< [MiB] */
        enum wire wire;
        int watchdog_s; /**< 0 = off */
    } distributed;
    struct {
        int64_t every_steps;  /**< 0 = off */
        double every_minutes; /**< 0 = off */
        int keep;             /**< >= 2 */
    } checkpoint;
    struct {
        char *dir; /**< absolute; never empty */
    } output;
    struct text_list compare; /**< "METHOD.section.key=value": settings_for_method */
};

/** Largest configuration file: libconfig's time grows with the square of a string's length. */
#define SETTINGS_FILE_MAX (64 << 10)

/** Largest text of settings_parse: what was relative in the file is absolute in settings_format. */
#define SETTINGS_TEXT_MAX (1 << 20)

/**
 * Reads a configuration file. Relative paths in it are relative to its folder, those in overrides
 * to the current directory; all are absolute in the result.
 *
 * @param[out] out       gives the settings (settings_destroy); NULL on failure
 * @param[in]  overrides (n_overrides) "section.key=value"; the last one of a key wins
 * @return FT_OK; FT_ERR_USAGE with file, line, key and the nearest known key
 */
ft_status settings_load(struct settings **out, const char *path, int n_overrides, char **overrides);

/**
 * As settings_load, of a text already in memory.
 *
 * @param[in] text   (bytes), and a zero byte behind them
 * @param[in] name   what messages call the text, the file's name for example
 * @param[in] folder absolute folder that relative paths in the text start from
 */
ft_status settings_parse(struct settings **out, const char *text, size_t bytes, const char *name,
                         const char *folder, int n_overrides, char **overrides);

/** Releases *s (NULL is allowed) and sets it to NULL. */
void settings_destroy(struct settings **s);

/**
 * Appends every value in force as a configuration file, resolved.cfg: loadable again with the same
 * result, floats to the last bit.
 */
ft_status settings_format(const struct settings *s, struct buffer *out);

/**
 * The settings of one method of `compare`: s with the method's own group compare.METHOD, mode = the
 * method, and an output.dir of its own.
 *
 * @param[out] out    gives the settings (settings_destroy); NULL on failure
 * @param[in]  method "transfer", "last-layers" or "finetune"
 * @return FT_OK; FT_ERR_USAGE where the group contradicts the rest; FT_ERR_INTERNAL
 */
ft_status settings_for_method(struct settings **out, const struct settings *s, const char *method,
                              const char *output_dir);

/** Prints every key with type, default, range, words and meaning: --help-config. */
ft_status settings_print_help(FILE *to);

/** FT_ERR_USAGE when a key that training needs, but evaluating does not, is missing: data.train. */
ft_status settings_require_training(const struct settings *s);

/**
 * Whether a run may go on from a checkpoint that was written with other settings.
 *
 * May differ: training.max_steps, epochs, micro_batch, eval_every, patience, data.test, data.cache,
 * output.dir, checkpoint.*, distributed.*. Paths are compared as text.
 *
 * @param[in] checkpoint_text what settings_format gave then
 * @return FT_OK; FT_ERR_USAGE naming the key and both values; FT_ERR_INPUT when the text is
 * unusable
 */
ft_status settings_compare_resume(const struct settings *now, const char *checkpoint_text);

#endif
