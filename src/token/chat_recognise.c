/*
 * A template is a program, and two programs can be told apart by what they print: its text is
 * brought to a form in which spelling does not count (white space, kinds of quotes, escapes,
 * message['role'] for message.role, pieces joined by +), and a row is recognised by the outputs
 * that must stand in it and by words that must not, because the row does not do what they ask for.
 * What fits no row is not guessed at.
 */
#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "chat_format.h"

enum { FACTS = 6 };

struct fact {
    const char *format;
    bool may_default; /**< a default system message of the template's own may stand in it */
    const char *has[FACTS], *lacks[FACTS]; /**< each ends with NULL, or is full */
};

#define IM_OWN "{{'<|im_start|>system\n'+messages[0].content+'<|im_end|>\n'}}"
#define IM_TURN "'<|im_start|>'+message.role+'\n'+message.content+'<|im_end|>\n'"
#define IM_CONTENT "'<|im_start|>'+message.role+'\n'+content+'<|im_end|>\n'"
#define IM_GENERATION "'<|im_start|>assistant\n'"
#define HEADER_TURN                                                                                \
    "'<|start_header_id|>'+message.role+'<|end_header_id|>\n\n'+message.content|trim+'<|eot_id|>'"
#define HEADER_GENERATION "'<|start_header_id|>assistant<|end_header_id|>\n\n'"
#define GEMMA_TURN "'<start_of_turn>'+role+'\n'"
#define ROLES_ALTERNATE "{%if(message.role=='user')!=(loop.index0%2==0)%}"
#define PHI(role) "'<|" role "|>\n'+message.content+'<|end|>\n'"
#define PHI_SYSTEM "{%ifmessage.role=='system'%}{{" PHI("system")
#define PHI_EOS "'<|assistant|>\n'}}{%else%}{{eos_token}}"
#define ZEPHYR(role) "'<|" role "|>\n'+message.content+eos_token"

/* The first row that fits is taken. */
static const struct fact facts[] = {
    {"chatml",
     true,
     {IM_TURN, IM_GENERATION},
     {"tool", "think", "trim", "strip(", "_token", "loop_messages"}},
    {"chatml",
     true,
     {"{{" IM_TURN "}}", IM_OWN, "message.tool_calls", IM_GENERATION},
     {"think", "trim", "strip(", "_token"}},
    {"chatml",
     false,
     {"{{" IM_CONTENT "}}", IM_OWN, "message.tool_calls", IM_GENERATION},
     {"think", "trim", "strip(", "_token"}},
    {"qwen3",
     false,
     {IM_OWN, "'\n<think>\n'+reasoning_content.strip('\n')+'\n</think>\n\n'+content.lstrip('\n')",
      "{%ifloop.index0>ns.last_query_index%}{%ifloop.lastor(notloop.lastandreasoning_content)%}",
      IM_GENERATION},
     {"trim", "bos_token", "'<|im_start|>assistant\n<think>\n'"}},
    {"llama3", false, {HEADER_TURN, "=bos_token+content", HEADER_GENERATION}, {"tool", "date"}},
    {"llama3.1",
     false,
     {HEADER_TURN, "{{bos_token}}", "{%setdate_string='26 Jul 2024'%}",
      "{{'Cutting Knowledge Date: December 2023\n'}}{{'Today Date: '+date_string+'\n\n'}}",
      "{%setsystem_message=''%}", HEADER_GENERATION},
     {"strftime_now"}},
    {"llama2",
     false,
     {"'<<SYS>>\n'+system_message+'\n<</SYS>>\n\n'+message.content", ROLES_ALTERNATE,
      "{{bos_token+'[INST] '+content.strip()+' [/INST]'}}", "{{' '+content.strip()+' '+eos_token}}",
      "{%setsystem_message=false%}"},
     {"tool"}},
    {"mistral-v0.1",
     false,
     {"{{bos_token}}", ROLES_ALTERNATE, "{{'[INST] '+message.content+' [/INST]'}}",
      "{{message.content+eos_token}}"},
     {"system", "tool", "strip(", "trim"}},
    {"mistral-v0.2",
     false,
     {"{{bos_token}}", ROLES_ALTERNATE, "{{' [INST] '+message.content+' [/INST]'}}",
      "{%ifloop.firstandsystem_messageisdefined%}{{' [INST] '+system_message+'\n\n'+message.content"
      "+' [/INST]'}}",
      "{{' '+message.content+eos_token}}"},
     {"tool", "strip(", "trim"}},
    {"mistral",
     false,
     {"{{bos_token}}", "{{'[INST] '+message.content+'[/INST]'}}",
      "{%ifloop.lastandsystem_messageisdefined%}{{'[INST] '+system_message+'\n\n'+message.content+"
      "'[/INST]'}}",
      "{{' '+message.content|trim+eos_token}}", "[AVAILABLE_TOOLS] ["},
     {"strip("}},
    {"mistral-nemo",
     false,
     {"{{bos_token}}", "{{'[INST]'+message.content+'[/INST]'}}",
      "{%ifloop.lastandsystem_messageisdefined%}{{'[INST]'+system_message+'\n\n'+message.content+"
      "'[/INST]'}}",
      "{{message.content+eos_token}}", "[AVAILABLE_TOOLS]["},
     {"trim", "strip("}},
    {"gemma",
     false,
     {"{{bos_token}}", "raise_exception('System role not supported')", ROLES_ALTERNATE,
      "{{'<start_of_turn>'+role+'\n'+message.content|trim+'<end_of_turn>\n'}}",
      "{%setrole='model'%}", "'<start_of_turn>model\n'"},
     {"tool"}},
    {"gemma3",
     false,
     {"{{bos_token}}", "{%setfirst_user_prefix=messages[0].content+'\n\n'%}", ROLES_ALTERNATE,
      "{{'<start_of_turn>'+role+'\n'+(first_user_prefixifloop.firstelse'')}}",
      "{{message.content|trim}}", "{{'<end_of_turn>\n'}}"},
     {"tool"}},
    {"zephyr",
     false,
     {ZEPHYR("user"), ZEPHYR("system"), ZEPHYR("assistant"),
      "{%ifloop.lastandadd_generation_prompt"
      "%}{{'<|assistant|>'}}"},
     {"tool", "trim", "strip(", "bos_token", "{{-", "<|end|>"}},
    {"phi3",
     false,
     {PHI_SYSTEM, PHI("user"), PHI("assistant"), PHI_EOS},
     {"tool", "trim", "bos_token"}},
    {"phi3.5",
     false,
     {"{%ifmessage.role=='system'andmessage.content%}{{" PHI("system"), PHI("user"),
      PHI("assistant"), PHI_EOS},
     {"tool", "trim", "bos_token"}},
};

/* Reading a template. */
struct reading {
    const char *at;
    struct buffer *out;
    size_t closed; /* where the latest literal ended in out */
};

static ft_status put(struct reading *r, const char *text, size_t bytes)
{
    return buffer_append(r->out, text, bytes);
}

static bool is_name(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '_')
            return false;
    return bytes > 0;
}

/* a['name'] becomes a.name; from: where the literal's quote stands in out. */
static bool take_subscript(struct reading *r, size_t from)
{
    struct buffer *out = r->out;
    const char *rest = r->at;
    while (isspace((unsigned char)*rest))
        rest++;
    if (*rest != ']' || from < 2 || out->data[from - 1] != '[' ||
        (out->data[from - 2] != ']' && !is_name(out->data + from - 2, 1)) ||
        !is_name(out->data + from + 1, out->used - from - 1))
        return false;
    memmove(out->data + from, out->data + from + 1, out->used - from - 1);
    out->data[from - 1] = '.';
    out->used--;
    r->at = rest + 1;
    return true;
}

/* A literal, whose quote is next; one joined to another by + goes on with it. */
static ft_status read_literal(struct reading *r)
{
    const char quote = *r->at++;
    struct buffer *out = r->out;
    const bool joins = r->closed > 0 && out->used == r->closed + 1 && out->data[r->closed] == '+';
    if (joins)
        out->used -= 2;
    const size_t from = out->used;
    if (!joins)
        FT_TRY(put(r, "'", 1));
    for (; *r->at && *r->at != quote; r->at++) {
        char c = *r->at;
        if (c == '\\' && r->at[1]) {
            c = *++r->at;
            c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
        }
        FT_TRY(put(r, &c, 1));
    }
    r->at += *r->at == quote;
    if (!joins && take_subscript(r, from))
        return FT_OK;
    FT_TRY(put(r, "'", 1));
    r->closed = out->used;
    return FT_OK;
}

/* From behind the opening of a tag to behind its end, which is `end`. */
static ft_status read_tag(struct reading *r, const char *end)
{
    r->at += *r->at == '-' || *r->at == '+';
    while (*r->at && strncmp(r->at, end, 2) != 0) {
        if (*r->at == '\'' || *r->at == '"')
            FT_TRY(read_literal(r));
        else if (isspace((unsigned char)*r->at) ||
                 ((*r->at == '-' || *r->at == '+') && strncmp(r->at + 1, end, 2) == 0))
            r->at++;
        else
            FT_TRY(put(r, r->at++, 1));
    }
    if (*r->at)
        r->at += 2;
    return put(r, end, 2);
}

ft_status chat_normalise(struct buffer *out, const char *text)
{
    struct reading r = {.at = text, .out = out};
    while (*r.at) {
        if (strncmp(r.at, "{#", 2) == 0) {
            const char *end = strstr(r.at, "#}");
            r.at = end ? end + 2 : r.at + strlen(r.at);
        } else if (strncmp(r.at, "{{", 2) == 0 || strncmp(r.at, "{%", 2) == 0) {
            const char *end = r.at[1] == '{' ? "}}" : "%}";
            FT_TRY(put(&r, r.at, 2));
            r.at += 2;
            FT_TRY(read_tag(&r, end));
        } else if (isspace((unsigned char)*r.at)) {
            r.at++;
        } else {
            FT_TRY(put(&r, r.at++, 1));
        }
    }
    return put(&r, "", 1);
}

/* The system message that a ChatML template gives where there is none: *from is NULL where it gives
 * none; false: it does so in a way that is not known. */
static bool find_default(const char **from, size_t *bytes, const char *normal)
{
    static const char text[] = "{{'<|im_start|>system\n", end[] = "<|im_end|>\n'}}";
    static const char *const conditions[] = {"{%ifloop.firstandmessages[0].role!='system'%}",
                                             "{%ifmessages[0].role=='system'%}" IM_OWN "{%else%}"};
    *from = NULL;
    for (const char *at = normal; (at = strstr(at, text)) != NULL; at += strlen(text)) {
        if (strncmp(at, IM_OWN, strlen(IM_OWN)) == 0 || at[strlen(text)] == '\'')
            continue; /* what tools are told with is not rendered */
        const char *stop = strstr(at, end);
        bool is_known = false;
        for (int i = 0; i < 2; i++) {
            const size_t n = strlen(conditions[i]);
            is_known =
                is_known || ((size_t)(at - normal) >= n && strncmp(at - n, conditions[i], n) == 0);
        }
        if (*from || !stop || !is_known)
            return false;
        *from = at + strlen(text);
        *bytes = (size_t)(stop - *from);
        if (memchr(*from, '{', *bytes) || memchr(*from, '+', *bytes))
            return false;
    }
    return true;
}

static bool fits(const struct fact *fact, const char *normal)
{
    for (int i = 0; i < FACTS && fact->has[i]; i++)
        if (!strstr(normal, fact->has[i]))
            return false;
    for (int i = 0; i < FACTS && fact->lacks[i]; i++)
        if (strstr(normal, fact->lacks[i]))
            return false;
    return true;
}

/* Of a text in normal form. */
static ft_status find_format(const struct chat_format **format, char **default_system,
                             const char *normal)
{
    const char *from = NULL;
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        if (!fits(&facts[i], normal))
            continue;
        if (facts[i].may_default && !find_default(&from, &bytes, normal))
            return FT_OK;
        if (from) {
            *default_system = mem_alloc(bytes + 1, 1);
            if (!*default_system)
                return FT_ERR_INTERNAL;
            memcpy(*default_system, from, bytes);
        }
        *format = chat_format_find(facts[i].format);
        return FT_OK;
    }
    return FT_OK;
}

ft_status chat_recognise(const struct chat_format **format, char **default_system, const char *text)
{
    struct buffer normal = {0};
    *format = NULL;
    *default_system = NULL;
    ft_status status = chat_normalise(&normal, text);
    if (status == FT_OK)
        status = find_format(format, default_system, normal.data);
    buffer_clear(&normal);
    return status;
}
