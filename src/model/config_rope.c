/*
 * Rotation in config.json. It is written by many versions of transformers: rope_theta and
 * rope_scaling stand at the top (4.x) or in rope_parameters (5.x), there one object for all layers
 * or one for each kind of layer; the kind of scaling is called rope_type or type.
 */
#include <math.h>
#include <string.h>

#include "family.h"
#include "model_file.h"

static ft_status get_original(struct rope_config *r, const struct model_config *c,
                              const json_t *rope)
{
    int64_t positions = c->T_max;
    bool found;
    FT_TRY(json_get_int(rope, "original_max_position_embeddings", 1, T_LIMIT, &positions, &found));
    r->original_positions = (int)positions;
    return FT_OK;
}

static ft_status get_llama3(struct rope_config *r, const struct model_config *c, const json_t *rope)
{
    (void)c;
    int64_t positions;
    FT_TRY(json_get_real(rope, "factor", 1, 1e6, &r->factor, NULL));
    FT_TRY(json_get_real(rope, "low_freq_factor", 1e-3, 1e6, &r->low_freq_factor, NULL));
    FT_TRY(json_get_real(rope, "high_freq_factor", 1e-3, 1e6, &r->high_freq_factor, NULL));
    FT_TRY(json_get_int(rope, "original_max_position_embeddings", 1, T_LIMIT, &positions, NULL));
    r->original_positions = (int)positions;
    if (r->high_freq_factor <= r->low_freq_factor)
        return ft_fail(FT_ERR_INPUT, "key \"high_freq_factor\" is not above \"low_freq_factor\"");
    return FT_OK;
}

static ft_status get_one_factor(struct rope_config *r, const struct model_config *c,
                                const json_t *rope)
{
    (void)c;
    return json_get_real(rope, "factor", 1, 1e6, &r->factor, NULL);
}

double rope_yarn_attention(double factor, double mscale)
{
    return factor <= 1 ? 1.0 : 0.1 * mscale * log(factor) + 1.0;
}

/* Cosines and sines grow with the logarithm of the factor, unless the file says by how much. */
static ft_status get_yarn(struct rope_config *r, const struct model_config *c, const json_t *rope)
{
    double mscale = 0, mscale_all_dim = 0;
    bool found;
    FT_TRY(get_original(r, c, rope));
    r->factor = (double)c->T_max / r->original_positions;
    FT_TRY(json_get_real(rope, "factor", 1, 1e6, &r->factor, &found));
    r->beta_fast = 32;
    r->beta_slow = 1;
    r->truncate = true;
    FT_TRY(json_get_real(rope, "beta_fast", 1e-3, 1e6, &r->beta_fast, &found));
    FT_TRY(json_get_real(rope, "beta_slow", 1e-3, 1e6, &r->beta_slow, &found));
    FT_TRY(json_get_bool(rope, "truncate", &r->truncate, &found));
    FT_TRY(json_get_real(rope, "mscale", 0, 1e3, &mscale, &found));
    FT_TRY(json_get_real(rope, "mscale_all_dim", 0, 1e3, &mscale_all_dim, &found));
    r->attention_factor = mscale > 0 && mscale_all_dim > 0
                              ? rope_yarn_attention(r->factor, mscale) /
                                    rope_yarn_attention(r->factor, mscale_all_dim)
                              : rope_yarn_attention(r->factor, 1);
    return json_get_real(rope, "attention_factor", 1e-3, 1e3, &r->attention_factor, &found);
}

static const struct {
    const char *name;
    enum rope_scaling scaling;
    ft_status (*get)(struct rope_config *r, const struct model_config *c, const json_t *rope);
} scalings[] = {{"default", ROPE_PLAIN, NULL},
                {"linear", ROPE_LINEAR, get_one_factor},
                {"dynamic", ROPE_DYNAMIC, get_one_factor},
                {"llama3", ROPE_LLAMA3, get_llama3},
                {"yarn", ROPE_YARN, get_yarn}};
enum { N_SCALINGS = sizeof scalings / sizeof scalings[0] };

const char *rope_scaling_name(enum rope_scaling scaling)
{
    return scalings[scaling].name;
}

static ft_status get_scaling(struct rope_config *r, const struct model_config *c,
                             const json_t *rope)
{
    const char *type = "default";
    bool found;
    FT_TRY(json_get_text(rope, "rope_type", &type, &found));
    if (!found)
        FT_TRY(json_get_text(rope, "type", &type, &found));
    for (int i = 0; i < N_SCALINGS; i++) {
        if (strcmp(type, scalings[i].name) != 0)
            continue;
        r->scaling = scalings[i].scaling;
        return scalings[i].get ? scalings[i].get(r, c, rope) : FT_OK;
    }
    return ft_fail(
        FT_ERR_INPUT,
        "RoPE scaling \"%s\" is not supported; default, linear, dynamic, llama3 and yarn "
        "are",
        type);
}

static ft_status get_theta(struct rope_config *r, const json_t *json, const char *key)
{
    bool found;
    return json_get_real(json, key, 1, 1e12, &r->theta, &found);
}

/* One object of rope_parameters. */
static ft_status get_parameters(struct rope_config *r, double *share, const struct model_config *c,
                                const json_t *rope)
{
    bool found;
    FT_TRY(get_theta(r, rope, "rope_theta"));
    FT_TRY(json_get_real(rope, "partial_rotary_factor", 1e-3, 1, share, &found));
    return get_scaling(r, c, rope);
}

/* The spelling of 4.x: scaling is of the global layers. */
static ft_status get_old(struct model_config *c, const struct family *f, double *share,
                         const json_t *json)
{
    json_t *scaling;
    bool found;
    FT_TRY(get_theta(&c->rope, json, "rope_theta"));
    FT_TRY(get_theta(&c->rope, json, f->theta));
    if (f->local_theta)
        FT_TRY(get_theta(&c->rope_local, json, f->local_theta));
    if (f->rotary_share)
        FT_TRY(json_get_real(json, f->rotary_share, 1e-3, 1, share, &found));
    FT_TRY(json_get_object(json, "rope_scaling", &scaling, &found));
    return found ? get_parameters(&c->rope, share, c, scaling) : FT_OK;
}

static ft_status get_nested(struct model_config *c, double *share, const json_t *parameters)
{
    json_t *global, *local;
    bool found;
    FT_TRY(json_get_object(parameters, "full_attention", &global, &found));
    if (found)
        FT_TRY(get_parameters(&c->rope, share, c, global));
    FT_TRY(json_get_object(parameters, "sliding_attention", &local, &found));
    return found ? get_parameters(&c->rope_local, share, c, local) : FT_OK;
}

ft_status config_get_rope(struct model_config *c, const struct family *f, const json_t *json)
{
    json_t *parameters;
    double share = f->rotary_absent;
    bool found;
    c->rope.theta = f->theta_absent;
    c->rope_local.theta = f->local_theta ? f->local_theta_absent : 0;
    FT_TRY(get_old(c, f, &share, json));
    FT_TRY(json_get_object(json, "rope_parameters", &parameters, &found));
    const bool is_nested = found && f->local_theta &&
                           (json_object_get(parameters, "full_attention") ||
                            json_object_get(parameters, "sliding_attention"));
    if (is_nested)
        FT_TRY(get_nested(c, &share, parameters));
    else if (found)
        FT_TRY(get_parameters(&c->rope, &share, c, parameters));
    c->rotary = (int)(c->D * share);
    return FT_OK;
}
