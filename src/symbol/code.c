/* Where code lies, and how good a name is; see code.h. */
#include "symbol/code.h"

#include <elf.h>

static void add_range(struct skep_code *code, uint64_t start, uint64_t bytes)
{
	if (code->n < SKEP_CODE_RANGES_MAX && bytes && bytes <= UINT64_MAX - start)
		code->ranges[code->n++] = (struct skep_code_range){start, start + bytes};
}

/* Sections are closer bounds than segments, but may have been stripped. */
void skep_code_find(const struct skep_elf *elf, struct skep_code *ret)
{
	const uint64_t wanted = SHF_ALLOC | SHF_EXECINSTR;
	struct skep_elf_segment segment;
	struct skep_elf_section section;

	ret->n = 0;
	for (uint32_t i = 0; i < skep_elf_n_sections(elf); i++)
		if (skep_elf_section_info(elf, i, &section) == 0 &&
		    (section.flags & wanted) == wanted)
			add_range(ret, section.addr, section.size);
	if (ret->n)
		return;
	for (uint32_t i = 0; i < skep_elf_n_segments(elf); i++)
		if (skep_elf_segment(elf, i, &segment) == 0 && segment.type == PT_LOAD &&
		    (segment.flags & PF_X))
			add_range(ret, segment.addr, segment.mem_bytes);
}

const struct skep_code_range *skep_code_at(const struct skep_code *code, uint64_t addr)
{
	for (uint32_t i = 0; i < code->n; i++)
		if (addr >= code->ranges[i].start && addr < code->ranges[i].end)
			return &code->ranges[i];
	return NULL;
}

bool skep_code_may_be(uint8_t type)
{
	return type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE;
}

/* "$x", "$d": where code and data change over, on ARM. */
bool skep_code_is_name(const char *name)
{
	return name[0] && name[0] != '$';
}

uint32_t skep_code_rank(const struct skep_elf_sym *sym)
{
	bool function = sym->type != STT_NOTYPE;
	uint32_t underscores = 0;

	while (underscores < 15 && sym->name[underscores] == '_')
		underscores++;
	return (uint32_t)function << 8 | (uint32_t)(sym->size != 0) << 7 |
	       (uint32_t)(sym->bind != STB_LOCAL) << 6 | (15 - underscores) << 2 |
	       (uint32_t)!sym->hidden << 1 | (uint32_t)(sym->bind == STB_GLOBAL);
}
