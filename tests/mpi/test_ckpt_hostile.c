/* A shard that somebody made by hand, with a manifest whose hashes are right: what the hashes
 * cannot tell is refused by the reader, with its reason, without another file opened and without a
 * crash. One process. */
#include <hdf5.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "support/ckpt_world.h"

static char root[64] = "/dev/shm/ft-hostile-XXXXXX";
static char folder[FILE_PATH_MAX], shard[FILE_PATH_MAX];

#define WIDE "/params/wide.weight"
enum { WIDE_N = 80 };

static hid_t simple(hsize_t n)
{
    return H5Screate_simple(1, &n, NULL);
}

/* Puts a dataset in the place of wide.weight, with the attributes that the reader looks at first.
 * */
static void put_set(hid_t file, hid_t type, hid_t space, hid_t list)
{
    const int64_t shape[2] = {2, 40}, offset = 0, count = WIDE_N;
    const hid_t two = simple(2), one = H5Screate(H5S_SCALAR);
    CHECK(H5Ldelete(file, WIDE, H5P_DEFAULT) >= 0);
    const hid_t set = H5Dcreate2(file, WIDE, type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    CHECK(set >= 0);
    hid_t id = H5Acreate2(set, "global_shape", H5T_STD_I64LE, two, H5P_DEFAULT, H5P_DEFAULT);
    CHECK(H5Awrite(id, H5T_NATIVE_INT64, shape) >= 0 && H5Aclose(id) >= 0);
    id = H5Acreate2(set, "offset", H5T_STD_I64LE, one, H5P_DEFAULT, H5P_DEFAULT);
    CHECK(H5Awrite(id, H5T_NATIVE_INT64, &offset) >= 0 && H5Aclose(id) >= 0);
    id = H5Acreate2(set, "count", H5T_STD_I64LE, one, H5P_DEFAULT, H5P_DEFAULT);
    CHECK(H5Awrite(id, H5T_NATIVE_INT64, &count) >= 0 && H5Aclose(id) >= 0);
    (void)H5Sclose(two);
    (void)H5Sclose(one);
    (void)H5Dclose(set);
}

static void put_typed(hid_t file, hid_t type, hsize_t n)
{
    const hid_t space = simple(n);
    put_set(file, type, space, H5P_DEFAULT);
    (void)H5Sclose(space);
}

static void put_listed(hid_t file, hid_t list)
{
    const hid_t space = simple(WIDE_N);
    put_set(file, H5T_IEEE_F32LE, space, list);
    (void)H5Sclose(space);
    (void)H5Pclose(list);
}

static void external_storage(hid_t file)
{
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    CHECK(H5Pset_external(list, "/etc/passwd", 0, 4 * WIDE_N) >= 0);
    put_listed(file, list);
}

static void chunked(hid_t file)
{
    const hsize_t chunk = WIDE_N;
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    CHECK(H5Pset_chunk(list, 1, &chunk) >= 0);
    put_listed(file, list);
}

static void compressed(hid_t file)
{
    const hsize_t chunk = WIDE_N;
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    CHECK(H5Pset_chunk(list, 1, &chunk) >= 0 && H5Pset_deflate(list, 9) >= 0);
    put_listed(file, list);
}

static size_t pass(unsigned flags, size_t n, const unsigned *values, size_t bytes, size_t *room,
                   void **data)
{
    (void)flags, (void)n, (void)values, (void)room, (void)data;
    return bytes;
}

/* A filter that only a plug-in would know: HDF5 would look for it in HDF5_PLUGIN_PATH. */
static void plugin_filter(hid_t file)
{
    const H5Z_class2_t filter = {H5Z_CLASS_T_VERS, 32123, 1, 1, "plug-in", NULL, NULL, pass};
    const hsize_t chunk = WIDE_N;
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    CHECK(H5Zregister(&filter) >= 0);
    CHECK(H5Pset_chunk(list, 1, &chunk) >= 0);
    CHECK(H5Pset_filter(list, 32123, H5Z_FLAG_MANDATORY, 0, NULL) >= 0);
    put_listed(file, list);
}

static void compact(hid_t file)
{
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    CHECK(H5Pset_layout(list, H5D_COMPACT) >= 0);
    put_listed(file, list);
}

/* The file that a virtual dataset names is a FIFO: whoever opens it waits for ever. With an
 * unlimited extent HDF5 opens it as soon as it is asked for the shape. */
static void virtual_fifo(hid_t file)
{
    const hsize_t n = WIDE_N, most = H5S_UNLIMITED, zero = 0, one = 1;
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, &n, &most);
    const hid_t from = H5Screate_simple(1, &n, &most);
    CHECK(H5Sselect_hyperslab(space, H5S_SELECT_SET, &zero, NULL, &most, &one) < 0 ||
          H5Sselect_hyperslab(space, H5S_SELECT_SET, &zero, NULL, &one, &most) >= 0);
    CHECK(H5Sselect_hyperslab(from, H5S_SELECT_SET, &zero, NULL, &one, &most) >= 0);
    CHECK(H5Pset_virtual(list, space, "fifo", "/x", from) >= 0);
    put_set(file, H5T_IEEE_F32LE, space, list);
    (void)H5Sclose(space);
    (void)H5Sclose(from);
    (void)H5Pclose(list);
}

static void never_written(hid_t file)
{
    put_typed(file, H5T_IEEE_F32LE, WIDE_N);
}

static void giant(hid_t file)
{
    put_typed(file, H5T_IEEE_F32LE, (hsize_t)1 << 61);
}

static void big_endian(hid_t file)
{
    put_typed(file, H5T_IEEE_F32BE, WIDE_N);
}

static void doubles(hid_t file)
{
    put_typed(file, H5T_IEEE_F64LE, WIDE_N);
}

static void integers(hid_t file)
{
    put_typed(file, H5T_STD_U32LE, WIDE_N);
}

static void references(hid_t file)
{
    put_typed(file, H5T_STD_REF_OBJ, WIDE_N);
}

static void variable(hid_t file)
{
    const hid_t type = H5Tvlen_create(H5T_IEEE_F32LE);
    put_typed(file, type, WIDE_N);
    (void)H5Tclose(type);
}

static void scalar(hid_t file)
{
    const hid_t space = H5Screate(H5S_SCALAR);
    put_set(file, H5T_IEEE_F32LE, space, H5P_DEFAULT);
    (void)H5Sclose(space);
}

static void nothing(hid_t file)
{
    const hid_t space = H5Screate(H5S_NULL);
    put_set(file, H5T_IEEE_F32LE, space, H5P_DEFAULT);
    (void)H5Sclose(space);
}

static void group(hid_t file)
{
    CHECK(H5Ldelete(file, WIDE, H5P_DEFAULT) >= 0);
    CHECK(H5Gclose(H5Gcreate2(file, WIDE, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)) >= 0);
}

static void missing(hid_t file)
{
    CHECK(H5Ldelete(file, WIDE, H5P_DEFAULT) >= 0);
}

static void external_link(hid_t file)
{
    missing(file);
    CHECK(H5Lcreate_external("other.h5", WIDE, file, WIDE, H5P_DEFAULT, H5P_DEFAULT) >= 0);
}

static void external_group(hid_t file)
{
    CHECK(H5Ldelete(file, "/adam_m", H5P_DEFAULT) >= 0);
    CHECK(H5Lcreate_external("other.h5", "/", file, "/adam_m", H5P_DEFAULT, H5P_DEFAULT) >= 0);
}

static void soft_link(hid_t file)
{
    missing(file);
    CHECK(H5Lcreate_soft("/adam_m/wide.weight", file, WIDE, H5P_DEFAULT, H5P_DEFAULT) >= 0);
}

static void soft_loop(hid_t file)
{
    missing(file);
    CHECK(H5Lcreate_soft(WIDE, file, WIDE, H5P_DEFAULT, H5P_DEFAULT) >= 0);
}

static void set_number(hid_t file, const char *object, const char *name, int64_t value)
{
    const hid_t one = H5Screate(H5S_SCALAR), id = H5Oopen(file, object, H5P_DEFAULT);
    CHECK(id >= 0 && H5Adelete(id, name) >= 0);
    const hid_t number = H5Acreate2(id, name, H5T_STD_I64LE, one, H5P_DEFAULT, H5P_DEFAULT);
    CHECK(number >= 0 && H5Awrite(number, H5T_NATIVE_INT64, &value) >= 0);
    CHECK(H5Aclose(number) >= 0 && H5Sclose(one) >= 0 && H5Oclose(id) >= 0);
}

static void negative_step(hid_t file)
{
    set_number(file, "/", "step", -1);
}

static void no_ranks(hid_t file)
{
    set_number(file, "/", "world_size", 0);
}

static void other_slice(hid_t file)
{
    set_number(file, "/", "end", 137);
}

static void huge_count(hid_t file)
{
    set_number(file, WIDE, "count", INT64_MAX);
}

static void negative_offset(hid_t file)
{
    set_number(file, WIDE, "offset", -8);
}

static void attribute_gone(hid_t file)
{
    CHECK(H5Adelete(file, "step") >= 0);
}

static void attribute_short(hid_t file)
{
    const hid_t one = H5Screate(H5S_SCALAR);
    CHECK(H5Adelete(file, "rank") >= 0);
    const hid_t id = H5Acreate2(file, "rank", H5T_STD_I16LE, one, H5P_DEFAULT, H5P_DEFAULT);
    CHECK(id >= 0 && H5Aclose(id) >= 0 && H5Sclose(one) >= 0);
}

static void attribute_text(hid_t file)
{
    const hid_t one = H5Screate(H5S_SCALAR), text = H5Tcopy(H5T_C_S1);
    CHECK(H5Tset_size(text, H5T_VARIABLE) >= 0 && H5Adelete(file, "first") >= 0);
    const hid_t id = H5Acreate2(file, "first", text, one, H5P_DEFAULT, H5P_DEFAULT);
    CHECK(id >= 0 && H5Aclose(id) >= 0 && H5Sclose(one) >= 0 && H5Tclose(text) >= 0);
}

static void empty_file(hid_t file)
{
    CHECK(H5Ldelete(file, "/params", H5P_DEFAULT) >= 0);
}

/* More than is asked for does no harm. */
static void extra_set(hid_t file)
{
    const hid_t space = simple(4);
    (void)H5Dclose(H5Dcreate2(file, "/params/extra", H5T_IEEE_F64BE, space, H5P_DEFAULT,
                              H5P_DEFAULT, H5P_DEFAULT));
    (void)H5Sclose(space);
}

static const struct {
    const char *name, *reason; /* NULL: is read as ever */
    void (*make)(hid_t file);
} cases[] = {
    {"external storage", "external storage", external_storage},
    {"chunked", "contiguous", chunked},
    {"compressed", "contiguous", compressed},
    {"filter of a plug-in", "contiguous", plugin_filter},
    {"compact", "contiguous", compact},
    {"virtual, of a FIFO", "contiguous", virtual_fifo},
    {"never written", "never written", never_written},
    {"2^61 elements", "overflows", giant},
    {"big-endian", "little-endian f32", big_endian},
    {"f64", "little-endian f32", doubles},
    {"u32", "little-endian f32", integers},
    {"references", "little-endian f32", references},
    {"variable length", "little-endian f32", variable},
    {"a scalar", "not an array", scalar},
    {"no extent", "not an array", nothing},
    {"a group", WIDE, group},
    {"missing", "does not exist", missing},
    {"external link", "soft or external link", external_link},
    {"external group", "soft or external link", external_group},
    {"soft link", "soft or external link", soft_link},
    {"link to itself", "soft or external link", soft_loop},
    {"step -1", "step is -1", negative_step},
    {"of 0 ranks", "world_size is 0", no_ranks},
    {"another slice", "end is 137", other_slice},
    {"2^63 - 1 elements", "count is 9223372036854775807", huge_count},
    {"offset -8", "offset is -8", negative_offset},
    {"no step", "attribute step is missing", attribute_gone},
    {"i16 attribute", "rank has another type", attribute_short},
    {"text of any length", "first has another type", attribute_text},
    {"no tensors", "does not exist", empty_file},
    {"one tensor more", NULL, extra_set},
};

/* The manifest gets size and hash of the shard as it is now. */
static void sign(void)
{
    struct manifest manifest;
    struct hash_value value;
    CHECK_STATUS(manifest_read(&manifest, folder), FT_OK);
    CHECK_STATUS(hash_file(&value, &manifest.files[0].bytes, shard), FT_OK);
    hash_format(manifest.files[0].hash, value);
    CHECK_STATUS(manifest_write(&manifest, folder), FT_OK);
    manifest_clear(&manifest);
}

static void test_case(size_t i)
{
    char fifo[FILE_PATH_MAX];
    struct world world;
    struct ckpt_meta meta = {0};
    const struct shard_place place = {0, 1, 0, WORLD_N};
    float *const out[N_SHARD_KINDS] = {world.params, world.m, world.v};
    CHECK_STATUS(file_remove_folder(folder), FT_OK);
    CHECK_STATUS(world_write(root, 1, 1), FT_OK);
    CHECK_STATUS(file_join(fifo, folder, "fifo"), FT_OK);
    CHECK(mkfifo(fifo, 0600) == 0);
    const hid_t file = H5Fopen(shard, H5F_ACC_RDWR, H5P_DEFAULT);
    if (cases[i].reason)
        check_hostile("HDF5 checkpoint", cases[i].name);
    cases[i].make(file);
    CHECK(H5Fclose(file) >= 0);
    (void)H5Zunregister(32123);
    sign();
    world_init(&world, 0, 1, 1, 0);
    const ft_status status = shard_read(shard, &place, 1, &world_layout, 0, WORLD_N, out);
    if (status != (cases[i].reason ? FT_ERR_INPUT : FT_OK) ||
        (cases[i].reason && !strstr(ft_error_text(), cases[i].reason))) {
        (void)fprintf(stderr, "%s: %d: %s\n", cases[i].name, (int)status, ft_error_text());
        CHECK(0);
    }
    CHECK(cases[i].reason || world_equals(&world, 0, 1, 1));
    const ft_status of_meta = shard_read_meta(shard, &meta); /* no case may crash it either */
    CHECK(of_meta == FT_OK || of_meta == FT_ERR_INPUT);
    ckpt_meta_clear(&meta);
}

/* No plug-in is looked for: a folder of them is not opened, whatever the environment says. */
static void test_plugins_off(void)
{
    unsigned state = 1;
    CHECK(H5PLget_loading_state(&state) >= 0 && state == 0);
}

int main(void)
{
    if (!mkdtemp(root))
        return 1;
    (void)alarm(60); /* a case that opened the FIFO would wait for ever */
    CHECK_STATUS(retention_step_folder(folder, root, 1), FT_OK);
    CHECK_STATUS(file_join(shard, folder, "shard-00000-of-00001.h5"), FT_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        test_case(i);
    test_plugins_off();
    (void)printf("%zu hostile shards\n", sizeof cases / sizeof *cases);
    CHECK_STATUS(file_remove_folder(root), FT_OK);
    return check_end();
}
