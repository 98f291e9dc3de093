/*
 * Linked numbers: registers and spilled registers that are known to hold one number.
 *
 *	r2 = r1        r1 and r2 get one id
 *	r2 += 8        r2 keeps it, with ID_ADD, and off = 8: it is r1 + 8
 *	if r1 > 5 …    tells of r1, and so of r2
 *
 * A step of the path remembers which were linked at a jump: on the way back (precision.c), who asks
 * for one of them asks for all. There is room for six; others lose their id, and learn nothing from
 * now on. Registers that are not read again are not among them: why should they learn?
 *
 * Source  behaviour of Linux 6.18, collect_linked_regs(), sync_linked_regs()
 */
#include "verify/branch.h"

static bool is_linked(const struct reg *reg, uint32_t id)
{
	return reg->kind == REG_SCALAR && (reg->id & ~ID_ADD) == id;
}

static void collect(struct linked *linked, struct reg *reg, unsigned frame, unsigned number,
		    bool is_reg)
{
	if (linked->n == MOST_LINKED) {
		reg->id = 0;
		reg->off = 0;
		return;
	}
	linked->places[linked->n].frame = (uint8_t)frame;
	linked->places[linked->n].number = (uint8_t)number;
	linked->places[linked->n].is_reg = is_reg;
	linked->n++;
}

static void collect_frame(struct frame *frame, uint16_t live, uint32_t id, struct linked *linked)
{
	for (unsigned r = 0; r < SKEP_R10; r++)
		if (live >> r & 1 && is_linked(&frame->regs[r], id))
			collect(linked, &frame->regs[r], frame->number, r, true);
	for (uint32_t s = 0; s < frame->n_slots; s++)
		if (slot_is_spill(&frame->slots[s]) && is_linked(&frame->slots[s].spilled, id))
			collect(linked, &frame->slots[s].spilled, frame->number, s, false);
}

void verify_linked_collect(const struct verifier *v, struct state *state, const struct reg *reg,
			   struct linked *linked)
{
	uint32_t id = reg->id & ~ID_ADD;

	if (reg->kind != REG_SCALAR || !reg->id)
		return;
	for (uint32_t f = state->n_frames; f-- > 0;)
		collect_frame(state->frames[f], v->facts[verify_frame_at(state, f)].live_regs, id,
			      linked);
}

/* @reg is @known, but for a constant. One that went on by its lower half does not tell of one that
 * went on as a whole. */
static void tell(struct reg *reg, const struct reg *known)
{
	uint32_t id = reg->id;
	int32_t off = reg->off;
	struct skep_scalar distance;

	if (((id ^ known->id) & ID_ADD) == ID_ADD)
		return;
	if ((!(id & ID_ADD) && !(known->id & ID_ADD)) || off == known->off) {
		*reg = *known;
		return;
	}
	distance = skep_scalar_const((uint64_t)((int64_t)off - known->off));
	*reg = *known;
	reg->id = id;
	reg->off = off;
	skep_scalar_alu(&reg->value, &distance, SKEP_ADD, 64);
	if ((id | known->id) & ID_ADD32)
		skep_scalar_zero_upper(&reg->value);
	skep_scalar_sync(&reg->value);
}

void verify_linked_tell(struct state *state, const struct reg *reg, const struct linked *linked)
{
	uint32_t id = reg->id & ~ID_ADD;

	for (uint32_t i = 0; i < linked->n; i++) {
		struct frame *frame = state->frames[linked->places[i].frame];
		uint8_t number = linked->places[i].number;
		struct reg *other = linked->places[i].is_reg ? &frame->regs[number]
							     : &frame->slots[number].spilled;

		if (other != reg && is_linked(other, id))
			tell(other, reg);
	}
}
