/*
 * References: what a program has acquired and must give back before it ends.
 *
 *	acquire ─► state.refs has a row; the pointer, and each copy of it, carries the row's id
 *	release ─► the row goes, and with it every register and slot that carries the id
 *
 * Rows stay in the order in which they were taken: IRQ flags have to be restored in the reverse of
 * it. Locks are rows too, without pointers that carry them.
 *
 * What loses its meaning (a pointer whose reference is given back, into a packet that has moved)
 * becomes a number like any other: the program may look at it, only not follow it. Without
 * privileges not even that, as it would show an address.
 *
 * Source  behaviour of Linux 6.18, acquire_reference(), release_reference(), check_resource_leak()
 */
#include "verify/call.h"

#include <stdlib.h>
#include <string.h>

/* --- Rows ------------------------------------------------------------------------------------ */

uint32_t verify_ref_acquire(struct verifier *v, enum ref_kind kind)
{
	uint32_t id = verify_new_id(v);

	verify_refs_add(v, (struct ref){.kind = kind, .id = id, .insn = v->at});
	return id;
}

/* The latest are asked for most. */
static const struct ref *find(const struct state *state, uint32_t id)
{
	for (uint32_t i = state->n_refs; i-- > 0;)
		if (state->refs[i].id == id)
			return &state->refs[i];
	return NULL;
}

const struct ref *verify_ref_find(const struct state *state, uint32_t id)
{
	const struct ref *ref = find(state, id);

	return ref && ref->kind == REF_PTR ? ref : NULL;
}

int verify_ref_drop(struct verifier *v, uint32_t id)
{
	const struct ref *ref = find(v->state, id);

	if (!ref)
		return -EINVAL;
	verify_refs_remove(v, (uint32_t)(ref - v->state->refs));
	return 0;
}

/* --- What loses its meaning ------------------------------------------------------------------ */

void verify_reg_invalid(const struct verifier *v, struct reg *reg)
{
	if (v->privileged)
		verify_reg_unknown(v, reg);
	else
		*reg = verify_reg_unset;
}

struct released {
	const struct verifier *v;
	uint32_t id;
};

static void invalidate_released(struct reg *reg, void *ctx)
{
	const struct released *released = ctx;

	if (reg->ref_id == released->id)
		verify_reg_invalid(released->v, reg);
}

int verify_ref_release(struct verifier *v, uint32_t id)
{
	struct released released = {v, id};
	const struct ref *ref = verify_ref_find(v->state, id);

	if (!ref)
		return -EINVAL;
	verify_ref_drop(v, id);
	verify_each_reg(v->state, invalidate_released, &released);
	return 0;
}

static bool points_into_packet(const struct reg *reg)
{
	return verify_reg_is_packet(reg) || reg->kind == REG_PACKET_END ||
	       (reg->kind == REG_MEM && reg->flags & MEM_DYNPTR_SLICE);
}

static void invalidate_packet(struct reg *reg, void *ctx)
{
	if (points_into_packet(reg))
		verify_reg_invalid(ctx, reg);
}

void verify_packet_changed(struct verifier *v)
{
	verify_each_reg(v->state, invalidate_packet, v);
}

/* --- Nothing may be held --------------------------------------------------------------------- */

/* A struct_ops program may return what it has acquired: the kernel goes on with it. */
static bool is_returned(struct verifier *v, const struct ref *ref, bool exception_exit)
{
	return v->image->type == PROG_TYPE_STRUCT_OPS && !exception_exit &&
	       verify_reg(v, SKEP_R0)->ref_id == ref->id;
}

/* A function that returns leaves what it holds to its caller. */
static bool leaks_references(struct verifier *v, bool exception_exit)
{
	const struct state *state = v->state;
	bool leaks = false;

	if (!exception_exit && state->n_frames > 1)
		return false;
	for (uint32_t i = 0; i < state->n_refs; i++) {
		const struct ref *ref = &state->refs[i];

		if (ref->kind != REF_PTR || is_returned(v, ref, exception_exit))
			continue;
		verify_log(v, "Unreleased reference id=%u alloc_insn=%u\n", ref->id, ref->insn);
		leaks = true;
	}
	return leaks;
}

int verify_nothing_held(struct verifier *v, bool exception_exit, bool locks, const char *what)
{
	const struct state *state = v->state;

	if (locks && state->n_locks)
		return verify_refuse(v, HOLDS_LOCK, what);
	if (leaks_references(v, exception_exit))
		return verify_refuse(v, REFERENCE_LEAK, what);
	if (locks && state->irq_id)
		return verify_refuse(v, IRQS_OFF, what);
	if (locks && state->rcu_locked)
		return verify_refuse(v, RCU_LOCKED, what);
	if (locks && state->preempt_off)
		return verify_refuse(v, PREEMPTION_OFF, what);
	return 0;
}
