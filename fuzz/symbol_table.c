/* Any bytes as the ELF image a table of functions is built from. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <skep/elf.h>

#include "symbol/table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct skep_table table;
	struct skep_elf *elf;
	uint64_t start, addr;

	if (skep_elf_parse(data, size, &elf, NULL) < 0)
		return 0;
	skep_table_build(elf, NULL, &table);
	skep_elf_free(elf);
	for (size_t i = 0; i < table.n; i++) {
		const char *name = skep_table_find(&table, table.entries[i].addr, &start);

		if (!name || start != table.entries[i].addr ||
		    strlen(name) > SKEP_TABLE_MAX_NAME_LEN)
			abort();
	}
	skep_table_off_to_addr(&table, size, &addr);
	skep_table_done(&table);
	return 0;
}
