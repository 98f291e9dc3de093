/* The arrays on the heap, and reading them as the kernel's half does; see arrays.h. */
#include "unwind/arrays.h"

#include <stdlib.h>

#include "base/arena.h"

const struct skep_unwind_sizes skep_unwind_default_sizes = {
	.processes = 1 << 14,
	.mappings = 1 << 17, /* 3 MB: 24 bytes each, some 20 a process */
	.files = 1 << 12,
	.pages = 1 << 18, /* 1 MB: 256 MB of code */
	.rows = 1 << 22,  /* 16 MB */
	.rules = 1 << 17, /* 2 MB */
};

void skep_unwind_arrays_init(struct skep_unwind_arrays *ret, const struct skep_unwind_sizes *sizes)
{
	*ret = (struct skep_unwind_arrays){
		.sizes = *sizes,
		.mappings = skep_xcalloc(sizes->mappings, sizeof(*ret->mappings)),
		.files = skep_xcalloc(sizes->files, sizeof(*ret->files)),
		.pages = skep_xcalloc(sizes->pages, sizeof(*ret->pages)),
		.rows = skep_xcalloc(sizes->rows, sizeof(*ret->rows)),
		.rules = skep_xcalloc(sizes->rules, sizeof(*ret->rules)),
		.runtimes = skep_xcalloc(sizes->files, sizeof(*ret->runtimes)),
	};
}

void skep_unwind_arrays_done(struct skep_unwind_arrays *arrays)
{
	free(arrays->mappings);
	free(arrays->files);
	free(arrays->pages);
	free(arrays->rows);
	free(arrays->rules);
	free(arrays->runtimes);
	*arrays = (struct skep_unwind_arrays){0};
}

size_t skep_unwind_sizes_bytes(const struct skep_unwind_sizes *sizes)
{
	return sizes->processes * (sizeof(uint32_t) + sizeof(struct skep_unwind_process_entry)) +
	       sizes->mappings * sizeof(struct skep_unwind_mapping) +
	       sizes->files *
		       (sizeof(struct skep_unwind_file) + sizeof(struct skep_interp_runtime)) +
	       sizes->pages * sizeof(uint32_t) + sizes->rows * sizeof(struct skep_unwind_row) +
	       sizes->rules * sizeof(struct skep_unwind_rule);
}

/* The last mapping of the block that begins at or before @pc; NULL: all begin behind it. */
static const struct skep_unwind_mapping *mapping_of(const struct skep_unwind_arrays *arrays,
						    const struct skep_unwind_process_entry *entry,
						    uint64_t pc)
{
	const struct skep_unwind_mapping *block = &arrays->mappings[entry->first];
	uint32_t from = 0, to = entry->n;

	while (from < to) {
		uint32_t middle = from + (to - from) / 2;
		if (block[middle].start <= pc)
			from = middle + 1;
		else
			to = middle;
	}
	return from ? &block[from - 1] : NULL;
}

uint32_t skep_unwind_arrays_find(const struct skep_unwind_arrays *arrays,
				 const struct skep_unwind_process_entry *entry, uint64_t pc,
				 struct skep_unwind_table *ret_table, uint64_t *ret_bias)
{
	const struct skep_unwind_mapping *mapping = mapping_of(arrays, entry, pc);
	uint32_t file =
		mapping ? __atomic_load_n(&mapping->file, __ATOMIC_ACQUIRE) : SKEP_UNWIND_FILE_NONE;

	if (file < SKEP_UNWIND_FILE_FIRST)
		return file;
	const struct skep_unwind_file *found = &arrays->files[file];
	*ret_table = (struct skep_unwind_table){
		.rows = arrays->rows,
		.rules = arrays->rules + found->rules,
		.pages = arrays->pages + found->pages,
		.n_pages = found->n_pages,
		.first_page = found->first_page,
	};
	*ret_bias = mapping->bias;
	return file;
}
