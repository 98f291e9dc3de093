"""What pack.py and ctype.py read of an ELF file, 64 bits and little-endian."""

import struct

HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
SEGMENT = struct.Struct("<IIQQQQQQ")  # type, flags, offset, vaddr, paddr, filesz, memsz, align
SECTION = struct.Struct("<IIQQQQIIQQ")  # name, type, flags, addr, offset, size, link, info, ...
SYMBOL = struct.Struct("<IBBHQQ")  # name, info, other, section, value, size
RELOCATION = struct.Struct("<QIIq")  # offset, type, symbol, addend
SYMTAB, RELA = 2, 4


def text_at(image, offset):
    return image[offset:image.index(0, offset)].decode()


def sections(image):
    """Of each its name, type, the file's part that it is, and what it is about (sh_info)."""
    header = HEADER.unpack_from(image)
    rows = [SECTION.unpack_from(image, header[6] + i * SECTION.size) for i in range(header[12])]
    names = rows[header[13]][4]
    return [(text_at(image, names + row[0]), row[1], slice(row[4], row[4] + row[5]), row[7])
            for row in rows]


def symbols(image):
    """Of each its name, section, value, and whether it is known outside."""
    header = HEADER.unpack_from(image)
    rows = [SECTION.unpack_from(image, header[6] + i * SECTION.size) for i in range(header[12])]
    table = next(row for row in rows if row[1] == SYMTAB)
    for at in range(table[4], table[4] + table[5], SYMBOL.size):
        name, info, _, section, value, _ = SYMBOL.unpack_from(image, at)
        yield text_at(image, rows[table[6]][4] + name), section, value, info >> 4 != 0
