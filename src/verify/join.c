/*
 * Two states at one instruction made one: all that either can be.
 *
 *	numbers       from the least to the greatest, or further (widen.c)
 *	pointers      of one kind, to one thing: how far they were moved is a number; packets' lose
 *	              what is known of the bytes behind them when they were not moved alike
 *	stack         byte by byte: a number and something else is some number
 *	ids           two things shared an id in both states, or do not share one now
 *	held          the same references and locks in both, else the states stay two
 *
 * Ids: a pair (old, now) is given one new id, another pair another. So exactly what was shared in
 * both stays shared. Where that parts what was shared in the old one, less is known than there.
 *
 * A register that is not read again is unset first: of it nothing need be told.
 *
 * Sound means: each number that was in one of the states is in the one they become. Lost may be
 * anything else; then a later instruction is refused that need not be, never the other way around.
 */
#include <errno.h>
#include <string.h>

#include "verify/wide.h"

#define MOST_PAIRS ((SKEP_N_REGS + MOST_SLOTS) * SKEP_MOST_FRAMES * 3)

struct id_pair {
	uint32_t old, now, joined;
};

struct join {
	struct verifier *v;
	enum widening widening;
	bool loose;
	uint32_t n_grown;
	uint32_t n_pairs;
	struct id_pair pairs[MOST_PAIRS];
};

/* --- Ids -------------------------------------------------------------------------------------- */

static uint32_t new_pair(struct join *j, uint32_t old, uint32_t now)
{
	struct id_pair pair = {old, now, now};

	for (uint32_t i = 0; i < j->n_pairs; i++) {
		if (j->pairs[i].now == now)
			pair.joined = 0;
		if (j->pairs[i].old == old)
			j->n_grown++;
	}
	if (!pair.joined)
		pair.joined = verify_new_id(j->v);
	if (j->n_pairs < MOST_PAIRS)
		j->pairs[j->n_pairs++] = pair;
	return pair.joined;
}

static uint32_t join_ids(struct join *j, uint32_t old, uint32_t now)
{
	for (uint32_t i = 0; i < j->n_pairs; i++)
		if (j->pairs[i].old == old && j->pairs[i].now == now)
			return j->pairs[i].joined;
	return new_pair(j, old, now);
}

/* Both have one, or none has; a reference keeps the one it has. */
static bool join_owner_ids(struct join *j, uint32_t old, uint32_t *now)
{
	if (!old != !*now)
		return false;
	if (old)
		*now = join_ids(j, old, *now);
	return true;
}

/* Without an id a number is no other's. */
static void join_number_ids(struct join *j, const struct reg *old, struct reg *now)
{
	uint32_t add = old->id & ID_ADD;

	if (!old->id) {
		now->id = 0;
		now->off = 0;
		return;
	}
	if (!now->id && !add) {
		join_ids(j, old->id, verify_new_id(j->v));
		return;
	}
	if ((now->id & ID_ADD) != add || now->off != old->off) {
		now->id = 0;
		now->off = 0;
		j->n_grown++;
		return;
	}
	now->id = join_ids(j, old->id & ~ID_ADD, now->id & ~ID_ADD) | add;
}

/* --- Registers ------------------------------------------------------------------------------- */

static void join_numbers(struct join *j, const struct reg *old, struct reg *now)
{
	struct reg was = *now;

	if (!skep_scalar_within(&old->value, &now->value))
		j->n_grown++;
	*now = *old;
	now->id = was.id;
	now->off = was.off;
	now->value = verify_number_join(j->v, &old->value, &was.value, j->widening);
	join_number_ids(j, old, now);
}

/* All that was added, as one number. */
static struct skep_scalar distance(const struct reg *reg)
{
	struct skep_scalar off = skep_scalar_const((uint64_t)(int64_t)reg->off), ret = reg->value;

	skep_scalar_alu(&ret, &off, SKEP_ADD, 64);
	skep_scalar_sync(&ret);
	return ret;
}

static bool is_moved_alike(const struct reg *old, const struct reg *now)
{
	return old->off == now->off && skep_scalar_within(&old->value, &now->value);
}

/* Moved unlike: of a packet it must be asked anew how many bytes there are. */
static void join_distances(struct join *j, const struct reg *old, struct reg *now)
{
	struct skep_scalar then = distance(old), here = distance(now);

	now->value = verify_number_join(j->v, &then, &here, j->widening);
	now->off = 0;
	if (verify_reg_is_packet(now)) {
		if (old->range || old->off || !old->id)
			j->n_grown++;
		now->range = 0;
		now->id = join_ids(j, old->id, verify_new_id(j->v));
	}
	if (old->off || !skep_scalar_within(&old->value, &now->value))
		j->n_grown++;
}

static bool join_regions(struct join *j, const struct reg *old, struct reg *now)
{
	bool packet = verify_reg_is_packet(old);

	if (packet && (old->range < 0 || now->range < 0))
		return old->range == now->range && is_moved_alike(old, now) &&
		       join_owner_ids(j, old->id, &now->id);
	if (!is_moved_alike(old, now) || (packet && !old->id != !now->id)) {
		if (old->flags & PTR_MAYBE_NULL)
			return false;
		join_distances(j, old, now);
		return packet || join_owner_ids(j, old->id, &now->id);
	}
	now->value = old->value;
	if (packet && now->range < old->range)
		j->n_grown++;
	if (packet && now->range > old->range)
		now->range = old->range;
	return join_owner_ids(j, old->id, &now->id);
}

static bool join_exactly(struct join *j, const struct reg *old, struct reg *now)
{
	return old->off == now->off && skep_scalar_within(&old->value, &now->value) &&
	       skep_scalar_within(&now->value, &old->value) && join_owner_ids(j, old->id, &now->id);
}

static bool is_region(const struct reg *reg)
{
	switch (reg->kind) {
	case REG_MAP_KEY:
	case REG_MAP_VALUE:
	case REG_MEM:
	case REG_BUF:
	case REG_TP_BUFFER:
	case REG_STACK:
	case REG_PACKET:
	case REG_PACKET_META: return true;
	default: return false;
	}
}

/* What the kind alone has beside how far it was moved, and the ids. */
static bool parts_same(const struct reg *a, const struct reg *b)
{
	if (a->kind != b->kind || a->flags != b->flags)
		return false;
	switch (a->kind) {
	case REG_MAP_PTR:
	case REG_MAP_VALUE:
	case REG_MAP_KEY: return a->map == b->map && a->map_uid == b->map_uid;
	case REG_BTF_PTR: return a->btf == b->btf && a->btf_id == b->btf_id;
	case REG_MEM: return a->mem_bytes == b->mem_bytes;
	case REG_STACK: return a->frame == b->frame;
	case REG_FUNC: return a->func == b->func;
	case REG_DYNPTR: return a->dynptr == b->dynptr && a->first_slot == b->first_slot;
	default: return true;
	}
}

static bool join_alike(struct join *j, const struct reg *old, struct reg *now)
{
	if (!parts_same(old, now))
		return false;
	if (old->kind == REG_SCALAR) {
		join_numbers(j, old, now);
		return true;
	}
	if (!join_owner_ids(j, old->ref_id, &now->ref_id) ||
	    !join_owner_ids(j, old->dynptr_id, &now->dynptr_id))
		return false;
	if (old->kind == REG_ARENA) /* faults are caught, wherever it points */
		return true;
	return is_region(old) ? join_regions(j, old, now) : join_exactly(j, old, now);
}

/* May it be forgotten? Not what must be given back. */
static bool is_forgettable(const struct join *j, const struct reg *reg)
{
	return j->loose && !reg->ref_id && !reg->dynptr_id;
}

static bool join_regs(struct join *j, const struct reg *old, struct reg *now)
{
	uint32_t n_grown = j->n_grown, n_pairs = j->n_pairs;

	if (old->kind == REG_UNSET || now->kind == REG_UNSET) {
		if (old->kind != now->kind && !is_forgettable(j, old) && old->kind != REG_UNSET)
			return false;
		j->n_grown += old->kind != REG_UNSET;
		*now = verify_reg_unset;
		return true;
	}
	if (join_alike(j, old, now))
		return true;
	if (!is_forgettable(j, old) || !is_forgettable(j, now))
		return false;
	j->n_pairs = n_pairs;
	j->n_grown = n_grown + 1;
	*now = verify_reg_unset;
	return true;
}

/* --- Slots ----------------------------------------------------------------------------------- */

static bool is_special(const struct slot *slot)
{
	uint8_t kind = slot->kinds[SLOT_BYTES - 1];

	return kind == SLOT_DYNPTR || kind == SLOT_ITER || kind == SLOT_IRQ_FLAG;
}

static bool is_whole_pointer(const struct slot *slot)
{
	return slot_is_spill(slot) && slot->spilled.kind != REG_SCALAR;
}

static bool join_objects(struct join *j, const struct slot *old, struct slot *now)
{
	const struct reg *a = &old->spilled;
	struct reg *b = &now->spilled;
	bool same;

	if (memcmp(old->kinds, now->kinds, sizeof(old->kinds)) != 0)
		return false;
	switch (old->kinds[SLOT_BYTES - 1]) {
	case SLOT_DYNPTR: same = a->dynptr == b->dynptr && a->first_slot == b->first_slot; break;
	case SLOT_ITER:
		same = a->iter_btf == b->iter_btf && a->iter_btf_id == b->iter_btf_id &&
		       a->iter_state == b->iter_state;
		break;
	default: same = a->irq_class == b->irq_class; break;
	}
	return same && join_owner_ids(j, a->ref_id, &b->ref_id) &&
	       join_owner_ids(j, a->id, &b->id) && join_owner_ids(j, a->dynptr_id, &b->dynptr_id);
}

/* A byte of both: 0 is some number, and what was not written may be anything. */
static uint8_t join_bytes(uint8_t old, uint8_t now)
{
	if (old == SLOT_INVALID || now == SLOT_INVALID)
		return SLOT_INVALID;
	return old == SLOT_ZERO && now == SLOT_ZERO ? SLOT_ZERO : SLOT_MISC;
}

static uint8_t plain_kind(const struct slot *slot, unsigned b)
{
	if (slot->kinds[b] != SLOT_SPILL)
		return slot->kinds[b];
	return verify_reg_is_null(&slot->spilled) ? SLOT_ZERO : SLOT_MISC;
}

/* Not the same on both sides: bytes are left. */
static void mix_slots(struct join *j, const struct slot *old, struct slot *now)
{
	struct slot ret = {.spilled = verify_reg_unset};

	for (unsigned b = 0; b < SLOT_BYTES; b++)
		ret.kinds[b] = join_bytes(plain_kind(old, b), plain_kind(now, b));
	if (memcmp(ret.kinds, old->kinds, sizeof(ret.kinds)) != 0)
		j->n_grown++;
	*now = ret;
}

static bool is_all_invalid(const struct slot *slot)
{
	static const uint8_t none[SLOT_BYTES] = {SLOT_INVALID};

	return !memcmp(slot->kinds, none, sizeof(none));
}

static bool join_slots(struct join *j, const struct slot *old, struct slot *now)
{
	bool same = !memcmp(old->kinds, now->kinds, sizeof(old->kinds));
	uint32_t n_grown = j->n_grown, n_pairs = j->n_pairs;

	if (is_special(old) || is_special(now))
		return join_objects(j, old, now);
	if (is_all_invalid(old)) {
		*now = (struct slot){.spilled = verify_reg_unset};
		return true;
	}
	if (same && !slot_is_spill(old))
		return true;
	if (same && join_alike(j, &old->spilled, &now->spilled))
		return true;
	j->n_pairs = n_pairs;
	j->n_grown = n_grown;
	if ((is_whole_pointer(old) && !is_forgettable(j, &old->spilled)) ||
	    (is_whole_pointer(now) && !is_forgettable(j, &now->spilled)))
		return false;
	mix_slots(j, old, now);
	return true;
}

/* Slots that the old frame has not are as such that were never written. */
static bool join_stacks(struct join *j, const struct frame *old, struct frame *now)
{
	static const struct slot none = {.kinds = {SLOT_INVALID}};

	if (verify_frame_grow(j->v, now, old->n_slots))
		return false;
	for (uint32_t s = 0; s < now->n_slots; s++)
		if (!join_slots(j, s < old->n_slots ? &old->slots[s] : &none, &now->slots[s]))
			return false;
	return true;
}

/* --- Frames, states -------------------------------------------------------------------------- */

static bool frames_alike(const struct frame *old, const struct frame *now)
{
	return old->call_at == now->call_at && old->func == now->func &&
	       old->in_callback == now->in_callback &&
	       old->in_async_callback == now->in_async_callback &&
	       old->in_exception_callback == now->in_exception_callback &&
	       old->callback_ret.min == now->callback_ret.min &&
	       old->callback_ret.max == now->callback_ret.max;
}

bool verify_wide_comparable(const struct state *old, const struct state *now)
{
	if (old->n_frames != now->n_frames || old->in_sleepable != now->in_sleepable ||
	    old->speculative != now->speculative)
		return false;
	for (uint32_t f = 0; f < old->n_frames; f++)
		if (!frames_alike(old->frames[f], now->frames[f]))
			return false;
	return true;
}

/* Called back less often, more may still come. */
static bool join_frames(struct join *j, const struct frame *old, struct frame *now)
{
	if (now->callback_depth < old->callback_depth)
		j->n_grown++;
	else
		now->callback_depth = old->callback_depth;
	for (unsigned r = 0; r < SKEP_N_REGS; r++)
		if (!join_regs(j, &old->regs[r], &now->regs[r]))
			return false;
	return join_stacks(j, old, now);
}

static bool join_held(struct join *j, const struct state *old, struct state *now)
{
	struct ref *rows;

	if (old->n_refs != now->n_refs || old->n_locks != now->n_locks ||
	    old->preempt_off != now->preempt_off || old->rcu_locked != now->rcu_locked ||
	    old->lock_ptr != now->lock_ptr)
		return false;
	rows = now->n_refs ? verify_refs_own(j->v, now) : NULL;
	for (uint32_t i = 0; i < old->n_refs; i++) {
		const struct ref *a = &old->refs[i];
		struct ref *b = &rows[i];

		if (a->kind != b->kind || a->ptr != b->ptr || !join_owner_ids(j, a->id, &b->id))
			return false;
	}
	return join_owner_ids(j, old->irq_id, &now->irq_id) &&
	       join_owner_ids(j, old->lock_id, &now->lock_id);
}

bool verify_join(struct verifier *v, const struct state *old, struct state *state,
		 enum widening widening, bool loose, uint32_t *ret_grown)
{
	struct join j;

	j.v = v;
	j.widening = widening;
	j.loose = loose;
	j.n_grown = j.n_pairs = 0;
	if (!verify_wide_comparable(old, state) || !join_held(&j, old, state))
		return false;
	for (uint32_t f = 0; f < state->n_frames; f++)
		if (!join_frames(&j, old->frames[f], state->frames[f]))
			return false;
	*ret_grown = j.n_grown;
	return true;
}
