/*
 * What the parts of the ELF writer share: elf_writer.c (programs, the whole),
 * elf_maps.c (maps as libbpf wants them), elf_btf.c (.BTF, .BTF.ext).
 */
#ifndef SKEP_OBJECT_ELF_WRITER_H
#define SKEP_OBJECT_ELF_WRITER_H

#include <skep/object.h>

#include "base/arena.h"
#include "object/elf_out.h"

/* How programs use a map decides what it is in the file. */
struct elf_map {
	bool as_map, by_address;
	unsigned symbol; /* what relocations name */
};

/* A section of instructions and what .BTF.ext says of it. */
struct elf_code {
	const char *name;
	unsigned section;
	struct skep_buf funcs, lines; /* records */
};

struct elf_writer {
	const struct skep_object *object;
	struct skep_btf_writer *btf;
	struct skep_diag *diag;
	struct skep_elf_out out;
	struct skep_arena arena; /* names made up here */
	struct elf_map *maps;    /* as object->maps; in the arena */
	SKEP_VEC(struct elf_code) codes;
	struct skep_line_index lines;
};

/** Note how @object's programs use its maps. Return 0 | -EINVAL (see @diag) */
int elf_maps_check(struct elf_writer *writer);
/** Sections, symbols and BTF of all maps. */
void elf_maps_write(struct elf_writer *writer);

/** What .BTF.ext says of function @func, whose first instruction lies at byte @at of @code. */
void elf_btf_add_func(struct elf_writer *writer, struct elf_code *code,
		      const struct skep_object_prog *prog, size_t func, size_t at);
/** Line info of the slots [from, to) of a program, the first of which lies at byte @at. */
void elf_btf_add_lines(struct elf_code *code, const struct skep_line_records *lines, size_t from,
		       size_t to, size_t at);
/** The sections .BTF and .BTF.ext. */
void elf_btf_write(struct elf_writer *writer);

#endif
