#include "token/chat.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "chat_format.h"
#include "token/parts.h"

struct chat_template {
    const struct chat_format *format;
    char *own_system;     /* the template's own default system message; NULL: the row's */
    const char *marks[2]; /* texts of BOS and EOS */
};

bool chat_role_find(enum chat_role *role, const char *name)
{
    static const char *const names[CHAT_ROLES] = {"system", "user", "assistant"};
    for (int i = 0; i < CHAT_ROLES; i++)
        if (strcmp(names[i], name) == 0) {
            *role = (enum chat_role)i;
            return true;
        }
    return false;
}

ft_status chat_list_add(struct chat_list *list, enum chat_role role, size_t at)
{
    if (list->n == list->capacity) {
        const int64_t capacity = 2 * list->capacity + 16;
        struct chat_message *items = mem_resize(list->items, (size_t)capacity, sizeof *items);
        if (!items)
            return FT_ERR_INTERNAL;
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->n++] = (struct chat_message){role, at, list->text.used - at};
    return FT_OK;
}

void chat_list_clear(struct chat_list *list)
{
    mem_free(list->items);
    buffer_clear(&list->text);
    *list = (struct chat_list){0};
}

void chat_text_clear(struct chat_text *text)
{
    mem_free(text->spans);
    buffer_clear(&text->text);
    *text = (struct chat_text){0};
}

ft_status chat_template_names(struct buffer *out)
{
    for (const struct chat_format *f = chat_formats; f->name; f++)
        FT_TRY(buffer_print(out, "%s%s", f == chat_formats ? "" : ", ", f->name));
    return FT_OK;
}

static ft_status fail_names(ft_status code, const char *what, const char *name)
{
    struct buffer names = {0};
    ft_status status = chat_template_names(&names);
    if (status == FT_OK)
        status = ft_fail(code, "%s%s; data.chat_template can name one: %s", what, name, names.data);
    buffer_clear(&names);
    return status;
}

static ft_status find_row(struct chat_template *c, const struct tokenizer *t, const char *name)
{
    if (strcmp(name, "auto") != 0) {
        c->format = chat_format_find(name);
        return c->format ? FT_OK : fail_names(FT_ERR_USAGE, "no chat template is called ", name);
    }
    if (!t->chat_template)
        return fail_names(FT_ERR_INPUT, "the model's files hold no chat template", "");
    FT_TRY(chat_recognise(&c->format, &c->own_system, t->chat_template));
    return c->format
               ? FT_OK
               : fail_names(FT_ERR_INPUT,
                            "the chat template of the model's files is none of those known", "");
}

/* Whether a row puts BOS (or EOS) somewhere. */
static bool uses_mark(const struct chat_format *f, char mark)
{
    if ((f->start && strchr(f->start, mark)) ||
        (mark == CHAT_EOS_BYTE && (f->flags & CHAT_EOS_LAST)))
        return true;
    for (int role = 0; role < CHAT_ROLES; role++)
        if (strchr(f->turns[role].before, mark) || strchr(f->turns[role].after, mark))
            return true;
    return false;
}

static ft_status find_marks(struct chat_template *c, const struct tokenizer *t)
{
    static const char *const names[2] = {"bos_token", "eos_token"};
    static const char marks[2] = {CHAT_BOS_BYTE, CHAT_EOS_BYTE};
    c->marks[0] = t->roles[ROLE_BOS];
    c->marks[1] = t->roles[ROLE_EOS];
    for (int i = 0; i < 2; i++)
        if (!c->marks[i] && uses_mark(c->format, marks[i]))
            return ft_fail(FT_ERR_INPUT,
                           "chat template %s puts the %s into the text, and the model's tokenizer "
                           "names none",
                           c->format->name, names[i]);
    return FT_OK;
}

ft_status chat_template_open(struct chat_template **out, const struct tokenizer *t,
                             const char *name)
{
    FT_TRY(FT_ALLOC(*out, 1));
    ft_status status = find_row(*out, t, name);
    if (status == FT_OK)
        status = find_marks(*out, t);
    if (status != FT_OK)
        chat_template_close(out);
    return status;
}

void chat_template_close(struct chat_template **c)
{
    if (*c)
        mem_free((*c)->own_system);
    FT_FREE(*c);
}

const char *chat_template_name(const struct chat_template *c)
{
    return c->format->name;
}

const char *chat_template_default_system(const struct chat_template *c)
{
    return c->own_system ? c->own_system : c->format->default_system;
}

struct hash_value chat_template_hash(const struct chat_template *c)
{
    struct hash_state *state = hash_open();
    const char *system = chat_template_default_system(c);
    const char *const texts[] = {c->format->name, system ? "default" : "none", system ? system : "",
                                 c->marks[0] ? c->marks[0] : "", c->marks[1] ? c->marks[1] : ""};
    if (!state)
        return (struct hash_value){0};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        hash_update(state, texts[i], strlen(texts[i]) + 1);
    return hash_close(state);
}

/* What Python's str.strip() takes off. */
static bool is_space(uint32_t code)
{
    return utf8_is_space(code) || (code >= 0x1c && code <= 0x1f);
}

/* Takes white space off both ends of what stands in the text from `from` on. */
static void trim(struct buffer *text, size_t from)
{
    size_t begin = from, end = from;
    int length;
    for (size_t at = from; at < text->used; at += (size_t)length)
        if (!is_space(utf8_decode(text->data + at, &length)))
            end = at + (size_t)length;
    while (begin < end && is_space(utf8_decode(text->data + begin, &length)))
        begin += (size_t)length;
    memmove(text->data + from, text->data + begin, end - begin);
    text->used = from + (end - begin);
}

/* A text of the row, with BOS and EOS in their places. */
static ft_status put_piece(struct buffer *text, const struct chat_template *c, const char *piece)
{
    while (piece && *piece) {
        const size_t n = strcspn(piece, CHAT_BOS CHAT_EOS);
        FT_TRY(buffer_append(text, piece, n));
        piece += n;
        if (*piece) {
            const char *mark = c->marks[*piece++ == CHAT_EOS_BYTE];
            FT_TRY(buffer_append(text, mark, strlen(mark)));
        }
    }
    return FT_OK;
}

/* A conversation under way. */
struct rendering {
    struct chat_text *out;
    const struct chat_template *c;
    const struct chat_list *list;
    int64_t n;
    const struct chat_message *merged; /* system message that goes into a user's content */
    int64_t into;                      /* number of that user's message */
    int64_t last_query;                /* last message of a user, or the last one */
};

static const char *content_of(const struct rendering *r, const struct chat_message *m)
{
    return r->list->text.data + m->at;
}

static ft_status put_content(struct rendering *r, const struct chat_message *m, unsigned trims)
{
    struct buffer *text = &r->out->text;
    const size_t from = text->used;
    FT_TRY(buffer_append(text, content_of(r, m), m->bytes));
    if (r->c->format->flags & trims)
        trim(text, from);
    return FT_OK;
}

static ft_status put_user(struct rendering *r, int64_t i)
{
    struct buffer *text = &r->out->text;
    const struct chat_format *f = r->c->format;
    const struct chat_turn *system = &f->turns[CHAT_SYSTEM];
    const size_t from = text->used;
    if (r->merged && i == r->into) {
        FT_TRY(put_piece(text, r->c, system->before));
        FT_TRY(put_content(r, r->merged, CHAT_TRIM_SYSTEM));
        FT_TRY(put_piece(text, r->c, system->after));
    }
    FT_TRY(put_content(r, &r->list->items[i], CHAT_TRIM_USER));
    if (f->flags & CHAT_TRIM_MERGED)
        trim(text, from);
    return FT_OK;
}

/* A stretch of text. */
struct stretch {
    const char *data;
    size_t bytes;
};

static struct stretch strip_newlines(struct stretch p, bool left, bool right)
{
    while (left && p.bytes > 0 && p.data[0] == '\n')
        p.data++, p.bytes--;
    while (right && p.bytes > 0 && p.data[p.bytes - 1] == '\n')
        p.bytes--;
    return p;
}

/* What stands before the first mark, or behind the last one; the whole where there is none. */
static struct stretch cut(struct stretch p, const char *mark, bool before)
{
    const size_t n = strlen(mark);
    struct stretch found = p;
    for (size_t at = 0; at + n <= p.bytes; at++)
        if (memcmp(p.data + at, mark, n) == 0) {
            found = before ? (struct stretch){p.data, at}
                           : (struct stretch){p.data + at + n, p.bytes - at - n};
            if (before)
                break;
        }
    return found;
}

/* Qwen3: reasoning of earlier answers is dropped, the last one's stands in a block. */
static ft_status put_thinking(struct rendering *r, int64_t i)
{
    static const char end[] = "</think>", begin[] = "<think>";
    struct buffer *text = &r->out->text;
    const struct chat_message *m = &r->list->items[i];
    const struct stretch whole = {content_of(r, m), m->bytes};
    struct stretch answer = whole, reasoning = {"", 0};
    const struct stretch before = cut(whole, end, true);
    if (before.bytes < whole.bytes) {
        reasoning =
            strip_newlines(cut(strip_newlines(before, false, true), begin, false), true, false);
        answer = strip_newlines(cut(whole, end, false), true, false);
    }
    if (i > r->last_query && (i == r->n - 1 || reasoning.bytes > 0)) {
        reasoning = strip_newlines(reasoning, true, true);
        answer = strip_newlines(answer, true, false);
        FT_TRY(buffer_append(text, "<think>\n", 8));
        FT_TRY(buffer_append(text, reasoning.data, reasoning.bytes));
        FT_TRY(buffer_append(text, "\n</think>\n\n", 11));
    }
    return buffer_append(text, answer.data, answer.bytes);
}

static ft_status add_span(struct chat_text *out, size_t from, size_t end)
{
    if (out->n_spans == out->capacity) {
        const int64_t capacity = 2 * out->capacity + 16;
        struct chat_span *spans = mem_resize(out->spans, (size_t)capacity, sizeof *spans);
        if (!spans)
            return FT_ERR_INTERNAL;
        out->spans = spans;
        out->capacity = capacity;
    }
    out->spans[out->n_spans++] = (struct chat_span){from, end, out->text.used};
    return FT_OK;
}

static ft_status put_turn(struct rendering *r, int64_t i)
{
    struct buffer *text = &r->out->text;
    const struct chat_format *f = r->c->format;
    const struct chat_message *m = &r->list->items[i];
    if (m->role == CHAT_SYSTEM && (f->flags & CHAT_SKIPS_NO_SYSTEM) && m->bytes == 0)
        return FT_OK;
    FT_TRY(put_piece(text, r->c, f->turns[m->role].before));
    if (m->role == CHAT_SYSTEM && i == 0)
        FT_TRY(put_piece(text, r->c, f->intro));
    const size_t from = text->used;
    if (m->role == CHAT_SYSTEM)
        FT_TRY(put_content(r, m, CHAT_TRIM_SYSTEM));
    else if (m->role == CHAT_USER)
        FT_TRY(put_user(r, i));
    else if (f->flags & CHAT_THINKS)
        FT_TRY(put_thinking(r, i));
    else
        FT_TRY(put_content(r, m, CHAT_TRIM_ASSISTANT));
    const char *after = f->turns[m->role].after, *eos = strchr(after, CHAT_EOS_BYTE);
    const size_t end = text->used + (eos ? (size_t)(eos - after) : 0);
    FT_TRY(put_piece(text, r->c, after));
    return m->role == CHAT_ASSISTANT ? add_span(r->out, from, end) : FT_OK;
}

/* What a template refuses, from its first message but the system's on. */
static ft_status check_order(const struct rendering *r, int64_t first)
{
    const struct chat_format *f = r->c->format;
    const struct chat_message *items = r->list->items;
    if (r->n == 0)
        return ft_fail(FT_ERR_INPUT, "a conversation without messages");
    if ((f->flags & CHAT_NO_SYSTEM) && items[0].role == CHAT_SYSTEM)
        return ft_fail(FT_ERR_INPUT, "chat template %s has no place for a system message", f->name);
    if (!(f->flags & CHAT_ALTERNATES))
        return FT_OK;
    for (int64_t i = first; i < r->n; i++)
        if (items[i].role != ((i - first) % 2 ? CHAT_ASSISTANT : CHAT_USER))
            return ft_fail(FT_ERR_INPUT,
                           "message %lld: chat template %s wants user and assistant in turns, "
                           "beginning with a user%s",
                           (long long)i + 1, f->name,
                           f->flags & CHAT_NO_SYSTEM ? "" : ", after an optional system message");
    return FT_OK;
}

/* The last message of a user that is not a tool's response. */
static int64_t find_query(const struct rendering *r)
{
    static const char open[] = "<tool_response>", shut[] = "</tool_response>";
    const size_t n_open = sizeof open - 1, n_shut = sizeof shut - 1;
    for (int64_t i = r->n - 1; i >= 0; i--) {
        const struct chat_message *m = &r->list->items[i];
        const char *text = content_of(r, m);
        const bool is_response = m->bytes >= n_shut && memcmp(text, open, n_open) == 0 &&
                                 memcmp(text + m->bytes - n_shut, shut, n_shut) == 0;
        if (m->role == CHAT_USER && !is_response)
            return i;
    }
    return r->n - 1;
}

/* The system message that is given or stands for one; *first: the messages that follow it. */
static ft_status put_system(struct rendering *r, int64_t *first)
{
    const struct chat_format *f = r->c->format;
    const char *system = chat_template_default_system(r->c);
    struct buffer *text = &r->out->text;
    const bool has = r->list->items[0].role == CHAT_SYSTEM;
    if (has && (f->flags & (CHAT_SYSTEM_IN_FIRST | CHAT_SYSTEM_IN_LAST))) {
        *first = 1;
        r->merged = &r->list->items[0];
        r->into = f->flags & CHAT_SYSTEM_IN_FIRST ? 1 : r->n - 1;
        return FT_OK;
    }
    if (has || !system)
        return FT_OK;
    FT_TRY(put_piece(text, r->c, f->turns[CHAT_SYSTEM].before));
    FT_TRY(put_piece(text, r->c, f->intro));
    FT_TRY(buffer_append(text, system, strlen(system)));
    return put_piece(text, r->c, f->turns[CHAT_SYSTEM].after);
}

ft_status chat_render(struct chat_text *out, const struct chat_template *c,
                      const struct chat_list *list, int64_t n, bool generates)
{
    struct rendering r = {.out = out, .c = c, .list = list, .n = n};
    const struct chat_format *f = c->format;
    const bool merges = f->flags & (CHAT_SYSTEM_IN_FIRST | CHAT_SYSTEM_IN_LAST);
    int64_t first = 0;
    out->text.used = 0;
    out->n_spans = 0;
    FT_TRY(check_order(&r, n > 0 && merges && list->items[0].role == CHAT_SYSTEM));
    r.last_query = find_query(&r);
    FT_TRY(buffer_reserve(&out->text, 1));
    FT_TRY(put_piece(&out->text, c, f->start));
    FT_TRY(put_system(&r, &first));
    for (int64_t i = first; i < n; i++)
        FT_TRY(put_turn(&r, i));
    if (generates)
        return put_piece(&out->text, c, f->generation);
    if (!(f->flags & CHAT_EOS_LAST))
        return FT_OK;
    FT_TRY(put_piece(&out->text, c, CHAT_EOS));
    if (list->items[n - 1].role == CHAT_ASSISTANT)
        out->spans[out->n_spans - 1].to = out->text.used;
    return FT_OK;
}
