/* format/json: what is refused, integers beyond 64 bits, getters. */
#include "format/json.h"
#include "support/check.h"

static ft_status parse(json_t **out, const char *text)
{
    return json_parse(out, text, strlen(text), "text");
}

static void check_refused(const char *text, const char *part)
{
    json_t *json = NULL;
    CHECK_FAILS(parse(&json, text), FT_ERR_INPUT, part);
    CHECK(!json);
}

static void test_refused(void)
{
    char deep[2 * JSON_DEPTH_MAX + 3];
    check_refused("{\"a\": 1,\n \"a\": 2}", "text: line 2, column 4: duplicate object key");
    check_refused("{\"a\": 1} x", "line 1, column 10: end of file expected");
    check_refused("\xef\xbb\xbf{}", "line 1");
    check_refused("[\"\xc3\x28\"]", "UTF-8");
    check_refused("[\"\\u0000\"]", "\\u0000");
    check_refused("[1e999]", "overflow");
    check_refused("", "line 1");
    check_refused("[\"\\", "line 1");
    memset(deep, '[', JSON_DEPTH_MAX + 1);
    memset(deep + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    deep[sizeof deep - 1] = '\0';
    check_refused(deep, "nested deeper than 64");
    json_t *json = NULL;
    deep[2 * JSON_DEPTH_MAX + 1] = '\0';
    CHECK_STATUS(parse(&json, deep + 1), FT_OK);
    json_decref(json);
    CHECK_STATUS(
        parse(&json, "[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"]"),
        FT_OK); /* brackets in a string do not nest */
    json_decref(json);
}

/* tokenizer_config.json holds model_max_length of 31 digits. */
static void test_long_integers(void)
{
    json_t *json = NULL;
    CHECK_STATUS(parse(&json, "{\"n\": 1000000000000000019884624838656, \"m\": 9223372036854775807,"
                              "\"t\": \"1000000000000000019884624838656\", \"i\": 12, "
                              "\"x\": -99999999999999999999, \"r\": 1234567890123456789.5e3}"),
                 FT_OK);
    CHECK(json_is_real(json_object_get(json, "n")));
    CHECK(json_real_value(json_object_get(json, "n")) == 1e30);
    CHECK(json_real_value(json_object_get(json, "x")) == -1e20);
    CHECK(json_real_value(json_object_get(json, "r")) == 1234567890123456789.5e3);
    CHECK(json_integer_value(json_object_get(json, "i")) == 12);
    CHECK(strlen(json_string_value(json_object_get(json, "t"))) == 31);
    json_decref(json);
}

static void test_getters(void)
{
    json_t *json = NULL, *child = NULL;
    int64_t n = 5;
    double x = 5;
    bool flag = false, found = true;
    const char *text = NULL;
    CHECK_STATUS(parse(&json,
                       "{\"i\": 7, \"x\": 0.5, \"b\": true, \"s\": \"t\", \"o\": {}, \"a\": [],"
                       "\"z\": null}"),
                 FT_OK);
    CHECK_STATUS(json_get_int(json, "i", 0, 7, &n, NULL), FT_OK);
    CHECK(n == 7);
    CHECK_FAILS(json_get_int(json, "i", 0, 6, &n, NULL), FT_ERR_INPUT,
                "\"i\" is 7, not from 0 to 6");
    CHECK_FAILS(json_get_int(json, "x", 0, 6, &n, NULL), FT_ERR_INPUT,
                "\"x\" is a real number, an");
    CHECK_FAILS(json_get_int(json, "q", 0, 6, &n, NULL), FT_ERR_INPUT, "key \"q\" is missing");
    CHECK_STATUS(json_get_int(json, "z", 0, 6, &n, &found), FT_OK);
    CHECK(!found && n == 7);
    CHECK_STATUS(json_get_real(json, "x", 0, 1, &x, &found), FT_OK);
    CHECK(found && x == 0.5);
    CHECK_STATUS(json_get_real(json, "i", 0, 9, &x, NULL), FT_OK);
    CHECK(x == 7);
    CHECK_FAILS(json_get_real(json, "s", 0, 1, &x, NULL), FT_ERR_INPUT,
                "\"s\" is a string, a number");
    CHECK_STATUS(json_get_bool(json, "b", &flag, NULL), FT_OK);
    CHECK(flag);
    CHECK_FAILS(json_get_bool(json, "i", &flag, NULL), FT_ERR_INPUT,
                "\"i\" is an integer, true or");
    CHECK_STATUS(json_get_text(json, "s", &text, NULL), FT_OK);
    CHECK(text && strcmp(text, "t") == 0);
    CHECK_FAILS(json_get_text(json, "o", &text, NULL), FT_ERR_INPUT,
                "\"o\" is an object, a string");
    CHECK_STATUS(json_get_object(json, "o", &child, NULL), FT_OK);
    CHECK_FAILS(json_get_object(json, "a", &child, NULL), FT_ERR_INPUT,
                "\"a\" is an array, an object");
    CHECK_STATUS(json_get_array(json, "a", &child, NULL), FT_OK);
    CHECK_FAILS(json_get_array(json, "b", &child, NULL), FT_ERR_INPUT,
                "\"b\" is true or false, an ar");
    json_decref(json);
}

/* Values as they are written, whatever stands around them. */
static void test_raw(void)
{
    static const struct {
        const char *text, *key, *raw; /**< raw NULL: there is no such member */
    } cases[] = {
        {"{\"a\": 1.0}", "a", "1.0"},
        {" {\"b\":[1,{\"a\":2}],\"a\":-0.0E+01}", "a", "-0.0E+01"},
        {"{\"x\":\"}\\\"],\",\"a\" :\ttrue , \"b\":0}", "a", "true"},
        {"{\"x\":{\"}\":\"{\"},\"a\":\"s\\\\\",\"b\":0}", "a", "\"s\\\\\""},
        {"{\"\\u0061\":null,\"b\":[]}", "a", "null"},
        {"{\"a\\\"\":7}", "a\"", "7"},
        {"{\"aa\":1,\"a\":[ 2 , [3] ] }", "a", "[ 2 , [3] ]"},
        {"{\"aa\":1,\"A\":2}", "a", NULL},
        {"{\"b\":{\"a\":1}}", "a", NULL},
        {"{}", "a", NULL},
        {"{\"a\":12345678901234567890123}\n", "a", "12345678901234567890123"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t from = 0, n = 0;
        const char *text = cases[i].text, *raw = cases[i].raw;
        bool found = false;
        CHECK_STATUS(json_find_raw(&found, &from, &n, text, strlen(text), cases[i].key), FT_OK);
        CHECK(found == (raw != NULL));
        CHECK(!raw || (n == strlen(raw) && memcmp(text + from, raw, n) == 0));
    }
}

int main(void)
{
    test_raw();
    test_refused();
    test_long_integers();
    test_getters();
    return check_end();
}
