#!/usr/bin/env python3
"""pack.py PROGRAM OUTPUT: the static program without symbols, and with its overlay compressed.

OUTPUT has the segments of PROGRAM at their addresses. What the linker laid between
skep_overlay_code and skep_overlay_end (layout.py) becomes one segment at skep_overlay_packed, as
overlay.c expects it. There are no section headers: nothing at run time reads them, and who debugs
takes PROGRAM, whose addresses are the same.
"""

import lzma
import os
import re
import sys

import elf

# Calls and jumps, far ones on a condition, and accesses to fixed places.
RELATIVE = re.compile(rb"([\xe8\xe9]|\x0f[\x80-\x8f]|[\x89\x8b\x8d][\x05\x0d\x15\x1d\x25\x2d\x35\x3d])"
                      rb"(....)", re.DOTALL)
PT_LOAD, PF_R, PAGE = 1, 4, 4096


def places_absolute(code):
    """CODE with the places that are referred to instead of how far they are: the same place looks
    the same each time, and is compressed better. In 25 bits with a sign, from which overlay.c comes
    back; what is farther stays. Either way the search goes on behind it, so that what overlay.c
    goes by is never changed itself.
    """
    def absolute(found):
        if found[2][3] not in (0, 0xff):
            return found[0]
        place = found.end() + int.from_bytes(found[2], "little", signed=True)
        place = (place + (1 << 24)) % (1 << 25) - (1 << 24)
        return found[1] + place.to_bytes(4, "little", signed=True)
    return RELATIVE.sub(absolute, code)


def compressed(data):
    """By LZMA, which takes a ninth less room than the best of deflate, and twice as long to unpack."""
    return lzma.compress(data, lzma.FORMAT_ALONE, filters=[{
        "id": lzma.FILTER_LZMA1, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 21,
        "lc": 4, "lp": 0, "pb": 0}])


def pack(image):
    addresses = {name: value for name, _, value, _ in elf.symbols(image)}
    start, constants, end, place = (
        addresses[f"skep_overlay_{name}"] for name in ("code", "constants", "end", "packed"))
    header = list(elf.HEADER.unpack_from(image))
    segments = [elf.SEGMENT.unpack_from(image, header[5] + i * elf.SEGMENT.size)
                for i in range(header[10])]
    overlay, kept = bytearray(end - start), []
    for kind, flags, offset, vaddr, paddr, filesz, memsz, align in segments:
        if kind == PT_LOAD and start <= vaddr < end:
            overlay[vaddr - start:vaddr - start + filesz] = image[offset:offset + filesz]
        else:
            kept.append((kind, flags, offset, vaddr, paddr, filesz, memsz, align))
    output = bytearray(image[:max(offset + filesz for _, _, offset, _, _, filesz, _, _ in kept)])
    overlay[:constants - start] = places_absolute(bytes(overlay[:constants - start]))
    packed = compressed(bytes(overlay))
    vaddr = place + len(output) % PAGE
    kept.append((PT_LOAD, PF_R, len(output), vaddr, vaddr, len(packed), len(packed), PAGE))
    kept.sort(key=lambda segment: (segment[0] == PT_LOAD, segment[3]))
    output += packed
    header[6] = header[12] = header[13] = 0
    header[10] = len(kept)
    elf.HEADER.pack_into(output, 0, *header)
    for i, segment in enumerate(kept):
        elf.SEGMENT.pack_into(output, header[5] + i * elf.SEGMENT.size, *segment)
    return output


def main():
    program, output = sys.argv[1:]
    with open(program, "rb") as file:
        image = file.read()
    with open(output, "wb") as file:
        file.write(pack(image))
    os.chmod(output, 0o755)


if __name__ == "__main__":
    main()
