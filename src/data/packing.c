#include "data/packing.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

/* Windows by what is left in them: lists that begin at heads[left], and a bit for each list. */
struct packing {
    int64_t *window_of; /* (n) of each sequence */
    int64_t *next;      /* (n) of each window: the next one with as much left, -1 = none */
    int64_t *sorted;    /* (n) sequences, the longest first; then places of windows */
    int64_t *heads;     /* (capacity + 1) */
    uint64_t *bits;     /* (capacity / 64 + 1) */
    int64_t n, n_windows;
    int32_t capacity;
};

static ft_status allocate(struct packing *p)
{
    FT_TRY(FT_ALLOC(p->window_of, p->n));
    FT_TRY(FT_ALLOC(p->next, p->n));
    FT_TRY(FT_ALLOC(p->sorted, p->n));
    FT_TRY(FT_ALLOC(p->heads, p->capacity + 2));
    return FT_ALLOC(p->bits, p->capacity / 64 + 1);
}

/* Counting sort; equal lengths keep their order. */
static void sort(struct packing *p, const int32_t *lengths)
{
    int64_t *places = p->heads; /* not yet in use */
    for (int64_t i = 0; i < p->n; i++)
        places[lengths[i]]++;
    for (int64_t length = p->capacity, at = 0; length >= 0; length--) {
        const int64_t here = places[length];
        places[length] = at;
        at += here;
    }
    for (int64_t i = 0; i < p->n; i++)
        p->sorted[places[lengths[i]]++] = i;
    for (int32_t left = 0; left <= p->capacity; left++)
        p->heads[left] = -1;
}

static void push(struct packing *p, int64_t window, int32_t left)
{
    p->next[window] = p->heads[left];
    p->heads[left] = window;
    p->bits[left / 64] |= UINT64_C(1) << left % 64;
}

/* Takes a window with the least room that is enough; *left: its room. -1: there is none. */
static int64_t pop(struct packing *p, int32_t length, int32_t *left)
{
    int32_t word = length / 64;
    uint64_t bits = p->bits[word] & ~UINT64_C(0) << length % 64;
    while (bits == 0 && word < p->capacity / 64)
        bits = p->bits[++word];
    if (bits == 0)
        return -1;
    *left = word * 64 + __builtin_ctzll(bits);
    const int64_t window = p->heads[*left];
    p->heads[*left] = p->next[window];
    if (p->heads[*left] < 0)
        p->bits[word] &= ~(UINT64_C(1) << *left % 64);
    return window;
}

static void assign(struct packing *p, const int32_t *lengths)
{
    for (int64_t i = 0; i < p->n; i++) {
        const int64_t sequence = p->sorted[i];
        int32_t left = p->capacity;
        int64_t window = pop(p, lengths[sequence], &left);
        if (window < 0)
            window = p->n_windows++;
        p->window_of[sequence] = window;
        push(p, window, left - lengths[sequence]);
    }
}

/* Numbers windows by their first sequences, and lists the sequences of each. */
static void list(struct packing *p, int64_t *order, int64_t *first)
{
    int64_t *number = p->next, *at = p->sorted, n = 0;
    for (int64_t w = 0; w < p->n_windows; w++)
        number[w] = -1;
    memset(first, 0, (size_t)(p->n_windows + 1) * sizeof *first);
    for (int64_t i = 0; i < p->n; i++) {
        int64_t *window = &p->window_of[i];
        if (number[*window] < 0)
            number[*window] = n++;
        *window = number[*window];
        first[*window + 1]++;
    }
    for (int64_t w = 0; w < n; w++) {
        first[w + 1] += first[w];
        at[w] = first[w];
    }
    for (int64_t i = 0; i < p->n; i++)
        order[at[p->window_of[i]]++] = i;
}

ft_status packing_best_fit(int64_t *order, int64_t *first, int64_t *n_windows,
                           const int32_t *lengths, int64_t n, int32_t capacity)
{
    struct packing p = {.n = n, .capacity = capacity};
    const ft_status status = allocate(&p);
    if (status == FT_OK) {
        sort(&p, lengths);
        assign(&p, lengths);
        list(&p, order, first);
        *n_windows = p.n_windows;
    }
    mem_free(p.window_of);
    mem_free(p.next);
    mem_free(p.sorted);
    mem_free(p.heads);
    mem_free(p.bits);
    return status;
}
