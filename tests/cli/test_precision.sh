#!/bin/bash
# model.precision and training.recompute as a user sets them: what is chosen and said, losses close to
# those of fp32 at every rank count, bitwise resume, and the same run whatever is computed again.
. "$(dirname "$0")/train_common.sh"

has_bf16() { grep -qwE "amx_bf16|avx512_bf16" /proc/cpuinfo; }

# --- auto says what it takes, and resolved.cfg holds it
train 1 auto model.precision=auto training.max_steps=1 || fail "precision auto"
chosen=$(sed -n 's/.*precision = "\([a-z0-9]*\)".*/\1/p' auto/resolved.cfg)
if has_bf16; then
    [ "$chosen" = bf16 ] || fail "auto chose $chosen on a processor with bf16"
else
    [ "$chosen" = fp32 ] || fail "auto chose $chosen on a processor without bf16"
    grep -q "precision: fp32 (auto: not every processor" err || fail "auto does not say why: $(cat err)"
fi

# --- bf16 follows fp32: a rounding is 2^-9 of a number at most, and the loss is a mean over many
train 1 fp32 model.precision=fp32 || fail "fp32"
for np in 1 2 3; do
    train $np bf16-$np model.precision=bf16 || fail "bf16 at np $np: $(cat err)"
    same_losses fp32 bf16-$np 1e-2 || fail "bf16 at np $np is not within 1 % of fp32"
    same_losses bf16-1 bf16-$np 2e-3 || fail "bf16 at np $np differs from np 1"
done
same_losses fp32 bf16-1 1e-6 && fail "bf16 changes nothing"
has_bf16 || grep -q "it is emulated" err || fail "no warning about emulated bf16"

# --- resume: bit for bit; another precision is another run
keep="model.precision=bf16 checkpoint.every_steps=5 checkpoint.keep=9"
train 2 whole $keep || fail "whole run in bf16"
cp -r whole broken
rm -rf broken/checkpoints/step-000000{10,15,20} broken/final
train 2 broken $keep || fail "resumed run in bf16"
[ "$(losses whole)" = "$(losses broken)" ] || fail "losses differ after resume in bf16"
cmp -s {whole,broken}/final/model.safetensors || fail "final models differ after resume in bf16"
train 2 whole model.precision=fp32 && fail "resumed bf16 as fp32"
grep -q 'model.precision' err || fail "the error does not name model.precision: $(cat err)"

# --- recompute: the same losses and the same model
train 2 kept model.precision=fp32 || fail "nothing computed again"
for what in attention block; do
    train 2 again-$what model.precision=fp32 training.recompute=$what || fail "recompute $what"
    [ "$(losses kept)" = "$(losses again-$what)" ] || fail "losses differ with recompute = $what"
    cmp -s {kept,again-$what}/final/model.safetensors || fail "models differ with recompute = $what"
done
[ $failures -eq 0 ]
