/* The real example model: models/smollm2.gguf. */
#include "format/gguf.h"
#include "model/convert.h"
#include "support/example_files.h"

int main(void)
{
    const char *path = SOURCE_DIR "/models/smollm2.gguf";
    struct model_config c;
    struct layout *l = NULL;
    float *params = NULL;
    char hash[HASH_TEXT];
    if (!check_example_file(path))
        return check_end();
    CHECK_STATUS(model_config_read(&c, path), FT_OK);
    CHECK(c.V == 49152 && c.C == 576 && c.L == 30 && c.Hq == 9 && c.Hkv == 3 && c.D == 64);
    CHECK(c.F == 1536 && c.T_max == 8192 && c.rope.theta == 100000 && c.tied_embeddings);
    CHECK_STATUS(layout_create(&l, &c), FT_OK);
    CHECK(l->N == 134515008);
    CHECK_STATUS(FT_ALLOC(params, l->N), FT_OK);
    CHECK_STATUS(model_read_params(params, l, &c, path), FT_OK);
    /* of parameters that equal the gguf package's dequantisation bit for bit, all 272 tensors */
    CHECK_STATUS(model_hash(hash, l, params), FT_OK);
    CHECK(strcmp(hash, "950b3981a21cb0e6ec3166a5f2e01709") == 0);
    mem_free(params);
    layout_destroy(&l);
    return check_end();
}
