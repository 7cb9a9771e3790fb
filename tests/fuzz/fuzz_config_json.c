/* A model folder's configuration: config.json, modules.json, 1_Pooling/config.json. */
#include <math.h>

#include "fuzz.h"
#include "model/config.h"

static void check_config(const struct model_config *c)
{
    FUZZ_CHECK(c->V > 0 && c->C > 0 && c->E > 0 && c->E <= c->C);
    FUZZ_CHECK(c->L > 0 && c->L <= MODEL_LAYERS_MAX && c->T_max > 0 && c->F > 0);
    FUZZ_CHECK(c->Hkv > 0 && c->Hq % c->Hkv == 0 && c->D >= 2 && c->D % 2 == 0);
    FUZZ_CHECK(c->positions != POSITION_ROPE || (c->rotary >= 2 && c->rotary <= c->D));
    FUZZ_CHECK(c->bos < c->V && c->eos < c->V && c->window >= 0);
    FUZZ_CHECK(isfinite(c->norm_eps) && isfinite(c->rope.theta) && isfinite(c->rope.factor));
    FUZZ_CHECK(isfinite(c->attention_scale) && isfinite(c->embed_scale));
    FUZZ_CHECK(memchr(c->family, '\0', sizeof c->family) != NULL);
    FUZZ_CHECK(c->hidden_dropout >= 0 && c->hidden_dropout <= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"config.json", "modules.json", "1_Pooling/config.json"};
    static const char weights[] = "\x48\0\0\0\0\0\0\0{\"pooler.dense.weight\":{\"dtype\":\"F32\","
                                  "\"shape\":[2],\"data_offsets\":[0,8]}}     12345678";
    static bool is_there[3];
    struct fuzz_parts parts = {data, size};
    struct model_config config;
    if (!is_there[0])
        (void)fuzz_file("model.safetensors", weights, 8 + 0x48 + 8);
    fuzz_begin();
    for (int i = 0; i < 3; i++) {
        size_t bytes;
        const char *text = fuzz_next(&parts, &bytes);
        if (text || is_there[i])
            (void)fuzz_file(names[i], text, bytes);
        is_there[i] = text != NULL;
    }
    if (fuzz_ok(model_config_read(&config, fuzz_folder())))
        check_config(&config);
    fuzz_end(64 * size + (64 << 10));
    return 0;
}
