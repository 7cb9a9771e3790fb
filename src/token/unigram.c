/*
 * The tokens lie in a double array (Aoe 1989): a node's child by a byte is at the node's base plus
 * the byte, if that entry's parent is the node. One walk down from each character of a text offers
 * all tokens that start there; the best sum to each place is kept. Ties stay with the one that
 * came first, sums are taken in the order of `tokenizers`, in f64: both decide ids where a text
 * repeats itself.
 */
#include "token/unigram.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

struct unigram_node {
    int32_t base;   /* children lie at base + byte; 0: none */
    int32_t parent; /* -1: free */
    int32_t id;     /* token that ends here, or -1 */
};

struct unigram_place {
    double score;
    int32_t id;
    uint32_t length; /* of the last token; 0: nothing leads here */
};

/* A token while the trie is built. */
struct entry {
    const unsigned char *text;
    int32_t bytes, id;
};

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    const int32_t n = x->bytes < y->bytes ? x->bytes : y->bytes;
    const int order = memcmp(x->text, y->text, (size_t)n);
    return order != 0 ? order : (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static ft_status grow_trie(struct unigram *u, int64_t n)
{
    if (n <= u->n_nodes)
        return FT_OK;
    if (n > INT32_MAX / 2)
        return ft_fail(FT_ERR_INPUT, "the tokens are too long together");
    if (n > u->trie_capacity) {
        const int64_t capacity = 2 * n;
        struct unigram_node *trie = mem_resize(u->trie, (size_t)capacity, sizeof *trie);
        if (!trie)
            return FT_ERR_INTERNAL;
        u->trie = trie;
        u->trie_capacity = capacity;
    }
    for (int64_t i = u->n_nodes; i < n; i++)
        u->trie[i] = (struct unigram_node){0, -1, -1};
    u->n_nodes = n;
    return FT_OK;
}

/* Children of a node: ranges of the sorted tokens by their next byte. */
struct children {
    int n;
    unsigned char byte[256];
    int64_t start[257];
};

static void find_children(struct children *c, const struct entry *entries, int64_t start,
                          int64_t end, int32_t depth)
{
    c->n = 0;
    for (int64_t i = start; i < end; i++) {
        const unsigned char byte = entries[i].text[depth];
        if (c->n > 0 && c->byte[c->n - 1] == byte)
            continue;
        c->byte[c->n] = byte;
        c->start[c->n++] = i;
    }
    c->start[c->n] = end;
}

/** A base from *from on at which all children find a free entry; *from skips what is full. */
static ft_status find_base(struct unigram *u, int64_t *from, int64_t *base,
                           const struct children *c)
{
    for (int64_t tried = *from, full = 0;; tried++) {
        bool fits = true;
        FT_TRY(grow_trie(u, tried + 257));
        for (int i = 0; i < c->n && fits; i++)
            fits = u->trie[tried + c->byte[i]].parent < 0;
        if (fits) {
            *base = tried;
            return FT_OK;
        }
        if (++full == 64) { /* so that building takes linear time, for some empty entries */
            *from = tried + 1;
            full = 0;
        }
    }
}

/* A node whose children are still to be placed. */
struct task {
    int64_t start, end; /* its tokens */
    int32_t node, depth;
};

struct task_list {
    struct task *items;
    int64_t n, capacity;
};

static ft_status add_task(struct task_list *list, struct task task)
{
    if (list->n == list->capacity) {
        const int64_t capacity = 2 * list->capacity + 256;
        struct task *items = mem_resize(list->items, (size_t)capacity, sizeof *items);
        if (!items)
            return FT_ERR_INTERNAL;
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->n++] = task;
    return FT_OK;
}

static ft_status place_children(struct unigram *u, struct task_list *tasks,
                                const struct entry *entries, struct task task, int64_t *from)
{
    struct children c;
    int64_t base = 0;
    if (entries[task.start].bytes == task.depth) /* the sorted tokens' first one ends here */
        u->trie[task.node].id = entries[task.start++].id;
    if (task.start == task.end)
        return FT_OK;
    find_children(&c, entries, task.start, task.end, task.depth);
    FT_TRY(find_base(u, from, &base, &c));
    u->trie[task.node].base = (int32_t)base;
    for (int i = 0; i < c.n; i++) {
        const int32_t node = (int32_t)base + c.byte[i];
        u->trie[node].parent = task.node;
        FT_TRY(add_task(tasks, (struct task){c.start[i], c.start[i + 1], node, task.depth + 1}));
    }
    return FT_OK;
}

static ft_status build_trie(struct unigram *u, const struct entry *entries, int64_t n)
{
    struct task_list tasks = {0};
    int64_t from = 1;
    ft_status status = grow_trie(u, 1);
    if (status == FT_OK)
        u->trie[0].parent = 0;
    if (status == FT_OK)
        status = add_task(&tasks, (struct task){0, n, 0, 0});
    while (status == FT_OK && tasks.n > 0)
        status = place_children(u, &tasks, entries, tasks.items[--tasks.n], &from);
    mem_free(tasks.items);
    return status;
}

static ft_status sort_tokens(struct unigram *u, const struct vocab *vocab)
{
    struct entry *entries = NULL;
    FT_TRY(FT_ALLOC(entries, vocab->n));
    ft_status status = FT_OK;
    for (int32_t id = 0; id < vocab->n; id++) {
        size_t bytes = 0;
        const char *text = vocab_text(vocab, id, &bytes);
        if (bytes > UNIGRAM_TOKEN_MAX && status == FT_OK)
            status =
                ft_fail(FT_ERR_INPUT, "the token with id %d has %zu bytes, at most %d are read", id,
                        bytes, UNIGRAM_TOKEN_MAX);
        entries[id] = (struct entry){(const unsigned char *)text, (int32_t)bytes, id};
    }
    qsort(entries, (size_t)vocab->n, sizeof *entries, compare_entries);
    if (status == FT_OK)
        status = build_trie(u, entries, vocab->n);
    mem_free(entries);
    return status;
}

ft_status unigram_begin(struct unigram *u, const struct vocab *vocab, const double *scores,
                        int32_t unknown, bool byte_fallback)
{
    static const double PENALTY = 10.0;
    double least = INFINITY;
    u->vocab = vocab;
    u->n_model = vocab->n;
    u->unknown = unknown;
    u->byte_fallback = byte_fallback;
    FT_TRY(FT_ALLOC(u->scores, vocab->n));
    for (int32_t id = 0; id < vocab->n; id++) {
        u->scores[id] = scores[id];
        least = scores[id] < least ? scores[id] : least;
    }
    u->unknown_score = least - PENALTY;
    vocab_find_byte_tokens(vocab, u->byte_ids);
    FT_TRY(sort_tokens(u, vocab));
    return word_cache_create(&u->cache);
}

ft_status unigram_share(struct unigram *out, const struct unigram *u)
{
    *out = *u;
    out->places = NULL;
    out->capacity = 0;
    return word_cache_create(&out->cache);
}

void unigram_clear_scratch(struct unigram *u)
{
    FT_FREE(u->places);
    u->capacity = 0;
    word_cache_clear(&u->cache);
}

void unigram_clear(struct unigram *u)
{
    unigram_clear_scratch(u);
    mem_free(u->scores);
    mem_free(u->trie);
    *u = (struct unigram){0};
}

static ft_status reserve(struct unigram *u, size_t n)
{
    if (n >= INT32_MAX / 2)
        return ft_fail(FT_ERR_INPUT, "a piece of %zu bytes without a border: at most %d are read",
                       n, INT32_MAX / 2 - 1);
    if (n <= u->capacity)
        return FT_OK;
    const size_t capacity = n < 1024 ? 1024 : n;
    struct unigram_place *places = mem_resize(u->places, capacity, sizeof *places);
    if (!places)
        return FT_ERR_INTERNAL;
    u->places = places;
    u->capacity = capacity;
    return FT_OK;
}

static void offer(struct unigram_place *place, double score, int32_t id, uint32_t length)
{
    if (place->length == 0 || score > place->score)
        *place = (struct unigram_place){score, id, length};
}

/** Finds the best way to each place of text. */
static void search(struct unigram *u, const char *text, size_t bytes)
{
    struct unigram_place *places = u->places;
    for (size_t i = 0; i <= bytes; i++)
        places[i] = (struct unigram_place){0, 0, 0};
    for (size_t start = 0; start < bytes;) {
        const double before = places[start].score;
        bool has_character = false;
        int character = 0;
        int32_t node = 0;
        (void)utf8_decode(text + start, &character);
        for (size_t i = start; i < bytes; i++) {
            const int64_t next = (int64_t)u->trie[node].base + (unsigned char)text[i];
            if (u->trie[node].base == 0 || u->trie[next].parent != node)
                break;
            node = (int32_t)next;
            const int32_t id = u->trie[node].id;
            if (id < 0)
                continue;
            const uint32_t length = (uint32_t)(i + 1 - start);
            offer(&places[i + 1], u->scores[id] + before, id, length);
            has_character = has_character || length == (uint32_t)character;
        }
        if (!has_character)
            offer(&places[start + (size_t)character], u->unknown_score + before, u->unknown,
                  (uint32_t)character);
        start += (size_t)character;
    }
}

/** Ids of what the unknown token covers: a token of its text, of its bytes, or the unknown one. */
static ft_status put_unknown(const struct unigram *u, struct token_list *out, const char *text,
                             size_t bytes)
{
    int32_t id = vocab_find(u->vocab, text, bytes);
    bool all = u->byte_fallback;
    if (id >= 0 && id < u->n_model)
        return token_list_append(out, &id, 1);
    for (size_t i = 0; i < bytes && all; i++)
        all = u->byte_ids[(unsigned char)text[i]] >= 0;
    for (size_t i = 0; i < bytes && all; i++)
        FT_TRY(token_list_append(out, &u->byte_ids[(unsigned char)text[i]], 1));
    return all ? FT_OK : token_list_append(out, &u->unknown, 1);
}

/** Turns the chain of best tokens around: each place gets the token that starts there. */
static void turn_around(struct unigram_place *places, size_t bytes)
{
    struct unigram_place token = places[bytes];
    for (size_t at = bytes; at > 0;) {
        at -= token.length;
        const struct unigram_place before = places[at];
        places[at] = token;
        token = before;
    }
}

/** Appends the ids along the best way; what is unknown in a row is one. */
static ft_status append_best(const struct unigram *u, struct token_list *out, const char *text,
                             size_t bytes)
{
    const struct unigram_place *places = u->places;
    for (size_t at = 0; at < bytes;) {
        size_t end = at + places[at].length;
        if (places[at].id != u->unknown) {
            FT_TRY(token_list_append(out, &places[at].id, 1));
        } else {
            while (end < bytes && places[end].id == u->unknown)
                end += places[end].length;
            FT_TRY(put_unknown(u, out, text + at, end - at));
        }
        at = end;
    }
    return FT_OK;
}

static ft_status encode_anew(struct unigram *u, struct token_list *out, const char *text,
                             size_t bytes)
{
    FT_TRY(reserve(u, bytes + 1));
    search(u, text, bytes);
    turn_around(u->places, bytes);
    return append_best(u, out, text, bytes);
}

ft_status unigram_encode(struct unigram *u, struct token_list *out, const char *text, size_t bytes)
{
    if (bytes == 0)
        return FT_OK;
    if (bytes > WORD_CACHE_BYTES)
        return encode_anew(u, out, text, bytes);
    uint64_t key[4];
    struct word_cache_line *place = word_cache_place(&u->cache, key, text, bytes);
    const struct word_cache_line *known = word_cache_find(&u->cache, place, key);
    if (known)
        return token_list_append(out, known->ids, known->n);
    const int64_t start = out->n;
    FT_TRY(encode_anew(u, out, text, bytes));
    word_cache_keep(&u->cache, place, key, out->ids + start, out->n - start);
    return FT_OK;
}
