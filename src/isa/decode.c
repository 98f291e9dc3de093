/*
 * Strict decode: which row of isa.def is this instruction?
 *
 * Invariant: rows that share a code differ in the value of a field that they
 * do not use, so at most one row fits. What is refused here is what the
 * kernel calls an unknown opcode, reserved fields or an invalid register;
 * whether the instruction makes sense is the verifier's business.
 */
#include <skep/isa.h>

#include <errno.h>

#include <skep/diag.h>

#include "isa/table.h"

/* The row for @insn's code that differs in the fewest fields: what was meant, most likely. */
static unsigned nearest_row(const struct skep_insn *insn)
{
	unsigned best = 0, best_diff = UINT8_MAX;

	for (unsigned row = skep_isa_first(insn->code); row; row = skep_isa_next(row)) {
		const struct skep_isa_row *r = &skep_isa_rows[row];
		unsigned uses = skep_isa_uses(row);
		unsigned diff = (!(uses & USES_SRC) && insn->src != r->src) +
				(!(uses & USES_OFF) && insn->off != r->off) +
				(!(uses & USES_IMM) && insn->imm != r->imm);
		if (diff < best_diff && row < SKEP_OP_CNT) {
			best = row;
			best_diff = diff;
		}
	}
	return best;
}

static int fail_field(struct skep_diag *diag, const struct skep_isa_row *row, const char *field,
		      int must, int is)
{
	return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_INSN_FIELD, SKEP_NOWHERE, row->name, field,
			      must, is);
}

/* No row fits: say which field is wrong. */
static int explain(const struct skep_insn *insn, struct skep_diag *diag)
{
	unsigned row = nearest_row(insn), uses = skep_isa_uses(row);
	const struct skep_isa_row *r = &skep_isa_rows[row];

	if (!row)
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_INSN_CODE, SKEP_NOWHERE, insn->code);
	if (!(uses & USES_IMM) && insn->imm != r->imm)
		return fail_field(diag, r, "imm", r->imm, insn->imm);
	if (!(uses & USES_OFF) && insn->off != r->off)
		return fail_field(diag, r, "off", r->off, insn->off);
	if (!(uses & USES_SRC) && insn->src != r->src)
		return fail_field(diag, r, "src", r->src, insn->src);
	return fail_field(diag, r, "dst", 0, insn->dst);
}

static int check_registers(unsigned row, const struct skep_insn *insn, struct skep_diag *diag)
{
	unsigned uses = skep_isa_uses(row);
	int reg = uses & USES_DST && insn->dst >= SKEP_N_REGS   ? insn->dst
		  : uses & USES_SRC && insn->src >= SKEP_N_REGS ? insn->src
								: -1;
	if (reg >= 0)
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_INSN_REGISTER, SKEP_NOWHERE, reg);
	return 0;
}

static int check_second_slot(unsigned row, const struct skep_insn *insns, size_t n,
			     struct skep_diag *diag)
{
	if (n < 2)
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_INSN_CUT, SKEP_NOWHERE);
	if (insns[1].code || insns[1].dst || insns[1].src || insns[1].off)
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_INSN_SECOND, SKEP_NOWHERE);
	if (!(skep_isa_uses(row) & USES_NEXT) && insns[1].imm)
		return fail_field(diag, &skep_isa_rows[row], "second imm", 0, insns[1].imm);
	return 0;
}

int skep_isa_decode(const struct skep_insn *insns, size_t n, enum skep_op *ret_op,
		    unsigned *ret_slots, struct skep_diag *diag)
{
	if (!n)
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_INSN_CUT, SKEP_NOWHERE);

	unsigned row = skep_isa_first(insns[0].code);
	while (row && !skep_isa_fits(row, &insns[0]))
		row = skep_isa_next(row);
	if (!row || row >= SKEP_OP_CNT)
		return explain(&insns[0], diag);

	bool wide = insns[0].code == SKEP_LDDW;
	int err = check_registers(row, &insns[0], diag);
	if (!err && wide)
		err = check_second_slot(row, insns, n, diag);
	if (err)
		return err;
	*ret_op = row;
	*ret_slots = wide ? 2 : 1;
	return 0;
}
