/*
 * Any bytes as instructions: the decoder and the printer take them, and what
 * decodes comes back from its text as the same bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <skep/isa.h>

#include "base/buf.h"
#include "base/fd.h"

#define MAX_INSNS 4096

static void check_way_back(const struct skep_insn *insns, unsigned slots)
{
	_cleanup_buf_ struct skep_buf text = {0};
	_cleanup_free_ struct skep_insn *again = NULL;
	size_t n;

	skep_disasm(insns, slots, NULL, &text);
	if (skep_asm(text.data, text.len, &again, &n, NULL) || n != slots ||
	    memcmp(again, insns, n * sizeof(*insns)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n = size / sizeof(struct skep_insn);
	_cleanup_buf_ struct skep_buf text = {0};
	_cleanup_free_ struct skep_insn *insns = NULL;
	enum skep_op op;
	unsigned slots;

	if (n > MAX_INSNS)
		return 0;
	insns = calloc(n + 1, sizeof(*insns));
	if (n)
		memcpy(insns, data, n * sizeof(*insns));
	skep_disasm(insns, n, NULL, &text);
	for (size_t at = 0; at < n; at++) {
		if (!skep_isa_decode(&insns[at], n - at, &op, &slots, NULL))
			check_way_back(&insns[at], slots);
	}
	return 0;
}
