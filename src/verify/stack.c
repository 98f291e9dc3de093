/*
 * The stack, where it is known which byte is accessed.
 *
 * What is known is kept by slots of eight bytes, and of each byte what it is:
 *
 *	invalid   never written                 misc   written, unknown
 *	zero      written, 0                    spill  of the register in the slot
 *	dynptr, iterator, saved IRQ flag        only their own calls touch these
 *
 * A register that is stored at a slot's start is kept whole: its bounds, or where it points. The
 * load that brings it back gives it back, so a program may run out of registers and lose nothing.
 * Numbers may be stored by parts of a slot, pointers only whole. Anything else that is written over
 * a spill leaves unknown bytes.
 *
 *	slot kinds    [7] [6] [5] [4] [3] [2] [1] [0]
 *	address       fp-8 ……………………………………………… fp-1
 *	a spill of 4   S   S   S   S   .   .   .   .
 *
 * precision.c must know which instructions moved a register to the stack or back, and from which
 * slot; live_stack.c which slots are read, and which are written whole.
 *
 * Source  behaviour of Linux 6.18, check_stack_write_fixed_off(), check_stack_read_fixed_off()
 */
#include "verify/call.h"
#include "verify/memory.h"

/* --- Slots ----------------------------------------------------------------------------------- */

static uint32_t slot_of(int32_t off)
{
	return (uint32_t)(-off - 1) / SLOT_BYTES;
}

/* The kind of the byte at fp + off. */
static uint8_t *byte_at(const struct frame *frame, int32_t off)
{
	uint32_t byte = (uint32_t)(-off - 1);

	return &frame->slots[byte / SLOT_BYTES].kinds[byte % SLOT_BYTES];
}

static uint32_t spill_flags(const struct frame *frame, uint32_t n)
{
	return STEP_STACK | frame->number << STEP_FRAME_SHIFT | n << STEP_SLOT_SHIFT;
}

/* Bits that a number can have set, counted from the lowest. */
static unsigned width_of(const struct reg *reg)
{
	uint64_t umax = reg->value.full.umax;

	return umax ? 64 - (unsigned)__builtin_clzll(umax) : 0;
}

/* --- Inside? --------------------------------------------------------------------------------- */

static const char *access_name(const struct mem_access *at)
{
	return at->kind == ACCESS_READ ? " read from" : " write to";
}

static int out_of_bounds(struct verifier *v, const struct mem_access *at, const struct reg *reg,
			 int err)
{
	/* the words are one, the errno tells below the stack from above it */
	if (skep_tnum_is_const(reg->value.bits))
		verify_refuse(v, OUTSIDE_STACK, access_name(at), at->regno, at->off, at->bytes);
	else
		verify_refuse(v, OUTSIDE_STACK_VARIABLE, access_name(at), at->regno,
			      TNUM_TEXT(reg->value.bits), at->off, at->bytes);
	return err;
}

static int check_bounds(struct verifier *v, const struct mem_access *at, const struct frame *frame,
			int64_t lowest, int64_t end)
{
	int64_t least = at->kind == ACCESS_WRITE || v->privileged
				? -SKEP_STACK_BYTES
				: -(int64_t)frame->n_slots * SLOT_BYTES;

	if (lowest < least || lowest > -1)
		return -EACCES;
	return end > 0 ? -EINVAL : 0;
}

int verify_stack_bounds(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	struct frame *frame = v->state->frames[reg->frame];
	struct func_facts *func = &v->funcs[frame->func];
	int64_t lowest = reg->value.full.smin, highest = reg->value.full.smax;
	uint32_t n;
	int err;

	if (skep_tnum_is_const(reg->value.bits))
		lowest = highest = (int64_t)reg->value.bits.value;
	else if (highest >= MOST_VARIABLE_OFF || lowest <= -MOST_VARIABLE_OFF)
		return verify_refuse(v, UNBOUNDED_STACK, access_name(at), at->regno);
	lowest += at->off;
	highest += at->off;
	err = check_bounds(v, at, frame, lowest, highest + at->bytes);
	if (err)
		return out_of_bounds(v, at, reg, err);
	n = (uint32_t)(-lowest + SLOT_BYTES - 1) / SLOT_BYTES;
	if (n > frame->n_slots && func->stack_bytes < n * SLOT_BYTES)
		func->stack_bytes = n * SLOT_BYTES;
	return verify_frame_grow(v, frame, n);
}

/* --- Writing --------------------------------------------------------------------------------- */

static void spill(struct slot *slot, const struct reg *reg, uint32_t bytes)
{
	slot->spilled = *reg;
	for (unsigned i = 0; i < SLOT_BYTES; i++) {
		uint8_t *kind = &slot->kinds[i];

		if (i >= SLOT_BYTES - bytes)
			*kind = SLOT_SPILL;
		else if (*kind != SLOT_ZERO && *kind != SLOT_INVALID)
			*kind = SLOT_MISC;
	}
}

/* What was kept whole is no more: its bytes are unknown. */
static void scrub(struct slot *slot)
{
	uint8_t kind = slot->kinds[SLOT_BYTES - 1];

	slot->spilled = (struct reg){0};
	if (kind == SLOT_INVALID || kind == SLOT_MISC || kind == SLOT_ZERO)
		return;
	for (unsigned i = 0; i < SLOT_BYTES; i++)
		if (slot->kinds[i] != SLOT_INVALID)
			slot->kinds[i] = SLOT_MISC;
}

/* Is it an immediate that is stored? */
static const struct skep_insn *immediate_store(const struct verifier *v,
					       const struct mem_access *at)
{
	const struct skep_insn *insn = &v->insns[v->at];

	return at->value < 0 && (insn->code & 0xe7) == (SKEP_ST | SKEP_MEM) ? insn : NULL;
}

static bool writes_zero(struct verifier *v, const struct mem_access *at)
{
	const struct skep_insn *insn = immediate_store(v, at);

	if (at->value >= 0)
		return verify_reg_is_null(verify_reg(v, (unsigned)at->value));
	return insn && !insn->imm;
}

static int write_number(struct verifier *v, const struct mem_access *at, struct frame *frame)
{
	struct reg *reg = verify_reg(v, (unsigned)at->value);
	struct slot *slot = &frame->slots[slot_of(at->off)];
	bool fits = width_of(reg) <= 8 * at->bytes;

	/* what is stored whole stays the same number in both places */
	if (fits)
		verify_name_number(v, reg);
	spill(slot, reg, at->bytes);
	if (!fits) {
		slot->spilled.id = 0;
		slot->spilled.off = 0;
	}
	return verify_push_step(v, spill_flags(frame, slot_of(at->off)), 0);
}

static int write_immediate(struct verifier *v, const struct mem_access *at, struct frame *frame,
			   int32_t imm)
{
	struct reg number = {.kind = REG_SCALAR,
			     .value = skep_scalar_const((uint64_t)(int64_t)imm)};

	spill(&frame->slots[slot_of(at->off)], &number, at->bytes);
	return verify_push_step(v, spill_flags(frame, slot_of(at->off)), 0);
}

static int write_pointer(struct verifier *v, const struct mem_access *at, struct frame *frame)
{
	const struct reg *reg = verify_reg(v, (unsigned)at->value);

	if (at->bytes != SLOT_BYTES)
		return verify_refuse(v, SPILL_SIZE);
	if (frame != top_frame(v->state) && reg->kind == REG_STACK)
		return verify_refuse(v, SPILL_INTO_CALLER);
	spill(&frame->slots[slot_of(at->off)], reg, at->bytes);
	return verify_push_step(v, spill_flags(frame, slot_of(at->off)), 0);
}

static int write_bytes(struct verifier *v, const struct mem_access *at, struct frame *frame)
{
	uint8_t kind = writes_zero(v, at) ? SLOT_ZERO : SLOT_MISC;

	scrub(&frame->slots[slot_of(at->off)]);
	/* a byte is 0 only because the register is: that must hold of states found equal */
	if (kind == SLOT_ZERO && at->value >= 0) {
		int err = verify_mark_precise(v, (unsigned)at->value);

		if (err)
			return err;
	}
	for (uint32_t i = 0; i < at->bytes; i++)
		*byte_at(frame, at->off + (int32_t)i) = kind;
	return 0;
}

/* What a kind of pointer must be to be kept whole. */
static bool is_spillable(const struct reg *reg)
{
	switch (reg->kind) {
	case REG_UNSET:
	case REG_SCALAR:
	case REG_TP_BUFFER:
	case REG_DYNPTR: return false;
	default: return true;
	}
}

static int before_write(struct verifier *v, const struct mem_access *at, struct frame *frame)
{
	uint32_t n = slot_of(at->off);
	const struct slot *slot = &frame->slots[n];

	if (!v->privileged && slot_is_spill(slot) && !slot_is_spilled_scalar(slot) &&
	    at->bytes != SLOT_BYTES)
		return verify_refuse(v, CORRUPTS_SPILL);
	verify_note_slot(v, n);
	if (at->bytes == SLOT_BYTES)
		verify_note_stack_write(v, frame->number, 1ull << n);
	return slot->kinds[0] == SLOT_DYNPTR ? verify_slots_overwritten(v, frame, n, n) : 0;
}

int verify_stack_write(struct verifier *v, const struct mem_access *at, struct frame *frame)
{
	const struct reg *reg = at->value >= 0 ? verify_reg(v, (unsigned)at->value) : NULL;
	const struct skep_insn *insn = immediate_store(v, at);
	bool at_start = !(at->off % SLOT_BYTES);
	int err = before_write(v, at, frame);

	if (err)
		return err;
	if (reg && reg->kind == REG_SCALAR && at_start && v->privileged)
		return write_number(v, at, frame);
	if (insn && at_start && v->privileged)
		return write_immediate(v, at, frame, insn->imm);
	if (reg && is_spillable(reg))
		return write_pointer(v, at, frame);
	return write_bytes(v, at, frame);
}

/* --- Reading --------------------------------------------------------------------------------- */

void verify_load_bytes(struct verifier *v, const struct frame *frame, int32_t lowest, int32_t end,
		       int value)
{
	struct reg *reg = verify_reg(v, (unsigned)value);

	for (int32_t off = lowest; off < end; off++)
		if (*byte_at(frame, off) != SLOT_ZERO) {
			verify_reg_unknown(v, reg);
			return;
		}
	verify_reg_const(v, reg, 0);
}

static int check_byte(struct verifier *v, const struct mem_access *at, uint8_t kind, uint32_t i)
{
	if (kind == SLOT_MISC || kind == SLOT_ZERO || (kind == SLOT_INVALID && v->privileged))
		return 0;
	return verify_refuse(v, UNINIT_STACK, at->off, i, at->bytes);
}

static int read_bytes(struct verifier *v, const struct mem_access *at, const struct frame *frame)
{
	for (uint32_t i = 0; i < at->bytes; i++) {
		int err = check_byte(v, at, *byte_at(frame, at->off + (int32_t)i), i);

		if (err)
			return err;
	}
	if (at->value >= 0)
		verify_load_bytes(v, frame, at->off, at->off + (int32_t)at->bytes, at->value);
	return 0;
}

static uint32_t spilled_bytes(const struct slot *slot)
{
	uint32_t n = 1;

	while (n < SLOT_BYTES && slot->kinds[SLOT_BYTES - 1 - n] == SLOT_SPILL)
		n++;
	return n;
}

/* Of a number that was spilled, what is loaded is not just its lower bytes: part of them and what
 * lies beside them. */
static int read_across(struct verifier *v, const struct mem_access *at, const struct frame *frame)
{
	const struct slot *slot = &frame->slots[slot_of(at->off)];
	struct reg *reg = verify_reg(v, (unsigned)at->value);
	uint32_t n_spill = 0, n_zero = 0;
	bool of_zero;

	for (uint32_t i = 0; i < at->bytes; i++) {
		uint8_t kind = *byte_at(frame, at->off + (int32_t)i);
		int err = kind == SLOT_SPILL ? 0 : check_byte(v, at, kind, i);

		if (err)
			return err;
		n_spill += kind == SLOT_SPILL;
		n_zero += kind == SLOT_ZERO;
	}
	of_zero = n_spill == at->bytes && verify_reg_is_null(&slot->spilled);
	if (of_zero || n_zero == at->bytes)
		verify_reg_const(v, reg, 0);
	else
		verify_reg_unknown(v, reg);
	return of_zero ? verify_push_step(v, spill_flags(frame, slot_of(at->off)), 0) : 0;
}

static int read_part(struct verifier *v, const struct mem_access *at, const struct frame *frame)
{
	const struct slot *slot = &frame->slots[slot_of(at->off)];
	struct reg *reg;

	if (slot->spilled.kind != REG_SCALAR)
		return verify_refuse(v, FILL_SIZE);
	if (at->value < 0)
		return 0;
	if (at->bytes > spilled_bytes(slot) || at->off % SLOT_BYTES)
		return read_across(v, at, frame);
	reg = verify_reg(v, (unsigned)at->value);
	*reg = slot->spilled;
	/* It is another number if something is cut off; or if its sign is copied up, which
	 * Linux 6.18 does not think of: it believes that both are the same, and learns of one from
	 * the other. */
	if (width_of(reg) > 8 * at->bytes || (at->sign_extends && width_of(reg) == 8 * at->bytes)) {
		reg->id = 0;
		reg->off = 0;
	}
	return verify_push_step(v, spill_flags(frame, slot_of(at->off)), 0);
}

static int read_whole(struct verifier *v, const struct mem_access *at, const struct frame *frame)
{
	const struct slot *slot = &frame->slots[slot_of(at->off)];

	if (at->value >= 0)
		*verify_reg(v, (unsigned)at->value) = slot->spilled;
	else if (!v->privileged && slot->spilled.kind != REG_SCALAR)
		return verify_refuse(v, LEAKS_FROM_STACK, at->off);
	return verify_push_step(v, spill_flags(frame, slot_of(at->off)), 0);
}

int verify_stack_read(struct verifier *v, const struct mem_access *at, struct frame *frame)
{
	uint32_t n = slot_of(at->off);
	const struct slot *slot = &frame->slots[n];

	verify_note_slot(v, n);
	verify_note_stack_read(v, frame->number, 1ull << n);
	if (!slot_is_spill(slot))
		return read_bytes(v, at, frame);
	if (at->bytes != SLOT_BYTES || spilled_bytes(slot) != SLOT_BYTES)
		return read_part(v, at, frame);
	return read_whole(v, at, frame);
}

/* --- Either ---------------------------------------------------------------------------------- */

int verify_stack(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	struct frame *frame = v->state->frames[reg->frame];
	struct mem_access fixed = *at;
	int err = verify_stack_bounds(v, at, reg);

	if (err)
		return err;
	fixed.off += (int32_t)reg->value.bits.value;
	verify_fastcall_access(v, frame, (int32_t)reg->value.full.smin + at->off);
	if (!skep_tnum_is_const(reg->value.bits))
		return at->kind == ACCESS_READ ? verify_stack_read_anywhere(v, at, reg)
					       : verify_stack_write_anywhere(v, at, reg);
	return at->kind == ACCESS_READ ? verify_stack_read(v, &fixed, frame)
				       : verify_stack_write(v, &fixed, frame);
}
