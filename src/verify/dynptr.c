/*
 * Dynptrs: a pointer, its size and its kind in 16 bytes of stack, made by a call and used by calls
 * alone.
 *
 *	fp-8    second slot     both have the kind, the same id, and of a ring buffer's record the
 *	fp-16   first slot      reference; the pointer that calls are given is to the first
 *
 *	made         by a call that is given uninitialised stack
 *	written over the program's own stores end one that owns nothing; one that does is refused
 *	released     a ring buffer's record is submitted or discarded: with it go its clones, and
 *	             the memory that was read through them
 *
 * A callback or global function gets a dynptr of its caller's as a register of kind DYNPTR, which
 * it cannot change.
 *
 * Source  behaviour of Linux 6.18, process_dynptr_func(), mark_stack_slots_dynptr(),
 *         destroy_if_dynptr_stack_slot(), unmark_stack_slots_dynptr()
 */
#include "verify/kfunc.h"

#include <string.h>

#define DYNPTR_SLOTS 2

/* --- Where it is ----------------------------------------------------------------------------- */

static struct frame *frame_of(const struct verifier *v, const struct reg *reg)
{
	return v->state->frames[reg->frame];
}

/* The slot that an object of @n slots begins in. Return -ERANGE: the stack is not as deep yet |
 * -EINVAL no object can be there (@what is told). Source: stack_slot_obj_get_spi() */
int verify_object_slot(struct verifier *v, const struct reg *reg, const char *what, uint32_t n)
{
	int64_t off = reg->off + (int64_t)reg->value.bits.value;
	uint32_t slot;

	if (!skep_tnum_is_const(reg->value.bits)) {
		verify_log(v, "%s has to be at a constant offset\n", what);
		return -EINVAL;
	}
	slot = (uint32_t)((-off - 1) / SLOT_BYTES);
	if (off % SLOT_BYTES || off >= 0 || slot + 1 < n) {
		verify_log(v, "cannot pass in %s at an offset=%d\n", what, (int)off);
		return -EINVAL;
	}
	return slot < frame_of(v, reg)->n_slots ? (int)slot : -ERANGE;
}

static int slot_of(struct verifier *v, const struct reg *reg)
{
	return verify_object_slot(v, reg, "dynptr", DYNPTR_SLOTS);
}

const struct reg *verify_dynptr_at(const struct verifier *v, unsigned regno)
{
	const struct reg *reg = &top_frame(v->state)->regs[regno];
	int64_t off = reg->off + (int64_t)reg->value.bits.value;

	if (reg->kind == REG_DYNPTR)
		return reg;
	return &frame_of(v, reg)->slots[(-off - 1) / SLOT_BYTES].spilled;
}

/* --- Made, ended ----------------------------------------------------------------------------- */

static bool owns(enum dynptr_kind kind)
{
	return kind == DYNPTR_RINGBUF || kind == DYNPTR_FILE;
}

static void clear_slot(struct slot *slot)
{
	memset(slot->kinds, SLOT_INVALID, sizeof(slot->kinds));
	slot->spilled = verify_reg_unset;
}

static void clear(struct frame *frame, uint32_t first)
{
	clear_slot(&frame->slots[first]);
	clear_slot(&frame->slots[first - 1]);
}

struct ended {
	const struct verifier *v;
	uint32_t id;
};

static void end_slice(struct reg *reg, void *ctx)
{
	const struct ended *ended = ctx;

	if (reg->kind == REG_MEM && !(reg->flags & ~PTR_MAYBE_NULL) && reg->dynptr_id == ended->id)
		verify_reg_invalid(ended->v, reg);
}

static int overwrite(struct verifier *v, struct frame *frame, uint32_t slot)
{
	uint32_t first = frame->slots[slot].spilled.first_slot ? slot : slot + 1;
	struct ended ended = {v, frame->slots[first].spilled.id};

	if (owns(frame->slots[first].spilled.dynptr))
		return verify_refuse(v, OVERWRITES_DYNPTR);
	clear(frame, first);
	verify_note_slot(v, first);
	verify_note_slot(v, first - 1);
	verify_each_reg(v->state, end_slice, &ended);
	return 0;
}

int verify_slots_overwritten(struct verifier *v, struct frame *frame, uint32_t first, uint32_t last)
{
	for (uint32_t slot = first; slot <= last; slot++) {
		int err = 0;

		if (frame->slots[slot].kinds[0] == SLOT_DYNPTR)
			err = overwrite(v, frame, slot);
		if (err)
			return err;
	}
	return 0;
}

static void fill_slot(struct verifier *v, struct frame *frame, uint32_t n, const struct reg *reg)
{
	frame->slots[n].spilled = *reg;
	memset(frame->slots[n].kinds, SLOT_DYNPTR, sizeof(frame->slots[n].kinds));
	verify_note_slot(v, n);
}

static int make(struct verifier *v, const struct reg *at, const struct dynptr_use *use)
{
	struct frame *frame = frame_of(v, at);
	struct reg reg;
	int slot = slot_of(v, at);
	int err = slot < 0 ? slot
			   : verify_slots_overwritten(v, frame, (uint32_t)slot - 1, (uint32_t)slot);

	if (err)
		return err;
	verify_reg_pointer(&reg, REG_DYNPTR, 0);
	reg.id = verify_new_id(v);
	reg.dynptr = use->kind;
	if (owns(use->kind))
		reg.ref_id = use->ref_id ? use->ref_id : verify_ref_acquire(v, REF_PTR);
	fill_slot(v, frame, (uint32_t)slot - 1, &reg);
	reg.first_slot = true;
	fill_slot(v, frame, (uint32_t)slot, &reg);
	return 0;
}

int verify_dynptr_release(struct verifier *v, unsigned regno)
{
	const struct reg *reg = verify_reg(v, regno);
	struct frame *frame = frame_of(v, reg);
	int slot = slot_of(v, reg);
	uint32_t ref_id;

	if (slot < 0)
		return slot;
	ref_id = frame->slots[slot].spilled.ref_id;
	if (!owns(frame->slots[slot].spilled.dynptr)) {
		clear(frame, (uint32_t)slot);
		return 0;
	}
	verify_ref_release(v, ref_id);
	for (uint32_t i = 1; i < frame->n_slots; i++)
		if (frame->slots[i].kinds[0] == SLOT_DYNPTR && frame->slots[i].spilled.first_slot &&
		    frame->slots[i].spilled.ref_id == ref_id) {
			clear(frame, i);
			verify_note_slot(v, i);
		}
	return 0;
}

/* --- Arguments ------------------------------------------------------------------------------- */

static int use_uninit(struct verifier *v, unsigned regno, const struct dynptr_use *use)
{
	const struct reg *reg = verify_reg(v, regno);
	int slot = reg->kind == REG_DYNPTR ? -EINVAL : slot_of(v, reg);

	if (slot < 0 && slot != -ERANGE)
		return verify_refuse(v, DYNPTR_NOT_UNINIT);
	for (int32_t off = 0; off < DYNPTR_SLOTS * SLOT_BYTES; off += SLOT_BYTES) {
		const struct mem_access access = {.regno = regno,
						  .off = off,
						  .bytes = SLOT_BYTES,
						  .kind = ACCESS_WRITE,
						  .value = -1};
		int err = verify_mem_access(v, &access);

		if (err)
			return err;
	}
	return make(v, verify_reg(v, regno), use);
}

static bool is_init(struct verifier *v, const struct reg *reg)
{
	const struct slot *slots;
	int slot;

	if (reg->kind == REG_DYNPTR)
		return true;
	slot = slot_of(v, reg);
	if (slot < 0)
		return false;
	slots = frame_of(v, reg)->slots;
	return slots[slot].kinds[0] == SLOT_DYNPTR && slots[slot - 1].kinds[0] == SLOT_DYNPTR &&
	       slots[slot].spilled.first_slot;
}

static const char *word(enum dynptr_kind kind)
{
	static const char *const words[] = {
		[DYNPTR_NONE] = "<unknown>",    [DYNPTR_LOCAL] = "local",
		[DYNPTR_RINGBUF] = "ringbuf",   [DYNPTR_SKB] = "skb",
		[DYNPTR_XDP] = "xdp",           [DYNPTR_FILE] = "file",
		[DYNPTR_SKB_META] = "skb_meta",
	};

	return words[kind];
}

static int use_init(struct verifier *v, unsigned regno, const struct dynptr_use *use)
{
	const struct reg *reg = verify_reg(v, regno);

	if (reg->kind == REG_DYNPTR && !use->rdonly)
		return verify_refuse(v, DYNPTR_CONST);
	if (!is_init(v, reg))
		return verify_refuse(v, DYNPTR_UNINIT, regno - 1);
	if (use->kind && verify_dynptr_at(v, regno)->dynptr != use->kind)
		return verify_refuse(v, DYNPTR_KIND, word(use->kind), regno - 1);
	if (reg->kind == REG_STACK) {
		uint32_t slot = (uint32_t)slot_of(v, reg);

		verify_note_stack_read(v, reg->frame, 3ull << (slot - 1));
	}
	return 0;
}

int verify_dynptr_use(struct verifier *v, unsigned regno, const struct dynptr_use *use)
{
	const struct reg *reg = verify_reg(v, regno);

	if (reg->kind != REG_STACK && reg->kind != REG_DYNPTR)
		return verify_refuse(v, DYNPTR_NO_STACK, regno - 1);
	return use->uninit ? use_uninit(v, regno, use) : use_init(v, regno, use);
}

int verify_dynptr_argument(struct verifier *v, struct call *call, unsigned regno, uint32_t arg)
{
	const struct dynptr_use use = {
		.uninit = arg & SKEP_ARG_UNINIT,
		.rdonly = arg & SKEP_ARG_RDONLY,
		.kind = arg & SKEP_ARG_DYNPTR_LOCAL     ? DYNPTR_LOCAL
			: arg & SKEP_ARG_DYNPTR_RINGBUF ? DYNPTR_RINGBUF
							: DYNPTR_NONE,
	};

	return verify_dynptr_use(v, regno, &use);
}
