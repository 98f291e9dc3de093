#!/usr/bin/env python3
"""embed.py TOOLS OUTPUT DEPFILE: the scripts TOOLS/GROUP/NAME.bt as a C file.

The scripts of a group are deflated together, because their words are alike; so running one tool
takes only its group's. The names of tools and aliases stand in a table of their own, for whoever
asks whether there is one. The depfile names the scripts and the folders, so that one that is new,
or gone, makes the file anew.
"""

import re
import sys
import zlib
from pathlib import Path


def aliases(path):
    return re.findall(r"^ \* alias: (\S+)", path.read_text(encoding="utf-8"), re.M)


def groups_of(folders):
    """A folder's name, its scripts, their text deflated, and how long that was."""
    for folder in folders:
        scripts = sorted(folder.glob("*.bt"))
        text = b"".join(path.read_bytes() for path in scripts)
        yield folder.name, scripts, zlib.compress(text, 9), len(text)


def write_tools(groups, file):
    """A row for each script: its group, name, and where it lies in the group's text."""
    file.write("const struct skep_embedded_tool skep_embedded_tools[] = {\n")
    for name, scripts, _, _ in groups:
        offset = 0
        for path in scripts:
            size = path.stat().st_size
            file.write(f'\t{{SKEP_TOOL_GROUP_{name}, "{path.stem}", {offset}, {size}}},\n')
            offset += size
    file.write("};\n")


def write_names(groups, file):
    names = [(name, number) for number, path in
             enumerate(path for _, scripts, _, _ in groups for path in scripts)
             for name in [path.stem, *aliases(path)]]
    file.write("const struct skep_embedded_name skep_embedded_names[] = {\n")
    file.writelines(f'\t{{"{name}", {number}}},\n' for name, number in sorted(names))
    file.write("};\n")
    return len(names)


def write_groups(groups, file):
    for name, _, packed, _ in groups:
        rows = [", ".join(map(str, packed[i:i + 20])) for i in range(0, len(packed), 20)]
        file.write(f"static const unsigned char {name}[] = {{\n\t")
        file.write(",\n\t".join(rows) + "\n};\n")
    file.write("const struct skep_embedded_group skep_embedded_groups[SKEP_TOOL_GROUP_CNT] = {\n")
    for name, _, packed, size in groups:
        file.write(f"\t[SKEP_TOOL_GROUP_{name}] = {{{name}, {len(packed)}, {size}}},\n")
    file.write("};\n")


def main():
    tools, output, depfile = sys.argv[1:]
    folders = sorted(path for path in Path(tools).iterdir() if path.is_dir())
    groups = list(groups_of(folders))
    scripts = [path for _, of_group, _, _ in groups for path in of_group]
    with open(output, "w", encoding="ascii") as file:
        file.write('#include "tool/embedded.h"\n\n')
        write_tools(groups, file)
        file.write(f"const size_t skep_embedded_cnt = {len(scripts)};\n")
        n_names = write_names(groups, file)
        file.write(f"const size_t skep_embedded_names_cnt = {n_names};\n")
        write_groups(groups, file)
    with open(depfile, "w", encoding="utf-8") as file:
        names = [str(path).replace(" ", "\\ ") for path in [Path(tools), *folders, *scripts]]
        file.write(f"{output}: {' '.join(names)}\n")


if __name__ == "__main__":
    main()
