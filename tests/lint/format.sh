#!/bin/bash
# Every C file is as clang-format 14 writes it. To mend: clang-format -i FILE.
# Usage: format.sh CLANG_FORMAT SOURCE_DIR
set -u
cd "$2" || exit 1
find src include tests tools -name '*.[ch]' -print0 | xargs -0 "$1" --style=file --dry-run -Werror
