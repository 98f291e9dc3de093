#!/usr/bin/env python3
"""samples.py OUTPUT: data as static/pack.py packs it, and what it was, as a C file."""

import random
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.dont_write_bytecode = True
sys.path.append(str(TOP / "static"))
import pack  # found by the line above

NUMBERS = random.Random(1)
TEXT = b"".join(path.read_bytes() for path in sorted((TOP / "tools" / "file").glob("*.bt")))
SAMPLES = {
    "byte": b"x",
    "zeros": bytes(5000),
    "noise": NUMBERS.randbytes(3000),
    "text": TEXT,
    # every length of a match, and distances of many bytes
    "matches": b"".join(TEXT[at:at + 2 + i] for i, at in
                        enumerate(NUMBERS.choices(range(len(TEXT) - 300), k=290))),
    "far": NUMBERS.randbytes(200) + bytes(300000) + TEXT[:100] + NUMBERS.randbytes(70000) +
           TEXT[:100],
}


def array(name, data):
    rows = [", ".join(map(str, data[i:i + 20])) for i in range(0, len(data), 20)]
    return f"static const unsigned char {name}[] = {{\n\t" + ",\n\t".join(rows) + "\n};\n"


def main():
    with open(sys.argv[1], "w", encoding="ascii") as file:
        for name, data in SAMPLES.items():
            file.write(array(name, data) + array(f"{name}_packed", pack.compressed(data)))
        file.write("static const struct {\n\tconst unsigned char *data, *packed;\n"
                   "\tsize_t len, packed_len;\n} samples[] = {\n")
        for name in SAMPLES:
            file.write(f"\t{{{name}, {name}_packed, sizeof({name}), sizeof({name}_packed)}},\n")
        file.write("};\n")


if __name__ == "__main__":
    main()
