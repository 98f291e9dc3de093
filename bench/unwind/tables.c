/*
 * bench-unwind-tables FILE...: how fast files are read and their unwind tables built, when the
 * files are in the page cache.
 *
 *	FILE  rows  bytes of the table  bytes of .eh_frame  million rows a second, best of some
 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include <skep/elf.h>

#include "unwind/table.h"

#define ROUNDS 7

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool build(const char *path, struct skep_unwind_table *ret, size_t *ret_section_bytes)
{
	_cleanup_elf_ struct skep_elf *elf = NULL;
	struct skep_elf_section found;

	if (skep_elf_open(path, &elf, NULL) || skep_elf_find_section(elf, ".eh_frame", &found) ||
	    !found.data)
		return false;
	struct skep_cfi_section section = {.data = found.data,
					   .size = found.size,
					   .addr = found.addr,
					   .machine = skep_cfi_machine(skep_elf_machine(elf))};
	*ret_section_bytes = section.size;
	return section.machine && !skep_unwind_table_build(&section, ret);
}

static void measure(const char *path)
{
	struct skep_unwind_table table = {0};
	uint64_t best_ns = UINT64_MAX;
	size_t section_bytes;

	for (int i = 0; i < ROUNDS; i++) {
		skep_unwind_table_done(&table);
		uint64_t start_ns = clock_ns();
		if (!build(path, &table, &section_bytes))
			return;
		uint64_t took_ns = clock_ns() - start_ns;
		if (took_ns < best_ns)
			best_ns = took_ns;
	}
	size_t bytes = table.n_rows * sizeof(*table.rows) + table.n_rules * sizeof(*table.rules) +
		       (table.n_pages + 1) * sizeof(*table.pages);
	printf("%-50s %8" PRIu32 " rows %9zu bytes %9zu of .eh_frame %6.1f M rows/s\n", path,
	       table.n_rows, bytes, section_bytes, (double)table.n_rows * 1000 / (double)best_ns);
	skep_unwind_table_done(&table);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		measure(argv[i]);
	return 0;
}
