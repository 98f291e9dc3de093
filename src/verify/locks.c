/*
 * Locks, and the flags that tell whether interrupts were on.
 *
 *	bpf_spin_lock       one at a time; nothing but the other half may be called meanwhile, apart
 *	                    from lists and trees, which it protects
 *	bpf_res_spin_lock   several, given back in the reverse order; taking one can fail, which is
 *	                    a way of its own
 *	bpf_local_irq_save  a flag in 8 bytes of stack; restored in the reverse order
 *
 * Which lock it is: the map and the look-up that brought the value (its id), or the object. A map
 * of one value, as global variables are, has but one.
 *
 * Source  behaviour of Linux 6.18, process_spin_lock(), process_irq_flag()
 */
#include "verify/kfunc.h"

#include <string.h>

/* --- Rows of held locks ---------------------------------------------------------------------- */

static enum ref_kind kind_of(unsigned op)
{
	if (!(op & LOCK_RES))
		return REF_LOCK;
	return op & LOCK_IRQ ? REF_RES_LOCK_IRQ : REF_RES_LOCK;
}

static bool is_lock(enum ref_kind kind)
{
	return kind == REF_LOCK || kind == REF_RES_LOCK || kind == REF_RES_LOCK_IRQ;
}

static const void *lock_ptr(const struct reg *reg)
{
	return reg->kind == REG_MAP_VALUE ? (const void *)reg->map : reg->btf;
}

static const struct ref *find_any(const struct state *state, const struct reg *reg)
{
	for (uint32_t i = 0; i < state->n_refs; i++) {
		const struct ref *ref = &state->refs[i];

		if (is_lock(ref->kind) && ref->id == reg->id && ref->ptr == lock_ptr(reg))
			return ref;
	}
	return NULL;
}

static const struct ref *find_lock(const struct state *state, enum ref_kind kind,
				   const struct reg *reg)
{
	for (uint32_t i = 0; i < state->n_refs; i++) {
		const struct ref *ref = &state->refs[i];

		if (ref->kind == kind && ref->id == reg->id && ref->ptr == lock_ptr(reg))
			return ref;
	}
	return NULL;
}

static bool holds_plain_lock(const struct state *state)
{
	for (uint32_t i = 0; i < state->n_refs; i++)
		if (state->refs[i].kind == REF_LOCK)
			return true;
	return false;
}

static void remove_row(struct verifier *v, const struct ref *ref)
{
	verify_refs_remove(v, (uint32_t)(ref - v->state->refs));
}

bool verify_lock_held(struct verifier *v, const struct reg *reg)
{
	if (!v->state->n_locks)
		return false;
	if (find_any(v->state, reg))
		return true;
	verify_log(v, "held lock and object are not in the same allocation\n");
	return false;
}

bool verify_in_rcu(const struct verifier *v)
{
	return v->state->rcu_locked || v->state->n_locks || !verify_may_sleep(v);
}

/* --- Taken and given back -------------------------------------------------------------------- */

static int take(struct verifier *v, const struct reg *reg, unsigned op)
{
	struct state *state = v->state;

	if (!(op & LOCK_RES) && holds_plain_lock(state))
		return verify_refuse(v, TWO_LOCKS);
	if (op & LOCK_RES &&
	    (find_lock(state, REF_RES_LOCK, reg) || find_lock(state, REF_RES_LOCK_IRQ, reg)))
		return verify_refuse(v, SAME_LOCK);
	/* a lock has its object's id, not one of its own */
	verify_refs_add(v, (struct ref){kind_of(op), reg->id, v->at, lock_ptr(reg)});
	state->n_locks++;
	state->lock_id = reg->id;
	state->lock_ptr = lock_ptr(reg);
	return 0;
}

/* The innermost lock is the one before, if there is one. */
static void restore_innermost(struct state *state)
{
	state->lock_id = 0;
	state->lock_ptr = NULL;
	for (uint32_t i = 0; i < state->n_refs; i++)
		if (is_lock(state->refs[i].kind)) {
			state->lock_id = state->refs[i].id;
			state->lock_ptr = state->refs[i].ptr;
		}
}

static int give_back(struct verifier *v, const struct reg *reg, unsigned op, const char *word)
{
	struct state *state = v->state;
	const struct ref *ref;

	if (!state->n_locks)
		return verify_refuse(v, UNLOCKS_NOTHING, word);
	ref = find_lock(state, kind_of(op), reg);
	if (!ref)
		return verify_refuse(v, UNLOCKS_OTHER, word);
	if (reg->id != state->lock_id || lock_ptr(reg) != state->lock_ptr)
		return verify_refuse(v, UNLOCKS_EARLY, word);
	remove_row(v, ref);
	state->n_locks--;
	restore_innermost(state);
	verify_forget_not_owned(v);
	return 0;
}

int verify_lock(struct verifier *v, unsigned regno, unsigned op)
{
	const char *word = op & LOCK_RES ? "bpf_res_spin" : "bpf_spin";
	const struct reg *reg = verify_reg(v, regno);
	const struct skep_map *map = reg->kind == REG_MAP_VALUE ? reg->map : NULL;
	const struct skep_map_field *field;
	int64_t off = reg->off + (int64_t)reg->value.bits.value;

	if (!skep_tnum_is_const(reg->value.bits))
		return verify_refuse(v, FIELD_VARIABLE_LOCK, regno, word);
	if (map && !map->btf)
		return verify_refuse(v, LOCK_NO_BTF, map->name, word);
	field = verify_field_of(v, reg,
				op & LOCK_RES ? SKEP_FIELD_RES_SPIN_LOCK : SKEP_FIELD_SPIN_LOCK);
	if (!field)
		return verify_refuse(v, LOCK_NONE, map ? "map" : "local", map ? map->name : "kptr",
				     word);
	if (field->off != off)
		return verify_refuse(v, LOCK_ELSEWHERE, (long long)off, word, field->off);
	return op & LOCK_TAKE ? take(v, reg, op) : give_back(v, reg, op, word);
}

int verify_lock_argument(struct verifier *v, struct call *call, unsigned regno, bool locks)
{
	if (verify_in_tree_callback(v))
		return verify_refuse(v, LOCK_IN_CALLBACK);
	return verify_lock(v, regno, locks ? LOCK_TAKE : 0);
}

/* --- Flags of interrupts --------------------------------------------------------------------- */

enum { IRQ_NATIVE, IRQ_LOCK };

static struct frame *frame_of(const struct verifier *v, const struct reg *reg)
{
	return v->state->frames[reg->frame];
}

static bool is_all(const struct slot *slot, enum slot_kind kind)
{
	for (unsigned byte = 0; byte < SLOT_BYTES; byte++)
		if (slot->kinds[byte] != kind)
			return false;
	return true;
}

static bool is_free(struct verifier *v, const struct reg *reg)
{
	int slot = verify_object_slot(v, reg, "irq_flag", 1);

	if (slot < 0)
		return slot == -ERANGE;
	for (unsigned byte = 0; byte < SLOT_BYTES; byte++)
		if (frame_of(v, reg)->slots[slot].kinds[byte] == SLOT_IRQ_FLAG)
			return false;
	return true;
}

static int save_flag(struct verifier *v, unsigned regno, bool of_lock)
{
	const struct mem_access access = {
		.regno = regno, .bytes = SLOT_BYTES, .kind = ACCESS_WRITE, .value = -1};
	const struct reg *at = verify_reg(v, regno);
	struct slot *to;
	int slot, err;

	if (!is_free(v, at))
		return verify_refuse(v, IRQ_FLAG_NOT_UNINIT, regno - 1);
	err = verify_mem_access(v, &access);
	slot = err ? err : verify_object_slot(v, at, "irq_flag", 1);
	if (slot < 0)
		return slot;
	to = &frame_of(v, at)->slots[slot];
	verify_reg_pointer(&to->spilled, REG_STACK, 0);
	to->spilled.irq_class = of_lock ? IRQ_LOCK : IRQ_NATIVE;
	to->spilled.ref_id = verify_ref_acquire(v, REF_IRQ);
	v->state->irq_id = to->spilled.ref_id;
	memset(to->kinds, SLOT_IRQ_FLAG, sizeof(to->kinds));
	verify_note_slot(v, (uint32_t)slot);
	return 0;
}

static uint32_t where_saved(const struct state *state)
{
	for (uint32_t i = 0; i < state->n_refs; i++)
		if (state->refs[i].kind == REF_IRQ && state->refs[i].id == state->irq_id)
			return state->refs[i].insn;
	return 0;
}

static void release_irq(struct verifier *v)
{
	struct state *state = v->state;
	uint32_t before = 0;

	for (uint32_t i = 0; i < state->n_refs; i++) {
		const struct ref *ref = &state->refs[i];

		if (ref->kind != REF_IRQ)
			continue;
		if (ref->id == state->irq_id) {
			remove_row(v, ref);
			break;
		}
		before = ref->id;
	}
	state->irq_id = before;
}

static int restore_flag(struct verifier *v, unsigned regno, bool of_lock)
{
	static const char *const words[] = {[IRQ_NATIVE] = "native", [IRQ_LOCK] = "lock"};
	const struct reg *at = verify_reg(v, regno);
	int n = verify_object_slot(v, at, "irq_flag", 1);
	struct slot *slot = n < 0 ? NULL : &frame_of(v, at)->slots[n];
	unsigned class = of_lock ? IRQ_LOCK : IRQ_NATIVE;

	if (!slot || !slot->spilled.ref_id || !is_all(slot, SLOT_IRQ_FLAG))
		return verify_refuse(v, IRQ_FLAG_UNINIT, regno - 1);
	verify_note_stack_read(v, at->frame, 1ull << n);
	if (slot->spilled.irq_class != class)
		return verify_refuse(v, IRQ_FLAG_CLASS, words[slot->spilled.irq_class],
				     words[class]);
	if (slot->spilled.ref_id != v->state->irq_id)
		return verify_refuse(v, IRQ_FLAG_ORDER, v->state->irq_id, where_saved(v->state));
	release_irq(v);
	slot->spilled = verify_reg_unset;
	memset(slot->kinds, SLOT_INVALID, sizeof(slot->kinds));
	verify_note_slot(v, (uint32_t)n);
	return 0;
}

int verify_irq_flag(struct verifier *v, unsigned regno, bool save, bool of_lock)
{
	if (verify_reg(v, regno)->kind != REG_STACK)
		return verify_refuse(v, IRQ_FLAG_NO_STACK, regno - 1);
	return save ? save_flag(v, regno, of_lock) : restore_flag(v, regno, of_lock);
}
