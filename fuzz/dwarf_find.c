/*
 * Any bytes as a file with DWARF: an answer's strings lie in its text, its frames keep within their
 * number, and the same question has the same answer once everything has been read.
 *
 * After the ELF file come 8 bytes, an address: others are asked for beside it, spread over where
 * the file says that code is.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <skep/elf.h>

#include "dwarf/dwarf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ADDRESSES 16

static void check(const struct skep_dwarf_answer *answer)
{
	if (answer->n > SKEP_DWARF_FRAMES_MOST || !answer->text.len || answer->text.data[0] ||
	    answer->text.data[answer->text.len - 1])
		abort();
	for (uint32_t i = 0; i < answer->n; i++) {
		if (answer->frames[i].name >= answer->text.len ||
		    answer->frames[i].file >= answer->text.len)
			abort();
	}
}

static void ask(struct skep_dwarf *dwarf, uint64_t addr, struct skep_dwarf_answer *ret)
{
	int err = skep_dwarf_find(dwarf, addr, ret);

	if (!err)
		check(ret);
	else if (ret->n)
		abort();
}

static void ask_all(struct skep_dwarf *dwarf, const uint64_t *addrs)
{
	struct skep_dwarf_answer first = {0}, again = {0};

	ask(dwarf, addrs[0], &first);
	for (size_t i = 1; i < ADDRESSES; i++)
		ask(dwarf, addrs[i], &again);
	ask(dwarf, addrs[0], &again);
	if (first.n != again.n ||
	    memcmp(first.frames, again.frames, first.n * sizeof(first.frames[0])))
		abort();
	skep_dwarf_answer_done(&first);
	skep_dwarf_answer_done(&again);
}

/* From one section with code to the next. */
static void spread(const struct skep_elf *elf, uint64_t *addrs)
{
	struct skep_elf_section section;
	size_t n = 1;

	for (uint32_t i = 0; i < skep_elf_n_sections(elf) && n < ADDRESSES; i++) {
		if (skep_elf_section_info(elf, i, &section) || !(section.flags & 4))
			continue;
		for (uint64_t k = 0; k < 8 && n < ADDRESSES; k++)
			addrs[n++] = section.addr + section.size / 8 * k;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t addrs[ADDRESSES] = {0};
	struct skep_dwarf *dwarf;
	struct skep_elf *elf;
	const char *why;

	if (size < 8 || skep_elf_parse(data, size - 8, &elf, NULL))
		return 0;
	memcpy(addrs, data + size - 8, 8);
	spread(elf, addrs);
	/* It is its own supplementary file: references lead back into it. */
	if (skep_dwarf_open(elf, elf, &dwarf, &why) == 0) {
		ask_all(dwarf, addrs);
		skep_dwarf_free(dwarf);
	}
	skep_elf_free(elf);
	return 0;
}
