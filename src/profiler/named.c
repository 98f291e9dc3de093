/*
 * What has been named in an interval: an address is looked up once, however many stacks lead
 * there, and a user stack is walked through once, however many samples have it. Sets of either are
 * emptied where they would grow beyond reason: what is asked for again is then found anew.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "profiler/impl.h"

#define NAMED_LEAST 1024
#define NAMED_MOST  (1u << 16) /* 4 MB */

static uint32_t place_of(const struct skep_named_set *set, uint64_t addr, uint32_t pid)
{
	uint64_t mixed = (addr ^ (uint64_t)pid << 40) * 0x9e3779b97f4a7c15ull;

	return (uint32_t)(mixed >> 32) & (set->cap - 1);
}

static struct skep_named *slot_of(const struct skep_named_set *set, const struct skep_named *key)
{
	uint32_t i = place_of(set, key->addr, key->pid);

	for (; set->slots[i].kind; i = (i + 1) & (set->cap - 1)) {
		const struct skep_named *it = &set->slots[i];
		if (it->addr == key->addr && it->pid == key->pid && it->kind == key->kind)
			break;
	}
	return &set->slots[i];
}

static void make_room(struct skep_named_set *set)
{
	struct skep_named_set old = *set;

	if (old.cap == NAMED_MOST) {
		skep_named_clear(set);
		return;
	}
	set->cap = old.cap ? old.cap * 2 : NAMED_LEAST;
	set->slots = skep_xcalloc(set->cap, sizeof(*set->slots));
	for (uint32_t i = 0; i < old.cap; i++) {
		if (old.slots[i].kind)
			*slot_of(set, &old.slots[i]) = old.slots[i];
	}
	free(old.slots);
}

struct skep_named *skep_named_find(struct skep_named_set *set, enum skep_named_kind kind,
				   uint64_t addr, uint32_t pid, bool *ret_is_new)
{
	const struct skep_named key = {.addr = addr, .pid = pid, .kind = (uint8_t)kind};

	if (set->n >= set->cap / 2)
		make_room(set);
	struct skep_named *slot = slot_of(set, &key);
	*ret_is_new = !slot->kind;
	if (*ret_is_new) {
		*slot = key;
		set->n++;
	}
	return slot;
}

void skep_named_clear(struct skep_named_set *set)
{
	if (set->n)
		memset(set->slots, 0, set->cap * sizeof(*set->slots));
	set->n = 0;
}

void skep_named_done(struct skep_named_set *set)
{
	free(set->slots);
	*set = (struct skep_named_set){0};
}
