/*
 * Files that are wrong in one way each: every one is refused with exit code 65 and a message that
 * names the defect, and nothing is read out of bounds (the test also runs under the sanitizers).
 */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "format/gguf.h"
#include "format/safetensors.h"
#include "format/weights.h"
#include "support/check.h"
#include "support/gguf_build.h"

static char folder[] = "/tmp/ft-hostile-XXXXXX";
static int n_cases;

static void report(const char *kind, const char *name, ft_status status, const char *part)
{
    n_cases++;
    if (!strstr(kind, "in memory")) /* which are the same again */
        check_hostile(kind, name);
    if (status == FT_ERR_INPUT && strstr(ft_error_text(), part))
        return;
    (void)fprintf(stderr, "%s: %s: status %d, message lacks \"%s\": %s\n", kind, name, (int)status,
                  part, status == FT_OK ? "(accepted)" : ft_error_text());
    check_failures++;
}

/* safetensors: `length` is the header's length as written; 0 = the true one. */
struct safetensors_case {
    const char *name, *header;
    uint64_t length;
    size_t data_bytes;
    const char *part;
};

#define ENTRY(name, dtype, shape, range)                                                           \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" range "}"
#define GOOD ENTRY("a", "F32", "[2]", "[0,8]")

static const struct safetensors_case safetensors_cases[] = {
    {"length beyond the file", "{" GOOD "}", 100000, 8, "does not fit the file"},
    {"length beyond the limit", "{" GOOD "}", 100000001, 8, "at most 100000000"},
    {"length 2^64 - 1", "{" GOOD "}", UINT64_MAX, 8, "at most 100000000"},
    {"length 1", "{" GOOD "}", 1, 8, "header of 1 bytes"},
    {"array as header", "[" GOOD "]", 0, 8, "does not start with '{'"},
    {"space before the header", " {" GOOD "}", 0, 8, "does not start with '{'"},
    {"header cut short", "{" GOOD, 0, 8, "header: line 1, column"},
    {"not UTF-8", "{\"\xff\":{}}", 0, 0, "not UTF-8"},
    {"zero byte in a name", "{" ENTRY("a\\u0000", "F32", "[2]", "[0,8]") "}", 0, 8, "\\u0000"},
    {"line break in a name", "{" ENTRY("a\\n", "F32", "[2]", "[0,8]") "}", 0, 8,
     "control character"},
    {"empty name", "{" ENTRY("", "F32", "[2]", "[0,8]") "}", 0, 8, "name is empty"},
    {"name twice", "{" GOOD "," ENTRY("a", "F32", "[2]", "[8,16]") "}", 0, 16,
     "duplicate object key"},
    {"metadata not text", "{\"__metadata__\":{\"n\":1}," GOOD "}", 0, 8, "\"n\" is not a string"},
    {"metadata a list", "{\"__metadata__\":[]," GOOD "}", 0, 8,
     "\"__metadata__\" is not an object"},
    {"entry a number", "{\"a\":1}", 0, 8, "its entry is not an object"},
    {"no dtype", "{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 0, 8, "\"dtype\" is missing"},
    {"unknown dtype", "{" ENTRY("a", "F4", "[16]", "[0,8]") "}", 0, 8, "data type \"F4\""},
    {"shape a number", "{" ENTRY("a", "F32", "2", "[0,8]") "}", 0, 8, "\"shape\" is an integer"},
    {"negative dimension", "{" ENTRY("a", "F32", "[-2]", "[0,8]") "}", 0, 8,
     "element 0 of \"shape\""},
    {"real dimension", "{" ENTRY("a", "F32", "[2.0]", "[0,8]") "}", 0, 8, "element 0 of \"shape\""},
    {"dimension 2^64", "{" ENTRY("a", "F32", "[18446744073709551616]", "[0,8]") "}", 0, 8,
     "element 0 of \"shape\""},
    {"dimensions that wrap", "{" ENTRY("a", "F32", "[4294967296,4294967296]", "[0,0]") "}", 0, 0,
     "more elements than can be counted"},
    {"bytes that wrap", "{" ENTRY("a", "F32", "[4611686018427387904]", "[0,0]") "}", 0, 0,
     "does not fit its 0 bytes"},
    {"five dimensions", "{" ENTRY("a", "F32", "[1,1,1,1,2]", "[0,8]") "}", 0, 8, "5 dimensions"},
    {"one offset", "{" ENTRY("a", "F32", "[2]", "[0]") "}", 0, 8, "not a pair"},
    {"offsets backwards", "{" ENTRY("a", "F32", "[2]", "[8,0]") "}", 0, 8, "[8, 0) are not within"},
    {"offsets beyond the data", "{" ENTRY("a", "F32", "[4]", "[0,16]") "}", 0, 8, "truncated?"},
    {"shape and offsets differ", "{" ENTRY("a", "F32", "[3]", "[0,8]") "}", 0, 8,
     "does not fit its 8 bytes"},
    {"overlap", "{" GOOD "," ENTRY("b", "F32", "[2]", "[4,12]") "}", 0, 12, "b: data overlap"},
    {"hole", "{" GOOD "," ENTRY("b", "F32", "[1]", "[12,16]") "}", 0, 16, "b: data leave a hole"},
    {"not from the start", "{" ENTRY("a", "F32", "[2]", "[4,12]") "}", 0, 12, "leave a hole"},
    {"bytes behind the last tensor", "{" GOOD "}", 0, 9, "1 bytes behind the last tensor"},
    {"length 2^63", "{" GOOD "}", UINT64_C(1) << 63, 8, "at most 100000000"},
    {"length one byte beyond", "{" GOOD "}", sizeof "{" GOOD "}" + 8, 8, "does not fit the file"},
    {"byte order mark", "\xef\xbb\xbf{" GOOD "}", 0, 8, "does not start with '{'"},
    {"text behind the header", "{" GOOD "} x", 0, 8, "end of file expected"},
    {"a comment", "{/**/" GOOD "}", 0, 8, "header: line 1, column"},
    {"metadata twice", "{\"__metadata__\":{},\"__metadata__\":{}," GOOD "}", 0, 8,
     "duplicate object key"},
    {"dtype a number", "{\"a\":{\"dtype\":32,\"shape\":[2],\"data_offsets\":[0,8]}}", 0, 8,
     "\"dtype\" is an integer"},
    {"sub-byte dtype", "{" ENTRY("a", "F8_E8M0", "[8]", "[0,8]") "}", 0, 8, "\"F8_E8M0\""},
    {"no shape", "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 0, 8,
     "\"shape\" is missing"},
    {"no offsets", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 0, 8,
     "\"data_offsets\" is missing"},
    {"dimension 2e0", "{" ENTRY("a", "F32", "[2e0]", "[0,8]") "}", 0, 8, "element 0 of \"shape\""},
    {"dimension -0", "{" ENTRY("a", "F32", "[-0]", "[0,8]") "}", 0, 8, "does not fit its 8 bytes"},
    {"dimension NaN", "{" ENTRY("a", "F32", "[NaN]", "[0,8]") "}", 0, 8, "header: line 1, column"},
    {"dimension true", "{" ENTRY("a", "F32", "[true]", "[0,8]") "}", 0, 8,
     "element 0 of \"shape\""},
    {"offset a real number", "{" ENTRY("a", "F32", "[2]", "[0.0,8]") "}", 0, 8,
     "element 0 of \"data_offsets\""},
    {"offset -8", "{" ENTRY("a", "F32", "[2]", "[-8,0]") "}", 0, 8,
     "element 0 of \"data_offsets\""},
    {"offset 2^64", "{" ENTRY("a", "F32", "[2]", "[0,18446744073709551616]") "}", 0, 8,
     "element 1 of \"data_offsets\""},
    {"data one byte short", "{" GOOD "}", 0, 7, "truncated?"},
    {"no data", "{" GOOD "}", 0, 0, "truncated?"},
};

static void build_safetensors(struct buffer *b, const struct safetensors_case *c)
{
    build_put(b, c->length ? c->length : strlen(c->header), 8);
    (void)buffer_append(b, c->header, strlen(c->header));
    for (size_t i = 0; i < c->data_bytes; i++)
        build_put(b, 0, 1);
}

/* The file on disk and in memory are refused alike. */
static void test_safetensors(void)
{
    char path[FILE_PATH_MAX];
    CHECK_STATUS(file_join(path, folder, "x.safetensors"), FT_OK);
    for (size_t i = 0; i < sizeof safetensors_cases / sizeof safetensors_cases[0]; i++) {
        const struct safetensors_case *c = &safetensors_cases[i];
        struct safetensors *f = NULL;
        struct weights *w = NULL;
        struct buffer b = {0};
        build_safetensors(&b, c);
        const ft_status status = safetensors_open_memory(&f, b.data, b.used, "memory");
        report("safetensors in memory", c->name, status, c->part);
        CHECK_STATUS(file_replace(path, b.data, b.used), FT_OK);
        report("safetensors", c->name, weights_open(&w, path), c->part);
        safetensors_close(&f);
        weights_close(&w);
        buffer_clear(&b);
    }
}

/* Files too short for a header, and things that are no file. */
static void test_no_safetensors(void)
{
    char path[FILE_PATH_MAX];
    struct weights *w = NULL;
    CHECK_STATUS(file_join(path, folder, "y.safetensors"), FT_OK);
    report("safetensors", "missing", weights_open(&w, path), "No such file");
    CHECK_STATUS(file_replace(path, "", 0), FT_OK);
    report("safetensors", "empty", weights_open(&w, path), "0 bytes are too few");
    CHECK_STATUS(file_replace(path, "1234567", 7), FT_OK);
    report("safetensors", "seven bytes", weights_open(&w, path), "7 bytes are too few");
    CHECK(unlink(path) == 0 && mkfifo(path, 0600) == 0);
    report("safetensors", "a pipe", weights_open(&w, path), "not a regular file");
    CHECK(unlink(path) == 0 && symlink("/dev/zero", path) == 0);
    report("safetensors", "link to a device", weights_open(&w, path), "not a regular file");
    CHECK(unlink(path) == 0);
}

struct index_case {
    const char *name, *text, *part;
};

#define MAP(text) "{\"weight_map\":" text "}"

static const struct index_case index_cases[] = {
    {"no weight_map", "{}", "\"weight_map\" is missing"},
    {"a list", "[]", "not an object"},
    {"empty map", MAP("{}"), "\"weight_map\" is empty"},
    {"mapped to a number", MAP("{\"a\":1}"), "\"a\" is not mapped to a file name"},
    {"parent folder", MAP("{\"a\":\"../one.safetensors\"}"), "not a plain name"},
    {"absolute path", MAP("{\"a\":\"/etc/one.safetensors\"}"), "not a plain name"},
    {"hidden file", MAP("{\"a\":\"..safetensors.safetensors\"}"), "not a plain name"},
    {"another kind of file", MAP("{\"a\":\"passwd\"}"), "not a plain name"},
    {"control character", MAP("{\"a\":\"o\\u001bne.safetensors\"}"), "control character"},
    {"missing file", MAP("{\"a\":\"none.safetensors\"}"), "No such file"},
    {"tensor not in its file", MAP("{\"b\":\"one.safetensors\"}"),
     "\"b\" is not in one.safetensors"},
    {"tensor in the other file",
     MAP("{\"a\":\"one.safetensors\",\"c\":\"one.safetensors\","
         "\"d\":\"three.safetensors\"}"),
     "\"c\" is not in one.safetensors"},
    {"tensor in two files", MAP("{\"a\":\"one.safetensors\",\"z\":\"two.safetensors\"}"),
     "tensor a is in two files"},
};

static void put_safetensors(const char *where, const char *name, const char *header, size_t bytes)
{
    char path[FILE_PATH_MAX];
    struct buffer b = {0};
    const struct safetensors_case c = {"", header, 0, bytes, ""};
    build_safetensors(&b, &c);
    CHECK_STATUS(file_join(path, where, name), FT_OK);
    CHECK_STATUS(file_replace(path, b.data, b.used), FT_OK);
    buffer_clear(&b);
}

static void test_index(void)
{
    char where[FILE_PATH_MAX], path[FILE_PATH_MAX];
    CHECK_STATUS(file_join(where, folder, "sharded"), FT_OK);
    CHECK_STATUS(file_make_folders(where), FT_OK);
    put_safetensors(where, "one.safetensors", "{" GOOD "}", 8);
    put_safetensors(where, "two.safetensors", "{" GOOD "}", 8);
    put_safetensors(where, "three.safetensors",
                    "{" ENTRY("c", "F32", "[1]", "[0,4]") "," ENTRY("d", "F32", "[1]", "[4,8]") "}",
                    8);
    CHECK_STATUS(file_join(path, where, "model.safetensors.index.json"), FT_OK);
    struct weights *w = NULL;
    report("index", "folder without weights", weights_open(&w, where), "neither model.safetensors");
    for (size_t i = 0; i < sizeof index_cases / sizeof index_cases[0]; i++) {
        CHECK_STATUS(file_replace(path, index_cases[i].text, strlen(index_cases[i].text)), FT_OK);
        report("index", index_cases[i].name, weights_open(&w, where), index_cases[i].part);
        weights_close(&w);
    }
}

/* GGUF: each case builds a whole file. */
struct gguf_case {
    const char *name;
    void (*build)(struct buffer *b);
    const char *part;
};

/* A file that is right with one entry and one tensor (2, 3) of f32, each part replaceable. */
static void tail(struct buffer *b)
{
    build_align(b, 32);
    for (int i = 0; i < 24; i++)
        build_put(b, 0, 1);
}

static void one_tensor(struct buffer *b, unsigned n_dims, const uint64_t *dims, unsigned type,
                       uint64_t offset)
{
    build_start(b, 3, 1, 0);
    build_tensor(b, "t", n_dims, dims, type, offset);
    tail(b);
}

static void one_array(struct buffer *b, unsigned element, uint64_t n)
{
    build_start(b, 3, 0, 1);
    build_key(b, "k", 9);
    build_put(b, element, 4);
    build_put(b, n, 8);
    tail(b);
}

static void bad_magic(struct buffer *b)
{
    (void)buffer_append(b, "GGML0123456789012345678901", 26);
}

static void bad_short(struct buffer *b)
{
    (void)buffer_append(b, "GGUF\3\0\0\0", 8);
}

static void bad_version_0(struct buffer *b)
{
    build_start(b, 0, 0, 0);
}

static void bad_version_1(struct buffer *b)
{
    build_start(b, 1, 0, 0);
}

static void bad_version_4(struct buffer *b)
{
    build_start(b, 4, 0, 0);
}

static void bad_endian(struct buffer *b)
{
    build_start(b, 3u << 24, 0, 0);
}

static void bad_n_tensors(struct buffer *b)
{
    build_start(b, 3, 1ull << 61, 0);
}

static void bad_n_entries(struct buffer *b)
{
    build_start(b, 3, 0, UINT64_MAX);
}

static void bad_n_entries_fit(struct buffer *b)
{
    build_start(b, 3, 0, 4);
    build_u32(b, "a", 1);
}

static void bad_key_long(struct buffer *b)
{
    build_start(b, 3, 0, 1);
    build_put(b, UINT64_MAX, 8);
    tail(b);
}

static void bad_key_cut(struct buffer *b)
{
    build_start(b, 3, 0, 1);
    build_put(b, 1000, 8);
    tail(b);
}

static void bad_key_empty(struct buffer *b)
{
    build_start(b, 3, 0, 1);
    build_u32(b, "", 1);
    tail(b);
}

static void bad_key_control(struct buffer *b)
{
    build_start(b, 3, 0, 1);
    build_u32(b, "a\33[2J", 1);
    tail(b);
}

static void bad_key_twice(struct buffer *b)
{
    build_start(b, 3, 0, 2);
    build_u32(b, "same", 1);
    build_text(b, "same", "x");
}

static void bad_type(struct buffer *b)
{
    build_start(b, 3, 0, 1);
    build_key(b, "k", 255);
    tail(b);
}

static void bad_bool(struct buffer *b)
{
    build_start(b, 3, 0, 1);
    build_key(b, "k", 7);
    build_put(b, 2, 1);
    tail(b);
}

static void bad_text_long(struct buffer *b)
{
    build_start(b, 3, 0, 1);
    build_key(b, "k", 8);
    build_put(b, (1 << 20) + 1, 8);
    tail(b);
}

static void bad_array_nested(struct buffer *b)
{
    one_array(b, 9, 1);
}

static void bad_array_type(struct buffer *b)
{
    one_array(b, 13, 1);
}

static void bad_array_count(struct buffer *b)
{
    one_array(b, 4, 1ull << 62);
}

static void bad_array_negative(struct buffer *b)
{
    one_array(b, 0, 1ull << 63);
}

static void bad_array_texts(struct buffer *b)
{
    one_array(b, 8, 1ull << 61);
}

static void bad_array_bool(struct buffer *b)
{
    build_start(b, 3, 0, 1);
    build_key(b, "k", 9);
    build_put(b, 7, 4);
    build_put(b, 2, 8);
    build_put(b, 0x301, 2);
    tail(b);
}

static void bad_alignment_0(struct buffer *b)
{
    build_start(b, 3, 0, 1);
    build_u32(b, "general.alignment", 0);
    tail(b);
}

static void bad_alignment_3(struct buffer *b)
{
    build_start(b, 3, 0, 1);
    build_u32(b, "general.alignment", 3);
    tail(b);
}

static void bad_alignment_large(struct buffer *b)
{
    build_start(b, 3, 0, 1);
    build_u32(b, "general.alignment", 1u << 31);
    tail(b);
}

static void bad_alignment_type(struct buffer *b)
{
    build_start(b, 3, 0, 1);
    build_text(b, "general.alignment", "32");
    tail(b);
}

static void bad_n_dims_0(struct buffer *b)
{
    one_tensor(b, 0, NULL, 0, 0);
}

static void bad_n_dims_5(struct buffer *b)
{
    one_tensor(b, 5, (uint64_t[]){1, 1, 1, 2, 3}, 0, 0);
}

static void bad_dim_0(struct buffer *b)
{
    one_tensor(b, 2, (uint64_t[]){2, 0}, 0, 0);
}

static void bad_dim_negative(struct buffer *b)
{
    one_tensor(b, 1, (uint64_t[]){UINT64_MAX}, 0, 0);
}

static void bad_dims_wrap(struct buffer *b)
{
    one_tensor(b, 4, (uint64_t[]){1ull << 32, 1ull << 32, 2, 1}, 0, 0);
}

static void bad_bytes_wrap(struct buffer *b)
{
    one_tensor(b, 1, (uint64_t[]){1ull << 62}, 0, 0);
}

static void bad_tensor_type(struct buffer *b)
{
    one_tensor(b, 1, (uint64_t[]){32}, 4, 0);
}

static void bad_tensor_type_large(struct buffer *b)
{
    one_tensor(b, 1, (uint64_t[]){32}, UINT32_MAX, 0);
}

static void bad_block(struct buffer *b)
{
    one_tensor(b, 2, (uint64_t[]){16, 2}, 8, 0);
}

static void bad_large_block(struct buffer *b)
{
    one_tensor(b, 2, (uint64_t[]){128, 2}, 14, 0);
}

/* Eight blocks of 144 bytes, of which the file has a part. */
static void bad_short_blocks(struct buffer *b)
{
    one_tensor(b, 2, (uint64_t[]){256, 8}, 12, 0);
}

static void bad_offset_unaligned(struct buffer *b)
{
    one_tensor(b, 2, (uint64_t[]){2, 3}, 0, 4);
}

static void bad_offset_far(struct buffer *b)
{
    one_tensor(b, 2, (uint64_t[]){2, 3}, 0, 32);
}

static void bad_offset_wrap(struct buffer *b)
{
    one_tensor(b, 2, (uint64_t[]){2, 3}, 0, UINT64_MAX - 31);
}

static void two_tensors(struct buffer *b, const char *second, uint64_t offset)
{
    build_start(b, 3, 2, 0);
    build_tensor(b, "t", 1, (uint64_t[]){12}, 0, 0);
    build_tensor(b, second, 1, (uint64_t[]){12}, 0, offset);
    build_align(b, 32);
    for (int i = 0; i < 112; i++)
        build_put(b, 0, 1);
}

static void bad_overlap(struct buffer *b)
{
    two_tensors(b, "u", 32);
}

static void bad_name_twice(struct buffer *b)
{
    two_tensors(b, "t", 64);
}

static void bad_name_long(struct buffer *b)
{
    char name[1026];
    memset(name, 'x', sizeof name);
    name[1025] = '\0';
    build_start(b, 3, 1, 0);
    build_tensor(b, name, 1, (uint64_t[]){1}, 0, 0);
    tail(b);
}

static void bad_no_data(struct buffer *b)
{
    build_start(b, 3, 1, 0);
    build_tensor(b, "t", 1, (uint64_t[]){1}, 0, 0);
}

static const struct gguf_case gguf_cases[] = {
    {"other signature", bad_magic, "signature missing"},
    {"only eight bytes", bad_short, "the number of tensors takes 8 bytes"},
    {"version 0", bad_version_0, "GGUF version 0"},
    {"version 1", bad_version_1, "GGUF version 1"},
    {"version 4", bad_version_4, "GGUF version 4"},
    {"big-endian", bad_endian, "big-endian"},
    {"2^61 tensors", bad_n_tensors, "2305843009213693952 tensors are more"},
    {"2^64 - 1 entries", bad_n_entries, "18446744073709551615 metadata entries"},
    {"more entries than bytes", bad_n_entries_fit, "4 metadata entries are more"},
    {"key of 2^64 - 1 bytes", bad_key_long, "a metadata key of 18446744073709551615"},
    {"key beyond the file", bad_key_cut, "a metadata key takes 1000 bytes"},
    {"empty key", bad_key_empty, "a metadata key is empty"},
    {"control character in a key", bad_key_control, "control character"},
    {"key twice", bad_key_twice, "key same appears twice"},
    {"value of type 255", bad_type, "k has unknown type 255"},
    {"bool of 2", bad_bool, "a bool is 2"},
    {"string over 1 MiB", bad_text_long, "k of 1048577 bytes"},
    {"array of arrays", bad_array_nested, "elements of type 9"},
    {"array of type 13", bad_array_type, "elements of type 13"},
    {"array whose bytes wrap", bad_array_count, "k takes 18446744073709551615 bytes"},
    {"array of 2^63", bad_array_negative, "an array of 9223372036854775808"},
    {"2^61 strings", bad_array_texts, "k takes 18446744073709551615 bytes"},
    {"array with a bool of 3", bad_array_bool, "a bool is 3"},
    {"alignment 0", bad_alignment_0, "general.alignment is 0"},
    {"alignment 3", bad_alignment_3, "general.alignment is 3"},
    {"alignment 2^31", bad_alignment_large, "general.alignment is 2147483648"},
    {"alignment as text", bad_alignment_type, "general.alignment is of type string"},
    {"no dimensions", bad_n_dims_0, "has 0 dimensions"},
    {"five dimensions", bad_n_dims_5, "has 5 dimensions"},
    {"dimension 0", bad_dim_0, "dimension 1 (0)"},
    {"dimension -1", bad_dim_negative, "dimension 0 (-1)"},
    {"dimensions that wrap", bad_dims_wrap, "dimension 1 (4294967296)"},
    {"bytes that wrap", bad_bytes_wrap, "needs more data than the file has"},
    {"removed tensor type", bad_tensor_type, "removed type 4"},
    {"tensor type 2^32 - 1", bad_tensor_type_large, "removed type -1"},
    {"row not of whole blocks", bad_block, "do not divide into blocks of 32 (Q8_0)"},
    {"row not of whole large blocks", bad_large_block, "do not divide into blocks of 256 (Q6_K)"},
    {"fewer blocks than its shape", bad_short_blocks,
     "its shape needs more data than the file has"},
    {"offset not aligned", bad_offset_unaligned, "offset 4 is no multiple of 32"},
    {"offset beyond the file", bad_offset_far, "beyond the end of the file"},
    {"offset that wraps", bad_offset_wrap, "beyond the end of the file"},
    {"overlap", bad_overlap, "tensors t and u overlap"},
    {"tensor twice", bad_name_twice, "tensor t appears twice"},
    {"name too long", bad_name_long, "a tensor's name of 1025 bytes"},
    {"no data", bad_no_data, "beyond the end of the file"},
};

static void test_gguf(void)
{
    char path[FILE_PATH_MAX];
    CHECK_STATUS(file_join(path, folder, "x.gguf"), FT_OK);
    for (size_t i = 0; i < sizeof gguf_cases / sizeof gguf_cases[0]; i++) {
        const struct gguf_case *c = &gguf_cases[i];
        struct gguf *g = NULL;
        struct weights *w = NULL;
        struct buffer b = {0};
        c->build(&b);
        report("GGUF in memory", c->name, gguf_open_memory(&g, b.data, b.used, "memory"), c->part);
        CHECK_STATUS(file_replace(path, b.data, b.used), FT_OK);
        report("GGUF", c->name, weights_open(&w, path), c->part);
        gguf_close(&g);
        weights_close(&w);
        buffer_clear(&b);
    }
}

/* What the cases above are wrong variants of is accepted. */
static void test_good(void)
{
    struct gguf *g = NULL;
    struct safetensors *f = NULL;
    struct buffer b = {0};
    one_tensor(&b, 2, (uint64_t[]){2, 3}, 0, 0);
    CHECK_STATUS(gguf_open_memory(&g, b.data, b.used, "good"), FT_OK);
    gguf_close(&g);
    buffer_clear(&b);
    two_tensors(&b, "u", 64);
    CHECK_STATUS(gguf_open_memory(&g, b.data, b.used, "good"), FT_OK);
    gguf_close(&g);
    buffer_clear(&b);
    build_safetensors(
        &b, &(struct safetensors_case){"", "{\"__metadata__\":{\"n\":\"1\"}," GOOD "}", 0, 8, ""});
    CHECK_STATUS(safetensors_open_memory(&f, b.data, b.used, "good"), FT_OK);
    safetensors_close(&f);
    buffer_clear(&b);
}

int main(void)
{
    CHECK(mkdtemp(folder) != NULL);
    test_good();
    test_safetensors();
    test_no_safetensors();
    test_index();
    test_gguf();
    CHECK_STATUS(file_remove_folder(folder), FT_OK);
    (void)printf("%d refusals checked\n", n_cases);
    return check_end();
}
