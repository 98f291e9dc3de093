/* A symbol table inside the image, wherever it was found. Private to src/elf. */
#ifndef SKEP_ELF_SYMBOLS_H
#define SKEP_ELF_SYMBOLS_H

#include "elf/image.h"

struct skep_elf_symtab {
	const uint8_t *syms; /* n entries of skep_elf_sym_bytes() */
	uint64_t n;
	struct skep_elf_strings names;
	const uint8_t *versions; /* n × 2 bytes, or NULL */
};

/** Bytes of one entry. */
uint64_t skep_elf_sym_bytes(const struct skep_elf *elf);
/** The first section of @type; 0 (and @ret is anything): there is none. */
uint32_t skep_elf_section_of_type(const struct skep_elf *elf, uint32_t type, Elf64_Shdr *ret);
/** Entry @i of those at @syms, in its 64-bit form. */
Elf64_Sym skep_elf_read_sym(const struct skep_elf *elf, const uint8_t *syms, uint64_t i);
/** Is it defined, and neither a section nor a source file nor thread-local? */
bool skep_elf_sym_has_address(const Elf64_Sym *sym);
/** @version  its two bytes of .gnu.version, or NULL: then its name tells. */
bool skep_elf_version_is_hidden(const void *version, const char *name);
/** The dynamic symbols as the program's loader finds them, without section headers. */
bool skep_elf_dynamic_symtab(const struct skep_elf *elf, struct skep_elf_symtab *ret);

#endif
