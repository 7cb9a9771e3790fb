/*
 * From the final norm's rows to the loss of a document:
 *
 *     pooling -> [pooler] -> [dense of the mlp] -> dropout -> output layer -> cross-entropy
 *
 * the parts in brackets where the model has them, each a dense layer with a function. Everything
 * behind the pooling has one row a document.
 */
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "math/activation.h"
#include "math/loss.h"
#include "model/blocks.h"

/* The layer of weights of that role, its bias the role after it. */
static struct linear find_linear(const struct model *m, int role, int out)
{
    return (struct linear){.weight = layout_offset(m->layout, role, -1),
                           .bias = layout_offset(m->layout, role + 1, -1),
                           .in = m->config.C,
                           .out = out};
}

static void add_stage(struct model *m, int role, enum function function)
{
    const struct linear linear = find_linear(m, role, m->config.C);
    if (linear.weight < 0)
        return;
    struct head_stage *stage = &m->head.stages[m->head.n_stages++];
    stage->linear = linear;
    stage->function = function;
}

void head_find(struct model *m)
{
    add_stage(m, ROLE_POOLER, FUNCTION_TANH);
    add_stage(m, ROLE_HEAD_DENSE, m->config.head_function);
    m->head.out = find_linear(m, ROLE_HEAD_OUT, m->config.head.n_labels);
}

void head_push(struct arena *arena, struct model *m, bool trains)
{
    struct head *head = &m->head;
    const size_t f = sizeof(float), K = (size_t)m->config.head.n_labels;
    const size_t rows = (size_t)m->max_segments, width = rows * (size_t)m->config.C;
    if (K == 0 && !m->config.has_pooler)
        return;
    head->pooled = arena_push(arena, width, f);
    if (K == 0)
        return;
    for (int i = 0; i < 2; i++) { /* measured before the table says how many there are */
        head->stages[i].pre = arena_push(arena, width, f);
        head->stages[i].out = arena_push(arena, width, f);
    }
    head->input = arena_push(arena, width, f);
    head->logits = arena_push(arena, rows * K, f);
    head->dlogits = arena_push(arena, rows * K, f);
    for (int i = 0; i < 2 && trains; i++)
        head->dx[i] = arena_push(arena, width, f);
}

void stage_forward(float *out, float *pre, const float *x, const struct model *m,
                   const struct head_stage *stage, int n)
{
    dense_forward(pre, x, m, &stage->linear, n);
    activation_forward(stage->function, out, pre, n, stage->linear.out, ELEM_F32);
}

/* Row i of the input belongs to document i, whatever batch it is in. */
static void drop_input(const struct model *m, float *x, const struct batch *batch)
{
    if (m->dropout.classifier.rate > 0.0)
        dropout_rows(x, m->config.C, &m->dropout.classifier,
                     dropout_site(m->config.L, DROP_CLASSIFIER), NULL, batch->segment_ids,
                     batch->n_segments);
}

double head_forward(struct model *m, const struct batch *batch, bool want_gradient)
{
    struct head *head = &m->head;
    const int n = batch->n_segments, C = m->config.C, K = m->config.head.n_labels;
    const float *x = head->pooled;
    pool_forward(head->pooled, m->h, batch, m->config.head.pooling, C);
    for (int i = 0; i < head->n_stages; i++) {
        stage_forward(head->stages[i].out, head->stages[i].pre, x, m, &head->stages[i], n);
        x = head->stages[i].out;
    }
    memcpy(head->input, x, (size_t)n * (size_t)C * sizeof *x);
    drop_input(m, head->input, batch);
    dense_forward(head->logits, head->input, m, &head->out, n);
    memcpy(head->dlogits, head->logits, (size_t)n * (size_t)K * sizeof *x);
    class_cross_entropy(head->dlogits, m->losses, batch->labels, m->class_weights,
                        m->label_smoothing, n, K, want_gradient);
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)m->losses[i];
    return sum;
}

void head_backward(struct model *m, const struct batch *batch)
{
    struct head *head = &m->head;
    const int n = batch->n_segments, C = m->config.C;
    float *dy = head->dx[0], *dx = head->dx[1];
    dense_backward(dy, head->dlogits, m->config.head.n_labels, head->input, m, &head->out, n);
    drop_input(m, dy, batch);
    for (int i = head->n_stages - 1; i >= 0; i--) {
        const struct head_stage *stage = &head->stages[i];
        activation_backward(stage->function, dy, dy, stage->pre, n, C, ELEM_F32);
        dense_backward(dx, dy, C, i > 0 ? head->stages[i - 1].out : head->pooled, m, &stage->linear,
                       n);
        float *const done = dy;
        dy = dx;
        dx = done;
    }
    pool_backward(m->dh, dy, batch, m->config.head.pooling, C);
}

const float *model_class_logits(const struct model *model)
{
    return model->head.logits;
}

/* Element `index` of N(0, 1) in the stream of one tensor. Source: Box & Muller 1958. */
static double normal(uint64_t seed, uint64_t stream, uint64_t index)
{
    uint32_t bits[4];
    rng_philox(bits, seed, stream, index);
    const double u = ((double)bits[0] + 0.5) / 4294967296.0;
    const double v = (double)bits[1] / 4294967296.0;
    return sqrt(-2.0 * log(u)) * cos(2.0 * acos(-1.0) * v);
}

/* A stream for each tensor of the head. The numbers are part of what a seed means. */
static uint64_t stream_of(int role)
{
    static const uint64_t first = (UINT64_C(0x68656164) << 24) + 26;
    return first + (uint64_t)(role - ROLE_HEAD_DENSE);
}

void model_init_head(struct model *model, uint64_t seed)
{
    for (int i = 0; i < model->layout->n_tensors; i++) {
        const struct tensor_spec *t = &model->layout->tensors[i];
        if (t->role < ROLE_HEAD_DENSE)
            continue;
        for (int64_t k = 0; k < t->n; k++)
            model->params[t->offset + k] =
                t->n_dims < 2 ? 0.0f
                              : (float)(0.02 * normal(seed, stream_of(t->role), (uint64_t)k));
    }
}
