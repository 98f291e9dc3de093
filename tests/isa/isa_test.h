/* What the instruction tests share: text of one program, and its way back. */
#ifndef SKEP_TESTS_ISA_TEST_H
#define SKEP_TESTS_ISA_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <skep/diag.h>
#include <skep/isa.h>

#include "base/buf.h"
#include "base/fd.h"

/** Disassemble, assemble, compare; prints the text when it differs. True: the same bytes. */
static inline bool comes_back(const struct skep_insn *insns, size_t n)
{
	_cleanup_buf_ struct skep_buf text = {0}, said = {0};
	_cleanup_free_ struct skep_insn *again = NULL;
	struct skep_source source;
	_cleanup_diag_ struct skep_diag diag = {0};
	size_t n_again = 0;

	skep_disasm(insns, n, NULL, &text);
	source = (struct skep_source){"disasm", text.data, text.len};
	diag.source = &source;
	int err = skep_asm(text.data, text.len, &again, &n_again, &diag);
	bool same = !err && n_again == n && !memcmp(again, insns, n * sizeof(*insns));
	if (!same) {
		skep_diag_render(&diag, false, &said);
		print_error("%s%s", text.data,
			    said.data ? said.data : "assembles to other bytes\n");
	}
	return same;
}

#endif
