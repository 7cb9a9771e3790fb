/* The head file of mode transfer: what is written is read, equal heads give equal files, every
 * deviation is an error that names it, and the head's logits are those of plain loops. */
#include "model/head_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "format/h5.h"
#include "support/check.h"

enum { K = 3, C = 5, N_LAYERS = 2, WIDTH = N_LAYERS * C, HIDDEN = 4, ROWS = 6 };

static const char backbone[] = "00112233445566778899aabbccddeeff";
static const char tokenizer[] = "ffeeddccbbaa99887766554433221100";
static const char *const names[K] = {"a \"q\"", "b", "\xc3\xa9t\xc3\xa9"};

static char folder[] = "/tmp/ft-head-XXXXXX";
static char path[FILE_PATH_MAX];

static void fill(float *x, int n, int seed)
{
    for (int i = 0; x && i < n; i++)
        x[i] = (float)((i * 37 + seed * 11) % 23 - 11) * 0.07f;
}

static void make(struct transfer_head *head, enum head_kind kind)
{
    *head = (struct transfer_head){.kind = kind,
                                   .K = K,
                                   .C = C,
                                   .n_layers = N_LAYERS,
                                   .layers = {5, 6},
                                   .pooling = POOLING_MEAN,
                                   .hidden = kind == HEAD_MLP ? HIDDEN : 0,
                                   .seq_len = 256,
                                   .solver = kind == HEAD_MLP ? SOLVER_ADAMW : SOLVER_LBFGS,
                                   .l2 = 0.1,
                                   .gradient = 1e-9,
                                   .program = "finetune 0.1.0 (test)"};
    memcpy(head->backbone_hash, backbone, sizeof backbone);
    memcpy(head->tokenizer_hash, tokenizer, sizeof tokenizer);
    memcpy(head->data_hash, "00112233445566778899aabbccddeeff", HASH_TEXT);
    CHECK_STATUS(transfer_head_allocate(head, names), FT_OK);
    if (kind == HEAD_MLP) {
        fill(head->dense_weight, HIDDEN * WIDTH, 1);
        fill(head->dense_bias, HIDDEN, 2);
    }
    fill(head->out_weight, K * (kind == HEAD_MLP ? HIDDEN : WIDTH), 3);
    fill(head->out_bias, K, 4);
}

static int is_equal(const float *a, const float *b, int n)
{
    return (!a && !b) || (a && b && memcmp(a, b, (size_t)n * sizeof *a) == 0);
}

static void check_equal(const struct transfer_head *a, const struct transfer_head *b)
{
    const int out = a->kind == HEAD_MLP ? HIDDEN : WIDTH;
    CHECK(a->kind == b->kind && a->K == b->K && a->C == b->C && a->hidden == b->hidden);
    CHECK(a->n_layers == b->n_layers && memcmp(a->layers, b->layers, sizeof a->layers) == 0);
    CHECK(a->pooling == b->pooling && a->solver == b->solver && a->seq_len == b->seq_len);
    CHECK(a->l2 == b->l2 && a->gradient == b->gradient && strcmp(a->program, b->program) == 0);
    CHECK(strcmp(a->backbone_hash, b->backbone_hash) == 0);
    CHECK(strcmp(a->tokenizer_hash, b->tokenizer_hash) == 0);
    CHECK(strcmp(a->data_hash, b->data_hash) == 0);
    CHECK(is_equal(a->dense_weight, b->dense_weight, HIDDEN * WIDTH));
    CHECK(is_equal(a->dense_bias, b->dense_bias, HIDDEN));
    CHECK(is_equal(a->out_weight, b->out_weight, K * out));
    CHECK(is_equal(a->out_bias, b->out_bias, K));
    for (int k = 0; k < K; k++)
        CHECK(strcmp(a->labels[k], b->labels[k]) == 0);
}

/* Each byte of the file, three masks: every damage is seen, and before HDF5 sees the file. */
static void test_flips(const char *whole, size_t bytes)
{
    static const int masks[] = {1, 128, 255};
    struct transfer_head read;
    const int fd = open(path, O_WRONLY);
    for (size_t i = 0; whole && i < 3 * bytes; i++) {
        const off_t at = (off_t)(i / 3);
        const char damaged = (char)(whole[at] ^ masks[i % 3]);
        CHECK(pwrite(fd, &damaged, 1, at) == 1);
        CHECK_FAILS(head_file_read(&read, path), FT_ERR_INPUT,
                    at < 56 ? "its first bytes are not" : "is damaged");
        CHECK(pwrite(fd, &whole[at], 1, at) == 1);
    }
    CHECK(close(fd) == 0);
}

static void test_round_trip(enum head_kind kind)
{
    struct transfer_head head, read;
    char *first = NULL, *second = NULL;
    size_t n_first = 0, n_second = 1;
    make(&head, kind);
    CHECK_STATUS(head_file_write(&head, path), FT_OK);
    CHECK_STATUS(file_read_all(&first, &n_first, path, 1 << 20), FT_OK);
    CHECK_STATUS(head_file_read(&read, path), FT_OK);
    if (read.labels)
        check_equal(&head, &read);
    CHECK_STATUS(head_file_write(&read, path), FT_OK); /* over the old one: the same bytes */
    CHECK_STATUS(file_read_all(&second, &n_second, path, 1 << 20), FT_OK);
    CHECK(first && second && n_first == n_second && memcmp(first, second, n_first) == 0);
    transfer_head_clear(&read);
    test_flips(second, n_second);

    CHECK_STATUS(head_file_check(&head, path, backbone, tokenizer), FT_OK);
    CHECK_FAILS(head_file_check(&head, path, tokenizer, tokenizer), FT_ERR_INPUT, backbone);
    CHECK(strstr(ft_error_text(), tokenizer) && strstr(ft_error_text(), path));
    CHECK_FAILS(head_file_check(&head, path, backbone, backbone), FT_ERR_INPUT, tokenizer);
    CHECK(strstr(ft_error_text(), backbone) != NULL);

    for (size_t n = 0; first && n < n_first; n += n < 4096 ? 13 : 97) { /* cut anywhere */
        FILE *file = fopen(path, "wb");
        CHECK(file && fwrite(first, 1, n, file) == n && fclose(file) == 0);
        const ft_status status = head_file_read(&read, path);
        CHECK(status == FT_ERR_INPUT || status == FT_ERR_IO);
        CHECK(strstr(ft_error_text(), path) && !read.labels && !read.out_weight);
    }
    mem_free(first);
    mem_free(second);
    transfer_head_clear(&head);
}

/* logits by loops in f64 */
static void expect_logits(double out[K], const struct transfer_head *head, const float *x)
{
    double hidden[WIDTH];
    const int n = head->kind == HEAD_MLP ? HIDDEN : WIDTH;
    for (int i = 0; i < n; i++) {
        double sum = head->kind == HEAD_MLP ? (double)head->dense_bias[i] : (double)x[i];
        for (int c = 0; head->kind == HEAD_MLP && c < WIDTH; c++)
            sum += (double)head->dense_weight[i * WIDTH + c] * (double)x[c];
        hidden[i] = head->kind == HEAD_MLP ? tanh(sum) : sum;
    }
    for (int k = 0; k < K; k++) {
        out[k] = (double)head->out_bias[k];
        for (int i = 0; i < n; i++)
            out[k] += (double)head->out_weight[k * n + i] * hidden[i];
    }
}

static void test_apply(enum head_kind kind)
{
    struct transfer_head head;
    float x[ROWS * WIDTH], logits[ROWS * K], scratch[ROWS * HIDDEN];
    double expected[K];
    make(&head, kind);
    fill(x, ROWS * WIDTH, 5);
    CHECK(transfer_head_width(&head) == WIDTH);
    transfer_head_apply(logits, &head, x, ROWS, kind == HEAD_MLP ? scratch : NULL);
    for (int row = 0; row < ROWS; row++) {
        expect_logits(expected, &head, x + row * WIDTH);
        for (int k = 0; k < K; k++)
            CHECK(fabs((double)logits[row * K + k] - expected[k]) < 1e-6);
    }
    transfer_head_clear(&head);
}

/* A file with one thing wrong; what is zero is left right. */
struct wrong {
    const char *part; /* of the message */
    const char *format, *kind, *pooling, *solver, *backbone, *program;
    int64_t layers[5], n_layers, seq_len;
    int64_t out_rows, out_columns, bias, dense_rows, dense_columns, n_labels;
    const char *labels[K];
    double l2;
    float weight;
    const char *missing; /* object or attribute */
};

static const struct wrong wrongs[] = {
    {.part = "format \"x\"", .format = "x"},
    {.part = "kind is \"cubic\"", .kind = "cubic"},
    {.part = "pooling is \"auto\"", .pooling = "auto"},
    {.part = "solver is \"\"", .solver = ""},
    {.part = "attribute backbone", .backbone = "0123"},
    {.part = "attribute backbone", .backbone = "00112233445566778899aabbccddeeff0"},
    {.part = "attribute backbone", .backbone = "00112233445566778899AABBCCDDEEFF"},
    {.part = "attribute program",
     .program = "a name that is far longer than a program and its "
                "revision together could ever be"},
    {.part = "layers", .n_layers = 5, .layers = {1, 2, 3, 4, 5}},
    {.part = "layer 5 is not possible", .n_layers = 2, .layers = {6, 5}},
    {.part = "layer 5 is not possible", .n_layers = 2, .layers = {5, 5}},
    {.part = "layer 0 is not possible", .n_layers = 1, .layers = {0}},
    {.part = "layer 4294967297 is not", .n_layers = 1, .layers = {INT64_C(4294967297)}},
    {.part = "do not fit", .n_layers = 3, .layers = {4, 5, 6}},
    {.part = "seq_len -1", .seq_len = -1},
    {.part = "seq_len 4294967297", .seq_len = INT64_C(4294967297)},
    {.part = "do not fit", .out_rows = 1, .n_labels = 1},
    {.part = "3 labels for 4 rows", .out_rows = 4, .bias = 4},
    {.part = "2 labels for 3 rows", .n_labels = 2},
    {.part = "/out/bias", .bias = 2},
    {.part = "do not fit", .kind = "mlp", .out_columns = HIDDEN + 1},
    {.part = "/dense/bias", .kind = "mlp", .missing = "/dense/bias"},
    {.part = "/dense/weight", .kind = "mlp", .missing = "/dense/weight"},
    {.part = "/out/weight", .missing = "/out/weight"},
    {.part = "/labels", .missing = "/labels"},
    {.part = "out of order", .labels = {"a", "c", "b"}},
    {.part = "there twice", .labels = {"a", "b", "b"}},
    {.part = "l2", .l2 = -1.0},
    {.part = "l2", .l2 = NAN},
    {.part = "/out/weight: element 0 is not finite", .weight = NAN},
    {.part = "gradient", .missing = "gradient"},
    {.part = "layers", .missing = "layers"},
};

static const char *text_or(const char *text, const char *otherwise)
{
    return text ? text : otherwise;
}

static int64_t number_or(int64_t number, int64_t otherwise)
{
    return number ? number : otherwise;
}

static int has(const struct wrong *w, const char *name)
{
    return !w->missing || strcmp(w->missing, name) != 0;
}

static void put_attributes(struct h5_file *file, const struct wrong *w)
{
    const int64_t layers[2] = {5, 6};
    CHECK_STATUS(h5_put_text(file, "/", "format", text_or(w->format, "finetune-head-2")), FT_OK);
    CHECK_STATUS(h5_put_text(file, "/", "kind", text_or(w->kind, "linear")), FT_OK);
    if (has(w, "layers"))
        CHECK_STATUS(h5_put_i64s(file, "/", "layers", w->n_layers ? w->layers : layers,
                                 number_or(w->n_layers, 2)),
                     FT_OK);
    CHECK_STATUS(h5_put_text(file, "/", "pooling", text_or(w->pooling, "cls")), FT_OK);
    CHECK_STATUS(h5_put_text(file, "/", "backbone", text_or(w->backbone, backbone)), FT_OK);
    CHECK_STATUS(h5_put_text(file, "/", "tokenizer", tokenizer), FT_OK);
    CHECK_STATUS(h5_put_text(file, "/", "data", backbone), FT_OK);
    CHECK_STATUS(h5_put_i64(file, "/", "seq_len", number_or(w->seq_len, 64)), FT_OK);
    CHECK_STATUS(h5_put_text(file, "/", "solver", text_or(w->solver, "lbfgs")), FT_OK);
    CHECK_STATUS(h5_put_f64(file, "/", "l2", w->l2), FT_OK);
    if (has(w, "gradient"))
        CHECK_STATUS(h5_put_f64(file, "/", "gradient", 0), FT_OK);
    CHECK_STATUS(h5_put_text(file, "/", "program", text_or(w->program, "test")), FT_OK);
}

static void put_array(struct h5_file *file, const struct wrong *w, const char *name, int n_dims,
                      int64_t rows, int64_t columns, float first)
{
    const float data[64] = {first};
    const int64_t dims[2] = {rows, columns};
    if (has(w, name))
        CHECK_STATUS(h5_write(file, name, H5_F32, n_dims, dims, data), FT_OK);
}

static void write_wrong(const struct wrong *w)
{
    struct h5_file *file = NULL;
    const int is_mlp = w->kind && strcmp(w->kind, "mlp") == 0;
    (void)unlink(path);
    CHECK_STATUS(h5_create_sealed(&file, path), FT_OK);
    put_attributes(file, w);
    if (has(w, "/labels"))
        CHECK_STATUS(h5_write_texts(file, "/labels", number_or(w->n_labels, K),
                                    w->labels[0] ? w->labels : names),
                     FT_OK);
    put_array(file, w, "/out/weight", 2, number_or(w->out_rows, K),
              number_or(w->out_columns, is_mlp ? HIDDEN : WIDTH), w->weight);
    put_array(file, w, "/out/bias", 1, number_or(w->bias, K), 0, 0);
    if (is_mlp) {
        put_array(file, w, "/dense/weight", 2, HIDDEN, WIDTH, 0);
        put_array(file, w, "/dense/bias", 1, HIDDEN, 0, 0);
    }
    CHECK_STATUS(h5_close(&file), FT_OK);
    CHECK_STATUS(h5_seal(path), FT_OK);
}

static void test_hostile(void)
{
    struct transfer_head head;
    const struct wrong nothing = {0}, nothing_mlp = {.kind = "mlp"};
    write_wrong(&nothing); /* what the others deviate from is right */
    CHECK_STATUS(head_file_read(&head, path), FT_OK);
    transfer_head_clear(&head);
    write_wrong(&nothing_mlp);
    CHECK_STATUS(head_file_read(&head, path), FT_OK);
    transfer_head_clear(&head);
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        check_hostile("head.h5", wrongs[i].part);
        write_wrong(&wrongs[i]);
        CHECK_FAILS(head_file_read(&head, path), FT_ERR_INPUT, wrongs[i].part);
        CHECK(strstr(ft_error_text(), path) && !head.labels && !head.out_weight);
        transfer_head_clear(&head);
    }
    CHECK_STATUS(file_replace(path, "text", 4), FT_OK);
    CHECK_FAILS(head_file_read(&head, path), FT_ERR_INPUT, "4 bytes are no sealed file");
    CHECK_FAILS(head_file_read(&head, "/no/such/head.h5"), FT_ERR_INPUT, "/no/such/head.h5");
}

static void test_failures(void)
{
    struct transfer_head head, read;
    char temporary[FILE_PATH_MAX];
    make(&head, HEAD_MLP);
    CHECK_STATUS(head_file_write(&head, path), FT_OK);
    ft_status status = FT_ERR_INTERNAL;
    int64_t nth = 1;
    for (; status != FT_OK && nth < 200; nth++) {
        mem_fail_nth(nth, 0);
        status = head_file_read(&read, path);
        CHECK(status == FT_OK || (status == FT_ERR_INTERNAL && !read.labels));
    }
    mem_fail_nth(0, 0);
    CHECK(nth > 8 && nth < 200);
    transfer_head_clear(&read);
    CHECK_STATUS(file_join(temporary, folder, "head.h5.tmp"), FT_OK);
    CHECK_STATUS(file_replace(temporary, "left by a killed run", 20), FT_OK);
    CHECK_STATUS(head_file_write(&head, path), FT_OK);
    CHECK(!file_exists(temporary));
    CHECK_FAILS(head_file_write(&head, "/no/such/head.h5"), FT_ERR_IO, "/no/such/head.h5");
    transfer_head_clear(&head);
}

int main(void)
{
    CHECK(mkdtemp(folder) != NULL);
    CHECK_STATUS(file_join(path, folder, "head.h5"), FT_OK);
    test_round_trip(HEAD_LINEAR);
    test_round_trip(HEAD_MLP);
    test_apply(HEAD_LINEAR);
    test_apply(HEAD_MLP);
    test_hostile();
    test_failures();
    CHECK_STATUS(file_remove_folder(folder), FT_OK);
    return check_end();
}
