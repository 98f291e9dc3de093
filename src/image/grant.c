/*
 * Regions that a checked run may touch: sorted by address, one for each start,
 * looked up by halving. The packet of the run's world is not among them: it
 * moves with every helper that adjusts it, and is asked for as it is now.
 */
#include <skep/check.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <skep/helper.h>

#include "base/arena.h"
#include "base/vec.h"

/* A program that takes ever more memory loses what it took first, and is told so. */
#define MOST_REGIONS 65536

struct region {
	uintptr_t at;
	size_t bytes;
	unsigned rights;
};

struct skep_check {
	SKEP_VEC(struct region) regions;
	bool stopped;
	uint32_t insn;
	char why[160];
};

struct skep_check *skep_check_new(void)
{
	return skep_xcalloc(1, sizeof(struct skep_check));
}

void skep_check_reset(struct skep_check *check)
{
	check->regions.len = 0;
	check->stopped = false;
}

void skep_check_free(struct skep_check *check)
{
	if (!check)
		return;
	skep_vec_done(&check->regions);
	free(check);
}

/* --- the fault ------------------------------------------------------------------------------ */

void skep_check_refuse(struct skep_run *run, uint32_t insn, const char *fmt, ...)
{
	struct skep_check *check = run->check;
	va_list ap;

	run->stop = SKEP_STOP_FAULT;
	if (!check || check->stopped)
		return;
	check->stopped = true;
	check->insn = insn;
	va_start(ap, fmt);
	vsnprintf(check->why, sizeof(check->why), fmt, ap);
	va_end(ap);
}

bool skep_check_fault(const struct skep_check *check, uint32_t *ret_insn, const char **ret_why)
{
	if (!check->stopped)
		return false;
	*ret_insn = check->insn;
	*ret_why = check->why;
	return true;
}

/* --- regions -------------------------------------------------------------------------------- */

/* The first region that starts after @at. */
static size_t after(const struct skep_check *check, uintptr_t at)
{
	size_t low = 0, high = check->regions.len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (check->regions.data[middle].at <= at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void insert(struct skep_check *check, size_t index, struct region region)
{
	skep_vec_push(&check->regions, region);
	memmove(&check->regions.data[index + 1], &check->regions.data[index],
		(check->regions.len - 1 - index) * sizeof(region));
	check->regions.data[index] = region;
}

void skep_run_grant(struct skep_run *run, const void *at, size_t bytes, unsigned rights)
{
	struct skep_check *check = run->check;
	struct region region = {(uintptr_t)at, bytes, rights};

	if (!check || !bytes)
		return;
	size_t index = after(check, region.at);
	if (index && check->regions.data[index - 1].at == region.at)
		check->regions.data[index - 1] = region;
	else if (check->regions.len < MOST_REGIONS)
		insert(check, index, region);
	else
		skep_check_refuse(run, 0, "the program was given more than %d pieces of memory",
				  MOST_REGIONS);
}

void skep_run_revoke(struct skep_run *run, const void *at)
{
	struct skep_check *check = run->check;

	if (!check)
		return;
	size_t index = after(check, (uintptr_t)at);
	if (!index || check->regions.data[index - 1].at != (uintptr_t)at)
		return;
	memmove(&check->regions.data[index - 1], &check->regions.data[index],
		(check->regions.len - index) * sizeof(struct region));
	check->regions.len--;
}

static bool holds(uintptr_t start, size_t size, uintptr_t at, size_t bytes)
{
	return at >= start && bytes <= size && at - start <= size - bytes;
}

static bool in_packet(const struct skep_run *run, uintptr_t at, size_t bytes)
{
	const struct skep_packet *packet = run->world ? run->world->packet : NULL;

	return packet &&
	       holds((uintptr_t)packet->meta, (size_t)(packet->end - packet->meta), at, bytes);
}

/* Regions may lie in one another (a context in a page): look back over a few. */
bool skep_run_may(const struct skep_run *run, const void *at, size_t bytes, unsigned rights)
{
	const struct skep_check *check = run->check;

	if (!check || !bytes || in_packet(run, (uintptr_t)at, bytes))
		return true;
	size_t index = after(check, (uintptr_t)at);
	for (size_t back = 1; back <= index && back <= 8; back++) {
		const struct region *region = &check->regions.data[index - back];
		if (holds(region->at, region->bytes, (uintptr_t)at, bytes) &&
		    (region->rights & rights) == rights)
			return true;
	}
	return false;
}
