/* The first object that the dynamic linker knows is the program itself; see own_code.h. */
#include "linux/own_code.h"

#include <link.h>

struct place {
	uintptr_t address;
	uint64_t file_off;
};

static int find_in_program(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct place *place = arg;

	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t off = place->address - info->dlpi_addr - segment->p_vaddr;
		if (segment->p_type == PT_LOAD && off < segment->p_filesz)
			place->file_off = segment->p_offset + off;
	}
	return 1;
}

uint64_t skep_own_file_off(uintptr_t address)
{
	struct place place = {.address = address};

	dl_iterate_phdr(find_in_program, &place);
	return place.file_off;
}
