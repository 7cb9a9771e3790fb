/* Round trips, equal files from equal content, and every kind of hostile file that HDF5 can
 * express. */
#include "format/h5.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "support/check.h"

static char folder[] = "/tmp/ft-h5-XXXXXX";

static const char *at(const char *name)
{
    static char paths[4][FILE_PATH_MAX];
    static int turn;
    char *path = paths[turn++ % 4];
    (void)snprintf(path, FILE_PATH_MAX, "%s/%s", folder, name);
    return path;
}

static void write_sample(const char *path)
{
    struct h5_file *file = NULL;
    const float matrix[6] = {0, 1, 2, 3, 4, (float)NAN};
    const uint32_t tokens[3] = {7, 0xffffffffu, 9};
    const int64_t longs[2] = {-1, INT64_MAX}, shape[3] = {2, 3, 4};
    const double loss[1] = {0.1};
    CHECK_STATUS(h5_create(&file, path), FT_OK);
    CHECK_STATUS(h5_write(file, "/params/a.weight", H5_F32, 2, (int64_t[]){2, 3}, matrix), FT_OK);
    CHECK_STATUS(h5_make(file, "/tokens", H5_U32, 1, (int64_t[]){3}), FT_OK);
    CHECK_STATUS(h5_write_slice(file, "/tokens", H5_U32, 1, 2, tokens + 1), FT_OK);
    CHECK_STATUS(h5_write_slice(file, "/tokens", H5_U32, 0, 1, tokens), FT_OK);
    CHECK_FAILS(h5_write_slice(file, "/tokens", H5_U32, 2, 2, tokens), FT_ERR_INPUT,
                "are asked for");
    CHECK_STATUS(h5_write(file, "/deep/er/longs", H5_I64, 1, (int64_t[]){2}, longs), FT_OK);
    CHECK_STATUS(h5_write(file, "/history/loss", H5_F64, 1, (int64_t[]){1}, loss), FT_OK);
    CHECK_STATUS(h5_write(file, "/none", H5_F32, 1, (int64_t[]){0}, matrix), FT_OK);
    CHECK_STATUS(h5_put_i64(file, "/", "step", -5), FT_OK);
    CHECK_STATUS(h5_put_f64(file, "/", "epoch", 0.3), FT_OK);
    CHECK_STATUS(h5_put_text(file, "/", "empty", ""), FT_OK);
    CHECK_STATUS(h5_put_text(file, "/params/a.weight", "text", "gr\xc3\xbc\xc3\x9f"), FT_OK);
    CHECK_STATUS(h5_put_i64s(file, "/params/a.weight", "shape", shape, 3), FT_OK);
    CHECK_STATUS(h5_close(&file), FT_OK);
    CHECK(file == NULL);
}

static ft_status collect(void *context, const char *name)
{
    (void)strcat(strcat(context, name), " ");
    return strcmp(name, "stop") == 0 ? ft_fail(FT_ERR_INPUT, "stopped") : FT_OK;
}

static void check_datasets(const struct h5_file *file)
{
    float matrix[6];
    uint32_t tokens[3];
    int64_t longs[2], dims[H5_DIMS_MAX];
    double loss;
    int n_dims;
    CHECK_STATUS(h5_dims(file, "/params/a.weight", H5_F32, &n_dims, dims), FT_OK);
    CHECK(n_dims == 2 && dims[0] == 2 && dims[1] == 3);
    CHECK_STATUS(h5_read(file, "/params/a.weight", H5_F32, 6, matrix), FT_OK);
    CHECK(matrix[4] == 4 && isnan(matrix[5]));
    CHECK_STATUS(h5_read(file, "/tokens", H5_U32, 3, tokens), FT_OK);
    CHECK(tokens[0] == 7 && tokens[1] == 0xffffffffu && tokens[2] == 9);
    CHECK_STATUS(h5_read_slice(file, "/tokens", H5_U32, 2, 1, tokens), FT_OK);
    CHECK(tokens[0] == 9);
    CHECK_STATUS(h5_read(file, "/deep/er/longs", H5_I64, 2, longs), FT_OK);
    CHECK(longs[0] == -1 && longs[1] == INT64_MAX);
    CHECK_STATUS(h5_read(file, "/history/loss", H5_F64, 1, &loss), FT_OK);
    CHECK(loss == 0.1);
    CHECK_STATUS(h5_read(file, "/none", H5_F32, 0, NULL), FT_OK);
}

static void test_round_trip(void)
{
    struct h5_file *file = NULL;
    int64_t value, values[3], n;
    double real;
    char *text, names[100] = "";
    write_sample(at("a.h5"));
    CHECK_STATUS(h5_open(&file, at("a.h5")), FT_OK);
    check_datasets(file);
    CHECK_STATUS(h5_get_i64(file, "/", "step", &value), FT_OK);
    CHECK(value == -5);
    CHECK_STATUS(h5_get_f64(file, "/", "epoch", &real), FT_OK);
    CHECK(real == 0.3);
    CHECK_STATUS(h5_get_text(file, "/", "empty", &text), FT_OK);
    CHECK(text && text[0] == '\0');
    mem_free(text);
    CHECK_STATUS(h5_get_text(file, "/params/a.weight", "text", &text), FT_OK);
    CHECK(text && strcmp(text, "gr\xc3\xbc\xc3\x9f") == 0);
    mem_free(text);
    CHECK_STATUS(h5_get_i64s(file, "/params/a.weight", "shape", values, 3, &n), FT_OK);
    CHECK(n == 3 && values[2] == 4);
    CHECK_STATUS(h5_each(file, "/", collect, names), FT_OK);
    CHECK(strcmp(names, "none tokens ") == 0);
    CHECK(h5_has(file, "/tokens") && h5_has(file, "/deep") && !h5_has(file, "/deep/x"));
    CHECK_STATUS(h5_close(&file), FT_OK);
}

static void test_offset(void)
{
    struct h5_file *file = NULL;
    uint64_t offset = 0;
    uint32_t tokens[3] = {0};
    int fd = -1;
    CHECK_STATUS(h5_open(&file, at("a.h5")), FT_OK);
    CHECK_STATUS(h5_data_offset(file, "/tokens", H5_U32, &offset), FT_OK);
    CHECK_FAILS(h5_data_offset(file, "/none", H5_F32, &offset), FT_ERR_INPUT, "is empty");
    CHECK_STATUS(h5_data_offset(file, "/tokens", H5_U32, &offset), FT_OK);
    CHECK_STATUS(h5_close(&file), FT_OK);
    CHECK_STATUS(file_open_read(&fd, NULL, at("a.h5")), FT_OK);
    CHECK_STATUS(file_read_at(fd, tokens, sizeof tokens, offset, "a.h5"), FT_OK);
    CHECK(tokens[0] == 7 && tokens[2] == 9);
    (void)close(fd);
}

/* Equal content written in another second gives the same bytes: no times anywhere. */
static void test_equal_files(void)
{
    char *a = NULL, *b = NULL;
    size_t a_bytes = 0, b_bytes = 1;
    (void)sleep(1);
    write_sample(at("b.h5"));
    CHECK_STATUS(file_read_all(&a, &a_bytes, at("a.h5"), 1 << 20), FT_OK);
    CHECK_STATUS(file_read_all(&b, &b_bytes, at("b.h5"), 1 << 20), FT_OK);
    CHECK(a_bytes == b_bytes && memcmp(a, b, a_bytes) == 0);
    mem_free(a);
    mem_free(b);
}

static void test_wrong_requests(void)
{
    struct h5_file *file = NULL;
    float out[8];
    int64_t value, n;
    double real;
    char *text, names[100] = "";
    CHECK_FAILS(h5_create(&file, at("a.h5")), FT_ERR_IO, "exists");
    CHECK(file == NULL);
    CHECK_FAILS(h5_create(&file, "/nowhere/x.h5"), FT_ERR_IO, "No such file");
    CHECK_STATUS(h5_open(&file, at("a.h5")), FT_OK);
    CHECK_FAILS(h5_read(file, "/params/a.weight", H5_F32, 7, out), FT_ERR_INPUT, "expected 7");
    CHECK_FAILS(h5_read(file, "/params/a.weight", H5_U32, 6, out), FT_ERR_INPUT, "u32");
    CHECK_FAILS(h5_read(file, "/params", H5_F32, 6, out), FT_ERR_INPUT, "dataset");
    CHECK_FAILS(h5_read(file, "/absent", H5_F32, 6, out), FT_ERR_INPUT, "does not exist");
    CHECK_FAILS(h5_read(file, "tokens", H5_U32, 3, out), FT_ERR_INPUT, "absolute");
    CHECK_FAILS(h5_read(file, "/deep//er/longs", H5_I64, 2, out), FT_ERR_INPUT, "component");
    CHECK_FAILS(h5_read_slice(file, "/tokens", H5_U32, 1, 3, out), FT_ERR_INPUT, "asked for");
    CHECK_FAILS(h5_read_slice(file, "/tokens", H5_U32, INT64_MAX, 1, out), FT_ERR_INPUT,
                "asked for");
    CHECK_FAILS(h5_read_slice(file, "/params/a.weight", H5_F32, 0, 1, out), FT_ERR_INPUT, "slice");
    CHECK_FAILS(h5_get_i64(file, "/", "nothing", &value), FT_ERR_INPUT, "nothing is missing");
    CHECK_FAILS(h5_get_i64(file, "/", "epoch", &value), FT_ERR_INPUT, "another type");
    CHECK_FAILS(h5_get_f64(file, "/", "step", &real), FT_ERR_INPUT, "another type");
    CHECK_FAILS(h5_get_i64s(file, "/params/a.weight", "shape", &value, 1, &n), FT_ERR_INPUT,
                "3 values");
    CHECK_FAILS(h5_get_text(file, "/", "step", &text), FT_ERR_INPUT, "not one text");
    CHECK_FAILS(h5_each(file, "/tokens", collect, names), FT_ERR_INPUT, "group");
    CHECK_STATUS(h5_close(&file), FT_OK);
}

static void test_not_hdf5(void)
{
    struct h5_file *file = NULL;
    CHECK_STATUS(file_replace(at("short.h5"), "HDF", 3), FT_OK);
    CHECK_STATUS(file_replace(at("text.h5"), "this is not it, sorry", 21), FT_OK);
    CHECK_STATUS(file_replace(at("head.h5"), "\x89HDF\r\n\x1a\n and junk", 16), FT_OK);
    CHECK(mkfifo(at("fifo.h5"), 0600) == 0);
    CHECK_FAILS(h5_open(&file, at("absent.h5")), FT_ERR_INPUT, "No such file");
    CHECK_FAILS(h5_open(&file, at("short.h5")), FT_ERR_INPUT, "3 bytes");
    CHECK_FAILS(h5_open(&file, at("text.h5")), FT_ERR_INPUT, "signature");
    CHECK_FAILS(h5_open(&file, at("head.h5")), FT_ERR_INPUT, "cannot open the HDF5 file");
    CHECK_FAILS(h5_open(&file, at("fifo.h5")), FT_ERR_INPUT, "regular");
    CHECK_FAILS(h5_open(&file, folder), FT_ERR_INPUT, "regular");
    CHECK(file == NULL);
}

static void make_raw(hid_t file, const char *name, hid_t type, hsize_t n, hid_t list)
{
    const hid_t space = H5Screate_simple(1, &n, NULL);
    const hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    CHECK(set >= 0);
    (void)H5Dclose(set);
    (void)H5Sclose(space);
}

static hid_t new_list(void)
{
    return H5Pcreate(H5P_DATASET_CREATE);
}

static void write_hostile(const char *path)
{
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hsize_t chunk = 4;
    const hid_t external = new_list(), chunked = new_list(), filtered = new_list();
    const hid_t virtual = new_list(), compact = new_list(), text = H5Tcopy(H5T_C_S1);
    const hid_t space = H5Screate(H5S_SCALAR), four = H5Screate_simple(1, &chunk, NULL);
    (void)H5Pset_external(external, "/etc/passwd", 0, 16);
    (void)H5Pset_chunk(chunked, 1, &chunk);
    (void)H5Pset_chunk(filtered, 1, &chunk);
    (void)H5Pset_fletcher32(filtered);
    (void)H5Pset_virtual(virtual, four, "a.h5", "/tokens", four);
    (void)H5Pset_layout(compact, H5D_COMPACT);
    make_raw(file, "external", H5T_IEEE_F32LE, 4, external);
    make_raw(file, "chunked", H5T_IEEE_F32LE, 4, chunked);
    make_raw(file, "filtered", H5T_IEEE_F32LE, 4, filtered);
    make_raw(file, "virtual", H5T_IEEE_F32LE, 4, virtual);
    make_raw(file, "compact", H5T_IEEE_F32LE, 4, compact);
    make_raw(file, "unwritten", H5T_IEEE_F32LE, 4, H5P_DEFAULT);
    make_raw(file, "giant", H5T_IEEE_F32LE, (hsize_t)1 << 61, H5P_DEFAULT);
    make_raw(file, "big", H5T_IEEE_F32LE, (hsize_t)1 << 40, H5P_DEFAULT);
    make_raw(file, "big_endian", H5T_IEEE_F32BE, 4, H5P_DEFAULT);
    make_raw(file, "double", H5T_IEEE_F64LE, 4, H5P_DEFAULT);
    (void)H5Tset_size(text, 16);
    make_raw(file, "fixed", text, 4, H5P_DEFAULT); /* never written */
    (void)H5Tset_size(text, H5T_VARIABLE);
    make_raw(file, "vlen", text, 4, H5P_DEFAULT);
    (void)H5Dclose(
        H5Dcreate2(file, "scalar", H5T_IEEE_F32LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    (void)H5Lcreate_external("a.h5", "/", file, "outside", H5P_DEFAULT, H5P_DEFAULT);
    (void)H5Lcreate_soft("/loop", file, "loop", H5P_DEFAULT, H5P_DEFAULT);
    (void)H5Lcreate_soft("/double", file, "soft", H5P_DEFAULT, H5P_DEFAULT);
    (void)H5Aclose(H5Acreate2(file, "vlen", text, space, H5P_DEFAULT, H5P_DEFAULT));
    (void)H5Sclose(space);
    (void)H5Sclose(four);
    (void)H5Tclose(text);
    CHECK(H5Fclose(file) >= 0);
    const hid_t lists[] = {external, chunked, filtered, virtual, compact};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        (void)H5Pclose(lists[i]);
}

static void test_hostile(void)
{
    static const struct {
        const char *name, *part;
    } cases[] = {
        {"/external", "external storage"},
        {"/chunked", "contiguous"},
        {"/filtered", "contiguous"},
        {"/virtual", "contiguous"},
        {"/compact", "contiguous"},
        {"/unwritten", "never written"},
        {"/giant", "overflows"},
        {"/big", "never written"},
        {"/big_endian", "f32"},
        {"/double", "f32"},
        {"/vlen", "f32"},
        {"/scalar", "dimensions"},
        {"/outside/tokens", "external"},
        {"/loop", "soft"},
        {"/soft", "soft"},
    };
    struct h5_file *file = NULL;
    float out[4];
    char *text;
    write_hostile(at("hostile.h5"));
    CHECK_STATUS(h5_open(&file, at("hostile.h5")), FT_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK_FAILS(h5_read(file, cases[i].name, H5_F32, 4, out), FT_ERR_INPUT, cases[i].part);
    CHECK_FAILS(h5_get_text(file, "/", "vlen", &text), FT_ERR_INPUT, "fixed length");
    CHECK_STATUS(h5_close(&file), FT_OK);
}

/* [3, 4] over two files cut in mid-row, read back as other programs do; one file is then missing.
 */
static void test_virtual(void)
{
    const int64_t dims[2] = {3, 4};
    struct h5_file *file = NULL;
    float values[12];
    for (int i = 0; i < 12; i++)
        values[i] = (float)i;
    CHECK_STATUS(h5_create(&file, at("v0.h5")), FT_OK);
    CHECK_STATUS(h5_write(file, "/p/w", H5_F32, 1, (int64_t[]){6}, values), FT_OK);
    CHECK_STATUS(h5_close(&file), FT_OK);
    CHECK_STATUS(h5_create(&file, at("v1.h5")), FT_OK);
    CHECK_STATUS(h5_write(file, "/p/w", H5_F32, 1, (int64_t[]){6}, values + 6), FT_OK);
    CHECK_STATUS(h5_close(&file), FT_OK);
    const struct h5_part parts[] = {{"v0.h5", "/p/w", 6, 0, {0, 0}, {1, 4}},
                                    {"v0.h5", "/p/w", 6, 4, {1, 0}, {1, 2}},
                                    {"v1.h5", "/p/w", 6, 0, {1, 2}, {1, 2}},
                                    {"v1.h5", "/p/w", 6, 2, {2, 0}, {1, 4}}};
    CHECK_STATUS(h5_create(&file, at("v.h5")), FT_OK);
    CHECK_STATUS(h5_write_virtual(file, "/p/w", 2, dims, parts, 4), FT_OK);
    CHECK_STATUS(h5_close(&file), FT_OK);
    for (int round = 0; round < 2; round++) {
        float out[12] = {0};
        const hid_t id = H5Fopen(at("v.h5"), H5F_ACC_RDONLY, H5P_DEFAULT);
        const hid_t set = H5Dopen2(id, "/p/w", H5P_DEFAULT);
        CHECK(H5Dread(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0);
        for (int i = 0; i < 12; i++)
            CHECK(round == 1 && i >= 6 ? isnan(out[i]) : out[i] == (float)i);
        (void)H5Dclose(set);
        (void)H5Fclose(id);
        CHECK(unlink(at("v1.h5")) == 0 || round == 1);
    }
}

/* HDF5's writes come through here: the k-th can be made to fail, once or from then on. */
static int64_t writes_until_failure;
static int is_failure_lasting, n_failures;

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset);

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
    const int64_t left = writes_until_failure;
    writes_until_failure -= left > (is_failure_lasting ? 1 : 0);
    if (left != 1)
        return syscall(SYS_pwrite64, fd, data, bytes, offset);
    n_failures++;
    errno = ENOSPC;
    return -1;
}

/* HDF5 loses a few blocks of its own when it cannot write; ours are counted by mem. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

static ft_status write_small(const char *path)
{
    struct h5_file *file = NULL;
    const float values[4] = {1, 2, 3, 4};
    char text[FT_ERR_TEXT_MAX];
    ft_status status = h5_create(&file, path);
    if (status == FT_OK)
        status = h5_write(file, "/a/x", H5_F32, 1, (int64_t[]){4}, values);
    if (status == FT_OK)
        status = h5_put_i64(file, "/a/x", "offset", 3);
    if (status == FT_OK)
        status = h5_write(file, "/a/y", H5_F32, 1, (int64_t[]){4}, values);
    if (status == FT_OK)
        status = h5_write_texts(file, "/b/z", 2, (const char *const[]){"c", "de"});
    (void)snprintf(text, sizeof text, "%s", ft_error_text());
    const ft_status closed = h5_close(&file);
    if (status != FT_OK)
        return ft_fail(status, "%s", text);
    return closed;
}

/* The k-th write fails, for every k: it is always reported, also by the calls that only pass on
 * what HDF5 had kept in its buffers; nothing crashes, and the program goes on. */
static void test_failing_writes(void)
{
    for (int lasting = 0; lasting < 2; lasting++) {
        int64_t k = 1;
        ft_status status = FT_ERR_IO;
        for (; status != FT_OK && k < 1000; k++) {
            is_failure_lasting = lasting;
            writes_until_failure = k;
            n_failures = 0;
            status = write_small(at("failing.h5"));
            writes_until_failure = 0;
            CHECK((status != FT_OK) == (n_failures > 0));
            CHECK(status == FT_OK || strstr(ft_error_text(), "No space left on device"));
            (void)unlink(at("failing.h5"));
        }
        CHECK(k > 5 && k < 1000);
    }
    CHECK_STATUS(write_small(at("failing.h5")), FT_OK);
}

static void test_texts(void)
{
    static const char *const texts[] = {"b", "", "gr\xc3\xbc\xc3\x9f", "a, \"b\"\n"};
    static const struct {
        const char *name, *part;
    } cases[] = {{"/vlen", "texts of fixed length"},
                 {"/double", "texts of fixed length"},
                 {"/scalar", "texts of fixed length"},
                 {"/chunked", "contiguous"},
                 {"/loop", "soft"},
                 {"/fixed", "not within the file"},
                 {"/absent", "does not exist"}};
    struct h5_file *file = NULL;
    struct buffer out = {0};
    int64_t n = 0;
    CHECK_STATUS(h5_create(&file, at("texts.h5")), FT_OK);
    CHECK_STATUS(h5_write_texts(file, "/of/names", 4, texts), FT_OK);
    CHECK_STATUS(h5_write_texts(file, "/empty", 1, texts + 1), FT_OK);
    CHECK_STATUS(h5_close(&file), FT_OK);
    CHECK_STATUS(h5_open(&file, at("texts.h5")), FT_OK);
    CHECK_STATUS(h5_read_texts(file, "/of/names", 4, 8, &out, &n), FT_OK);
    CHECK(n == 4 && out.used == 2 + 1 + 7 + 8);
    CHECK(memcmp(out.data, "b\0\0gr\xc3\xbc\xc3\x9f\0a, \"b\"\n", out.used) == 0);
    CHECK_STATUS(h5_read_texts(file, "/empty", 4, 8, &out, &n), FT_OK);
    CHECK(n == 1 && out.used == 19);
    CHECK_FAILS(h5_read_texts(file, "/of/names", 3, 8, &out, &n), FT_ERR_INPUT, "1 to 3 of");
    CHECK_FAILS(h5_read_texts(file, "/of/names", 4, 6, &out, &n), FT_ERR_INPUT, "at most 6");
    CHECK_STATUS(h5_close(&file), FT_OK);
    CHECK_STATUS(h5_open(&file, at("hostile.h5")), FT_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK_FAILS(h5_read_texts(file, cases[i].name, 9, 64, &out, &n), FT_ERR_INPUT,
                    cases[i].part);
    CHECK_STATUS(h5_close(&file), FT_OK);
    buffer_clear(&out);
}

/* What cannot be written is said, and the file stays usable. */
static void test_wrong_writes(void)
{
    struct h5_file *file = NULL;
    char long_name[FILE_PATH_MAX + 8];
    bool has = false;
    const int64_t five[5] = {1, 1, 1, 1, 1};
    const float one = 1;
    const struct h5_part misfit = {.file = "x.h5", .name = "/a", .source_n = -1, .count = {1}};
    memset(long_name, 'x', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    CHECK_FAILS(h5_create(&file, long_name), FT_ERR_USAGE, "path too long");
    CHECK_STATUS(h5_create(&file, at("wrong.h5")), FT_OK);
    CHECK_STATUS(h5_write(file, "/a", H5_F32, 1, five, &one), FT_OK);
    CHECK_FAILS(h5_make(file, "/a", H5_F32, 1, five), FT_ERR_IO, "cannot make the dataset");
    CHECK_FAILS(h5_make(file, "/a/b", H5_F32, 1, five), FT_ERR_IO, "/a");
    CHECK_FAILS(h5_make(file, "/b", H5_F32, 5, five), FT_ERR_INTERNAL, "5 dimensions");
    CHECK_STATUS(h5_put_i64(file, "/a", "n", 1), FT_OK);
    CHECK_FAILS(h5_put_i64(file, "/a", "n", 2), FT_ERR_IO, "cannot write the attribute");
    CHECK_FAILS(h5_put_i64(file, "/c", "n", 2), FT_ERR_INPUT, "does not exist");
    CHECK(h5_has_attribute(&has, file, "/a", "n") == FT_OK && has);
    CHECK(h5_has_attribute(&has, file, "/a", "m") == FT_OK && !has);
    CHECK_FAILS(h5_has_attribute(&has, file, "/c", "n"), FT_ERR_INPUT, "does not exist");
    CHECK_FAILS(h5_write_virtual(file, "/v", 1, five, &misfit, 1), FT_ERR_INTERNAL, "map a part");
    CHECK_FAILS(h5_write_virtual(file, "/a", 1, five, &misfit, 0), FT_ERR_IO, "virtual dataset");
    CHECK_STATUS(h5_close(&file), FT_OK);
}

static bool fails_to_read;

/* HDF5's own, unless it shall fail. */
herr_t H5Aread(hid_t attribute, hid_t type, void *out)
{
    herr_t (*own)(hid_t, hid_t, void *);
    void *found = dlsym(RTLD_NEXT, "H5Aread");
    memcpy(&own, &found, sizeof own);
    return fails_to_read ? -1 : own(attribute, type, out);
}

static void test_failing_reads(void)
{
    struct h5_file *file = NULL;
    int64_t number = 0;
    char *text = NULL;
    CHECK_STATUS(h5_create(&file, at("read.h5")), FT_OK);
    CHECK_STATUS(h5_put_i64(file, "/", "n", 7), FT_OK);
    CHECK_STATUS(h5_put_text(file, "/", "t", "text"), FT_OK);
    fails_to_read = true;
    CHECK_FAILS(h5_get_i64(file, "/", "n", &number), FT_ERR_INPUT, "cannot read the attribute");
    CHECK_FAILS(h5_get_text(file, "/", "t", &text), FT_ERR_INPUT, "cannot read the attribute");
    fails_to_read = false;
    CHECK(text == NULL);
    CHECK_STATUS(h5_get_i64(file, "/", "n", &number), FT_OK);
    CHECK(number == 7);
    CHECK_STATUS(h5_close(&file), FT_OK);
}

/* An index of attributes that is damaged is an error, not an attribute that is missing. */
static void test_damaged_attributes(void)
{
    struct h5_file *file = NULL;
    char *data = NULL, name[8];
    size_t bytes = 0;
    bool has = true;
    CHECK_STATUS(h5_create(&file, at("index.h5")), FT_OK);
    for (int i = 0; i < 12; i++) { /* more than 8 have an index */
        (void)snprintf(name, sizeof name, "n%d", i);
        CHECK_STATUS(h5_put_i64(file, "/", name, i), FT_OK);
    }
    CHECK_STATUS(h5_close(&file), FT_OK);
    CHECK_STATUS(file_read_all(&data, &bytes, at("index.h5"), 1 << 20), FT_OK);
    char *leaf = memmem(data, bytes, "BTLF", 4);
    CHECK(leaf != NULL);
    if (leaf)
        leaf[10] ^= 1;
    CHECK_STATUS(file_replace(at("index.h5"), data, bytes), FT_OK);
    mem_free(data);
    CHECK_STATUS(h5_open(&file, at("index.h5")), FT_OK);
    CHECK_FAILS(h5_has_attribute(&has, file, "/", "n3"), FT_ERR_INPUT, "cannot look");
    CHECK_STATUS(h5_close(&file), FT_OK);
}

/* A sealed file is read as any other; where its head or one byte is not as sealed, by nobody. */
static void test_seal(void)
{
    struct h5_file *file = NULL;
    const float values[3] = {1, 2, 3};
    float read[3] = {0};
    uint64_t offset = 0;
    struct rlimit limit, none;
    CHECK_STATUS(h5_create_sealed(&file, at("sealed.h5")), FT_OK);
    CHECK_STATUS(h5_write(file, "/x", H5_F32, 1, (int64_t[]){3}, values), FT_OK);
    CHECK_STATUS(h5_close(&file), FT_OK);
    CHECK_FAILS(h5_open_sealed(&file, at("sealed.h5")), FT_ERR_INPUT, "first bytes are not");

    (void)signal(SIGXFSZ, SIG_IGN);
    CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
    CHECK(setrlimit(RLIMIT_FSIZE, &none) == 0);
    CHECK_FAILS(h5_seal(at("sealed.h5")), FT_ERR_IO, "cannot seal");
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    CHECK_FAILS(h5_seal(at("nothing.h5")), FT_ERR_IO, "No such file");
    CHECK(symlink(at("sealed.h5"), at("link.h5")) == 0);
    CHECK_FAILS(h5_seal(at("link.h5")), FT_ERR_IO, "link.h5");
    CHECK_STATUS(h5_seal(at("sealed.h5")), FT_OK);

    CHECK_STATUS(h5_open_sealed(&file, at("link.h5")), FT_OK);
    CHECK_STATUS(h5_read(file, "/x", H5_F32, 3, read), FT_OK);
    CHECK(memcmp(read, values, sizeof values) == 0);
    CHECK_STATUS(h5_data_offset(file, "/x", H5_F32, &offset), FT_OK);
    CHECK_STATUS(h5_close(&file), FT_OK);
    const int fd = open(at("sealed.h5"), O_RDWR);
    CHECK(pread(fd, read, sizeof read, (off_t)offset) == sizeof read); /* counted from byte 0 */
    CHECK(memcmp(read, values, sizeof values) == 0);
    CHECK(pwrite(fd, values, sizeof *values, (off_t)offset + 4) == sizeof *values);
    CHECK(close(fd) == 0);
    CHECK_FAILS(h5_open_sealed(&file, at("sealed.h5")), FT_ERR_INPUT, "is damaged");
    CHECK_FAILS(h5_open_sealed(&file, at("nothing.h5")), FT_ERR_INPUT, "No such file");
    CHECK(truncate(at("sealed.h5"), 511) == 0);
    CHECK_FAILS(h5_open_sealed(&file, at("sealed.h5")), FT_ERR_INPUT, "511 bytes are no sealed");
}

int main(void)
{
    if (!mkdtemp(folder))
        return 1;
    test_round_trip();
    test_offset();
    test_equal_files();
    test_wrong_requests();
    test_not_hdf5();
    test_hostile();
    test_texts();
    test_virtual();
    test_failing_writes();
    test_wrong_writes();
    test_failing_reads();
    test_damaged_attributes();
    test_seal();
    CHECK_STATUS(file_remove_folder(folder), FT_OK);
    return check_end();
}
