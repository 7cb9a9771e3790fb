#!/usr/bin/env python3
"""Write src/token/bert_tables.c: the classes of characters that BERT's rules use.

Needs tokenizers.  Every code point is put through BertNormalizer, NFD and BertPreTokenizer, so the
tables are of the Unicode versions that they use, which no release of Unicode or utf8proc has all of.
    python3 make_bert_tables.py > ../../../src/token/bert_tables.c
"""

from tokenizers import normalizers, pre_tokenizers

CODES = [code for code in range(0x80, 0x110000) if not 0xD800 <= code <= 0xDFFF]
HEAD = """/* Made by tests/golden/tokenizer/make_bert_tables.py. */
#include "token/bert.h"

#define RANGES(items) {items, (int)(sizeof(items) / sizeof *(items))}
"""


def bert(**rules):
    off = {"clean_text": False, "handle_chinese_chars": False, "strip_accents": False,
           "lowercase": False}
    return normalizers.BertNormalizer(**{**off, **rules})


def ranges(codes):
    out = []
    for code in codes:
        if out and out[-1][1] == code - 1:
            out[-1][1] = code
        else:
            out.append([code, code])
    return out


def main():
    clean, strip, nfd = bert(clean_text=True), bert(strip_accents=True), normalizers.NFD()
    split = pre_tokenizers.BertPreTokenizer()

    def is_punctuation(code):
        return len(split.pre_tokenize_str(f"a{chr(code)}b")) == 3

    def is_mark(code):
        return len(nfd.normalize_str(chr(code))) == 1 and strip.normalize_str(chr(code)) == ""

    tables = {"others": [c for c in CODES if clean.normalize_str(f"a{chr(c)}b") == "ab"],
              "marks": [c for c in CODES if is_mark(c)],
              "punctuation": [c for c in CODES if is_punctuation(c)]}
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
        print(f"}};\nconst struct code_ranges bert_{name} = RANGES({name.upper()});")


if __name__ == "__main__":
    main()
