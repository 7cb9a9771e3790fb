#include "train/sampler.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"

struct candidate {
    double weight;
    int32_t id;
};

struct sampler {
    struct sampling how;
    int V;
    struct candidate *candidates; /* (V), NULL where nothing is drawn */
};

ft_status sampler_create(struct sampler **out, const struct sampling *sampling, int V)
{
    struct sampler *s;
    *out = NULL;
    FT_TRY(FT_ALLOC(s, 1));
    s->how = *sampling;
    s->V = V;
    const ft_status status = sampling->temperature > 0 ? FT_ALLOC(s->candidates, V) : FT_OK;
    if (status != FT_OK)
        sampler_destroy(&s);
    *out = s;
    return status;
}

void sampler_destroy(struct sampler **s)
{
    if (!*s)
        return;
    mem_free((*s)->candidates);
    FT_FREE(*s);
}

static int32_t likeliest(const float *logits, int V)
{
    int32_t best = 0;
    for (int32_t i = 1; i < V; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

/* Likeliest first, equal ones in the order of their ids. */
static int compare(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    return x->id < y->id ? -1 : 1;
}

/* Weights of those tokens that can be among the likeliest at all: one whose weight is less than
 * what is left over for all, shared out evenly, cannot, so only few need to be sorted. */
static int collect(struct sampler *s, const float *logits, double *total)
{
    const double top = (double)logits[likeliest(logits, s->V)];
    int n = 0;
    *total = 0;
    for (int32_t i = 0; i < s->V; i++)
        *total += exp(((double)logits[i] - top) / s->how.temperature);
    const double least = s->how.top_p < 1 ? *total * (1 - s->how.top_p) / s->V : 0;
    for (int32_t i = 0; i < s->V; i++) {
        const double weight = exp(((double)logits[i] - top) / s->how.temperature);
        if (weight >= least)
            s->candidates[n++] = (struct candidate){weight, i};
    }
    return n;
}

int32_t sampler_choose(struct sampler *s, const float *logits, int64_t text, int64_t token)
{
    double total, kept = 0, sum = 0;
    if (!s->candidates)
        return likeliest(logits, s->V);
    const int n = collect(s, logits, &total);
    qsort(s->candidates, (size_t)n, sizeof *s->candidates, compare);
    int m = 0;
    while (m < n && (m == 0 || kept < s->how.top_p * total))
        kept += s->candidates[m++].weight;
    const uint64_t bits = rng_u64(s->how.seed, (uint64_t)text, (uint64_t)token);
    const double draw = (double)(bits >> 11) * 0x1p-53 * kept;
    for (int i = 0; i < m; i++) {
        sum += s->candidates[i].weight;
        if (draw < sum)
            return s->candidates[i].id;
    }
    return s->candidates[m - 1].id;
}
