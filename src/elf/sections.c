/*
 * Sections by number and by name, string tables, and the way between virtual
 * addresses and file offsets that the segments describe.
 */
#include "elf/image.h"

#include <errno.h>
#include <string.h>

struct skep_elf_strings skep_elf_strings(const struct skep_elf *elf, uint32_t i)
{
	struct skep_elf_strings strings = {0};
	const char *data, *last;
	Elf64_Shdr s;

	if (i == 0 || !skep_elf_shdr(elf, i, &s) || s.sh_type != SHT_STRTAB || !s.sh_size)
		return strings;
	data = skep_elf_bytes(elf, s.sh_offset, s.sh_size);
	/* Cut behind the last NUL: then no string can run out of the table. */
	last = data ? memrchr(data, 0, s.sh_size) : NULL;
	if (last) {
		strings.data = data;
		strings.size = (uint64_t)(last - data) + 1;
	}
	return strings;
}

uint32_t skep_elf_n_sections(const struct skep_elf *elf)
{
	return elf->n_sections;
}

int skep_elf_section_info(const struct skep_elf *elf, uint32_t i, struct skep_elf_section *ret)
{
	Elf64_Shdr s;

	if (!skep_elf_shdr(elf, i, &s))
		return -ENOENT;
	*ret = (struct skep_elf_section){
		.name = skep_elf_string(&elf->names, s.sh_name),
		.type = s.sh_type,
		.flags = s.sh_flags,
		.addr = s.sh_addr,
		.off = s.sh_offset,
		.size = s.sh_size,
		.entsize = s.sh_entsize,
	};
	return 0;
}

int skep_elf_section(const struct skep_elf *elf, uint32_t i, struct skep_elf_section *ret)
{
	int err = skep_elf_section_info(elf, i, ret);

	if (!err && ret->type != SHT_NOBITS && ret->type != SHT_NULL)
		ret->data = skep_elf_bytes(elf, ret->off, ret->size);
	return err;
}

uint32_t skep_elf_section_index(const struct skep_elf *elf, const char *name)
{
	Elf64_Shdr s;

	for (uint32_t i = 1; i < elf->n_sections; i++)
		if (skep_elf_shdr(elf, i, &s) &&
		    strcmp(skep_elf_string(&elf->names, s.sh_name), name) == 0)
			return i;
	return 0;
}

int skep_elf_find_section(const struct skep_elf *elf, const char *name,
			  struct skep_elf_section *ret)
{
	uint32_t i = skep_elf_section_index(elf, name);

	return i ? skep_elf_section(elf, i, ret) : -ENOENT;
}

const void *skep_elf_section_bytes(const struct skep_elf *elf,
				   const struct skep_elf_section *section, uint64_t off,
				   uint64_t len)
{
	if (section->type == SHT_NOBITS || section->type == SHT_NULL || off > section->size ||
	    len > section->size - off || section->off > UINT64_MAX - off)
		return NULL;
	return skep_elf_bytes(elf, section->off + off, len);
}

uint32_t skep_elf_n_segments(const struct skep_elf *elf)
{
	return elf->n_segments;
}

int skep_elf_segment(const struct skep_elf *elf, uint32_t i, struct skep_elf_segment *ret)
{
	Elf64_Phdr p;

	if (!skep_elf_phdr(elf, i, &p))
		return -ENOENT;
	*ret = (struct skep_elf_segment){
		.type = p.p_type,
		.flags = p.p_flags,
		.addr = p.p_vaddr,
		.off = p.p_offset,
		.file_bytes = p.p_filesz,
		.mem_bytes = p.p_memsz,
	};
	return 0;
}

/*
 * Segments may share a page of the file, and a linker may even let them
 * overlap; who asks wants code far more often than data, so code goes first.
 */
static int translate(const struct skep_elf *elf, uint64_t at, bool to_addr, uint64_t *ret)
{
	for (int want_code = 1; want_code >= 0; want_code--) {
		for (uint32_t i = 0; i < elf->n_segments; i++) {
			Elf64_Phdr p;
			uint64_t from, to;

			if (!skep_elf_phdr(elf, i, &p) || p.p_type != PT_LOAD ||
			    !!(p.p_flags & PF_X) != want_code)
				continue;
			from = to_addr ? p.p_offset : p.p_vaddr;
			to = to_addr ? p.p_vaddr : p.p_offset;
			if (at >= from && at - from < p.p_filesz) {
				*ret = to + (at - from);
				return 0;
			}
		}
	}
	return -ENOENT;
}

int skep_elf_addr_to_off(const struct skep_elf *elf, uint64_t addr, uint64_t *ret_off)
{
	return translate(elf, addr, false, ret_off);
}

int skep_elf_off_to_addr(const struct skep_elf *elf, uint64_t off, uint64_t *ret_addr)
{
	return translate(elf, off, true, ret_addr);
}
