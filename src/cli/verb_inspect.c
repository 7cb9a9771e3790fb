#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "ckpt/checkpoint.h"
#include "cli/verbs.h"
#include "data/describe.h"
#include "format/gguf.h"
#include "format/weights.h"
#include "model/config.h"
#include "model/convert.h"
#include "model/layout.h"
#include "token/chat.h"
#include "token/tokenizer.h"
#include "train/memory_table.h"
#include "train/run_describe.h"

static const char *const yes_no[] = {"no", "yes"};

static void print_sizes(const struct model_config *c, const struct layout *l)
{
    printf("family            %s, %s\n", c->family, c->is_encoder ? "encoder" : "decoder");
    printf("parameters        %lld in %d tensors\n", (long long)l->N, l->n_tensors);
    printf("layers            %d\nchannels          %d\n", c->L, c->C);
    printf("heads             %d of size %d, %d for keys and values\n", c->Hq, c->D, c->Hkv);
    printf("intermediate      %d\nvocabulary        %d\npositions         %d%s\n", c->F, c->V,
           c->T_max, c->positions == POSITION_LEARNED ? ", learned" : "");
}

static void print_decoder(const struct model_config *c)
{
    if (c->positions == POSITION_ROPE)
        printf("rope              theta %g, %s\n", c->rope.theta,
               c->rope.n_divisors > 0          ? "frequency factors from the file"
               : c->rope.scaling == ROPE_PLAIN ? "no scaling"
                                               : "with scaling");
    printf("tied embeddings   %s\n", yes_no[c->tied_embeddings]);
    printf("biases            attention %s, MLP %s\n", yes_no[c->attention_bias],
           yes_no[c->mlp_bias]);
}

static void print_encoder(const struct model_config *c)
{
    printf("token types       %d\npooler            %s\n", c->n_types, yes_no[c->has_pooler]);
    printf("dropout           hidden %g, attention %g, classifier %g\n", c->hidden_dropout,
           c->attention_dropout, c->classifier_dropout);
}

static void print_config(const struct model_config *c, const struct layout *l)
{
    static const char *const poolings[] = {"auto", "cls", "mean", "last"};
    print_sizes(c, l);
    if (c->is_encoder)
        print_encoder(c);
    else
        print_decoder(c);
    printf("pooling           %s%s\n", poolings[model_config_pooling(c, POOLING_AUTO)],
           c->folder_pooling == POOLING_AUTO ? "" : ", as the folder says");
    printf("as f32            %.2f GiB; training needs %.2f GiB besides activations on one rank\n",
           (double)l->N * 4 / 1073741824.0, (double)l->N * 16 / 1073741824.0);
}

/* How many tensors of each storage type the files hold, and how large they are there. */
static void print_types(const struct weights *w)
{
    const char *before = "stored as        ";
    for (int i = 0; i < weights_count(w); i++) {
        const char *type = weights_info(w, i)->type_name;
        uint64_t bytes = 0;
        int n = 0;
        bool is_new = true;
        for (int k = 0; k < weights_count(w); k++) {
            const bool same = strcmp(weights_info(w, k)->type_name, type) == 0;
            n += same;
            bytes += same ? weights_info(w, k)->bytes : 0;
            is_new = is_new && !(same && k < i);
        }
        if (is_new)
            printf("%s %d x %s (%.1f MiB)", before, n, type, (double)bytes / 1048576.0);
        before = is_new ? "," : before;
    }
    printf("\n");
}

static void print_chat_template(const struct tokenizer *tokenizer)
{
    struct chat_template *chat;
    if (chat_template_open(&chat, tokenizer, "auto") != FT_OK) {
        printf("chat template     none that can be used: %s\n", ft_error_text());
        return;
    }
    const char *system = chat_template_default_system(chat);
    printf("chat template     %s%s%s%s\n", chat_template_name(chat),
           system && *system ? ", with the system message \"" : "", system && *system ? system : "",
           system && *system ? "\"" : "");
    chat_template_close(&chat);
}

/* A model without a usable tokenizer can still be looked at. */
static void print_tokenizer(const char *path, bool is_encoder)
{
    struct tokenizer *tokenizer;
    char digits[HASH_TEXT];
    if (tokenizer_open(&tokenizer, path) != FT_OK) {
        printf("tokenizer         not usable: %s\n", ft_error_text());
        return;
    }
    hash_format(digits, tokenizer_hash(tokenizer));
    printf("tokenizer         %s, %d tokens, ", tokenizer_kind(tokenizer),
           tokenizer_vocab_size(tokenizer));
    if (tokenizer_eos(tokenizer) >= 0)
        printf("end of text %d, ", tokenizer_eos(tokenizer));
    printf("template of %d, hash %s\n", tokenizer_template_size(tokenizer), digits);
    if (!is_encoder)
        print_chat_template(tokenizer);
    tokenizer_close(&tokenizer);
}

/* Whether the files hold each tensor of the architecture. */
static ft_status check_params(const struct model_config *config, const char *path)
{
    struct layout *layout;
    FT_TRY(layout_create(&layout, config));
    ft_status status = model_check_params(layout, config, path);
    if (status == FT_OK)
        print_config(config, layout);
    layout_destroy(&layout);
    return status;
}

/* What can be said of any model's files, whether its architecture is known or not. */
static void print_files(const char *path, bool is_encoder)
{
    struct weights *weights;
    if (weights_open(&weights, path) == FT_OK) {
        print_types(weights);
        weights_close(&weights);
    } else {
        printf("stored as         not readable: %s\n", ft_error_text());
    }
    print_tokenizer(path, is_encoder);
}

/* A model that cannot be used is told of, with the reason: that is what was asked. */
static ft_status describe_model(const char *path)
{
    struct model_config config = {0};
    ft_status status = model_config_read(&config, path);
    if (status == FT_OK)
        status = check_params(&config, path);
    if (status != FT_OK && status != FT_ERR_INPUT)
        return status;
    if (status == FT_OK)
        printf("supported         yes, for %s\n",
               config.is_encoder ? "classification" : "causal-lm, instruct and classification");
    else
        printf("supported         no: %s\n", ft_error_text());
    print_files(path, config.is_encoder);
    return status == FT_OK ? memory_table_print(&config, stdout) : FT_OK;
}

static bool is_model(const char *path)
{
    char config[FILE_PATH_MAX];
    const size_t n = strlen(path);
    if (n > 5 && strcmp(path + n - 5, ".gguf") == 0)
        return true;
    return file_join(config, path, "config.json") == FT_OK && file_exists(config);
}

static ft_status describe(const char *path)
{
    if (!file_exists(path))
        return ft_fail(FT_ERR_INPUT, "%s does not exist", path);
    if (is_model(path))
        return describe_model(path);
    if (tokens_recognise(path))
        return tokens_describe(path, stdout);
    if (run_recognises(path))
        return run_describe(path, stdout);
    if (head_recognises(path))
        return head_describe(path, stdout);
    if (ckpt_recognises(path))
        return ckpt_describe(path, stdout);
    return ft_fail(FT_ERR_INPUT,
                   "%s is no model folder, GGUF file, token shard, checkpoint, run folder or head",
                   path);
}

ft_status verb_inspect(struct comm *comm, int argc, char **argv)
{
    if (argc != 1)
        return ft_fail(FT_ERR_USAGE, "usage: finetune inspect PATH");
    return comm_agree(comm, comm_rank(comm) == 0 ? describe(argv[0]) : FT_OK);
}
