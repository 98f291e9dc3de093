/*
 * Does a state stand for what a run holds? See soundness.h.
 *
 * A pointer is looked at as the verifier sees it: where its memory begins comes from the run, and
 * what was added to that must be among the numbers that the state gives.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <skep/check.h>

#include "soundness.h"

#define MOST_IDS 48

/** What a state's ids stand for in this run: the number, or its lower half, is the same in all. */
struct id_value {
	uint32_t id;
	uint64_t number;
	bool lower; /* only the lower half is known */
};

struct match {
	const struct live *live;
	uint32_t bottom; /* the live frame that is the state's first */
	struct id_value ids[MOST_IDS];
	uint32_t n_ids;
	char *what; /* 160 bytes */
};

static bool differs(struct match *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static bool differs(struct match *m, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(m->what, 160, fmt, ap);
	va_end(ap);
	return false;
}

/* --- Numbers --------------------------------------------------------------------------------- */

static bool same_number(struct match *m, const struct reg *reg, uint64_t number)
{
	bool lower = (reg->id & ID_ADD) == ID_ADD32;
	uint32_t id = reg->id & ~ID_ADD;
	uint64_t base = reg->id & ID_ADD ? number - (uint64_t)(int64_t)reg->off : number;

	if (!id)
		return true;
	for (uint32_t i = 0; i < m->n_ids; i++) {
		const struct id_value *known = &m->ids[i];

		if (known->id != id)
			continue;
		if (known->lower || lower ? (uint32_t)known->number == (uint32_t)base
					  : known->number == base)
			return true;
		return differs(m, "%#llx is not the number of its id", (unsigned long long)number);
	}
	if (m->n_ids < MOST_IDS)
		m->ids[m->n_ids++] = (struct id_value){id, base, lower};
	return true;
}

static bool match_number(struct match *m, const struct reg *reg, uint64_t number)
{
	if (!skep_scalar_has(&reg->value, number))
		return differs(m, "%#llx is not among the numbers it may be",
			       (unsigned long long)number);
	return same_number(m, reg, number);
}

/* --- Pointers -------------------------------------------------------------------------------- */

static bool added(const struct reg *reg, uint64_t at, uint64_t base)
{
	return skep_scalar_has(&reg->value, at - base - (uint64_t)(int64_t)reg->off);
}

static bool in_value(const struct live *live, const struct reg *reg, uint64_t at)
{
	const struct skep_map *map = reg->map;

	if (map->type == BPF_MAP_TYPE_ARRAY) {
		for (uint32_t i = 0; i < map->max_entries; i++)
			if (added(reg, at, (uintptr_t)map->values + i * map->elem_size))
				return true;
		return false;
	}
	for (uint32_t key = 0; key < 2 * typed_maps[TYPED_HASH].entries; key++) {
		void *value = skep_map_lookup(live->maps[TYPED_HASH], &key);

		if (value && added(reg, at, (uintptr_t)value))
			return true;
	}
	/* a value that was deleted, but is still there */
	return at - (uintptr_t)map->base < map->memory_bytes;
}

static bool in_packet(struct match *m, const struct reg *reg, uint64_t at)
{
	const struct skep_packet *packet = m->live->packet;
	uint64_t value = at - (uintptr_t)packet->data - (uint64_t)(int64_t)reg->off;

	if (!skep_scalar_has(&reg->value, value))
		return differs(m, "packet+%lld is not where it may point",
			       (long long)(at - (uintptr_t)packet->data));
	if (reg->range > 0 &&
	    (int64_t)(value + (uint64_t)reg->range) > (int64_t)(packet->end - packet->data))
		return differs(m, "%d bytes are not there behind packet+%lld", reg->range,
			       (long long)value);
	return true;
}

/* Bytes that a call gave, or a caller gives: where they begin is known if nothing unknown was
 * added. */
static bool in_memory(const struct live *live, const struct reg *reg, uint64_t at)
{
	uint64_t begin = at - (uint64_t)(int64_t)reg->off - reg->value.bits.value;

	return reg->value.bits.mask ||
	       skep_check_look(live->run, (void *)(uintptr_t)begin, reg->mem_bytes, 0) == SKEP_MAY;
}

static bool is_function(const struct live *live, const struct reg *reg, uint64_t at)
{
	for (uint32_t i = 0; i < live->image->n_callbacks; i++)
		if ((uintptr_t)&live->image->callbacks[i] == at)
			return live->image->callbacks[i].func == reg->func;
	return false;
}

static bool points_so(struct match *m, const struct reg *reg, uint64_t at)
{
	const struct live *live = m->live;

	switch (reg->kind) {
	case REG_CTX: return added(reg, at, live->ctx);
	case REG_MAP_PTR: return at == (uintptr_t)reg->map;
	case REG_MAP_VALUE: return in_value(live, reg, at);
	case REG_STACK: return added(reg, at, live->frames[m->bottom + reg->frame].r[SKEP_R10]);
	case REG_PACKET: return in_packet(m, reg, at);
	case REG_PACKET_END: return at == (uintptr_t)live->packet->end;
	case REG_PACKET_META: return added(reg, at, (uintptr_t)live->packet->meta);
	case REG_MEM: return in_memory(live, reg, at);
	case REG_FUNC: return is_function(live, reg, at);
	default: return at != 0;
	}
}

static bool match_reg(struct match *m, const struct reg *reg, uint64_t at)
{
	if (reg->kind == REG_UNSET)
		return true;
	if (reg->kind == REG_SCALAR)
		return match_number(m, reg, at);
	if (reg->flags & PTR_MAYBE_NULL && !at)
		return true;
	m->what[0] = '\0';
	if (points_so(m, reg, at))
		return true;
	return *m->what ? false
			: differs(m, "%#llx is not where it may point", (unsigned long long)at);
}

/* --- The stack ------------------------------------------------------------------------------- */

static uint32_t spilled_bytes(const struct slot *slot)
{
	uint32_t n = 0;

	while (n < SLOT_BYTES && slot->kinds[SLOT_BYTES - 1 - n] == SLOT_SPILL)
		n++;
	return n;
}

/* A part of a number: the slot has what is known of the whole. */
static bool match_part(struct match *m, const struct slot *slot, uint64_t held, uint32_t bytes)
{
	struct skep_scalar low = slot->spilled.value;
	uint64_t part = bytes == 8 ? held : held & (((uint64_t)1 << 8 * bytes) - 1);

	if (bytes == 8)
		return match_reg(m, &slot->spilled, held);
	if (slot->spilled.kind != REG_SCALAR || bytes == 3 || bytes > 4)
		return true;
	skep_scalar_zero_extend(&low, bytes);
	return skep_scalar_has(&low, part) ||
	       differs(m, "%#llx is not among the numbers it may be", (unsigned long long)part);
}

static bool match_slot(struct match *m, const struct slot *slot, const uint8_t *at)
{
	uint32_t bytes = spilled_bytes(slot);
	uint64_t held;

	memcpy(&held, at, sizeof(held));
	if (bytes && !match_part(m, slot, held, bytes))
		return false;
	for (unsigned i = 0; i < SLOT_BYTES; i++)
		if (slot->kinds[i] == SLOT_ZERO && at[SLOT_BYTES - 1 - i])
			return differs(m, "a byte is not 0");
	return true;
}

static bool match_slots(struct match *m, const struct seen_frame *frame, uint64_t fp)
{
	char why[160];

	for (uint32_t s = 0; s < frame->n_slots; s++) {
		const uint8_t *at = (const uint8_t *)(uintptr_t)fp - SLOT_BYTES * (s + 1);

		if (match_slot(m, &frame->slots[s], at))
			continue;
		memcpy(why, m->what, sizeof(why));
		return differs(m, "fp-%u: %.140s", (s + 1) * SLOT_BYTES, why);
	}
	return true;
}

/* --- States ---------------------------------------------------------------------------------- */

static bool match_regs(struct match *m, const struct seen_frame *frame,
		       const struct live_frame *live, unsigned which)
{
	char why[160];

	for (unsigned r = 0; r < SKEP_N_REGS; r++) {
		if (!(which >> r & 1) || frame->regs[r].kind == REG_UNSET)
			continue;
		if (!(live->set >> r & 1))
			return differs(m, "r%u holds nothing", r);
		if (match_reg(m, &frame->regs[r], live->r[r]))
			continue;
		memcpy(why, m->what, sizeof(why));
		return differs(m, "r%u: %.150s", r, why);
	}
	return true;
}

static bool same_calls(struct match *m, const struct seen *seen)
{
	const struct live *live = m->live;

	if (seen->n_frames > live->n_frames)
		return differs(m, "not called so");
	m->bottom = live->n_frames - seen->n_frames;
	for (uint32_t i = 0; i < seen->n_frames; i++) {
		const struct live_frame *frame = &live->frames[m->bottom + i];

		if (frame->func != seen->frames[i].func ||
		    (i && frame->call_at != seen->frames[i].call_at))
			return differs(m, "not called so");
	}
	return true;
}

/* The registers of @scope that this state is asked about. */
static unsigned asked(const struct seen_frame *top, const struct scope *scope)
{
	unsigned which = scope->numbers;
	bool any = false;

	for (unsigned r = 0; r < SKEP_N_REGS; r++)
		any |= scope->pointers >> r & 1 && top->regs[r].kind > REG_SCALAR;
	return any ? which | scope->pointers : which;
}

bool live_matches(const struct live *live, const struct seen *seen, const struct scope *scope,
		  char ret_what[160])
{
	struct match m;
	uint32_t n = seen->n_frames;
	const struct seen_frame *top = &seen->frames[n - 1];

	m.live = live;
	m.n_ids = 0;
	m.what = ret_what;
	if (!same_calls(&m, seen))
		return false;
	if (!match_regs(&m, top, &live->frames[live->n_frames - 1], asked(top, scope)))
		return false;
	for (uint32_t i = 0; scope->callers && i + 1 < n; i++)
		if (!match_regs(&m, &seen->frames[i], &live->frames[m.bottom + i], 0x7ff))
			return false;
	for (uint32_t i = 0; scope->stack && i < n; i++)
		if (!match_slots(&m, &seen->frames[i], live->frames[m.bottom + i].r[SKEP_R10]))
			return false;
	return true;
}
