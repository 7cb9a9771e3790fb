#include "train/memory_table.h"

#include "train/plan.h"

enum { RANKS_MAX = 64 };

/* What is planned: the defaults of a run, or one sequence as long as the model takes. */
struct column {
    struct settings *settings;
    struct model_shape shape;
};

static ft_status open_settings(struct settings **out, int micro_batch, int seq_len)
{
    char batch[64], length[64];
    (void)snprintf(batch, sizeof batch, "training.micro_batch=%d", micro_batch);
    (void)snprintf(length, sizeof length, "data.seq_len=%d", seq_len);
    char *overrides[] = {"model.path=/", "output.dir=/", "model.precision=fp32", batch, length};
    return settings_parse(out, "", 0, "inspect", "/", 5, overrides);
}

static ft_status open_column(struct column *c, int micro_batch, int seq_len)
{
    FT_TRY(open_settings(&c->settings, micro_batch, seq_len));
    plan_model_shape(&c->shape, c->settings, true);
    return FT_OK;
}

static ft_status print_rows(const struct column columns[2], const struct model_config *config,
                            FILE *to)
{
    (void)fprintf(to, "memory a rank     [GiB] to fine-tune all weights in fp32, a node each\n");
    (void)fprintf(to, "  ranks %10d x %d tokens %10d x %d tokens\n",
                  columns[0].settings->training.micro_batch, columns[0].settings->data.seq_len,
                  columns[1].settings->training.micro_batch, columns[1].settings->data.seq_len);
    for (int size = 1; size <= RANKS_MAX; size *= 2) {
        (void)fprintf(to, "  %5d", size);
        for (int i = 0; i < 2; i++) {
            struct memory_plan plan;
            FT_TRY(memory_plan_of_ranks(&plan, size, 1, columns[i].settings, config,
                                        &columns[i].shape));
            (void)fprintf(to, " %21.2f", (double)plan.total / (double)(INT64_C(1) << 30));
        }
        (void)fprintf(to, "\n");
    }
    return FT_OK;
}

ft_status memory_table_print(const struct model_config *config, FILE *to)
{
    enum { LENGTH = 512, MICRO_BATCH = 4, LENGTH_MAX = 1 << 20 }; /* of the keys */
    struct column columns[2] = {{0}};
    struct model_config with_head = *config;
    if (config->is_encoder)
        with_head.head = (struct head_config){.n_labels = 2,
                                              .pooling = model_config_pooling(config, POOLING_AUTO),
                                              .kind = HEAD_LINEAR,
                                              .bias = true};
    const int length = config->T_max < LENGTH ? config->T_max : LENGTH;
    ft_status status = open_column(&columns[0], MICRO_BATCH, length);
    if (status == FT_OK)
        status =
            open_column(&columns[1], 1, config->T_max < LENGTH_MAX ? config->T_max : LENGTH_MAX);
    if (status == FT_OK)
        status = print_rows(columns, &with_head, to);
    settings_destroy(&columns[0].settings);
    settings_destroy(&columns[1].settings);
    return status;
}
