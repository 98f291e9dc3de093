/*
 * Any text as assembly: it is refused with words, or it becomes instructions
 * that decode, and whose text assembles to the same bytes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <skep/diag.h>
#include <skep/isa.h>

#include "base/buf.h"
#include "base/fd.h"

static void check_insns(const struct skep_insn *insns, size_t n)
{
	_cleanup_buf_ struct skep_buf text = {0};
	_cleanup_free_ struct skep_insn *again = NULL;
	size_t n_again = 0;
	enum skep_op op;
	unsigned slots;

	for (size_t at = 0; at < n; at += slots) {
		if (skep_isa_decode(&insns[at], n - at, &op, &slots, NULL))
			abort();
	}
	skep_disasm(insns, n, NULL, &text);
	if (n && skep_asm(text.data, text.len, &again, &n_again, NULL))
		abort();
	if (n_again != n || memcmp(again ? again : insns, insns, n * sizeof(*insns)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct skep_source source = {"fuzz", text, size};
	_cleanup_diag_ struct skep_diag diag = {.source = &source};
	_cleanup_buf_ struct skep_buf said = {0};
	_cleanup_free_ struct skep_insn *insns = NULL;
	size_t n;

	if (!skep_asm(text, size, &insns, &n, &diag)) {
		check_insns(insns, n);
		return 0;
	}
	if (!diag.n_errors)
		abort();
	skep_diag_render(&diag, false, &said);
	return 0;
}
