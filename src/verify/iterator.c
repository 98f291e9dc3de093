/*
 * Open-coded iterators: their state lies in the program's stack, and three kernel functions know
 * it.
 *
 *	bpf_iter_x_new(&it)      the slots become an iterator, which is a reference
 *	bpf_iter_x_next(&it)     two ways: there is one (r0 is not NULL, the iterator goes on), or
 *	                         there is none (r0 is NULL, the iterator is drained)
 *	bpf_iter_x_destroy(&it)  the slots are free again
 *
 * The first slot (that of the lowest address) has the reference; all of them have the type and
 * state. The loop around `next` ends for us when a round's state is like an older one's: states.c
 * looks at each call of it. To get there, numbers of which nothing is asked, and that differ from
 * round to round, are given up on the way that goes on.
 *
 * Source  behaviour of Linux 6.18, process_iter_arg(), process_iter_next_call()
 */
#include "verify/kfunc.h"

#include <string.h>

#define NEEDS_RCU (-EPROTO)

static const char *word(const struct skep_btf *btf, uint32_t id)
{
	static const char prefix[] = "bpf_iter_";
	const char *name = skep_btf_name(btf, id);

	return strncmp(name, prefix, sizeof(prefix) - 1) ? name : name + sizeof(prefix) - 1;
}

static struct frame *frame_of(const struct verifier *v, const struct reg *reg)
{
	return v->state->frames[reg->frame];
}

/* --- New ------------------------------------------------------------------------------------- */

static bool is_free(struct verifier *v, const struct reg *reg, uint32_t n)
{
	const struct slot *slots = frame_of(v, reg)->slots;
	int slot;

	/* One behind the stack, for which the kernel takes the first slot; the write is refused. */
	if (n == 1 && skep_tnum_is_const(reg->value.bits) &&
	    !(reg->off + (int64_t)reg->value.bits.value))
		slot = frame_of(v, reg)->n_slots ? 0 : -ERANGE;
	else
		slot = verify_object_slot(v, reg, "iter", n);
	if (slot < 0)
		return slot == -ERANGE;
	for (uint32_t i = 0; i < n; i++)
		for (unsigned byte = 0; byte < SLOT_BYTES; byte++)
			if (slots[(uint32_t)slot - i].kinds[byte] == SLOT_ITER)
				return false;
	return true;
}

static int write_slots(struct verifier *v, unsigned regno, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct mem_access access = {.regno = regno,
						  .off = (int32_t)(i * SLOT_BYTES),
						  .bytes = SLOT_BYTES,
						  .kind = ACCESS_WRITE,
						  .value = -1};
		int err = verify_mem_access(v, &access);

		if (err)
			return err;
	}
	return 0;
}

static int begin(struct verifier *v, const struct call *call, const struct reg *at, uint32_t type,
		 uint32_t n)
{
	struct frame *frame = frame_of(v, at);
	int slot = verify_object_slot(v, at, "iter", n);
	struct reg reg;

	if (slot < 0)
		return slot;
	verify_reg_pointer(&reg, REG_STACK, 0);
	if (call->kfunc->flags & KF_RCU_PROTECTED)
		reg.flags = verify_in_rcu(v) ? MEM_RCU : PTR_UNTRUSTED;
	reg.ref_id = verify_ref_acquire(v, REF_PTR);
	reg.iter_btf = v->program->kernel_btf;
	reg.iter_btf_id = type;
	reg.iter_state = ITER_ACTIVE;
	for (uint32_t i = 0; i < n; i++) {
		struct slot *to = &frame->slots[(uint32_t)slot - i];

		to->spilled = reg;
		memset(to->kinds, SLOT_ITER, sizeof(to->kinds));
		verify_note_slot(v, (uint32_t)slot - i);
		reg.ref_id = 0;
	}
	return 0;
}

static int new_iterator(struct verifier *v, struct call *call, unsigned regno, uint32_t type,
			uint32_t n)
{
	int err;

	if (!is_free(v, verify_reg(v, regno), n))
		return verify_refuse(v, ITERATOR_NOT_UNINIT, word(v->program->kernel_btf, type),
				     regno - 1);
	err = write_slots(v, regno, n);
	return err ? err : begin(v, call, verify_reg(v, regno), type, n);
}

/* --- One that is there ----------------------------------------------------------------------- */

static bool is_part(const struct verifier *v, const struct slot *slot, uint32_t type, bool first)
{
	for (unsigned byte = 0; byte < SLOT_BYTES; byte++)
		if (slot->kinds[byte] != SLOT_ITER)
			return false;
	return !!slot->spilled.ref_id == first &&
	       slot->spilled.iter_btf == v->program->kernel_btf &&
	       slot->spilled.iter_btf_id == type;
}

/* Return the first slot | -EINVAL it is none | NEEDS_RCU */
static int find(struct verifier *v, const struct reg *reg, uint32_t type, uint32_t n)
{
	int slot = verify_object_slot(v, reg, "iter", n);
	const struct slot *slots = frame_of(v, reg)->slots;

	if (slot < 0)
		return -EINVAL;
	for (uint32_t i = 0; i < n; i++) {
		const struct slot *part = &slots[(uint32_t)slot - i];

		if (part->kinds[0] == SLOT_ITER && part->spilled.flags & PTR_UNTRUSTED)
			return NEEDS_RCU;
		if (!is_part(v, part, type, !i))
			return -EINVAL;
	}
	return slot;
}

static void end(struct verifier *v, struct frame *frame, uint32_t slot, uint32_t n)
{
	verify_ref_release(v, frame->slots[slot].spilled.ref_id);
	for (uint32_t i = 0; i < n; i++) {
		struct slot *part = &frame->slots[slot - i];

		part->spilled = verify_reg_unset;
		memset(part->kinds, SLOT_INVALID, sizeof(part->kinds));
		verify_note_slot(v, slot - i);
	}
}

static int use_iterator(struct verifier *v, struct call *call, unsigned regno, uint32_t type,
			uint32_t n)
{
	const struct reg *reg = verify_reg(v, regno);
	struct frame *frame = frame_of(v, reg);
	int slot = find(v, reg, type, n);

	if (slot == NEEDS_RCU)
		return verify_refuse(v, ITERATOR_NEEDS_RCU, call->name);
	if (slot < 0)
		return verify_refuse(v, ITERATOR_UNINIT, word(v->program->kernel_btf, type),
				     regno - 1);
	for (uint32_t i = 0; i < n; i++)
		verify_note_stack_read(v, reg->frame, 1ull << ((uint32_t)slot - i));
	call->iter_frame = reg->frame;
	call->iter_slot = (uint32_t)slot;
	call->ref_id = frame->slots[slot].spilled.ref_id;
	if (call->kfunc->flags & KF_ITER_DESTROY)
		end(v, frame, (uint32_t)slot, n);
	return 0;
}

int verify_iterator_argument(struct verifier *v, struct call *call, unsigned regno)
{
	uint32_t type = call->kfunc->params[regno - 1].pointee;
	int64_t bytes = skep_btf_size(v->program->kernel_btf, type);
	uint32_t n = (uint32_t)(bytes / SLOT_BYTES);

	if (verify_reg(v, regno)->kind != REG_STACK)
		return verify_refuse(v, ITERATOR_NO_STACK, regno - 1);
	if (bytes <= 0 || bytes % SLOT_BYTES ||
	    skep_btf_kind(v->program->kernel_btf, type) != SKEP_BTF_STRUCT)
		return verify_refuse(v, ITERATOR_TYPE, regno - 1);
	return call->kfunc->flags & KF_ITER_NEW ? new_iterator(v, call, regno, type, n)
						: use_iterator(v, call, regno, type, n);
}

/* --- Next ------------------------------------------------------------------------------------ */

/* The way on which there is one more. */
static int go_on(struct verifier *v, const struct call *call)
{
	struct state *last = verify_last_round(v, v->state->parent, v->at);
	struct state *more = verify_fork(v, v->at + 1, v->at, false);

	if (!more)
		return verify_no_fork(v, -ENOMEM);
	more->frames[call->iter_frame]->slots[call->iter_slot].spilled.iter_depth++;
	if (last)
		verify_widen(v, last, more);
	verify_not_null(&top_frame(more)->regs[SKEP_R0]);
	return 0;
}

int verify_iterator_next(struct verifier *v, const struct call *call)
{
	struct reg *iter = &v->state->frames[call->iter_frame]->slots[call->iter_slot].spilled;
	int err = iter->iter_state == ITER_ACTIVE ? go_on(v, call) : 0;

	if (err)
		return err;
	iter->iter_state = ITER_DRAINED;
	verify_reg_const(v, verify_reg(v, SKEP_R0), 0);
	return 0;
}
