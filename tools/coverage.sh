#!/bin/bash
# Which lines of the parsers no test reaches: file, lines, missed, covered; exits 1 where a file is below 95 %.
#
#     tools/coverage.sh [FILE]       FILE (src/...): its lines with how often each was reached
#
# Builds the preset `coverage` (clang) with what is needed: the fuzz targets, which replay their corpus, and the unit
# tests of the parsers' layers.
set -eu
cd "$(dirname "$0")/.."
. tools/environment.sh
build=build-coverage tests='^(fuzz/|unit/(config|data|format)/|unit/base/utf8|unit/token/(chat|share|.*hostile)|'
tests+='unit/model/(model_config|hostile_config|head_file|export_gguf)|'
tests+='mpi/(ckpt_damage|ckpt_hostile|corpus|corpus_hostile|documents|documents_hostile|instruct|token_set)-np1)'
files=(src/format/{gguf,gguf_get,gguf_write,safetensors,json,json_raw,tensor_data,ggml,ggml_256,ggml_32,weights}.c
    src/format/h5*.c src/token/json_*.c src/token/tokenizer_{json,gguf,folder,vocab}.c src/token/gguf_{pre,spm}.c
    src/token/{charsmap,pattern,pattern_translate}.c
    src/data/{csv,record,record_text,document,text_input,conversation}.c src/base/utf8.c src/ckpt/manifest.c
    src/config/{scan,settings,assign}.c src/model/config*.c)

[ -e $build/CMakeCache.txt ] || cmake --preset coverage >/dev/null
mapfile -t names < <(ctest --test-dir $build -N -R "$tests" -LE 'real|slow' | sed -n 's/^ *Test *#[0-9]*: //p')
programs=()
for name in "${names[@]}"; do
    case $name in
    fuzz/*) programs+=("fuzz-${name#fuzz/}") ;;
    mpi/*) name=${name#mpi/} && programs+=("test_mpi_${name%-np1}") ;;
    *) programs+=("test_${name##*/}") ;;
    esac
done
cmake --build $build --parallel "$(nproc)" --target "${programs[@]}" >$build/build.log ||
    { tail $build/build.log; exit 1; }
rm -rf $build/profiles
LLVM_PROFILE_FILE=$PWD/$build/profiles/%p.profraw ctest --test-dir $build -R "$tests" -LE 'real|slow' -j "$(nproc)" \
    >$build/test.log || tail -n 20 $build/test.log
llvm-profdata merge -sparse $build/profiles/*.profraw -o $build/all.profdata
objects=("$build/tests/${programs[0]}")
for program in "${programs[@]:1}"; do objects+=(-object "$build/tests/$program"); done
if [ $# -gt 0 ]; then
    llvm-cov show "${objects[@]}" -instr-profile $build/all.profdata "$@"
    exit
fi
llvm-cov report "${objects[@]}" -instr-profile $build/all.profdata "${files[@]}" | awk '
    $1 == "Filename" { printf "%-40s %7s %7s %9s\n", "file", "lines", "missed", "covered" }
    /\.c / || $1 == "TOTAL" {
        printf "%-40s %7d %7d %9s%s\n", $1, $8, $9, $10, $10 + 0 < 95 ? "  below 95 %" : ""
        if ($10 + 0 < 95)
            bad = 1
    }
    END { exit bad }'
