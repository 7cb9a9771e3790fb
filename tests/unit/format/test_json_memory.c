/* Each allocation of jansson fails in its turn while a document is read and printed: an error that
 * says so, or the whole document; the process never ends, as it would by an assertion of jansson's.
 */
#include "format/json.h"

#include <stdlib.h>
#include <string.h>

#include "support/check.h"
#include "support/malloc_faults.h"

/* A number and a text of more digits and letters than jansson's first buffer has. */
static const char document[] = "{\"number\": 0.1000000000000000055511151231257827, \"text\": "
                               "\"one two three four five six seven\", \"list\": [1, [2, {}]]}";

static ft_status read_and_print(char **text)
{
    static const char escaped[] = "{\"te\\u0078t\": 1}";
    json_t *value = NULL;
    bool found = false;
    size_t from = 0, n = 0;
    FT_TRY(json_find_raw(&found, &from, &n, escaped, sizeof escaped - 1, "text"));
    CHECK(found && n == 1);
    FT_TRY(json_parse(&value, document, sizeof document - 1, "document"));
    const ft_status status = json_print(text, value, JSON_COMPACT, "document");
    json_decref(value);
    return status;
}

static void test_each(const char *right, bool always)
{
    int64_t nth = 1, n_failed = 0;
    for (; nth < 1000; nth++) {
        char *text = NULL;
        malloc_faults_arm(nth, always, false);
        const ft_status status = read_and_print(&text);
        const bool all_counted = malloc_faults_disarm() < nth;
        n_failed += status != FT_OK;
        CHECK(status == FT_ERR_INTERNAL || (status == FT_OK && strcmp(text, right) == 0));
        CHECK(status == FT_OK || (!text && strstr(ft_error_text(), "out of memory")));
        free(text);
        if (all_counted)
            break;
    }
    CHECK(n_failed > 20 && nth < 1000);
}

int main(void)
{
    char *right = NULL;
    CHECK_STATUS(read_and_print(&right), FT_OK);
    test_each(right, false);
    test_each(right, true);
    free(right);
    return check_end();
}
