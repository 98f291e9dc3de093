/*
 * Parallel moves: a call's arguments must all arrive in r1-r5 although they
 * may sit in one another's places.
 *
 * A move whose target nobody still has to read can be done at once; when only
 * cycles are left, one value steps aside into r0, which is free before a call.
 */
#include <skep/isa.h>

#include "ir/ir.h"

static bool is_source(const struct moves *moves, uint8_t reg)
{
	for (unsigned i = 0; i < moves->n; i++)
		if (moves->reg[i].pending && moves->reg[i].src == reg)
			return true;
	return false;
}

/* Return whether some move could be done. */
static bool step(struct code *code, struct moves *moves)
{
	bool moved = false;

	for (unsigned i = 0; i < moves->n; i++) {
		if (!moves->reg[i].pending)
			continue;
		if (moves->reg[i].src == moves->reg[i].dst) {
			moves->reg[i].pending = false;
			moved = true;
		} else if (!is_source(moves, moves->reg[i].dst)) {
			skep_vec_push(&code->insns, skep_alu64_reg(SKEP_MOV, moves->reg[i].dst,
								   moves->reg[i].src));
			moves->reg[i].pending = false;
			moved = true;
		}
	}
	return moved;
}

static void step_aside(struct code *code, struct moves *moves, uint8_t reg)
{
	skep_vec_push(&code->insns, skep_alu64_reg(SKEP_MOV, SKEP_R0, reg));
	for (unsigned i = 0; i < moves->n; i++)
		if (moves->reg[i].pending && moves->reg[i].src == reg)
			moves->reg[i].src = SKEP_R0;
}

void skep_ir_encode_moves(struct code *code, struct moves *moves)
{
	for (unsigned i = 0; i < moves->n; i++) {
		while (moves->reg[i].pending && step(code, moves))
			;
		if (moves->reg[i].pending)
			step_aside(code, moves, moves->reg[i].dst);
		while (moves->reg[i].pending && step(code, moves))
			;
	}
}
