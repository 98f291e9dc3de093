/*
 * Is all that one state can be among what another was found safe for?
 *
 * The old state led to no refusal: so does one that is no more. Register by register, slot by slot:
 *
 *	not read again      whatever it is, it is safe
 *	a number            that is asked nothing of: any number will do; else one within
 *	                    the old one's bounds
 *	a pointer           of the same kind, to the same; where it may point within bounds,
 *	                    within the old one's
 *
 * Ids need not be the same, but must be shared alike: where two old registers have one id, so must
 * these two. The ids that were paired are kept in a map; a pair holds in both directions.
 *
 * A number without an id is no other's. An old one without relies on no other, so it is paired with
 * anything; a new one without gets an id of its own for the comparison.
 *
 * Source  behaviour of Linux 6.18, states_equal()
 */
#include "verify/kept.h"

/* --- Ids ------------------------------------------------------------------------------------- */

#define MOST_PAIRS ((SKEP_N_REGS + MOST_SLOTS) * SKEP_MOST_FRAMES)
#define FEW_PAIRS  16
#define PLACES     2048 /* a power of 2, several times MOST_PAIRS */

struct comparison {
	const struct verifier *v;
	enum likeness likeness;
	uint32_t temporary_id; /* the last given for this comparison only */
	uint32_t n_pairs;
	struct pair {
		uint32_t old, now;
	} pairs[MOST_PAIRS];
	/* once there are many: 1 + which pair, by its old id, and by its new one */
	bool hashed;
	uint16_t by_old[PLACES], by_now[PLACES];
};

static void begin(struct comparison *c, const struct verifier *v, enum likeness likeness)
{
	c->v = v;
	c->likeness = likeness;
	c->temporary_id = v->last_id;
	c->n_pairs = 0;
	c->hashed = false;
}

/* Where @id is, or would be. */
static uint16_t *place_of(struct comparison *c, uint16_t *places, uint32_t id)
{
	uint32_t at = id * 0x9e3779b1 >> 21;

	while (places[at]) {
		const struct pair *pair = &c->pairs[places[at] - 1];

		if ((places == c->by_old ? pair->old : pair->now) == id)
			break;
		at = (at + 1) & (PLACES - 1);
	}
	return &places[at];
}

static void hash_pairs(struct comparison *c)
{
	c->hashed = true;
	memset(c->by_old, 0, sizeof(c->by_old));
	memset(c->by_now, 0, sizeof(c->by_now));
	for (uint32_t i = 0; i < c->n_pairs; i++) {
		*place_of(c, c->by_old, c->pairs[i].old) = (uint16_t)(i + 1);
		*place_of(c, c->by_now, c->pairs[i].now) = (uint16_t)(i + 1);
	}
}

/* Is one of the two in a pair? @ret: are they in one? */
static bool find_pair(struct comparison *c, uint32_t old, uint32_t now, bool *ret)
{
	if (!c->hashed && c->n_pairs == FEW_PAIRS)
		hash_pairs(c);
	if (c->hashed) {
		uint16_t pair = *place_of(c, c->by_old, old);

		*ret = pair && c->pairs[pair - 1].now == now;
		return pair || *place_of(c, c->by_now, now);
	}
	for (uint32_t i = 0; i < c->n_pairs; i++) {
		*ret = c->pairs[i].old == old && c->pairs[i].now == now;
		if (c->pairs[i].old == old || c->pairs[i].now == now)
			return true;
	}
	return false;
}

static bool ids_pair(struct comparison *c, uint32_t old, uint32_t now)
{
	bool same;

	if (!old || !now)
		return old == now;
	if (find_pair(c, old, now, &same))
		return same;
	if (c->n_pairs == MOST_PAIRS)
		return false;
	c->pairs[c->n_pairs++] = (struct pair){old, now};
	if (c->hashed) {
		*place_of(c, c->by_old, old) = (uint16_t)c->n_pairs;
		*place_of(c, c->by_now, now) = (uint16_t)c->n_pairs;
	}
	return true;
}

/* A number that is another's and a constant more is paired as such, and so is the other. */
static bool number_ids_pair(struct comparison *c, uint32_t old, uint32_t now)
{
	if (!old)
		return true;
	if (!now)
		now = ++c->temporary_id;
	if (!ids_pair(c, old, now))
		return false;
	return !(old & ID_ADD) || ids_pair(c, old & ~ID_ADD, now & ~ID_ADD);
}

/* --- Values ---------------------------------------------------------------------------------- */

static bool bounds_same(const struct skep_bounds *a, const struct skep_bounds *b)
{
	return a->umin == b->umin && a->umax == b->umax && a->smin == b->smin && a->smax == b->smax;
}

static bool value_same(const struct skep_scalar *a, const struct skep_scalar *b)
{
	return a->bits.value == b->bits.value && a->bits.mask == b->bits.mask &&
	       bounds_same(&a->full, &b->full) && bounds_same(&a->low, &b->low);
}

/* What the kind alone has beside the value. */
static bool parts_same(const struct reg *a, const struct reg *b)
{
	switch (a->kind) {
	case REG_MAP_PTR:
	case REG_MAP_VALUE:
	case REG_MAP_KEY: return a->map == b->map && a->map_uid == b->map_uid;
	case REG_BTF_PTR: return a->btf == b->btf && a->btf_id == b->btf_id;
	case REG_MEM: return a->mem_bytes == b->mem_bytes;
	case REG_PACKET:
	case REG_PACKET_META: return a->range == b->range;
	case REG_FUNC: return a->func == b->func;
	case REG_DYNPTR: return a->dynptr == b->dynptr && a->first_slot == b->first_slot;
	default: return true;
	}
}

static bool kind_same(const struct reg *a, const struct reg *b)
{
	return a->kind == b->kind && a->flags == b->flags;
}

static bool all_but_value_same(const struct reg *a, const struct reg *b)
{
	return kind_same(a, b) && a->off == b->off && parts_same(a, b);
}

static bool all_same(const struct reg *a, const struct reg *b)
{
	return all_but_value_same(a, b) && value_same(&a->value, &b->value);
}

bool verify_reg_same(const struct reg *kept, const struct reg *now)
{
	struct reg room;

	if (!kind_same(kept, now) || kept->off != now->off)
		return false;
	kept = reg_whole(kept, &room);
	return kept->ref_id == now->ref_id && all_same(kept, now);
}

/* --- Registers ------------------------------------------------------------------------------- */

static bool like_exactly(struct comparison *c, const struct reg *old, const struct reg *now)
{
	return all_same(old, now) && ids_pair(c, old->id, now->id) &&
	       ids_pair(c, old->ref_id, now->ref_id);
}

static bool like_number(struct comparison *c, const struct reg *old, const struct reg *now)
{
	if (c->v->explore_alu_limits)
		return all_same(old, now) && number_ids_pair(c, old->id, now->id);
	if (old->id && !(old->id & ID_ADD) != !(now->id & ID_ADD))
		return false;
	if (old->id & ID_ADD && old->off != now->off)
		return false;
	return number_ids_pair(c, old->id, now->id) && skep_scalar_within(&old->value, &now->value);
}

static bool like_region(struct comparison *c, const struct reg *old, const struct reg *now)
{
	return all_but_value_same(old, now) && skep_scalar_within(&old->value, &now->value) &&
	       ids_pair(c, old->id, now->id) && ids_pair(c, old->ref_id, now->ref_id);
}

/* As many bytes must be there at least; with off as it was, for accesses are from there. */
static bool like_packet(struct comparison *c, const struct reg *old, const struct reg *now)
{
	return old->range <= now->range && old->off == now->off && ids_pair(c, old->id, now->id) &&
	       skep_scalar_within(&old->value, &now->value);
}

static bool like_stack(struct comparison *c, const struct reg *old, const struct reg *now)
{
	return like_exactly(c, old, now) && old->frame == now->frame;
}

static bool like_arena(struct comparison *c, const struct reg *old, const struct reg *now)
{
	(void)c;
	(void)old;
	(void)now;
	return true;
}

static bool (*const like_by_kind[REG_KIND_CNT])(struct comparison *c, const struct reg *old,
						const struct reg *now) = {
	[REG_SCALAR] = like_number, [REG_MAP_KEY] = like_region,     [REG_MAP_VALUE] = like_region,
	[REG_MEM] = like_region,    [REG_BUF] = like_region,         [REG_TP_BUFFER] = like_region,
	[REG_PACKET] = like_packet, [REG_PACKET_META] = like_packet, [REG_STACK] = like_stack,
	[REG_ARENA] = like_arena,
};

/* Is nothing asked of the number? */
static bool any_will_do(const struct comparison *c, const struct reg *old)
{
	return old->kind == REG_SCALAR && !old->precise && c->likeness == LIKE_SAFE &&
	       !c->v->explore_alu_limits;
}

/* @old may be packed, and most of what there is to compare is not behind its head. */
static bool reg_safe(struct comparison *c, const struct reg *old, const struct reg *now)
{
	struct reg room;

	if (old->kind == REG_UNSET && c->likeness != LIKE_EXACT)
		return true;
	if (!kind_same(old, now))
		return false;
	if (any_will_do(c, old))
		return true;
	old = reg_whole(old, &room);
	if (c->likeness == LIKE_EXACT || !like_by_kind[old->kind])
		return like_exactly(c, old, now);
	return like_by_kind[old->kind](c, old, now);
}

/* --- Slots ----------------------------------------------------------------------------------- */

/* Eight bytes of stack, in a kept state or the one under way. */
struct bytes {
	uint64_t word; /* all of kinds */
	const uint8_t *kinds;
	const struct reg *spilled; /* may be packed */
};

static struct bytes bytes_of(const struct frame *frame, uint32_t s)
{
	const uint8_t *kinds = kept_kinds(frame, s);

	return (struct bytes){slot_kinds(kinds), kinds, kept_spilled(frame, s)};
}

static bool is_any(const struct comparison *c, uint64_t kinds)
{
	return c->v->privileged ? !(kinds & ~SLOT_ALL(SLOT_MISC)) : kinds == SLOT_ALL(SLOT_MISC);
}

/* The number that a load of the whole slot gives, or NULL. */
static const struct reg *number_in(const struct comparison *c, const struct bytes *bytes)
{
	static const struct reg any = {.kind = REG_SCALAR,
				       .value = {{0, UINT64_MAX},
						 {0, UINT64_MAX, INT64_MIN, INT64_MAX},
						 {0, UINT32_MAX, INT32_MIN, INT32_MAX}}};

	if (bytes->kinds[0] == SLOT_SPILL && bytes->spilled->kind == REG_SCALAR)
		return bytes->spilled;
	return is_any(c, bytes->word) ? &any : NULL;
}

static bool objects_like(struct comparison *c, const struct bytes *old, const struct bytes *now)
{
	struct reg room;
	const struct reg *a = old->spilled, *b = now->spilled;

	if (old->kinds[SLOT_BYTES - 1] == SLOT_SPILL)
		return reg_safe(c, a, b);
	a = reg_whole(a, &room);
	switch (old->kinds[SLOT_BYTES - 1]) {
	case SLOT_DYNPTR:
		return a->dynptr == b->dynptr && a->first_slot == b->first_slot &&
		       ids_pair(c, a->ref_id, b->ref_id);
	case SLOT_ITER:
		return a->iter_btf == b->iter_btf && a->iter_btf_id == b->iter_btf_id &&
		       a->iter_state == b->iter_state && ids_pair(c, a->ref_id, b->ref_id);
	case SLOT_IRQ_FLAG:
		return ids_pair(c, a->ref_id, b->ref_id) && a->irq_class == b->irq_class;
	default: return true;
	}
}

/* Was nothing read of it that could be another now? */
static bool byte_is_free(const struct comparison *c, uint8_t kind)
{
	return kind == SLOT_INVALID || (kind == SLOT_MISC && c->v->privileged);
}

/* The byte at @b, of slots that are not two numbers. */
static bool byte_like(const struct comparison *c, uint8_t old, uint8_t now)
{
	return byte_is_free(c, old) || old == now || (old == SLOT_MISC && now == SLOT_ZERO);
}

static bool all_free(const struct comparison *c, uint64_t kinds)
{
	return c->v->privileged ? !(kinds & ~SLOT_ALL(SLOT_MISC)) : !kinds;
}

/* Two numbers are compared as such, however they came there. */
static bool bytes_safe(struct comparison *c, const struct bytes *old, const struct bytes *now)
{
	const struct reg *a = number_in(c, old), *b = number_in(c, now);
	unsigned last = SLOT_BYTES - 1;

	if (a && b)
		return reg_safe(c, a, b);
	for (unsigned i = 0; i < SLOT_BYTES; i++)
		if (!byte_like(c, old->kinds[i], now->kinds[i]))
			return false;
	if (byte_is_free(c, old->kinds[last]) || old->kinds[last] != now->kinds[last])
		return true;
	return objects_like(c, old, now);
}

/* Where it is not known yet what is read (in loops), every byte counts; else those that were read.
 * Most slots are seen to be safe, or not, by their kinds alone. */
static bool slot_safe(struct comparison *c, const struct frame *old, const struct frame *now,
		      uint32_t s)
{
	uint64_t kinds = slot_kinds(kept_kinds(old, s));
	struct bytes then, at_present;

	if (s >= now->n_slots)
		return all_free(c, kinds);
	if (c->likeness != LIKE_SAFE && kinds != slot_kinds(now->slots[s].kinds))
		return false;
	if (all_free(c, kinds))
		return true;
	then = bytes_of(old, s);
	at_present = bytes_of(now, s);
	return bytes_safe(c, &then, &at_present);
}

static bool stack_safe(struct comparison *c, const struct frame *old, const struct frame *now)
{
	if (c->likeness != LIKE_SAFE && old->n_slots > now->n_slots)
		return false;
	for (uint32_t s = 0; s < old->n_slots; s++)
		if (!slot_safe(c, old, now, s))
			return false;
	return true;
}

/* --- States ---------------------------------------------------------------------------------- */

static bool ref_safe(struct comparison *c, const struct ref *old, const struct ref *now)
{
	bool is_lock = old->kind != REF_PTR && old->kind != REF_IRQ;

	return ids_pair(c, old->id, now->id) && old->kind == now->kind &&
	       (!is_lock || old->ptr == now->ptr);
}

static bool held_safe(struct comparison *c, const struct state *old, const struct state *now)
{
	if (old->n_refs != now->n_refs || old->n_locks != now->n_locks ||
	    old->preempt_off != now->preempt_off || old->rcu_locked != now->rcu_locked ||
	    !ids_pair(c, old->irq_id, now->irq_id) || !ids_pair(c, old->lock_id, now->lock_id) ||
	    old->lock_ptr != now->lock_ptr)
		return false;
	for (uint32_t i = 0; i < old->n_refs; i++)
		if (!ref_safe(c, &old->refs[i], &now->refs[i]))
			return false;
	return true;
}

static bool frame_safe(struct comparison *c, const struct frame *old, const struct frame *now,
		       uint16_t live)
{
	if (old->call_at != now->call_at || old->callback_depth > now->callback_depth)
		return false;
	for (unsigned r = 0; r < SKEP_N_REGS; r++)
		if (live >> r & 1 && !reg_safe(c, kept_reg(old, r), &now->regs[r]))
			return false;
	return stack_safe(c, old, now);
}

bool verify_states_equal(struct verifier *v, const struct state *old, const struct state *cur,
			 enum likeness likeness)
{
	struct comparison c;

	begin(&c, v, likeness);
	/* what was only guessed proves nothing of what is */
	if (old->n_frames != cur->n_frames || (old->speculative && !cur->speculative) ||
	    old->in_sleepable != cur->in_sleepable || !held_safe(&c, old, cur))
		return false;
	for (uint32_t f = 0; f < old->n_frames; f++)
		if (!frame_safe(&c, old->frames[f], cur->frames[f],
				v->facts[verify_frame_at(old, f)].live_regs))
			return false;
	return true;
}

/* --- Rounds of a loop are made alike --------------------------------------------------------- */

static void widen(struct comparison *c, const struct reg *old, struct reg *now)
{
	struct reg room;

	if (old->kind != REG_SCALAR || now->kind != REG_SCALAR || old->precise || now->precise)
		return;
	if (!like_exactly(c, reg_whole(old, &room), now))
		verify_reg_unknown(c->v, now);
}

void verify_widen(struct verifier *v, const struct state *last_round, struct state *state)
{
	struct comparison c;

	begin(&c, v, LIKE_EXACT);
	for (uint32_t f = last_round->n_frames; f-- > 0;) {
		const struct frame *old = last_round->frames[f];
		struct frame *now = state->frames[f];

		for (unsigned r = 0; r < SKEP_N_REGS; r++)
			widen(&c, kept_reg(old, r), &now->regs[r]);
		for (uint32_t s = 0; s < old->n_slots && s < now->n_slots; s++)
			if (kept_is_spilled_scalar(old, s) && slot_is_spill(&now->slots[s]))
				widen(&c, kept_spilled(old, s), &now->slots[s].spilled);
	}
}
