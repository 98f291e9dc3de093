/* cfi-rows FILE: the rows of a file's .eh_frame, in the words of readelf. */
#include <inttypes.h>
#include <stdio.h>

#include <skep/elf.h>

#include "unwind/cfi.h"

static const char *place(uint8_t kind, int32_t off, char room[32])
{
	switch (kind) {
	case SKEP_CFI_SAME: return "same";
	case SKEP_CFI_AT_CFA: snprintf(room, 32, "c%+d", off); return room;
	case SKEP_CFI_UNDEFINED: return "u";
	default: return "exp";
	}
}

static int print(void *ctx, const struct skep_cfi_row *row)
{
	char cfa[32] = "exp", fp[32], ra[32], base[32];
	enum skep_cfi_place kind = !row->base                        ? SKEP_CFI_SAME
				   : row->base == SKEP_CFI_BASE_LOST ? SKEP_CFI_OTHER
								     : SKEP_CFI_AT_CFA;

	if (row->cfa == SKEP_CFA_NONE)
		return 0;
	if (row->cfa == SKEP_CFA_SP || row->cfa == SKEP_CFA_FP || row->cfa == SKEP_CFA_REG)
		snprintf(cfa, sizeof(cfa), "%d%+d", row->cfa_reg, row->cfa_off);
	printf("%" PRIx64 " %s %s %s %s %d\n", row->addr, cfa, place(row->fp, row->fp_off, fp),
	       place(row->ra, row->ra_off, ra), place(kind, -8 * row->base, base), row->cfa);
	return 0;
}

int main(int argc, char **argv)
{
	_cleanup_elf_ struct skep_elf *elf = NULL;
	struct skep_elf_section found;
	struct skep_cfi_counts counts;

	if (argc != 2 || skep_elf_open(argv[1], &elf, NULL) ||
	    skep_elf_find_section(elf, ".eh_frame", &found))
		return 1;
	struct skep_cfi_section section = {.data = found.data,
					   .size = found.size,
					   .addr = found.addr,
					   .machine = skep_cfi_machine(skep_elf_machine(elf))};
	if (!section.data || !section.machine)
		return 1;
	skep_cfi_read(&section, print, NULL, &counts);
	fprintf(stderr, "%" PRIu64 " functions, %" PRIu64 " rows, %" PRIu64 " skipped\n",
		counts.n_functions, counts.n_rows, counts.n_skipped);
	return 0;
}
