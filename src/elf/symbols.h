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
/** The dynamic symbols as the program's loader finds them, without section headers. */
bool skep_elf_dynamic_symtab(const struct skep_elf *elf, struct skep_elf_symtab *ret);

#endif
