/*
 * A relocatable ELF file under construction: sections, symbols, relocations.
 * Knows the container only; what goes into it is elf_writer.c's business.
 *
 * Local symbols must precede global ones in the file, but may be added in any
 * order: a symbol is named by a handle until the file is finished.
 */
#ifndef SKEP_OBJECT_ELF_OUT_H
#define SKEP_OBJECT_ELF_OUT_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/vec.h"

struct skep_elf_section {
	const char *name; /* borrowed; NULL for the relocations of another */
	uint32_t type;
	uint64_t flags;
	uint32_t align;
	struct skep_buf data;
	SKEP_VEC(Elf64_Rel) rels; /* r_info's symbol part: a handle */
	unsigned symbol;          /* its own local symbol, for relocations against it; 0: none */
};

struct skep_elf_symbol {
	const char *name; /* borrowed; NULL: none */
	bool global;
	Elf64_Sym sym;
};

struct skep_elf_out {
	SKEP_VEC(struct skep_elf_section) sections; /* [0] is the null section */
	SKEP_VEC(struct skep_elf_symbol) symbols;   /* [0] is the null symbol */
};

/* Sections that one file can number, its tables among them. */
#define SKEP_ELF_MAX_SECTIONS (SHN_LORESERVE - 1)

void skep_elf_out_init(struct skep_elf_out *out);
void skep_elf_out_done(struct skep_elf_out *out);
/** Add a section; returns its number. @name must outlive @out. */
unsigned skep_elf_out_section(struct skep_elf_out *out, const char *name, uint64_t flags,
			      uint32_t align);
/** Its bytes so far. Good until the next section is added. */
struct skep_buf *skep_elf_out_data(struct skep_elf_out *out, unsigned section);
/** The symbol that stands for the section itself. */
unsigned skep_elf_out_section_symbol(struct skep_elf_out *out, unsigned section);
/** Add a symbol; @info as of ELF64_ST_INFO(). Returns its handle. */
unsigned skep_elf_out_symbol(struct skep_elf_out *out, const char *name, uint8_t info,
			     unsigned section, uint64_t value, uint64_t size);
void skep_elf_out_rel(struct skep_elf_out *out, unsigned section, uint64_t off, unsigned symbol,
		      uint32_t type);
/** Sections that the finished file will have. */
size_t skep_elf_out_n_sections(const struct skep_elf_out *out);
/** The file's bytes, appended to @file. */
void skep_elf_out_finish(const struct skep_elf_out *out, struct skep_buf *file);

#endif
