/* Gradients with training.recompute have the same bits as without, in f32 and bf16, with dropout,
 * of all blocks and of the last one; and memory for activations shrinks. */
#include "support/head_world.h"

/* The gradients of the case, and its loss. Gives an array. */
static float *gradients(double *loss, const struct head_case *c,
                        const struct world_options *options)
{
    struct world w;
    float *grads;
    open_world(&w, c, options);
    model_round_params(w.model);
    w.batch.dropout_key = 99;
    *loss = model_loss_backward(w.model, &w.batch);
    const size_t n = (size_t)w.model->trainable->N;
    CHECK_STATUS(FT_ALLOC(grads, n), FT_OK);
    memcpy(grads, w.model->grads, n * sizeof *grads);
    close_world(&w);
    return grads;
}

static void check_case(const struct head_case *c, struct world_options options)
{
    struct world w;
    double expected_loss, loss;
    float *expected = gradients(&expected_loss, c, &options);
    open_world(&w, c, &options);
    const size_t bytes = (size_t)w.model->trainable->N * sizeof *expected;
    close_world(&w);
    for (int r = RECOMPUTE_ATTENTION; r <= RECOMPUTE_BLOCK; r++) {
        options.recompute = (enum recompute)r;
        float *grads = gradients(&loss, c, &options);
        CHECK(loss == expected_loss);
        if (memcmp(grads, expected, bytes) != 0) {
            (void)fprintf(stderr, "%s, %d layers, elem %d, recompute %d: other gradients\n",
                          c->name, options.trainable_layers, (int)options.elem, r);
            check_failures++;
        }
        mem_free(grads);
    }
    mem_free(expected);
}

static void check_bytes(const char *folder)
{
    struct model_config config;
    struct model_shape shape = {
        .max_tokens = 512, .max_length = 17, .max_segments = DOCUMENTS, .trains = true};
    int64_t bytes[3];
    CHECK_STATUS(model_config_read(&config, folder), FT_OK);
    config.L = 12;
    for (int r = RECOMPUTE_NOTHING; r <= RECOMPUTE_BLOCK; r++) {
        shape.recompute = (enum recompute)r;
        CHECK_STATUS(model_activation_bytes(&bytes[r], &config, &shape), FT_OK);
    }
    CHECK(bytes[1] < 0.85 * (double)bytes[0] && bytes[2] < 0.5 * (double)bytes[0]);
}

int main(void)
{
    for (int i = 0; i < N_CASES; i++)
        for (int n_layers = 0; n_layers < 2; n_layers++)
            for (int elem = ELEM_F32; elem <= ELEM_BF16; elem++)
                for (int drops = 0; drops < 2; drops++)
                    check_case(&cases[i], (struct world_options){.trainable_layers = n_layers,
                                                                 .elem = (enum elem)elem,
                                                                 .hidden = drops * 0.2,
                                                                 .attention = drops * 0.1,
                                                                 .classifier = drops * 0.3});
    check_bytes(HEADS "/bert");
    check_bytes(HEADS "/llama");
    return check_end();
}
