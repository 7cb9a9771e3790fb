/*
 * Products of bf16 matrices against sums in f64, on whatever way this processor takes; and oneDNN's
 * own products, which a processor without bf16 runs with f32 operands: layouts, sums and the table
 * of kernels are the same code for both types.
 */
#include "math/gemm16.h"

#include "math/bf16.h"
#include "math/gemm16_onednn.h" /* of src */
#include "support/derivative.h"

enum { MOST = 420, LD = MOST + 3, ELEMENTS = MOST * LD };

struct operands {
    uint16_t a16[ELEMENTS], b16[ELEMENTS], c16[ELEMENTS];
    float a[ELEMENTS], b[ELEMENTS], c[ELEMENTS], before[ELEMENTS];
};
static struct operands o;

enum form { NT, NN, TN, N_FORMS };

static void fill_operands(void)
{
    fill(o.a, ELEMENTS);
    fill(o.b, ELEMENTS);
    fill(o.before, ELEMENTS);
    memcpy(o.c, o.before, sizeof o.c);
    for (int i = 0; i < ELEMENTS; i++) {
        o.a16[i] = bf16_from_f32(o.a[i]), o.b16[i] = bf16_from_f32(o.b[i]);
        o.a[i] = bf16_to_f32(o.a16[i]), o.b[i] = bf16_to_f32(o.b16[i]);
        o.c16[i] = bf16_from_f32(o.before[i]);
    }
}

static double exact(enum form form, int i, int j, int k)
{
    double sum = 0;
    for (int l = 0; l < k; l++)
        sum += (double)o.a[form == TN ? l * LD + i : i * LD + l] *
               (double)o.b[form == NT ? j * LD + l : l * LD + j];
    return sum;
}

/* What is written is right, what lies around it is as it was. */
static void check_result(const char *how, enum form form, const struct product *p)
{
    double worst = 0;
    int touched = 0;
    for (int i = 0; i < MOST; i++)
        for (int j = 0; j < LD; j++) {
            const int at = i * LD + j;
            const bool is16 = p->out == ELEM_BF16;
            const float got = is16 ? bf16_to_f32(o.c16[at]) : o.c[at];
            const float old = is16 ? bf16_to_f32(bf16_from_f32(o.before[at])) : o.before[at];
            if (i >= p->m || j >= p->n) {
                touched += memcmp(&got, &old, sizeof got) != 0;
                continue;
            }
            const double sum = exact(form, i, j, p->k) + (p->adds ? (double)old : 0.0);
            worst = fmax(worst, fabs((double)got - sum) /
                                    (is16 ? fabs(sum) / 256.0 + 1e-4 : 1e-6 * p->k + 1e-5));
        }
    CHECK(touched == 0);
    CHECK(worst <= 1.0);
    if (worst > 1.0)
        (void)fprintf(stderr, "%s form %d, %d x %d x %d: %g times the bound\n", how, (int)form,
                      p->m, p->n, p->k, worst);
}

static void check_gemm16(struct gemm16 *g, enum form form, int m, int n, int k, enum elem out,
                         bool adds)
{
    const struct gemm16_result c = {out == ELEM_BF16 ? (void *)o.c16 : o.c, LD, out, adds};
    const struct product p = {.m = m, .n = n, .k = k, .out = out, .adds = adds};
    fill_operands();
    (form == NT   ? gemm16_nt
     : form == NN ? gemm16_nn
                  : gemm16_tn)(g, c, o.a16, LD, o.b16, LD, m, n, k);
    check_result("gemm16", form, &p);
}

static void check_onednn(struct onednn *dnnl, enum form form, int m, int n, int k, bool adds)
{
    const struct product p = {.m = m,
                              .n = n,
                              .k = k,
                              .a_row = form == TN ? 1 : LD,
                              .a_column = form == TN ? LD : 1,
                              .b_row = form == NT ? 1 : LD,
                              .b_column = form == NT ? LD : 1,
                              .ldc = LD,
                              .in = ELEM_F32,
                              .out = ELEM_F32,
                              .adds = adds};
    fill_operands();
    CHECK(onednn_multiply(dnnl, 0, &p, o.c, o.a, o.b));
    check_result("oneDNN", form, &p);
}

static void test_gemm16(void)
{
    struct gemm16 *g;
    static const int shapes[][3] = {{1, 1, 1},     {7, 5, 3},     {64, 130, 64},
                                    {400, 33, 17}, {3, 410, 390}, {385, 384, 400}};
    CHECK_STATUS(gemm16_create(&g, omp_get_max_threads()), FT_OK);
    CHECK(gemm16_bytes(1) > 0);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int form = 0; form < N_FORMS; form++) {
            const int m = shapes[i][0], n = shapes[i][1], k = shapes[i][2];
            check_gemm16(g, (enum form)form, m, n, k, ELEM_F32, false);
            check_gemm16(g, (enum form)form, m, n, k, ELEM_F32, true);
            check_gemm16(g, (enum form)form, m, n, k, ELEM_BF16, false);
        }
    gemm16_destroy(&g);
}

/* Each thread of a parallel region makes a product of its own. */
static void test_parallel(void)
{
    enum { TASKS = 24, M = 40, N = 24, K = 64 };
    static float results[TASKS][M * N], first[M * N];
    struct gemm16 *g;
    CHECK_STATUS(gemm16_create(&g, 3), FT_OK);
    fill_operands();
    gemm16_nt(g, (struct gemm16_result){first, N, ELEM_F32, false}, o.a16, LD, o.b16, LD, M, N, K);
#pragma omp parallel for num_threads(3) schedule(dynamic)
    for (int t = 0; t < TASKS; t++)
        gemm16_nt(g, (struct gemm16_result){results[t], N, ELEM_F32, false}, o.a16, LD, o.b16, LD,
                  M, N, K);
    for (int t = 0; t < TASKS; t++)
        CHECK(check_tensor("parallel", results[t], first, M * N, 1e-6));
    gemm16_destroy(&g);
}

/* More shapes than the table holds: old ones are forgotten and made again. */
static void test_onednn(void)
{
    struct onednn *dnnl;
    CHECK_STATUS(onednn_create(&dnnl, 1), FT_OK);
    for (int form = 0; form < N_FORMS; form++) {
        check_onednn(dnnl, (enum form)form, 65, 40, 130, false);
        check_onednn(dnnl, (enum form)form, 65, 40, 130, true);
    }
    for (int m = 1; m <= 600; m++) {
        const struct product p = {.m = 1 + m % 300,
                                  .n = 1 + m / 300,
                                  .k = 2,
                                  .a_row = LD,
                                  .a_column = 1,
                                  .b_row = LD,
                                  .b_column = 1,
                                  .ldc = LD,
                                  .in = ELEM_F32,
                                  .out = ELEM_F32};
        CHECK(onednn_multiply(dnnl, 0, &p, o.c, o.a, o.b));
    }
    check_onednn(dnnl, NN, 65, 40, 130, false);
    onednn_destroy(&dnnl);
}

static void test_rounding(void)
{
    static const struct {
        float x;
        uint16_t half;
    } cases[] = {{1.0f, 0x3f80},        {-2.0f, 0xc000},         {1.00390625f, 0x3f80},
                 {1.01171875f, 0x3f82}, {1.0039063692f, 0x3f81}, {INFINITY, 0x7f80},
                 {-INFINITY, 0xff80},   {3.4e38f, 0x7f80},       {1e-45f, 0x0000}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK(bf16_from_f32(cases[i].x) == cases[i].half);
    CHECK(isnan(bf16_to_f32(bf16_from_f32(NAN))));
    CHECK(isnan(bf16_to_f32(bf16_from_f32(dtype_f32_from_bits(0x7f800001u)))));
}

int main(void)
{
    test_rounding();
    test_gemm16();
    test_parallel();
    if (onednn_is_built() && onednn_is_native(ELEM_F32))
        test_onednn();
    CHECK(strlen(gemm16_name()) > 0 && strlen(onednn_name()) > 0);
    CHECK(!gemm16_is_native() || gemm16_is_built());
    return check_end();
}
