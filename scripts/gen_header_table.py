#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write src/base/header_table.inc from the list in include/catzilla/header_id.h.

    scripts/gen_header_table.py           write it
    scripts/gen_header_table.py --check   exit 1 if the file differs from what would be written

The file holds the names in their spellings, the masks of their letters, what a lookup compares
first, and a perfect hash: a multiplier under which no two names fall into the same of 512 slots.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEADER = ROOT / "include/catzilla/header_id.h"
OUTPUT = ROOT / "src/base/header_table.inc"
SLOT_BITS = 9
LIMIT = 128  # CMW_HDR_LIMIT
NAME_MAX = 39  # CMW__HEADER_NAME_MAX - 1


def read_names():
    text = HEADER.read_text(encoding="utf-8")
    rows = re.findall(r'^\s*X\((\w+), (\d+), "([^"]+)"\)', text, re.MULTILINE)
    return [(constant, int(number), name) for constant, number, name in rows]


def key_of(name):
    """The same as key_of() in header_id.c: three bytes without their case bit, and the length."""
    data, size = name.encode(), len(name)
    first, middle, late = (data[i] | 0x20 for i in (0, size // 2, size - 2))
    return first | middle << 8 | late << 16 | size << 24


def slot_of(key, factor):
    return (key * factor & 0xFFFFFFFF) >> (32 - SLOT_BITS)


def is_perfect(keys, factor):
    taken = set()
    for key in keys:
        slot = slot_of(key, factor)
        if slot in taken:
            return False
        taken.add(slot)
    return True


def find_factor(keys):
    if len(set(keys)) != len(keys):
        sys.exit("two names have the same key: choose other bytes in key_of")
    factor = 0x9E3779B1
    while not is_perfect(keys, factor):
        factor = (factor * 0x915F77F5 + 0x3C6EF372) & 0xFFFFFFFF | 1
    return factor



def mask_of(text):
    return ["\\x20" if c.isalpha() else "\\0" for c in text]


def probe_of(name):
    """A row of struct cmw__header_probe: two words that cover a name of 4 to 16 bytes."""
    size = len(name)
    if not 4 <= size <= 16:
        return '    {PROBE_LENGTHS(255), "", "", "", "", 0},'
    word = 8 if size >= 8 else 4
    ends = [name[:word].lower(), name[-word:].lower()]
    texts = [f'"{end}"' for end in ends] + ['"' + "".join(mask_of(end)) + '"' for end in ends]
    return f"    {{PROBE_LENGTHS({size}), {', '.join(texts)}, {size}}},"


def render(rows):
    factor = find_factor([key_of(name) for _, _, name in rows])
    slots = [0] * (1 << SLOT_BITS)
    for _, number, name in rows:
        slots[slot_of(key_of(name), factor)] = number

    lines = ["/* SPDX-License-Identifier: MIT */",
             "/* Written by scripts/gen_header_table.py; do not edit. */",
             "",
             f"#define NAME_MIN {min(len(name) for _, _, name in rows)}",
             f"#define NAME_MAX {max(len(name) for _, _, name in rows)}",
             f"#define SLOT_FACTOR UINT32_C(0x{factor:08x})",
             f"#define SLOT_SHIFT {32 - SLOT_BITS}",
             "",
             "const struct cmw__header_entry cmw__header_id_table[CMW_HDR_LIMIT] = {",
             '    [CMW_HDR_OTHER] = {{"", 0}, {"", 0}},']
    for constant, _, name in rows:
        lines += [f"    [CMW_HDR_{constant}] = {{",
                  f'        CMW_STR_INIT("{name}"),',
                  f'        CMW_STR_INIT("{name.lower()}")',
                  "    },"]
    lines += ["};", "",
              "const struct cmw__header_spelling cmw__header_spellings[CMW_HDR_LIMIT] = {"]
    for constant, _, name in rows:
        lines += [f"    [CMW_HDR_{constant}] = {{",
                  f'        "{name.lower()}",']
        mask = mask_of(name)
        lines += ['        "' + "".join(mask[i:i + 20]) + '"' for i in range(0, len(mask), 20)]
        lines[-1] += ","
        lines += [f"        {len(name)},"]
        lines += ["    },"]
    lines += ["};", "", "const struct cmw__header_prefix cmw__header_prefixes[CMW_HDR_LIMIT] = {"]
    lines += [f'    [CMW_HDR_{constant}] = {{"{name}: ", {len(name) + 2}}},'
              for constant, _, name in rows]
    by_number = {number: name for _, number, name in rows}
    lines += ["};", "", "const struct cmw__header_probe cmw__header_probes[CMW_HDR_LIMIT] = {"]
    lines += [probe_of(by_number.get(number, "")) for number in range(LIMIT)]
    lines += ["};", "", "static const uint8_t slots[1 << (32 - SLOT_SHIFT)] = {"]
    for i in range(0, len(slots), 16):
        lines.append("    " + ", ".join(f"{id:3d}" for id in slots[i:i + 16]) + ",")
    lines += ["};", ""]
    return "\n".join(lines)


def main():
    rows = read_names()
    if any(len(name) > NAME_MAX for _, _, name in rows):
        sys.exit("a name is longer than CMW__HEADER_NAME_MAX")
    text = render(rows)
    if sys.argv[1:] == ["--check"]:
        sys.exit(0 if OUTPUT.read_text(encoding="utf-8") == text else f"{OUTPUT} is out of date")
    OUTPUT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
