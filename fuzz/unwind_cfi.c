/* Any bytes as .eh_frame: rows of a function rise, and there are no more than its bytes allow. */
#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "unwind/cfi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	uint64_t last;
	int within;
};

static int look(void *ctx, const struct skep_cfi_row *row)
{
	struct seen *seen = ctx;

	if (row->cfa >= SKEP_CFA_N_KINDS || (seen->within && row->addr <= seen->last))
		abort();
	seen->within = row->cfa != SKEP_CFA_NONE;
	seen->last = row->addr;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t machines[] = {EM_X86_64, EM_AARCH64};
	struct skep_cfi_counts counts;

	for (size_t i = 0; i < 2; i++) {
		struct skep_cfi_section section = {.data = data,
						   .size = size,
						   .addr = 0x1000,
						   .machine = skep_cfi_machine(machines[i])};
		struct seen seen = {0};
		skep_cfi_read(&section, look, &seen, &counts);
		if (counts.n_rows > size * 2 + 2)
			abort();
	}
	return 0;
}
