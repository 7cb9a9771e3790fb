/* The next token: the likeliest, or drawn with the probabilities of the softmax. */
#include "support/check.h"
#include "train/sampler.h"

enum { V = 6, DRAWS = 20000 };
static const float logits[V] = {0.5f, 2.0f, -1.0f, 2.0f, 1.0f, -30.0f};

static void count(double share[V], double temperature, double top_p, uint64_t seed)
{
    struct sampler *s;
    const struct sampling how = {temperature, top_p, seed};
    CHECK_STATUS(sampler_create(&s, &how, V), FT_OK);
    for (int i = 0; i < V; i++)
        share[i] = 0;
    for (int i = 0; i < DRAWS; i++)
        share[sampler_choose(s, logits, i / 100, i % 100)] += 1.0 / DRAWS;
    sampler_destroy(&s);
    CHECK(s == NULL);
}

static void test_likeliest(void)
{
    double share[V];
    count(share, 0, 1, 1);
    CHECK_CLOSE(share[1], 1, 1e-9); /* the lower id of two equal ones */
}

static void test_temperature(void)
{
    for (int t = 1; t <= 2; t++) {
        double share[V], total = 0;
        count(share, t, 1, 7);
        for (int i = 0; i < V; i++)
            total += exp((double)logits[i] / t);
        for (int i = 0; i < V; i++) {
            const double p = exp((double)logits[i] / t) / total;
            CHECK(fabs(share[i] - p) < 4 * sqrt(p * (1 - p) / DRAWS) + 1e-9);
        }
    }
}

/* The two likeliest have 0.76 together, with the third 0.90. */
static void test_top_p(void)
{
    double share[V];
    count(share, 1, 0.6, 7);
    CHECK(fabs(share[1] - 0.5) < 0.02 && fabs(share[3] - 0.5) < 0.02);
    CHECK_CLOSE(share[1] + share[3], 1, 1e-9);
    count(share, 1, 0.85, 7);
    CHECK(share[4] > 0.1 && share[0] == 0 && share[2] == 0);
    count(share, 1, 1e-6, 7);
    CHECK_CLOSE(share[1], 1, 1e-9);
}

static void test_seed(void)
{
    double a[V], b[V], c[V];
    count(a, 1, 1, 7);
    count(b, 1, 1, 7);
    count(c, 1, 1, 8);
    CHECK(memcmp(a, b, sizeof a) == 0);
    CHECK(memcmp(a, c, sizeof a) != 0);
}

int main(void)
{
    test_likeliest();
    test_temperature();
    test_top_p();
    test_seed();
    return check_end();
}
