/*
 * What must hold of every state: see invariants.h.
 *
 *	numbers     each pair of bounds in order, and within its width; bits known to be 1 are not
 *	            also unknown; some number is within the bounds and has the bits, and where all
 *	            bits are known it is that one
 *	frames      numbered in their order; fp points to the frame's own stack
 *	slots       what was spilled is a number or a pointer; the bytes of a dynptr, an iterator
 *	            or an interrupt's flag fill their slot
 *	references  each id once; never 0
 *
 * Bounds may be wider than the bits allow: where a number that is -1 or 0 becomes two paths
 * (skep_scalar_fork()), the kernel leaves its 64-bit bounds as they were, and so do we.
 */
#include "verify/invariants.h"

#include "verify/width.h"

/* --- Numbers --------------------------------------------------------------------------------- */

static bool in_order(const struct skep_bounds *b, unsigned width)
{
	return b->umin <= b->umax && b->smin <= b->smax && b->umax <= u_max(width) &&
	       b->smin >= s_min(width) && b->smax <= s_max(width);
}

/* There is a number that both allow. */
static bool overlap(const struct skep_bounds *b, struct skep_tnum bits)
{
	return b->umin <= (bits.value | bits.mask) && b->umax >= bits.value;
}

static bool has_constant(const struct skep_bounds *b, struct skep_tnum bits, unsigned width)
{
	int64_t number = as_s(bits.value, width);

	return bits.mask || (b->umin <= bits.value && b->umax >= bits.value && b->smin <= number &&
			     b->smax >= number);
}

const char *verify_broken_scalar(const struct skep_scalar *s)
{
	struct skep_tnum low = skep_tnum_low(s->bits);

	if (s->bits.value & s->bits.mask)
		return "a bit is known to be 1, and unknown";
	if (!in_order(&s->full, 64))
		return "bounds of 64 bits are out of order";
	if (!in_order(&s->low, 32))
		return "bounds of 32 bits are out of order, or wider";
	if (!has_constant(&s->full, s->bits, 64) || !has_constant(&s->low, low, 32))
		return "all bits are known, and bounds do not have that number";
	if (!overlap(&s->full, s->bits) || !overlap(&s->low, low))
		return "no number is within the bounds and has the bits that are known";
	return NULL;
}

/* --- Registers and slots --------------------------------------------------------------------- */

static const char *broken_reg(const struct reg *reg, uint32_t n_frames)
{
	if (reg->kind == REG_UNSET)
		return NULL;
	if (reg->kind >= REG_KIND_CNT)
		return "a register of no kind";
	if (reg->kind == REG_STACK && reg->frame >= n_frames)
		return "a pointer to the stack of a frame that is not";
	if (reg->kind == REG_MAP_PTR && !reg->map)
		return "a map that is none";
	return verify_broken_scalar(&reg->value);
}

static bool fills(const struct slot *slot, unsigned from, enum slot_kind kind)
{
	for (unsigned i = from; i < SLOT_BYTES; i++)
		if (slot->kinds[i] != kind)
			return false;
	return true;
}

static const char *broken_slot(const struct slot *slot, uint32_t n_frames)
{
	enum slot_kind kind = slot->kinds[SLOT_BYTES - 1];

	if ((kind == SLOT_DYNPTR || kind == SLOT_ITER || kind == SLOT_IRQ_FLAG) &&
	    !fills(slot, 0, kind))
		return "an object that fills a slot in part";
	if (kind != SLOT_SPILL)
		return NULL;
	if (slot->spilled.kind == REG_UNSET)
		return "a slot with a register that holds nothing";
	if (slot->spilled.kind != REG_SCALAR && !fills(slot, 0, SLOT_SPILL))
		return "a part of a pointer in a slot";
	return broken_reg(&slot->spilled, n_frames);
}

/* --- States ---------------------------------------------------------------------------------- */

static const char *broken_frame(const struct state *state, uint32_t number)
{
	const struct frame *frame = state->frames[number];
	const struct reg *fp = &frame->regs[SKEP_R10];
	const char *broken = NULL;

	if (frame->number != number || frame->n_slots > MOST_SLOTS)
		return "a frame out of its place";
	if (fp->kind != REG_STACK || fp->frame != number || fp->off || fp->value.bits.value ||
	    fp->value.bits.mask)
		return "fp is not the frame's";
	for (unsigned r = 0; r < SKEP_N_REGS && !broken; r++)
		broken = broken_reg(&frame->regs[r], state->n_frames);
	for (uint32_t s = 0; s < frame->n_slots && !broken; s++)
		broken = broken_slot(&frame->slots[s], state->n_frames);
	return broken;
}

static const char *broken_refs(const struct state *state)
{
	for (uint32_t i = 0; i < state->n_refs; i++) {
		if (state->refs[i].kind != REF_PTR)
			continue;
		if (!state->refs[i].id)
			return "a reference without an id";
		for (uint32_t k = 0; k < i; k++)
			if (state->refs[k].kind == REF_PTR &&
			    state->refs[k].id == state->refs[i].id)
				return "two references of one id";
	}
	return NULL;
}

const char *verify_broken_invariant(const struct state *state)
{
	const char *broken = broken_refs(state);

	if (!state->n_frames || state->n_frames > SKEP_MOST_FRAMES)
		return "no frame, or too many";
	for (uint32_t i = 0; i < state->n_frames && !broken; i++)
		broken = broken_frame(state, i);
	return broken;
}
