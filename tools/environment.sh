# shellcheck shell=bash
# Sourced by the other scripts: what mpirun needs as root and on machines with few cores.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_mpi_yield_when_idle=1

# build FOLDER [TARGET]: configures and compiles a release build, of everything or of one target
build() {
    local generator=() target=${2:-all}
    if command -v ninja >/dev/null && [ ! -e "$1/CMakeCache.txt" ]; then
        generator=(-G Ninja)
    fi
    cmake -S . -B "$1" "${generator[@]}" -DCMAKE_BUILD_TYPE=Release
    cmake --build "$1" --target "$target" --parallel "$(nproc)"
}
