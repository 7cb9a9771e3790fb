#!/bin/bash
# Installs what building and testing need and is missing: with apt where there is apt, as root or with
# sudo; elsewhere it names the packages and stops. Harmless when nothing is missing.
set -euo pipefail

packages=(python3 python3-pip cmake ninja-build gcc pkg-config git openmpi-bin libopenmpi-dev
    libhdf5-dev hdf5-tools libopenblas-openmp-dev libdnnl-dev libconfig-dev libjansson-dev libpcre2-dev
    libutf8proc-dev libxxhash-dev jq procps strace)

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "tools/setup.sh: no apt here. Install what these Debian packages hold, then build by hand" >&2
    echo "(cmake -S . -B build && cmake --build build):" >&2
    printf '  %s\n' "${packages[@]}" >&2
    exit 1
fi

missing=()
for package in "${packages[@]}"; do
    state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
    [ "$state" = "install ok installed" ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi

echo "tools/setup.sh: installing ${missing[*]}" >&2
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "tools/setup.sh: not root, and there is no sudo. As root, run:" >&2
        echo "  apt-get install --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi
install() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "${missing[@]}"
}
# the package lists may be too old, or not there at all
if ! install; then
    "${as_root[@]}" apt-get update
    install
fi
