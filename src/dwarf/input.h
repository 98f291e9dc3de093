/* The bytes of a file's sections. Private to src/dwarf. */
#ifndef SKEP_DWARF_INPUT_H
#define SKEP_DWARF_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include <skep/elf.h>

#include "base/reader.h"

/* Of all sections of a file that are kept deflated, inflated. What reads files has 256 MiB
 * (worker.c) and needs some of that for what it makes of them. */
#define DWARF_INFLATED_MOST (192ull << 20)

enum skep_dwarf_section {
#define SECTION(ID, name) SKEP_DWARF_##ID,
#include "dwarf/sections.def"
#undef SECTION
	SKEP_DWARF_SECTION_CNT
};

struct skep_dwarf_input {
	const struct skep_elf *elf; /* borrowed */
	struct skep_dwarf_content {
		struct skep_elf_section section; /* type SHT_NULL: there is none */
		uint64_t size;                   /* of what it says, inflated */
		uint8_t *inflated;               /* owned; NULL: it lies in the file as it is */
		bool is_deflated;
	} contents[SKEP_DWARF_SECTION_CNT];
	uint64_t inflated_bytes;
	const char *why;  /* the first thing that was wrong; NULL: nothing */
	uint64_t n_wrong; /* how many things were, each time they were met */
};

void skep_dwarf_input_init(struct skep_dwarf_input *ret, const struct skep_elf *elf);
void skep_dwarf_input_done(struct skep_dwarf_input *input);

/** Remember the first @why. Return -EBADMSG */
int skep_dwarf_wrong(struct skep_dwarf_input *input, const char *why);

/** Bytes of a section, inflated; 0: there is none. */
uint64_t skep_dwarf_size(struct skep_dwarf_input *input, enum skep_dwarf_section section);
/** Bytes [off, off + len) of a section, good for as long as @input is. NULL: they are not there. */
const uint8_t *skep_dwarf_bytes(struct skep_dwarf_input *input, enum skep_dwarf_section section,
				uint64_t off, uint64_t len);
/** At most @len bytes from @off on. False: there are none. */
bool skep_dwarf_reader(struct skep_dwarf_input *input, enum skep_dwarf_section section,
		       uint64_t off, uint64_t len, struct skep_reader *ret);
/** The string that begins at @off; NULL: none does, or it has no end within reason (64 KiB). */
const char *skep_dwarf_string(struct skep_dwarf_input *input, enum skep_dwarf_section section,
			      uint64_t off);
/** A number of @size bytes. False: it is not there. */
bool skep_dwarf_number(struct skep_dwarf_input *input, enum skep_dwarf_section section,
		       uint64_t off, size_t size, uint64_t *ret);

#endif
