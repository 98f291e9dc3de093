#!/usr/bin/env python3
"""ctype.py LIBC OUTPUT: the "C" locale's characters, of the C library LIBC, as assembler text.

Nine tenths of them are tables to write a character by others where a charset lacks it. Only skep
watch converts characters, so these tables are put where the overlay takes them from (layout.py);
in LIBC they are of one piece with what all of the program needs.
"""

import subprocess
import sys

import elf

KEPT = {".rodata": "a", ".rodata.str1.1": "a", ".rodata.str4.4": "a", ".data.rel.ro.local": "aw"}


def rows(contents):
    for at in range(0, len(contents), 16):
        yield "\t.byte " + ", ".join(map(str, contents[at:at + 16])) + "\n"


def pointers(contents, places):
    """8 bytes at a time: numbers, or what is in PLACES."""
    for at in range(0, len(contents), 8):
        number = int.from_bytes(contents[at:at + 8], "little")
        yield f"\t.quad {places.get(at, number)}\n"


class Tables:
    def __init__(self, image):
        self.image = image
        self.sections = elf.sections(image)
        self.symbols = list(elf.symbols(image))
        self.rodata = [name for name, *_ in self.sections].index(".rodata")
        self.split = min(value for name, section, value, _ in self.symbols
                         if section == self.rodata and name.startswith("translit_"))

    def place(self, section, offset):
        """That place in the assembler's words."""
        if section == self.rodata and offset >= self.split:
            return f"overlay_tables + {offset - self.split}"
        return f"section_{section} + {offset}"

    def relocations(self, of):
        found = {}
        for _, kind, part, about in self.sections:
            if kind != elf.RELA or about != of:
                continue
            for row in elf.RELOCATION.iter_unpack(self.image[part]):
                name, section, value, _ = self.symbols[row[2]]
                found[row[0]] = (self.place(section, value + row[3]) if section
                                 else f"{name} + {row[3]}")
        return found

    def lines(self):
        for number, (name, _, part, _) in enumerate(self.sections):
            if name not in KEPT:
                continue
            contents, places = self.image[part], self.relocations(number)
            yield f'\t.section {name}, "{KEPT[name]}"\n\t.balign 32\nsection_{number}:\n'
            if number == self.rodata:
                yield from rows(contents[:self.split])
                yield '\t.section .overlay_tables, "a"\n\t.balign 32\noverlay_tables:\n'
                contents = contents[self.split:]
            yield from pointers(contents, places) if places else rows(contents)
        for name, section, value, is_known in self.symbols:
            if is_known and section:
                yield f"\t.globl {name}\n\t.hidden {name}\n"
                yield f"\t.set {name}, {self.place(section, value)}\n"
        yield '\t.section .note.GNU-stack, ""\n'


def main():
    libc, output = sys.argv[1:]
    image = subprocess.run(["ar", "p", libc, "C-ctype.o"], stdout=subprocess.PIPE, check=True).stdout
    with open(output, "w", encoding="ascii") as file:
        file.writelines(Tables(image).lines())


if __name__ == "__main__":
    main()
