/*
 * Measures what the machine gives (matrix products on the model's own shapes, weighted by their
 * FLOPs in a step; memory; messages between ranks), then training steps on random tokens by phase.
 * The ratio of the two says how much of a step is matrix product. Under mpirun every rank works at
 * the same time, messages are measured too, and the slowest rank counts; steps exchange nothing,
 * `finetune` with its timers.json shows what that costs.
 * Prints a table, and one JSON line at the end.
 */
#include <getopt.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_parts.h"
#include "math/gemm16.h"
#include "model/layout.h"

static const char usage[] =
    "usage: bench MODEL [--seq-len 512] [--micro-batch 4] [--steps 5]\n"
    "             [--precision fp32|bf16] [--random-weights]\n"
    "             [--message ELEMENTS] [--only products|memory|messages|steps] ...\n"
    "MODEL: folder or .gguf; with --random-weights a folder with config.json is enough.\n"
    "--precision: of the steps; the products of bf16 are measured where the processor has them.\n"
    "--message: size of the large message between ranks; the model's gradient when not given.\n";

static ft_status read_number(int64_t *out, const char *name, const char *text, int64_t max)
{
    char *end;
    *out = strtoll(text, &end, 10);
    if (*end || end == text || *out < 1 || *out > max)
        return ft_fail(FT_ERR_USAGE, "--%s %s: a whole number from 1 to %lld is needed", name, text,
                       (long long)max);
    return FT_OK;
}

static const struct {
    const char *name;
    enum bench_part part;
} parts[] = {{"products", PART_PRODUCTS},
             {"memory", PART_MEMORY},
             {"messages", PART_MESSAGES},
             {"steps", PART_STEPS}};

/* The first --only leaves that part alone, another one adds to it. */
static ft_status read_only(struct bench_options *o, const char *text)
{
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (strcmp(text, parts[i].name) == 0) {
            o->parts |= parts[i].part;
            return FT_OK;
        }
    }
    return ft_fail(FT_ERR_USAGE, "--only %s: products, memory, messages or steps is needed", text);
}

static ft_status read_precision(struct bench_options *o, const char *text)
{
    if (strcmp(text, "fp32") != 0 && strcmp(text, "bf16") != 0)
        return ft_fail(FT_ERR_USAGE, "--precision %s: fp32 or bf16 is needed", text);
    o->elem = strcmp(text, "bf16") == 0 ? ELEM_BF16 : ELEM_F32;
    if (o->elem == ELEM_BF16 && !gemm16_is_built())
        return ft_fail(FT_ERR_USAGE, "--precision bf16: this program was built without oneDNN; "
                                     "install libdnnl-dev and build it again");
    return FT_OK;
}

static ft_status read_option(struct bench_options *o, int option, const struct option *table,
                             int index)
{
    int64_t value = 0;
    switch (option) {
    case 't':
        FT_TRY(read_number(&value, table[index].name, optarg, 1 << 20));
        o->seq_len = (int)value;
        return FT_OK;
    case 'b':
        FT_TRY(read_number(&value, table[index].name, optarg, 1024));
        o->micro_batch = (int)value;
        return FT_OK;
    case 's':
        FT_TRY(read_number(&value, table[index].name, optarg, BENCH_STEPS_MAX));
        o->steps = (int)value;
        return FT_OK;
    case 'm':
        return read_number(&o->message_count, table[index].name, optarg, (int64_t)1 << 40);
    case 'o':
        return read_only(o, optarg);
    case 'p':
        return read_precision(o, optarg);
    case 'r':
        o->has_random = true;
        return FT_OK;
    default:
        return ft_fail(FT_ERR_USAGE, "%s", usage);
    }
}

static ft_status read_options(struct bench_options *o, int argc, char **argv)
{
    static const struct option table[] = {
        {"seq-len", required_argument, NULL, 't'},  {"micro-batch", required_argument, NULL, 'b'},
        {"steps", required_argument, NULL, 's'},    {"only", required_argument, NULL, 'o'},
        {"message", required_argument, NULL, 'm'},  {"precision", required_argument, NULL, 'p'},
        {"random-weights", no_argument, NULL, 'r'}, {0}};
    int option, index = 0;
    *o = (struct bench_options){.seq_len = 512, .micro_batch = 4, .steps = 5};
    opterr = 0;
    while ((option = getopt_long(argc, argv, "", table, &index)) != -1)
        FT_TRY(read_option(o, option, table, index));
    if (optind + 1 != argc)
        return ft_fail(FT_ERR_USAGE, "%s", usage);
    o->model = argv[optind];
    if (o->parts == 0)
        o->parts = PART_PRODUCTS | PART_MEMORY | PART_MESSAGES | PART_STEPS;
    return FT_OK;
}

static ft_status read_model(struct model_config *c, const struct bench_options *o)
{
    FT_TRY(model_config_read(c, o->model));
    if (o->seq_len > c->T_max)
        return ft_fail(FT_ERR_USAGE, "--seq-len %d: %s was made for %d positions", o->seq_len,
                       o->model, c->T_max);
    if (c->is_encoder)
        c->head = (struct head_config){2, model_config_pooling(c, POOLING_AUTO), HEAD_LINEAR, true};
    return FT_OK;
}

static ft_status gradient_count(int64_t *count, const struct model_config *c)
{
    struct layout *layout;
    FT_TRY(layout_create(&layout, c));
    *count = layout->N;
    layout_destroy(&layout);
    return FT_OK;
}

static ft_status measure_rates(struct bench_rates *r, struct comm *comm,
                               const struct model_config *c, const struct bench_options *o)
{
    int64_t count = o->message_count;
    if (o->parts & PART_PRODUCTS)
        FT_TRY(bench_products(&r->product[ELEM_F32], comm, c, o, ELEM_F32));
    if ((o->parts & PART_PRODUCTS) && (o->elem == ELEM_BF16 || gemm16_is_native()))
        FT_TRY(bench_products(&r->product[ELEM_BF16], comm, c, o, ELEM_BF16));
    if (o->parts & PART_MEMORY)
        FT_TRY(bench_triad(r, comm));
    if (!(o->parts & PART_MESSAGES))
        return FT_OK;
    if (count == 0)
        FT_AGREE(comm, gradient_count(&count, c));
    return bench_messages(r, comm, count);
}

static void print_rates(const struct bench_rates *r, int ranks)
{
    if (r->triad_all > 0)
        printf("memory (a = b + s * c), each rank: %.1f GB/s with one thread, %.1f with all\n",
               r->triad_one * 1e-9, r->triad_all * 1e-9);
    if (r->large_s <= 0)
        return;
    printf("sum over %d ranks: one number %.1f us; %.2f MB %.3f ms = %.2f GB/s; %.1f MB %.3f s = "
           "%.2f GB/s\n",
           ranks, r->latency_s * 1e6, r->small_bytes * 1e-6, r->small_s * 1e3,
           r->small_bytes / r->small_s * 1e-9, r->large_bytes * 1e-6, r->large_s,
           r->large_bytes / r->large_s * 1e-9);
    printf(
        "a step's exchanges of %.1f MB: reduction to the owners %.3f s = %.2f GB/s, gathering %.3f "
        "s = %.2f GB/s\n",
        r->large_bytes * 1e-6, r->reduce_s, r->large_bytes / r->reduce_s * 1e-9, r->gather_s,
        r->large_bytes / r->gather_s * 1e-9);
}

static void print_steps(const struct bench_steps *s, double peak_rate)
{
    const double rate = s->flops / s->step;
    printf("%-28s %9s %8s\n", "phase of a step", "s", "share");
    const struct {
        const char *name;
        double seconds;
    } rows[] = {{"forward", s->forward},
                {"backward", s->backward},
                {"AdamW", s->adamw},
                {"attention (both passes)", s->attention}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        printf("%-28s %9.3f %7.1f%%\n", rows[i].name, rows[i].seconds,
               100.0 * rows[i].seconds / s->step);
    printf("step of %.0f tokens: %.3f s, %.1f tokens/s, %.1f GFLOP/s", s->tokens, s->step,
           s->tokens / s->step, rate * 1e-9);
    if (peak_rate > 0)
        printf(" = %.1f %% of the rate of its matrix products alone", 100.0 * rate / peak_rate);
    printf("\npeak memory %.2f GiB (activations %.2f)\n", s->peak_bytes / 0x1p30,
           s->memory_bytes / 0x1p30);
}

static void print_json(const struct bench_options *o, const struct bench_rates *r,
                       const struct bench_steps *s, int ranks)
{
    printf("{\"ranks\": %d, \"threads\": %d, \"seq_len\": %d, \"micro_batch\": %d, "
           "\"precision\": \"%s\"",
           ranks, omp_get_max_threads(), o->seq_len, o->micro_batch,
           o->elem == ELEM_F32 ? "fp32" : "bf16");
    if (o->parts & PART_PRODUCTS)
        printf(", \"sgemm_gflops\": %.3f", r->product[ELEM_F32] * 1e-9);
    if (r->product[ELEM_BF16] > 0)
        printf(", \"bf16_gflops\": %.3f", r->product[ELEM_BF16] * 1e-9);
    if (o->parts & PART_MEMORY)
        printf(", \"triad_one_gbs\": %.3f, \"triad_all_gbs\": %.3f", r->triad_one * 1e-9,
               r->triad_all * 1e-9);
    if (r->large_s > 0)
        printf(", \"latency_s\": %.9f, \"small_bytes\": %.0f, \"small_s\": %.9f, \"large_bytes\": "
               "%.0f, \"large_s\": %.6f, \"reduce_s\": %.6f, \"gather_s\": %.6f",
               r->latency_s, r->small_bytes, r->small_s, r->large_bytes, r->large_s, r->reduce_s,
               r->gather_s);
    if (o->parts & PART_STEPS)
        printf(", \"parameters\": %.0f, \"early_parameters\": %.0f, \"step_s\": %.6f, "
               "\"forward_s\": %.6f, \"backward_s\": "
               "%.6f, \"adamw_s\": %.6f, \"attention_s\": %.6f, \"tokens_per_s\": %.3f, "
               "\"step_gflops\": %.3f, \"peak_gib\": %.4f, \"activations_gib\": %.4f",
               s->parameters, s->early, s->step, s->forward, s->backward, s->adamw, s->attention,
               s->tokens / s->step, s->flops / s->step * 1e-9, s->peak_bytes / 0x1p30,
               s->memory_bytes / 0x1p30);
    if ((o->parts & PART_PRODUCTS) && (o->parts & PART_STEPS))
        printf(", \"of_product\": %.4f", s->flops / s->step / r->product[o->elem]);
    printf("}\n");
}

static ft_status run(struct comm *comm, int argc, char **argv)
{
    struct bench_options o;
    struct model_config c;
    struct bench_rates rates = {0};
    struct bench_steps steps = {0};
    const bool speaks = comm_rank(comm) == 0;
    FT_AGREE(comm, read_options(&o, argc, argv));
    FT_AGREE(comm, read_model(&c, &o));
    FT_TRY(measure_rates(&rates, comm, &c, &o));
    if (speaks)
        print_rates(&rates, comm_size(comm));
    if (o.parts & PART_STEPS)
        FT_TRY(bench_train(&steps, comm, &c, &o));
    if (speaks && (o.parts & PART_STEPS))
        print_steps(&steps, rates.product[o.elem]);
    if (speaks)
        print_json(&o, &rates, &steps, comm_size(comm));
    return FT_OK;
}

int main(int argc, char **argv)
{
    struct comm *comm;
    ft_status status = comm_open(&comm, &argc, &argv);
    if (status == FT_OK)
        status = run(comm, argc, argv);
    if (status != FT_OK && (!comm || comm_rank(comm) == 0))
        (void)fprintf(stderr, "bench: error: %s\n", ft_error_text());
    comm_close(&comm);
    return status;
}
