#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "data/loader.h"
#include "data/texts.h"
#include "format/json.h"
#include "train/spike.h"

enum { LISTED_MAX = 1024 };

static int compare_numbers(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Documents of all sequences of a step, whatever rank computes them. */
static ft_status collect(struct buffer *numbers, const struct session *s, int64_t step)
{
    const struct settings *settings = s->settings;
    const struct sample_set *set = &s->train.samples;
    struct step_plan plan;
    loader_plan(&plan, step, set->n, settings->training.global_batch, 1, 0, 1);
    for (int64_t i = 0; i < plan.step_count; i++)
        FT_TRY(sample_set_documents(numbers, set,
                                    loader_window((uint64_t)settings->seed, settings->data.shuffle,
                                                  set->n, plan.epoch, plan.first_position + i)));
    return FT_OK;
}

/* Ascending, each once, the first ones. Gives places (n) without paths (mem_free). */
static ft_status list_documents(struct document_place **places, int64_t *n,
                                const struct buffer *numbers)
{
    int64_t *sorted = (int64_t *)(void *)numbers->data;
    const int64_t all = (int64_t)(numbers->used / sizeof *sorted);
    *n = 0;
    FT_TRY(FT_ALLOC(*places, LISTED_MAX));
    if (all > 0)
        qsort(sorted, (size_t)all, sizeof *sorted, compare_numbers);
    for (int64_t i = 0; i < all && *n < LISTED_MAX; i++)
        if (i == 0 || sorted[i] != sorted[i - 1])
            (*places)[(*n)++].number = sorted[i];
    return FT_OK;
}

static json_t *describe(const struct document_place *place)
{
    const json_int_t number = place->number, line = place->line;
    return place->path
               ? json_pack("{s:I, s:s, s:I}", "document", number, "file", place->path, "line", line)
               : json_pack("{s:I}", "document", number);
}

static ft_status print(struct buffer *out, const struct document_place *places, int64_t n)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < n; i++)
        (void)json_array_append_new(list, describe(&places[i]));
    char *text = NULL;
    ft_status status = json_print(&text, list, 0, "documents of a step");
    json_decref(list);
    if (status == FT_OK)
        status = buffer_print(out, "%s", text);
    free(text);
    return status;
}

static ft_status list(struct buffer *out, const struct session *s, int64_t step)
{
    struct buffer numbers = {0};
    struct document_place *places = NULL;
    int64_t n = 0;
    ft_status status = collect(&numbers, s, step);
    if (status == FT_OK)
        status = list_documents(&places, &n, &numbers);
    if (status == FT_OK && document_places_find(places, n, s->train.corpus) != FT_OK)
        log_warn("%s", ft_error_text()); /* numbers will do */
    if (status == FT_OK)
        status = print(out, places, n);
    mem_free(places);
    buffer_clear(&numbers);
    return status;
}

void spike_samples(struct buffer *out, const struct session *s, int64_t step)
{
    if (list(out, s, step) != FT_OK)
        log_warn("the documents of step %lld cannot be listed: %s", (long long)step,
                 ft_error_text());
}
