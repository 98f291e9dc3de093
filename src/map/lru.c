/*
 * Least recently used, approximately, as Linux does it.
 *
 * A look-up only sets the element's `ref`. Lists are put in order when a free
 * element is needed:
 *
 *	          new ┌─────────┐ not used  ┌──────────┐ shrink  ┌──────┐
 *	  take() ───► │ pending │ ────────► │ inactive │ ──────► │ free │ ─► take()
 *	              └─────────┘           └──────────┘         └──────┘
 *	                   │ used              ▲    │ used
 *	                   │        ┌────────┐ │    │
 *	                   └──────► │ active │─┘◄───┘
 *	                            └────────┘ rotate: not used goes, used stays
 *
 * Common LRU: one list of active, inactive and free elements (block 0), and for
 * each CPU a local list of free and pending ones (block 1 + cpu), refilled by
 * target_free at a time, so that the common lock is seldom needed. A CPU that
 * finds nothing steals from the others' local lists, going round.
 *
 * An element that is deleted or replaced while it is on the common list is only
 * noted, by the CPU that did it: `gone`, a stack that is pushed to without locks.
 * Whoever has the common list's lock next takes them all to the free ones before
 * he looks at anything else. Which element goes next does not depend on when that
 * happens, so the choice is Linux's still; but the lock and the list's lines do
 * not go from CPU to CPU with every update.
 *
 * Per-CPU LRU (BPF_F_NO_COMMON_LRU): a list for each CPU (block cpu) with its
 * share of the elements; nothing is pending.
 *
 * Elements that were never used are not on the list of free ones: they are the
 * numbers from `fresh` to `fresh_end`, taken when that list is empty.
 *
 * Locks: local list → list → the hash's bucket (evict()). A link is an
 * element's number, or a list's head: SKEP_LRU_HEAD | block × 4 + list.
 */
#include "map/lru.h"

#include "map/lock.h"

#define HEAD           0x80000000u
#define LISTS          4 /* of a block, the fourth not used */
#define LOCAL_TARGET   128
#define PER_CPU_TARGET 4
#define MOST_GONE      256
#define ONE_GONE       (UINT64_C(1) << 32)
#define COUNT_OF_GONE  (UINT64_MAX << 32)

enum list { ACTIVE, INACTIVE, FREE, LOCAL_FREE, LOCAL_PENDING };

struct skep_lru_block {
	struct skep_lru_link heads[LISTS];
	uint32_t lock;
	uint32_t counts[2]; /* of active and inactive elements */
	uint32_t rotation;  /* where to go on looking for used inactive ones */
	uint32_t fresh, fresh_end;
	uint32_t steal_from; /* local: the CPU to steal from next */
	uint32_t pad;
	uint64_t gone; /* local: 1 + the newest that is to become free; above, how many; atomic */
	uint64_t pad2[7];
};

_Static_assert(sizeof(struct skep_lru_block) == 128, "two cache lines");
_Static_assert(sizeof(struct skep_lru_elem) == 24, "keys after it are aligned");

/* --- Lists ----------------------------------------------------------------------------------- */

static struct skep_lru_link *link_of(const struct skep_lru *lru, uint32_t at)
{
	if (at & HEAD)
		return &lru->blocks[(at & ~HEAD) / LISTS].heads[at % LISTS];
	return &skep_lru_elem(lru, at)->link;
}

/* The head of @list: local ones come first in their block. */
static uint32_t head_of(const struct skep_lru *lru, const struct skep_lru_block *block,
			enum list list)
{
	uint32_t number = list >= LOCAL_FREE ? list - LOCAL_FREE : list;

	return HEAD | ((uint32_t)(block - lru->blocks) * LISTS + number);
}

static bool is_empty(const struct skep_lru *lru, uint32_t head)
{
	return link_of(lru, head)->next == head;
}

static uint32_t prev_of(const struct skep_lru *lru, uint32_t at)
{
	return link_of(lru, at)->prev;
}

static void unlink_elem(const struct skep_lru *lru, uint32_t elem)
{
	struct skep_lru_link *link = link_of(lru, elem);

	link_of(lru, link->prev)->next = link->next;
	link_of(lru, link->next)->prev = link->prev;
}

static void link_first(const struct skep_lru *lru, uint32_t elem, uint32_t head)
{
	struct skep_lru_link *first = link_of(lru, head), *link = link_of(lru, elem);

	*link = (struct skep_lru_link){.prev = head, .next = first->next};
	link_of(lru, first->next)->prev = elem;
	first->next = elem;
}

static bool is_used(const struct skep_lru *lru, uint32_t elem)
{
	return __atomic_load_n(&skep_lru_elem(lru, elem)->ref, __ATOMIC_RELAXED);
}

static void clear_used(const struct skep_lru *lru, uint32_t elem)
{
	__atomic_store_n(&skep_lru_elem(lru, elem)->ref, 0, __ATOMIC_RELAXED);
}

static enum list type_of(const struct skep_lru *lru, uint32_t elem)
{
	return __atomic_load_n(&skep_lru_elem(lru, elem)->type, __ATOMIC_RELAXED);
}

static void set_type(const struct skep_lru *lru, uint32_t elem, enum list type)
{
	__atomic_store_n(&skep_lru_elem(lru, elem)->type, (uint8_t)type, __ATOMIC_RELAXED);
}

static void set_cpu(const struct skep_lru *lru, uint32_t elem, uint32_t cpu)
{
	__atomic_store_n(&skep_lru_elem(lru, elem)->cpu, (uint16_t)cpu, __ATOMIC_RELAXED);
}

static uint32_t cpu_of(const struct skep_lru *lru, uint32_t elem)
{
	return __atomic_load_n(&skep_lru_elem(lru, elem)->cpu, __ATOMIC_RELAXED);
}

static void count(struct skep_lru_block *block, enum list list, int change)
{
	if (list <= INACTIVE)
		block->counts[list] += (uint32_t)change;
}

/* The element that is to be looked at next goes elsewhere: the one before it is next. */
static void leave_rotation(const struct skep_lru *lru, struct skep_lru_block *block, uint32_t elem)
{
	if (block->rotation == elem)
		block->rotation = prev_of(lru, elem);
}

/* Within a block, to the front of @list; there it counts as not used. */
static void move(const struct skep_lru *lru, struct skep_lru_block *block, uint32_t elem,
		 enum list list)
{
	count(block, type_of(lru, elem), -1);
	count(block, list, 1);
	set_type(lru, elem, list);
	clear_used(lru, elem);
	leave_rotation(lru, block, elem);
	unlink_elem(lru, elem);
	link_first(lru, elem, head_of(lru, block, list));
}

/* To free elements, the block's own or a CPU's. `ref` stays: it is cleared when it is taken. */
static void move_to_free(const struct skep_lru *lru, struct skep_lru_block *block, uint32_t elem,
			 struct skep_lru_block *to, enum list list)
{
	leave_rotation(lru, block, elem);
	count(block, type_of(lru, elem), -1);
	set_type(lru, elem, list);
	unlink_elem(lru, elem);
	link_first(lru, elem, head_of(lru, to, list));
}

/* --- Putting in order ------------------------------------------------------------------------ */

/* Old active elements that were not used become inactive; those that were stay, at the front. */
static void rotate_active(const struct skep_lru *lru, struct skep_lru_block *block)
{
	uint32_t head = head_of(lru, block, ACTIVE), first = link_of(lru, head)->next;
	uint32_t elem = prev_of(lru, head), before;

	for (uint32_t i = 0; elem != head && i < lru->most_scans; i++, elem = before) {
		before = prev_of(lru, elem);
		move(lru, block, elem, is_used(lru, elem) ? ACTIVE : INACTIVE);
		if (elem == first)
			break;
	}
}

/* Inactive elements that were used become active, from where the last look ended. */
static void rotate_inactive(const struct skep_lru *lru, struct skep_lru_block *block)
{
	uint32_t head = head_of(lru, block, INACTIVE), at = block->rotation, next = head, last;
	uint32_t i = 0;

	if (is_empty(lru, head))
		return;
	last = link_of(lru, at)->next;
	if (last == head)
		last = link_of(lru, head)->next;
	while (i < lru->most_scans) {
		if (at == head) {
			at = prev_of(lru, at);
			continue;
		}
		next = prev_of(lru, at);
		if (is_used(lru, at))
			move(lru, block, at, ACTIVE);
		if (at == last)
			break;
		at = next;
		i++;
	}
	block->rotation = next;
}

static void rotate(const struct skep_lru *lru, struct skep_lru_block *block)
{
	if (block->counts[INACTIVE] < block->counts[ACTIVE])
		rotate_active(lru, block);
	rotate_inactive(lru, block);
}

/* Free up to @want inactive elements that were not used. Returns how many. */
static uint32_t shrink_inactive(const struct skep_lru *lru, struct skep_lru_block *block,
				uint32_t want, struct skep_lru_block *to, enum list list)
{
	uint32_t head = head_of(lru, block, INACTIVE), elem = prev_of(lru, head), before, done = 0;

	for (uint32_t i = 0; elem != head && i < lru->most_scans; i++, elem = before) {
		before = prev_of(lru, elem);
		if (is_used(lru, elem)) {
			move(lru, block, elem, ACTIVE);
		} else if (lru->evict(lru->arg, elem)) {
			move_to_free(lru, block, elem, to, list);
			if (++done == want)
				break;
		}
	}
	return done;
}

/* Free some; if all were used, one nevertheless, the oldest. */
static void shrink(const struct skep_lru *lru, struct skep_lru_block *block, uint32_t want,
		   struct skep_lru_block *to, enum list list)
{
	uint32_t head, elem;

	if (shrink_inactive(lru, block, want, to, list))
		return;
	head = head_of(lru, block, INACTIVE);
	if (is_empty(lru, head))
		head = head_of(lru, block, ACTIVE);
	for (elem = prev_of(lru, head); elem != head; elem = prev_of(lru, elem)) {
		if (lru->evict(lru->arg, elem)) {
			move_to_free(lru, block, elem, to, list);
			return;
		}
	}
}

/* A free element of the block, taken off its list; those never used come last. */
static uint32_t pop_free(const struct skep_lru *lru, struct skep_lru_block *block)
{
	uint32_t head = head_of(lru, block, FREE), elem = link_of(lru, head)->next;

	if (elem != head) {
		unlink_elem(lru, elem);
		return elem;
	}
	return block->fresh < block->fresh_end ? block->fresh++ : SKEP_LRU_NONE;
}

/* --- Common LRU ------------------------------------------------------------------------------ */

static struct skep_lru_block *local_of(const struct skep_lru *lru, uint32_t cpu)
{
	return &lru->blocks[1 + cpu];
}

/* Return how many they are now. */
static uint32_t push_gone(const struct skep_lru *lru, struct skep_lru_block *local, uint32_t elem)
{
	uint64_t newest = __atomic_load_n(&local->gone, __ATOMIC_RELAXED), now;

	do {
		skep_lru_elem(lru, elem)->next_gone = (uint32_t)newest;
		now = (newest & COUNT_OF_GONE) + ONE_GONE + elem + 1;
	} while (!__atomic_compare_exchange_n(&local->gone, &newest, now, false, __ATOMIC_RELEASE,
					      __ATOMIC_RELAXED));
	return (uint32_t)(now >> 32);
}

/* With the list's lock: what @from's CPU has deleted becomes free, up to @room of it for @to's.
 * Return how many that were. */
static uint32_t free_gone(const struct skep_lru *lru, struct skep_lru_block *from,
			  struct skep_lru_block *to, uint32_t room)
{
	struct skep_lru_block *block = &lru->blocks[0];
	uint32_t gone, next, done = 0;

	if (!__atomic_load_n(&from->gone, __ATOMIC_RELAXED))
		return 0;
	gone = (uint32_t)__atomic_exchange_n(&from->gone, 0, __ATOMIC_ACQUIRE);
	for (; gone; gone = next) {
		next = skep_lru_elem(lru, gone - 1)->next_gone;
		if (done < room) {
			move_to_free(lru, block, gone - 1, to, LOCAL_FREE);
			done++;
		} else {
			move(lru, block, gone - 1, FREE);
		}
	}
	return done;
}

/* A CPU's pending elements join the list: the oldest first, so the newest ends up in front. */
static void flush_pending(const struct skep_lru *lru, struct skep_lru_block *block,
			  const struct skep_lru_block *local)
{
	uint32_t head = head_of(lru, local, LOCAL_PENDING), elem = prev_of(lru, head), before;

	for (; elem != head; elem = before) {
		enum list list = is_used(lru, elem) ? ACTIVE : INACTIVE;

		before = prev_of(lru, elem);
		count(block, list, 1);
		set_type(lru, elem, list);
		clear_used(lru, elem);
		unlink_elem(lru, elem);
		link_first(lru, elem, head_of(lru, block, list));
	}
}

static void refill(const struct skep_lru *lru, struct skep_lru_block *local)
{
	struct skep_lru_block *block = &lru->blocks[0];
	uint32_t got = 0, elem;

	skep_lock(&block->lock);
	for (uint32_t cpu = 0; cpu < lru->n_cpus; cpu++)
		got += free_gone(lru, local_of(lru, cpu), local, lru->target_free - got);
	flush_pending(lru, block, local);
	rotate(lru, block);
	for (; got < lru->target_free; got++) {
		elem = pop_free(lru, block);
		if (elem == SKEP_LRU_NONE)
			break;
		set_type(lru, elem, LOCAL_FREE);
		link_first(lru, elem, head_of(lru, local, LOCAL_FREE));
	}
	if (got < lru->target_free)
		shrink(lru, block, lru->target_free - got, local, LOCAL_FREE);
	skep_unlock(&block->lock);
}

static uint32_t pop_local_free(const struct skep_lru *lru, const struct skep_lru_block *local)
{
	uint32_t head = head_of(lru, local, LOCAL_FREE), elem = link_of(lru, head)->next;

	if (elem == head)
		return SKEP_LRU_NONE;
	unlink_elem(lru, elem);
	return elem;
}

/* The oldest pending element that was not used; else the oldest. */
static uint32_t pop_pending(const struct skep_lru *lru, const struct skep_lru_block *local)
{
	uint32_t head = head_of(lru, local, LOCAL_PENDING);

	for (int force = 0; force < 2; force++) {
		for (uint32_t at = prev_of(lru, head); at != head; at = prev_of(lru, at)) {
			if ((force || !is_used(lru, at)) && lru->evict(lru->arg, at)) {
				unlink_elem(lru, at);
				return at;
			}
		}
	}
	return SKEP_LRU_NONE;
}

static void add_pending(const struct skep_lru *lru, const struct skep_lru_block *local,
			uint32_t cpu, uint32_t elem, uint32_t hash)
{
	__atomic_store_n(&skep_lru_elem(lru, elem)->hash, hash, __ATOMIC_RELAXED);
	set_cpu(lru, elem, cpu);
	set_type(lru, elem, LOCAL_PENDING);
	clear_used(lru, elem);
	link_first(lru, elem, head_of(lru, local, LOCAL_PENDING));
}

static uint32_t steal(const struct skep_lru *lru, struct skep_lru_block *mine)
{
	uint32_t first = __atomic_load_n(&mine->steal_from, __ATOMIC_RELAXED), cpu = first, elem;

	do {
		struct skep_lru_block *local = local_of(lru, cpu);

		skep_lock(&local->lock);
		elem = pop_local_free(lru, local);
		if (elem == SKEP_LRU_NONE)
			elem = pop_pending(lru, local);
		skep_unlock(&local->lock);
		cpu = (cpu + 1) % lru->n_cpus;
	} while (elem == SKEP_LRU_NONE && cpu != first);
	__atomic_store_n(&mine->steal_from, cpu, __ATOMIC_RELAXED);
	return elem;
}

static uint32_t take_common(const struct skep_lru *lru, uint32_t cpu, uint32_t hash)
{
	struct skep_lru_block *local = local_of(lru, cpu);
	uint32_t elem;

	skep_lock(&local->lock);
	elem = pop_local_free(lru, local);
	if (elem == SKEP_LRU_NONE) {
		refill(lru, local);
		elem = pop_local_free(lru, local);
	}
	if (elem != SKEP_LRU_NONE)
		add_pending(lru, local, cpu, elem, hash);
	skep_unlock(&local->lock);
	if (elem != SKEP_LRU_NONE)
		return elem;

	elem = steal(lru, local);
	if (elem == SKEP_LRU_NONE)
		return elem;
	skep_lock(&local->lock);
	add_pending(lru, local, cpu, elem, hash);
	skep_unlock(&local->lock);
	return elem;
}

/* A pending element goes back to its CPU's free ones. Return false: it is not pending any more. */
static bool give_local(const struct skep_lru *lru, uint32_t elem)
{
	struct skep_lru_block *local = local_of(lru, cpu_of(lru, elem));
	bool pending;

	skep_lock(&local->lock);
	pending = type_of(lru, elem) == LOCAL_PENDING;
	if (pending) {
		set_type(lru, elem, LOCAL_FREE);
		clear_used(lru, elem);
		unlink_elem(lru, elem);
		link_first(lru, elem, head_of(lru, local, LOCAL_FREE));
	}
	skep_unlock(&local->lock);
	return pending;
}

static void give_common(const struct skep_lru *lru, uint32_t cpu, uint32_t elem)
{
	struct skep_lru_block *local = local_of(lru, cpu);

	if (type_of(lru, elem) == LOCAL_PENDING && give_local(lru, elem))
		return;
	if (push_gone(lru, local, elem) < MOST_GONE)
		return;
	skep_lock(&lru->blocks[0].lock);
	free_gone(lru, local, local, 0);
	skep_unlock(&lru->blocks[0].lock);
}

/* --- Per-CPU LRU ----------------------------------------------------------------------------- */

static uint32_t take_per_cpu(const struct skep_lru *lru, uint32_t cpu, uint32_t hash)
{
	struct skep_lru_block *block = &lru->blocks[cpu];
	uint32_t elem;

	skep_lock(&block->lock);
	rotate(lru, block);
	if (is_empty(lru, head_of(lru, block, FREE)) && block->fresh == block->fresh_end)
		shrink(lru, block, PER_CPU_TARGET, block, FREE);
	elem = pop_free(lru, block);
	if (elem != SKEP_LRU_NONE) {
		__atomic_store_n(&skep_lru_elem(lru, elem)->hash, hash, __ATOMIC_RELAXED);
		set_cpu(lru, elem, cpu);
		clear_used(lru, elem);
		set_type(lru, elem, INACTIVE);
		count(block, INACTIVE, 1);
		link_first(lru, elem, head_of(lru, block, INACTIVE));
	}
	skep_unlock(&block->lock);
	return elem;
}

static void give_per_cpu(const struct skep_lru *lru, uint32_t elem)
{
	struct skep_lru_block *block = &lru->blocks[cpu_of(lru, elem)];

	skep_lock(&block->lock);
	move(lru, block, elem, FREE);
	skep_unlock(&block->lock);
}

/* --- Both ------------------------------------------------------------------------------------ */

uint32_t skep_lru_take(struct skep_lru *lru, uint32_t cpu, uint32_t hash)
{
	return lru->per_cpu ? take_per_cpu(lru, cpu, hash) : take_common(lru, cpu, hash);
}

void skep_lru_give(struct skep_lru *lru, uint32_t cpu, uint32_t elem)
{
	if (lru->per_cpu)
		give_per_cpu(lru, elem);
	else
		give_common(lru, cpu, elem);
}

size_t skep_lru_bytes(uint32_t n_cpus)
{
	return (1 + n_cpus) * sizeof(struct skep_lru_block);
}

static void init_block(const struct skep_lru *lru, struct skep_lru_block *block)
{
	uint32_t first = head_of(lru, block, ACTIVE);

	for (uint32_t i = 0; i < LISTS; i++)
		block->heads[i] = (struct skep_lru_link){.prev = first + i, .next = first + i};
	block->rotation = head_of(lru, block, INACTIVE);
}

/* Each CPU has an equal share; the caller sees to it that there is one. */
static void share_out(const struct skep_lru *lru, uint32_t n_elems)
{
	uint32_t share = n_elems / lru->n_cpus;

	for (uint32_t cpu = 0; cpu < lru->n_cpus; cpu++) {
		lru->blocks[cpu].fresh = cpu * share;
		lru->blocks[cpu].fresh_end = (cpu + 1) * share;
	}
}

void skep_lru_init(struct skep_lru *lru, uint32_t n_elems)
{
	uint32_t target = n_elems / lru->n_cpus / 2;

	for (uint32_t i = 0; i <= lru->n_cpus; i++)
		init_block(lru, &lru->blocks[i]);
	lru->target_free = !target ? 1 : target > LOCAL_TARGET ? LOCAL_TARGET : target;
	lru->most_scans = lru->per_cpu ? PER_CPU_TARGET : LOCAL_TARGET;
	if (lru->per_cpu) {
		share_out(lru, n_elems);
		return;
	}
	lru->blocks[0].fresh_end = n_elems;
	for (uint32_t cpu = 0; cpu < lru->n_cpus; cpu++)
		local_of(lru, cpu)->steal_from = cpu;
}
