/* Stretches of an array, see space.h. */
#include "unwind/space.h"

#include <errno.h>
#include <stdbool.h>

#include "unwind/layout.h"

#define COMPACT_FROM 64 /* resting stretches that were set free, before their places are */

void skep_unwind_space_init(struct skep_unwind_space *ret, uint32_t size)
{
	*ret = (struct skep_unwind_space){.size = size, .n_free = size};
	if (size)
		skep_vec_push(&ret->free, ((struct skep_unwind_stretch){0, size}));
}

void skep_unwind_space_done(struct skep_unwind_space *space)
{
	skep_vec_done(&space->free);
	skep_vec_done(&space->resting);
}

static uint32_t end_of(const struct skep_unwind_stretch *stretch)
{
	return stretch->first + stretch->n;
}

/* The first free stretch behind @first. */
static size_t place_of(const struct skep_unwind_space *space, uint32_t first)
{
	size_t low = 0, high = space->free.len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (space->free.data[middle].first < first)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void remove_at(struct skep_unwind_space *space, size_t i)
{
	struct skep_unwind_stretch *at = &space->free.data[i];

	memmove(at, at + 1, (space->free.len - i - 1) * sizeof(*at));
	space->free.len--;
}

static void insert_at(struct skep_unwind_space *space, size_t i, struct skep_unwind_stretch stretch)
{
	skep_vec_push(&space->free, stretch);
	struct skep_unwind_stretch *at = &space->free.data[i];
	memmove(at + 1, at, (space->free.len - i - 1) * sizeof(*at));
	*at = stretch;
}

static void set_free(struct skep_unwind_space *space, struct skep_unwind_stretch stretch)
{
	size_t i = place_of(space, stretch.first);
	struct skep_unwind_stretch *at = space->free.data;
	bool joins_left = i > 0 && end_of(&at[i - 1]) == stretch.first;
	bool joins_right = i < space->free.len && at[i].first == end_of(&stretch);

	space->n_free += stretch.n;
	if (joins_left && joins_right) {
		at[i - 1].n += stretch.n + at[i].n;
		remove_at(space, i);
	} else if (joins_left) {
		at[i - 1].n += stretch.n;
	} else if (joins_right) {
		at[i].first = stretch.first;
		at[i].n += stretch.n;
	} else {
		insert_at(space, i, stretch);
	}
}

static void forget_rested(struct skep_unwind_space *space)
{
	size_t n = space->first_resting;

	if (n < COMPACT_FROM || n < space->resting.len / 2)
		return;
	space->resting.len -= n;
	memmove(space->resting.data, space->resting.data + n,
		space->resting.len * sizeof(*space->resting.data));
	space->first_resting = 0;
}

static void wake_rested(struct skep_unwind_space *space, uint64_t now_ns)
{
	while (space->first_resting < space->resting.len) {
		const struct skep_unwind_resting *at = &space->resting.data[space->first_resting];
		if (now_ns - at->since_ns < SKEP_UNWIND_GRACE_NS)
			break;
		space->n_resting -= at->stretch.n;
		set_free(space, at->stretch);
		space->first_resting++;
	}
	forget_rested(space);
}

/* The shortest one that is long enough: long ones are left for large files. */
static struct skep_unwind_stretch *best_fit(struct skep_unwind_space *space, uint32_t n)
{
	struct skep_unwind_stretch *best = NULL;

	skep_vec_foreach (struct skep_unwind_stretch, at, &space->free) {
		if (at->n >= n && (!best || at->n < best->n))
			best = at;
		if (at->n == n)
			break;
	}
	return best;
}

int skep_unwind_space_take(struct skep_unwind_space *space, uint32_t n, uint64_t now_ns,
			   struct skep_unwind_stretch *ret)
{
	wake_rested(space, now_ns);
	struct skep_unwind_stretch *from = best_fit(space, n);
	if (!from)
		return -ENOSPC;
	*ret = (struct skep_unwind_stretch){from->first, n};
	from->first += n;
	from->n -= n;
	space->n_free -= n;
	if (!from->n)
		remove_at(space, (size_t)(from - space->free.data));
	return 0;
}

void skep_unwind_space_give(struct skep_unwind_space *space, struct skep_unwind_stretch stretch,
			    uint64_t now_ns)
{
	if (!stretch.n)
		return;
	skep_vec_push(&space->resting, ((struct skep_unwind_resting){stretch, now_ns}));
	space->n_resting += stretch.n;
}

void skep_unwind_space_undo(struct skep_unwind_space *space, struct skep_unwind_stretch stretch)
{
	if (stretch.n)
		set_free(space, stretch);
}

uint32_t skep_unwind_space_taken(const struct skep_unwind_space *space)
{
	return space->size - space->n_free - space->n_resting;
}

size_t skep_unwind_space_memory(const struct skep_unwind_space *space)
{
	return space->free.cap * sizeof(*space->free.data) +
	       space->resting.cap * sizeof(*space->resting.data);
}
