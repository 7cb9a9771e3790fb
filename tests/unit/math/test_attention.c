/* Attention against the definition in f64 and against finite differences: causal or not, with and
 * without dropout, grouped heads or not, sequences around the borders of a tile. */
#include "math/attention.h"
#include "math/bf16.h"
#include "support/derivative.h"

enum {
    LONGEST = 130,
    N_SEGMENTS = 6,
    T = 1 + 2 + 63 + 64 + 65 + LONGEST,
    MAX_D = 40,
    MAX_ROW = 8 * MAX_D, /* 4 query heads, 2 of keys and of values */
    MAX_OUT = 4 * MAX_D,
};
static const int32_t starts[N_SEGMENTS + 1] = {0, 65, 66, 68, 68 + LONGEST, T - 64, T};
static const int64_t ids[N_SEGMENTS] = {7, 3, 99, 4, 12345678901, 0};

static struct attention_shape shape;
static float qkv[T * MAX_ROW], dout[T * MAX_OUT], scratch[1 << 20];
static float result[T * (MAX_OUT + 4 + MAX_ROW)]; /* out, lse, dqkv */
static float dkv[2 * T * MAX_OUT];

static int row_width(void)
{
    return (shape.Hq + 2 * shape.Hkv) * shape.D;
}

static int out_width(void)
{
    return shape.Hq * shape.D;
}

static float *lse(void)
{
    return result + T * out_width();
}

static float *dqkv(void)
{
    return lse() + T * shape.Hq;
}

static double value(void)
{
    attention_forward(result, lse(), qkv, &shape, scratch, LONGEST);
    return weighted_sum(result, dout, T * out_width());
}

static void run(void)
{
    (void)value();
    attention_backward(dqkv(), dout, result, lse(), qkv, &shape, dkv, scratch, LONGEST);
}

/* Output row `row` of a segment and its log-sum-exp, by the definition. */
static double slow_row(double *o, int segment, int row, int h)
{
    const int first = starts[segment], D = shape.D, kv = h / (shape.Hq / shape.Hkv);
    const int length = starts[segment + 1] - first, seen = shape.causal ? row + 1 : length;
    double weight[LONGEST], total = 0;
    float mask[LONGEST];
    const float *q = qkv + (first + row) * row_width() + h * D;
    for (int k = 0; k < seen; k++) {
        const float *key = qkv + (first + k) * row_width() + (shape.Hq + kv) * D;
        weight[k] = exp(weighted_sum(q, key, D) / sqrt((double)D));
        total += weight[k];
        mask[k] = 1.0f;
    }
    if (shape.dropout)
        dropout_mask(mask, shape.dropout, ids[segment], shape.site, (uint32_t)h,
                     (int64_t)row * length, seen);
    for (int i = 0; i < D; i++) {
        o[i] = 0;
        for (int k = 0; k < seen; k++)
            o[i] += weight[k] / total * (double)mask[k] *
                    (double)qkv[(first + k) * row_width() + (shape.Hq + shape.Hkv + kv) * D + i];
    }
    return log(total);
}

static void check_forward(void)
{
    double worst = 0;
    for (int s = 0; s < N_SEGMENTS; s++)
        for (int row = 0; row < starts[s + 1] - starts[s]; row += 1 + row % 7)
            for (int h = 0; h < shape.Hq; h++) {
                double o[MAX_D];
                const int at = starts[s] + row;
                const double sum = slow_row(o, s, row, h);
                worst = fmax(worst, fabs(sum - (double)lse()[at * shape.Hq + h]));
                for (int i = 0; i < shape.D; i++)
                    worst = fmax(worst,
                                 fabs(o[i] - (double)result[at * out_width() + h * shape.D + i]));
            }
    CHECK(worst < 3e-6);
    if (worst >= 3e-6)
        (void)fprintf(stderr, "forward is off by %g\n", worst);
}

/* The gradient along a random direction, by differences: of the queries, of the keys and of the
 * values of each segment, so that all elements count. */
static void check_backward(const char *what)
{
    static float kept[T * MAX_ROW], direction[T * MAX_ROW];
    const int parts[4] = {0, shape.Hq, shape.Hq + shape.Hkv, shape.Hq + 2 * shape.Hkv};
    const int n = T * row_width();
    const float h = 3e-3f;
    memcpy(kept, qkv, sizeof qkv);
    for (int s = 0; s < N_SEGMENTS; s++)
        for (int part = 0; part < 3; part++) {
            double slope = 0, square = 0, sign = 1;
            fill(direction, n);
            for (int i = 0; i < n; i++) {
                const int row = i / row_width(), head = i % row_width() / shape.D;
                if (row < starts[s] || row >= starts[s + 1] || head < parts[part] ||
                    head >= parts[part + 1])
                    direction[i] = 0.0f;
                const double product = (double)direction[i] * (double)dqkv()[i];
                slope += product, square += product * product;
            }
            double difference = 0;
            for (int side = 0; side < 2; side++, sign = -sign) {
                for (int i = 0; i < n; i++)
                    qkv[i] = kept[i] + (float)sign * h * direction[i];
                difference += sign * value();
            }
            memcpy(qkv, kept, sizeof qkv);
            if (!(fabs(difference / (2.0 * (double)h) - slope) <= 3e-3 * sqrt(square) + 1e-4)) {
                (void)fprintf(stderr, "%s, segment %d, part %d: slope %g, gradient %g of %g\n",
                              what, s, part, difference / (2.0 * (double)h), slope, sqrt(square));
                check_failures++;
            }
        }
}

static void widen(float *to, const uint16_t *from, int n)
{
    for (int i = 0; i < n; i++)
        to[i] = bf16_to_f32(from[i]);
}

/* On inputs that bf16 holds exactly: probabilities, outputs and gradients are rounded once or
 * twice, by at most 2^-9 of themselves each time; sums of them stay within 1 % of the largest
 * element. */
static void check_bf16(void)
{
    static uint16_t qkv16[T * MAX_ROW], dout16[T * MAX_OUT], out16[T * MAX_OUT], d16[T * MAX_ROW];
    static float expected[sizeof result / sizeof *result], wide[T * MAX_ROW], sums[T * 4];
    const int n_out = T * out_width(), n_row = T * row_width();
    for (int i = 0; i < n_row; i++)
        qkv[i] = bf16_to_f32(qkv16[i] = bf16_from_f32(qkv[i]));
    for (int i = 0; i < n_out; i++)
        dout[i] = bf16_to_f32(dout16[i] = bf16_from_f32(dout[i]));
    run();
    memcpy(expected, result, sizeof expected);
    CHECK_STATUS(gemm16_create(&shape.gemm16, omp_get_max_threads()), FT_OK);
    attention_forward(out16, sums, qkv16, &shape, scratch, LONGEST);
    widen(wide, out16, n_out);
    CHECK(check_tensor("bf16 output", wide, expected, n_out, 1e-2));
    CHECK(check_tensor("bf16 log-sum-exp", sums, expected + n_out, T * shape.Hq, 1e-5));
    attention_backward(d16, dout16, out16, sums, qkv16, &shape, dkv, scratch, LONGEST);
    widen(wide, d16, n_row);
    CHECK(check_tensor("bf16 gradient", wide, expected + n_out + T * shape.Hq, n_row, 1e-2));
    gemm16_destroy(&shape.gemm16);
}

static void test_case(int Hq, int D, bool causal, const struct dropout *dropout)
{
    shape = (struct attention_shape){.n_tokens = T,
                                     .n_segments = N_SEGMENTS,
                                     .segment_start = starts,
                                     .Hq = Hq,
                                     .Hkv = 2,
                                     .D = D,
                                     .causal = causal,
                                     .dropout = dropout,
                                     .segment_ids = ids,
                                     .site = 9};
    char what[64];
    (void)snprintf(what, sizeof what, "Hq %d, D %d, causal %d, dropout %d", Hq, D, causal,
                   dropout != NULL);
    fill(qkv, T * row_width()), fill(dout, T * out_width());
    check_threads(what, run, result, T * (out_width() + shape.Hq + row_width()));
    check_forward();
    check_backward(what);
    check_bf16();
}

int main(void)
{
    const struct dropout dropout = {.rate = 0.2, .key = dropout_key(1, 2)};
    const int sizes[] = {20, 32};
    CHECK(attention_scratch_count(LONGEST, MAX_D, 8) <= sizeof scratch / sizeof *scratch);
    for (size_t i = 0; i < sizeof scratch / sizeof *scratch; i++)
        scratch[i] = NAN; /* nothing may rely on what is in there */
    for (int causal = 0; causal < 2; causal++)
        for (int d = 0; d < 2; d++) {
            test_case(4, sizes[d], causal, NULL);
            test_case(4, sizes[d], causal, &dropout);
            test_case(2, sizes[d], causal, &dropout);
        }
    return check_end();
}
