/*
 * Regions that a checked run may touch: sorted by address, one for each start,
 * looked up by halving. The packet of the run's world is not among them: it
 * moves with every helper that adjusts it, and is asked for as it is now.
 *
 * Of helper.h and its struct skep_packet only the declarations are used: this is
 * where the three functions on a run's memory live.
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
	uint8_t *set;    /* stacks: which bytes were written; else NULL */
	uint64_t serial; /* stacks: the order they came in */
};

struct skep_check {
	SKEP_VEC(struct region) regions;
	uint64_t serial;
	bool stopped;
	uint32_t insn;
	char why[160];
	char registers[400];
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

const char *skep_check_registers(const struct skep_check *check)
{
	return check->stopped ? check->registers : "";
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

/* A part of what was given before, given once more (a slice of a value), takes nothing away. */
static void again(struct region *old, const struct region *region)
{
	bool is_part = !old->set && !region->set && region->bytes <= old->bytes &&
		       (old->rights & region->rights) == region->rights;

	if (!is_part)
		*old = *region;
}

static void grant(struct skep_run *run, struct region region)
{
	struct skep_check *check = run->check;

	if (!check || !region.bytes)
		return;
	size_t index = after(check, region.at);
	if (index && check->regions.data[index - 1].at == region.at)
		again(&check->regions.data[index - 1], &region);
	else if (check->regions.len < MOST_REGIONS)
		insert(check, index, region);
	else
		skep_check_refuse(run, 0, "the program was given more than %d pieces of memory",
				  MOST_REGIONS);
}

void skep_run_grant(struct skep_run *run, const void *at, size_t bytes, unsigned rights)
{
	grant(run, (struct region){(uintptr_t)at, bytes, rights, NULL, 0});
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

static bool all_set(const struct region *region, uintptr_t at, size_t bytes)
{
	for (size_t i = at - region->at; region->set && bytes; i++, bytes--) {
		if (!(region->set[i / 8] & 1u << i % 8))
			return false;
	}
	return true;
}

/* Regions may lie in one another (a context in a page): look back over a few. */
static const struct region *find(const struct skep_check *check, uintptr_t at, size_t bytes,
				 unsigned rights)
{
	const struct region *found = NULL;
	size_t index = after(check, at);

	for (size_t back = 1; back <= index && back <= 8; back++) {
		const struct region *region = &check->regions.data[index - back];
		if (!holds(region->at, region->bytes, at, bytes))
			continue;
		if ((region->rights & rights) == rights)
			return region;
		found = found ? found : region;
	}
	return found;
}

enum skep_verdict skep_check_look(const struct skep_run *run, const void *at, size_t bytes,
				  unsigned rights)
{
	const struct skep_check *check = run->check;

	if (!check || !bytes)
		return SKEP_MAY;
	if (!(rights & SKEP_IS_MAP) && in_packet(run, (uintptr_t)at, bytes))
		return SKEP_MAY;
	const struct region *region = find(check, (uintptr_t)at, bytes, rights);
	if (!region)
		return SKEP_UNKNOWN;
	if ((region->rights & rights) != rights)
		return SKEP_NO_RIGHT;
	return rights & SKEP_MAY_READ && !all_set(region, (uintptr_t)at, bytes) ? SKEP_UNWRITTEN
										: SKEP_MAY;
}

bool skep_run_may(const struct skep_run *run, const void *at, size_t bytes, unsigned rights)
{
	return skep_check_look(run, at, bytes, rights) == SKEP_MAY;
}

/* --- stacks --------------------------------------------------------------------------------- */

void skep_check_grant_stack(struct skep_run *run, void *at, size_t bytes, uint8_t *set)
{
	memset(set, 0, (bytes + 7) / 8);
	if (run->check)
		grant(run, (struct region){(uintptr_t)at, bytes, SKEP_MAY_READ | SKEP_MAY_WRITE,
					   set, ++run->check->serial});
}

void skep_check_written(struct skep_run *run, const void *at, size_t bytes)
{
	const struct region *region =
		run->check ? find(run->check, (uintptr_t)at, bytes, SKEP_MAY_WRITE) : NULL;

	if (!region || !region->set)
		return;
	for (size_t i = (uintptr_t)at - region->at; bytes; i++, bytes--)
		region->set[i / 8] |= (uint8_t)(1u << i % 8);
}

uint64_t skep_check_mark(const struct skep_run *run)
{
	return run->check ? run->check->serial : 0;
}

void skep_check_unwind(struct skep_run *run, uint64_t mark)
{
	struct skep_check *check = run->check;
	size_t kept = 0;

	for (size_t i = 0; check && i < check->regions.len; i++) {
		if (check->regions.data[i].serial <= mark)
			check->regions.data[kept++] = check->regions.data[i];
	}
	if (check)
		check->regions.len = kept;
}

/* --- registers, in words -------------------------------------------------------------------- */

#define SMALL_NUMBER 65536

/* Its region, or the one that ends right before it; NULL: it points to nothing. */
static const struct region *around(const struct skep_check *check, uint64_t value)
{
	const struct region *region = find(check, (uintptr_t)value, 0, 0);

	return region || !value ? region : find(check, (uintptr_t)value - 1, 1, 0);
}

static int describe_pointer(const struct skep_run *run, uint64_t value, char *at, size_t room)
{
	const struct skep_packet *packet = run->world ? run->world->packet : NULL;
	const struct region *region;

	if (packet && value >= (uintptr_t)packet->data && value <= (uintptr_t)packet->end)
		return snprintf(at, room, "packet+%llu of %llu bytes",
				(unsigned long long)(value - (uintptr_t)packet->data),
				(unsigned long long)(packet->end - packet->data));
	region = around(run->check, value);
	if (!region)
		return snprintf(at, room, "0x%llx", (unsigned long long)value);
	if (region->set)
		return snprintf(at, room, "stack-%llu",
				(unsigned long long)(region->at + region->bytes - value));
	return snprintf(at, room, "%s+%llu of %llu bytes",
			region->at == (uintptr_t)run->ctx ? "context" : "memory",
			(unsigned long long)(value - region->at),
			(unsigned long long)region->bytes);
}

void skep_check_note_registers(struct skep_run *run, const uint64_t r[SKEP_N_REGS], unsigned set)
{
	struct skep_check *check = run->check;
	size_t room = sizeof(check->registers), len = 0;

	if (!check || check->stopped)
		return;
	check->registers[0] = '\0';
	for (unsigned i = 0; i < SKEP_N_REGS && len < room; i++) {
		int64_t number = (int64_t)r[i];

		if (!(set & 1u << i))
			continue;
		len += (size_t)snprintf(check->registers + len, room - len,
					"%sr%u = ", len ? ", " : "", i);
		if (len >= room)
			break;
		len += (size_t)(number > -SMALL_NUMBER && number < SMALL_NUMBER
					? snprintf(check->registers + len, room - len, "%lld",
						   (long long)number)
					: describe_pointer(run, r[i], check->registers + len,
							   room - len));
	}
}
