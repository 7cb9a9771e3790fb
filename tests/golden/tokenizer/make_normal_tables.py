#!/usr/bin/env python3
"""Write src/token/normal_tables.c: the classes of characters that normalisers use.

Needs tokenizers.  Every code point is put through the normalisers, so the tables are of the Unicode
versions that they use.  What joins the character before it to one cluster is seen through a
Precompiled map that knows the letter "a" alone: a cluster that begins with "a" becomes its image.
    python3 make_normal_tables.py > ../../../src/token/normal_tables.c
"""

import base64
import json
import struct

from tokenizers import Tokenizer, models, normalizers

from make_bert_tables import ranges

CODES = [code for code in range(0x80, 0x110000) if not 0xD800 <= code <= 0xDFFF]
HEAD = """/* Made by tests/golden/tokenizer/make_normal_tables.py. */
#include "token/normal.h"

#define RANGES(items) {items, (int)(sizeof(items) / sizeof *(items))}
"""


def one_letter_map():
    """A double array with the key "a", whose value is the text at offset 0: "X"."""
    units = [0] * 512
    units[0] = 1 << 10                            # the root: its children lie from unit 1
    units[1 ^ ord("a")] = (2 << 10) | 1 << 8 | ord("a")
    units[1 ^ ord("a") ^ 2] = 1 << 31
    blob = struct.pack("<512I", *units)
    return struct.pack("<I", len(blob)) + blob + b"X\0"


def main():
    tokenizer = json.loads(Tokenizer(models.BPE()).to_str())
    tokenizer["normalizer"] = {"type": "Precompiled", "precompiled_charsmap":
                               base64.b64encode(one_letter_map()).decode()}
    letter = Tokenizer.from_str(json.dumps(tokenizer)).normalizer
    strip, nfd, nfkd = normalizers.StripAccents(), normalizers.NFD(), normalizers.NFKD()
    assert letter.normalize_str("banana") == "bXnXnX"
    tables = {"combining": [c for c in CODES if strip.normalize_str(chr(c)) == ""],
              "compatible": [c for c in CODES
                             if nfkd.normalize_str(chr(c)) != nfd.normalize_str(chr(c))],
              "joining": [c for c in CODES if letter.normalize_str("a" + chr(c)) == "X"]}
    print(HEAD, end="")
    for name, codes in tables.items():
        lines, line = [], "   "
        for low, high in ranges(codes):
            item = f" {{0x{low:x}, 0x{high:x}}},"
            if len(line) + len(item) > 100:
                lines.append(line)
                line = "   "
            line += item
        print(f"\nstatic const struct code_range {name.upper()}[] = {{")
        print("\n".join(lines + [line]))
        print(f"}};\nconst struct code_ranges normal_{name} = RANGES({name.upper()});")


if __name__ == "__main__":
    main()
