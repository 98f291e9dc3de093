/*
 * Any bytes as a mapped file: its table, if it has one, fits into the arrays that the kernel's half
 * reads or is refused, and says there what it says itself.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "unwind/image.h"
#include "unwind/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct skep_unwind_sizes sizes = {
	.processes = 1, .mappings = 2, .files = 8, .pages = 256, .rows = 4096, .rules = 256};

static void look_at(const struct skep_unwind_arrays *arrays, const struct skep_unwind_table *table,
		    uint64_t addr)
{
	const struct skep_unwind_process_entry entry = {.first = 0, .n = 2};
	struct skep_unwind_table found;
	uint64_t bias;

	if (skep_unwind_arrays_find(arrays, &entry, addr, &found, &bias) < SKEP_UNWIND_FILE_FIRST)
		abort();
	if (memcmp(skep_unwind_table_find(&found, addr - bias), skep_unwind_table_find(table, addr),
		   sizeof(struct skep_unwind_rule)))
		abort();
}

static void put(const struct skep_unwind_key *key, const struct skep_unwind_table *table)
{
	struct skep_unwind_arrays arrays;
	struct skep_unwind_store store;
	uint32_t file;

	skep_unwind_arrays_init(&arrays, &sizes);
	skep_unwind_store_init(&store, &arrays);
	if (skep_unwind_store_fits(&store, table)) {
		if (skep_unwind_store_put(&store, key, table, 1, &file))
			abort();
		arrays.mappings[0].file = file;
		arrays.mappings[1].start = UINT64_MAX;
		uint64_t first = (uint64_t)table->first_page << SKEP_UNWIND_PAGE_BITS;
		for (uint64_t at = 0; at <= table->n_pages << SKEP_UNWIND_PAGE_BITS; at += 997)
			look_at(&arrays, table, first + at);
	}
	skep_unwind_store_done(&store);
	skep_unwind_arrays_done(&arrays);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct skep_unwind_image image;
	struct skep_unwind_table table;

	if (skep_unwind_image_parse(data, size, &image))
		return 0;
	if (image.kind == SKEP_UNWIND_IMAGE_TABLE &&
	    !skep_unwind_table_build_within(&image.section, 1 << 16, &table)) {
		put(&image.key, &table);
		skep_unwind_table_done(&table);
	}
	skep_unwind_image_done(&image);
	return 0;
}
