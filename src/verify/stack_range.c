/*
 * The stack, where it is only known between which bytes an access may be, or where a call reads and
 * writes many of them.
 *
 * A write that may be anywhere in a range is taken to have been everywhere: what was kept whole
 * there is unknown afterwards. But it may also not have been there, so without privileges nothing
 * may lie in the range that must not be forgotten (pointers) or must not be read (bytes never
 * written). A read from anywhere must find something readable everywhere.
 *
 * A call that is given memory reads all of it, and may write all of it, unless its prototype says
 * that it need not be set before: then nothing is looked at, and call.c writes what it fills.
 *
 * Source  behaviour of Linux 6.18, check_stack_write_var_off(), check_stack_range_initialized()
 */
#include "verify/call.h"
#include "verify/memory.h"

static struct slot *slot_at(const struct frame *frame, int32_t off)
{
	return &frame->slots[(uint32_t)(-off - 1) / SLOT_BYTES];
}

static uint8_t *kind_at(const struct frame *frame, int32_t off)
{
	return &slot_at(frame, off)->kinds[(uint32_t)(-off - 1) % SLOT_BYTES];
}

static uint64_t slot_mask(int32_t off)
{
	return 1ull << ((uint32_t)(-off - 1) / SLOT_BYTES);
}

/* The bytes that may be accessed, [lowest, end). */
struct span {
	int32_t lowest, end;
};

static struct span span_of(const struct mem_access *at, const struct reg *reg)
{
	int32_t first = (int32_t)reg->value.full.smin + at->off;
	int32_t last = (int32_t)reg->value.full.smax + at->off;

	if (skep_tnum_is_const(reg->value.bits))
		first = last = (int32_t)reg->value.bits.value + at->off;
	return (struct span){first, last + (int32_t)at->bytes};
}

static void forget_slot(struct slot *slot)
{
	for (unsigned i = 0; i < SLOT_BYTES; i++)
		if (slot->kinds[i] != SLOT_INVALID)
			slot->kinds[i] = SLOT_MISC;
}

/* --- Writes ---------------------------------------------------------------------------------- */

static bool writes_zero(struct verifier *v, const struct mem_access *at)
{
	const struct skep_insn *insn = &v->insns[v->at];

	if (at->value >= 0)
		return verify_reg_is_null(verify_reg(v, (unsigned)at->value));
	return (insn->code & 0xe7) == (SKEP_ST | SKEP_MEM) && !insn->imm;
}

static int end_dynptrs(struct verifier *v, struct frame *frame, struct span span)
{
	for (int32_t off = span.lowest; off < span.end; off++) {
		uint32_t n = (uint32_t)(-off - 1) / SLOT_BYTES;
		int err = 0;

		if (frame->slots[n].kinds[0] == SLOT_DYNPTR)
			err = verify_slots_overwritten(v, frame, n, n);
		if (err)
			return err;
	}
	return 0;
}

static bool holds_zero(const struct slot *slot, uint8_t kind)
{
	return kind == SLOT_ZERO || (kind == SLOT_SPILL && slot_is_spilled_scalar(slot) &&
				     verify_reg_is_null(&slot->spilled));
}

static void overwrite(struct slot *slot)
{
	uint8_t kind = slot->kinds[SLOT_BYTES - 1];

	slot->spilled = (struct reg){0};
	if (kind != SLOT_INVALID && kind != SLOT_MISC && kind != SLOT_ZERO)
		forget_slot(slot);
}

/* The byte may be written, or not. @ret_zero_kept: that 0 is written where 0 was. */
static int write_maybe(struct verifier *v, struct frame *frame, int32_t off, bool zero,
		       bool *ret_zero_kept)
{
	struct slot *slot = slot_at(frame, off);
	uint8_t *kind = kind_at(frame, off);

	if (!v->privileged && *kind != SLOT_MISC && *kind != SLOT_ZERO)
		return verify_refuse(v, SPILL_IN_RANGE, v->at, off);
	if (zero && holds_zero(slot, *kind)) {
		*ret_zero_kept = true;
		if (*kind == SLOT_ZERO)
			overwrite(slot);
		return 0;
	}
	overwrite(slot);
	*kind = SLOT_MISC;
	return 0;
}

int verify_stack_write_anywhere(struct verifier *v, const struct mem_access *at,
				const struct reg *reg)
{
	struct frame *frame = v->state->frames[reg->frame];
	struct span span = span_of(at, reg);
	bool zero = writes_zero(v, at), zero_kept = false;
	int err = end_dynptrs(v, frame, span);

	for (int32_t off = span.lowest; off < span.end && !err; off++)
		err = write_maybe(v, frame, off, zero, &zero_kept);
	if (!err && zero_kept && at->value >= 0)
		err = verify_mark_precise(v, (unsigned)at->value);
	return err;
}

/* --- Reads ----------------------------------------------------------------------------------- */

/* The call fills what it is given: nothing need be there, but no dynptr may lie there either, for
 * it may be another argument. */
static int will_be_filled(struct verifier *v, const struct mem_access *at,
			  const struct frame *frame, struct span span)
{
	for (int32_t off = span.lowest; off < span.end; off++) {
		if ((uint32_t)(-off - 1) / SLOT_BYTES >= frame->n_slots)
			continue;
		if (*kind_at(frame, off) == SLOT_DYNPTR)
			return verify_refuse(v, FILLS_DYNPTR, off);
	}
	at->call->fill_bytes = at->bytes;
	at->call->fill_regno = at->regno;
	return 0;
}

static int unreadable(struct verifier *v, const struct mem_access *at, const struct reg *reg,
		      uint32_t i)
{
	struct span span = span_of(at, reg);

	if (skep_tnum_is_const(reg->value.bits))
		return verify_refuse(v, UNINIT_STACK_RANGE, at->regno, span.lowest, i, at->bytes);
	return verify_refuse(v, UNINIT_STACK_VARIABLE, at->regno, TNUM_TEXT(reg->value.bits), i,
			     at->bytes);
}

/* Is something there that may be read? What a call may write is unknown from then on. */
static bool read_byte(struct verifier *v, struct frame *frame, int32_t off, bool written)
{
	struct slot *slot = slot_at(frame, off);
	uint8_t *kind = kind_at(frame, off);

	if (*kind == SLOT_MISC)
		return true;
	if (*kind == SLOT_ZERO || (*kind == SLOT_INVALID && v->privileged)) {
		if (written)
			*kind = SLOT_MISC;
		return true;
	}
	if (!slot_is_spill(slot) || !(v->privileged || slot->spilled.kind == REG_SCALAR))
		return false;
	if (written) {
		verify_reg_unknown(v, &slot->spilled);
		forget_slot(slot);
	}
	return true;
}

static int check_range(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	struct frame *frame = v->state->frames[reg->frame];
	struct span span = span_of(at, reg);
	uint64_t read = 0;
	int err = 0;

	for (int32_t off = span.lowest; off < span.end && !err; off++) {
		if (read_byte(v, frame, off, at->by_call && at->kind == ACCESS_WRITE))
			read |= slot_mask(off);
		else
			err = unreadable(v, at, reg, (uint32_t)(off - span.lowest));
	}
	if (read)
		verify_note_stack_read(v, frame->number, read);
	return err;
}

int verify_stack_range(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	bool fixed = skep_tnum_is_const(reg->value.bits);
	int err;

	if (!at->bytes && !at->zero_ok)
		return verify_refuse(v, ZERO_READ);
	err = verify_stack_bounds(v, at, reg);
	if (err)
		return err;
	if (!fixed && !v->privileged)
		return verify_refuse(v, VARIABLE_STACK, at->regno, TNUM_TEXT(reg->value.bits));
	if (fixed && at->call && at->call->fills_memory)
		return will_be_filled(v, at, v->state->frames[reg->frame], span_of(at, reg));
	return check_range(v, at, reg);
}

int verify_stack_read_anywhere(struct verifier *v, const struct mem_access *at,
			       const struct reg *reg)
{
	struct span span = span_of(at, reg);
	int err;

	if (at->value < 0)
		return verify_refuse(v, VARIABLE_TO_CALL, TNUM_TEXT(reg->value.bits), at->off,
				     at->bytes);
	err = verify_stack_range(v, at, reg);
	if (!err)
		verify_load_bytes(v, v->state->frames[reg->frame], span.lowest, span.end,
				  at->value);
	return err;
}
