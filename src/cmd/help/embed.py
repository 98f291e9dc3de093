#!/usr/bin/env python3
"""embed.py NAME INPUT OUTPUT: a text file as the C array `const char NAME[]`."""

import sys

name, source, target = sys.argv[1:]
with open(source, "rb") as file:
    data = file.read() + b"\0"
rows = [", ".join(map(str, data[i:i + 20])) for i in range(0, len(data), 20)]
with open(target, "w", encoding="ascii") as file:
    file.write(f"extern const char {name}[];\nconst char {name}[] = {{\n\t")
    file.write(",\n\t".join(rows))
    file.write("\n};\n")
