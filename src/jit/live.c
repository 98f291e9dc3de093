/*
 * Which registers are still wanted: what code for one instruction may leave
 * undone because nobody reads it. A backward analysis, beside the forward ones
 * of flow.c. A register is live behind a slot if some way from there reads it
 * before it is written:
 *
 *	out(s) = ∪ in(n) over successors n	in(s) = out(s) \ writes(s) ∪ reads(s)
 *
 * begun at ∅ everywhere and swept from the end until nothing grows. A program
 * that is not done after a few sweeps has everything live, so the cost stays
 * O(n). What ends a run early (helpers that throw, a spent budget, loads that
 * leave the packet) reads nothing.
 */
#include <string.h>

#include "jit/jit.h"

#define MOST_SWEEPS 12
#define REG(r)      ((uint16_t)(1u << (r)))
#define ARGS        ((uint16_t)0x3e) /* r1 to r5 */

static uint16_t sources(const struct skep_insn *insn)
{
	return insn->code & SKEP_X ? REG(insn->src) : 0;
}

static uint16_t read_by_alu(const struct skep_insn *insn)
{
	int op = insn->code & 0xf0;
	if (op == SKEP_MOV)
		return sources(insn);
	/* The other bit of byte order and of negation says no register. */
	return op == SKEP_END || op == SKEP_NEG ? REG(insn->dst) : REG(insn->dst) | sources(insn);
}

static uint16_t read_by_jump(const struct skep_insn *insn)
{
	switch (insn->code & 0xf0) {
	case SKEP_CALL: return ARGS;
	case SKEP_EXIT: return REG(SKEP_R0);
	case SKEP_JA:
	case SKEP_JCOND: return 0;
	default: return REG(insn->dst) | sources(insn);
	}
}

/* At least what @insn reads; atomics may want r0 for comparison, packet loads r6. */
static uint16_t reads_of(const struct skep_insn *insn)
{
	switch (insn->code & 7) {
	case SKEP_ALU:
	case SKEP_ALU64: return read_by_alu(insn);
	case SKEP_LDX: return REG(insn->src);
	case SKEP_LD: return REG(insn->src) | REG(SKEP_R6);
	case SKEP_ST: return REG(insn->dst);
	case SKEP_STX: return REG(insn->dst) | REG(insn->src) | REG(SKEP_R0);
	default: return read_by_jump(insn);
	}
}

static uint16_t live_in(const struct jit_unit *unit, uint32_t slot)
{
	const struct skep_insn *insn = jit_insn(unit, slot);
	return (unit->live[slot] & ~skep_jit_writes(insn)) | reads_of(insn);
}

static uint16_t live_out(const struct jit_unit *unit, uint32_t slot, uint32_t end)
{
	enum skep_op op = unit->image->ops[slot];
	int64_t target = skep_jit_target(unit->image, slot);
	uint32_t next = slot + (op == SKEP_OP_LD64_IMM ? 2 : 1);
	bool falls = op != SKEP_OP_JA && op != SKEP_OP_JA32 && op != SKEP_OP_EXIT;
	uint16_t out = target >= 0 ? live_in(unit, (uint32_t)target) : 0;
	return falls && next < end ? out | live_in(unit, next) : out;
}

/* One sweep over a function, from its end; whether anything changed. */
static bool sweep(struct jit_unit *unit, uint32_t start, uint32_t end)
{
	bool changed = false;
	for (uint32_t i = end; i-- > start;) {
		if (unit->image->ops[i] == SKEP_OP_INVALID)
			continue;
		uint16_t out = live_out(unit, i, end);
		changed |= out != unit->live[i];
		unit->live[i] = out;
	}
	return changed;
}

void skep_jit_live(struct jit_unit *unit, const struct skep_image_func *func)
{
	size_t bytes = (func->end - func->start) * sizeof(*unit->live);
	memset(unit->live + func->start, 0, bytes);
	for (int i = 0; i < MOST_SWEEPS; i++)
		if (!sweep(unit, func->start, func->end))
			return;
	memset(unit->live + func->start, 0xff, bytes);
}
