/*
 * A mutator that knows where the strings of a GGUF file are: it changes one, or leaves an entry out
 * or puts one in twice, and puts lengths, counts and padding right. Most files then still open.
 */
#include "fuzz.h"

enum { PLACES_MAX = 512, ALIGNMENT = 32, HEAD = 24 };

struct place {
    size_t at, bytes;
};

struct walk {
    const uint8_t *data;
    size_t size, at;
    bool fails;
    struct place texts[PLACES_MAX], entries[PLACES_MAX]; /* a text with its length before it */
    size_t n_texts, n_entries;
};

static uint64_t take(struct walk *w, size_t bytes)
{
    uint64_t value = 0;
    w->fails = w->fails || bytes > w->size - w->at;
    for (size_t i = 0; i < bytes && !w->fails; i++)
        value |= i < 8 ? (uint64_t)w->data[w->at + i] << 8 * i : 0;
    w->at += w->fails ? 0 : bytes;
    return value;
}

static void skip(struct walk *w, uint64_t bytes)
{
    w->fails = w->fails || bytes > w->size - w->at;
    w->at += w->fails ? 0 : (size_t)bytes;
}

static void skip_text(struct walk *w)
{
    const size_t at = w->at;
    skip(w, take(w, 8));
    if (!w->fails && w->n_texts < PLACES_MAX)
        w->texts[w->n_texts++] = (struct place){at, w->at - at};
}

static void skip_value(struct walk *w, uint64_t type)
{
    static const uint8_t bytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    uint64_t n = 1;
    if (type == 9) {
        type = take(w, 4);
        n = take(w, 8);
    }
    w->fails = w->fails || type > 12 || type == 9 || n > w->size;
    if (type != 8 && !w->fails)
        skip(w, n * bytes[type]);
    for (; type == 8 && n > 0 && !w->fails; n--)
        skip_text(w);
}

/* To the end of the tensors' table. */
static bool find_places(struct walk *w)
{
    skip(w, 8);
    uint64_t n_tensors = take(w, 8), n_entries = take(w, 8);
    for (; n_entries > 0 && !w->fails; n_entries--) {
        const size_t at = w->at;
        skip_text(w);
        skip_value(w, take(w, 4));
        if (!w->fails && w->n_entries < PLACES_MAX)
            w->entries[w->n_entries++] = (struct place){at, w->at - at};
    }
    for (; n_tensors > 0 && !w->fails; n_tensors--) {
        skip_text(w);
        const uint64_t n_dims = take(w, 4);
        w->fails = w->fails || n_dims > 8;
        skip(w, 8 * n_dims + 12);
    }
    return !w->fails && w->n_texts > 0;
}

static void put_number(uint8_t *to, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

/* Puts n bytes in the place of another piece; what follows the table moves by whole alignments. */
static size_t replace(uint8_t *data, size_t max_size, const struct walk *w, struct place old,
                      const uint8_t *fresh, size_t n)
{
    const size_t end = w->at - old.bytes + n,
                 begins = (w->at + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT,
                 begins_now = (end + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT,
                 tail = w->size > begins ? w->size - begins : 0;
    uint8_t *copy = begins_now + tail <= max_size ? calloc(1, begins_now + tail) : NULL;
    if (!copy)
        return w->size;
    memcpy(copy, data, old.at);
    memcpy(copy + old.at, fresh, n);
    memcpy(copy + old.at + n, data + old.at + old.bytes, w->at - old.at - old.bytes);
    if (tail > 0)
        memcpy(copy + begins_now, data + begins, tail);
    memcpy(data, copy, begins_now + tail);
    free(copy);
    return begins_now + tail;
}

static size_t change_text(uint8_t *data, size_t max_size, const struct walk *w, unsigned choice)
{
    enum { LONGER = 64 };
    const struct place old = w->texts[choice % w->n_texts];
    uint8_t *fresh = malloc(old.bytes + LONGER);
    if (!fresh)
        return w->size;
    memcpy(fresh, data + old.at, old.bytes);
    const size_t n = LLVMFuzzerMutate(fresh + 8, old.bytes - 8, old.bytes - 8 + LONGER);
    put_number(fresh, n);
    const size_t size = replace(data, max_size, w, old, fresh, n + 8);
    free(fresh);
    return size;
}

/* An entry leaves, or is there twice. */
static size_t change_entries(uint8_t *data, size_t max_size, const struct walk *w, unsigned choice)
{
    const struct place old = w->entries[choice / 2 % w->n_entries];
    const int more = choice % 2 ? 1 : -1;
    uint8_t *fresh = malloc(2 * old.bytes);
    if (!fresh)
        return w->size;
    memcpy(fresh, data + old.at, old.bytes);
    memcpy(fresh + old.bytes, data + old.at, old.bytes);
    const size_t n = more > 0 ? 2 * old.bytes : 0;
    const size_t size = replace(data, max_size, w, old, fresh, n);
    if (size != w->size || n == 0) {
        struct walk counts = {.data = data, .size = size, .at = 16};
        put_number(data + 16, take(&counts, 8) + (uint64_t)(int64_t)more);
    }
    free(fresh);
    return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    static struct walk w;
    w = (struct walk){.data = data, .size = size};
    const unsigned choice = seed / 8;
    if (seed % 8 < 4 || size < HEAD || !find_places(&w))
        return LLVMFuzzerMutate(data, size, max_size);
    if (seed % 8 == 4 && w.n_entries > 0)
        return change_entries(data, max_size, &w, choice);
    return change_text(data, max_size, &w, choice);
}
