/*
 * A script's maps become samples.
 *
 *	@stacks, @samples   [who, stacks, waker] = count() or stats()
 *	@open               […] = (since when or how much, who, stacks)
 *
 * who: pid, tid, comm; stacks: the kernel's, the process'; waker: is it known, comm, stacks; or
 * nothing. Instead of the waker, if that is wished for, the control group.
 */
#include <errno.h>
#include <string.h>

#include "profiler/impl.h"

#define COMM_BYTES 16

enum part {
	PID,
	TID,
	COMM,
	KERNEL,
	USER,
	WAKER_KNOWN,
	WAKER_COMM,
	WAKER_KERNEL,
	WAKER_USER,
	PART_CNT
};
#define GROUP WAKER_KNOWN

/* Whose a value is, as it lies in a tuple whose field @from is the pid. */
struct hit {
	const struct skep_type *tuple;
	const uint8_t *bytes;
	uint32_t from;
};

/* --- Parts ----------------------------------------------------------------------------------- */

static const struct skep_tuple_field *field_of(const struct hit *hit, enum part part)
{
	return hit->from + part < hit->tuple->n ? &hit->tuple->fields[hit->from + part] : NULL;
}

static uint64_t number_of(const struct hit *hit, enum part part)
{
	const struct skep_tuple_field *field = field_of(hit, part);
	uint64_t n = 0;

	if (field)
		memcpy(&n, hit->bytes + field->off, field->type->size < 8 ? field->type->size : 8);
	return n;
}

static struct skep_stack_key stack_of(const struct hit *hit, enum part part)
{
	const struct skep_tuple_field *field = field_of(hit, part);
	struct skep_stack_key key = {.stack_id = UINT32_MAX};

	if (field && field->type->size >= sizeof(key))
		memcpy(&key, hit->bytes + field->off, sizeof(key));
	return key;
}

static void comm_of(const struct hit *hit, enum part part, char *ret)
{
	const struct skep_tuple_field *field = field_of(hit, part);
	size_t size = field && field->type->size < COMM_BYTES ? field->type->size : COMM_BYTES;

	memset(ret, 0, COMM_BYTES + 1);
	if (field)
		memcpy(ret, hit->bytes + field->off, size);
}

static struct skep_stacks stacks_of(const struct skep_collect *collect, const struct hit *hit,
				    enum part kernel)
{
	return (struct skep_stacks){
		.kernel = stack_of(hit, kernel),
		.user = stack_of(hit, kernel + 1),
		.wants_user = !collect->wish->no_user,
		.wants_kernel = !collect->wish->no_kernel,
	};
}

/* --- Samples --------------------------------------------------------------------------------- */

/* In the order of their types: the total, if there is one, and how often. */
static void put_values(const struct skep_collect *collect, uint64_t n, uint64_t total,
		       struct skep_profile_sample *sample)
{
	uint32_t i = 0;

	if (collect->source->total[0] || collect->wish->value)
		sample->values[i++] = (int64_t)total;
	if (collect->source->n[0])
		sample->values[i] = (int64_t)n;
}

static void add(const struct skep_collect *collect, const struct hit *hit, uint64_t n,
		uint64_t total)
{
	const struct skep_stacks stacks = stacks_of(collect, hit, KERNEL);
	const char *group = "";
	char comm[COMM_BYTES + 1];
	uint32_t node = skep_namer_stacks(collect->namer, &stacks);

	if (collect->seen)
		skep_stacks_see(collect->seen, &stacks.kernel, &stacks.user);
	if (field_of(hit, WAKER_USER) && number_of(hit, WAKER_KNOWN)) {
		const struct skep_stacks waker = stacks_of(collect, hit, WAKER_KERNEL);
		comm_of(hit, WAKER_COMM, comm);
		node = skep_namer_waker(collect->namer, &waker, comm, node);
	}
	comm_of(hit, COMM, comm);
	if (collect->wish->with_groups)
		group = skep_groups_path(collect->groups, number_of(hit, GROUP));
	struct skep_profile_sample sample = {
		.node = node,
		.pid = (uint32_t)number_of(hit, PID),
		.tid = (uint32_t)number_of(hit, TID),
		.comm = skep_profile_text(collect->namer->profile, comm),
		.cgroup = skep_profile_text(collect->namer->profile, group),
	};
	put_values(collect, n, total, &sample);
	skep_profile_add(collect->namer->profile, &sample);
}

static void expect(const struct skep_collect *collect, const struct skep_trace_map *map,
		   const struct skep_map_entry *entry)
{
	const struct hit hit = {.tuple = map->key, .bytes = entry->key};
	const struct skep_stacks stacks = stacks_of(collect, &hit, KERNEL);

	skep_namer_expect(collect->namer, &stacks);
}

static void add_entry(const struct skep_collect *collect, const struct skep_trace_map *map,
		      const struct skep_map_entry *entry)
{
	const struct hit hit = {.tuple = map->key, .bytes = entry->key};
	uint64_t words[2] = {0};

	memcpy(words, entry->value, map->value->size < 16 ? map->value->size : 16);
	if (map->value->kind == SKEP_T_STATS)
		add(collect, &hit, words[1], words[0]);
	else
		add(collect, &hit, words[0], words[0] * 1000000000u / collect->wish->hertz);
}

/* Its stack is wanted when it ends. */
static void keep_open(const struct skep_collect *collect, const struct skep_trace_map *map,
		      const struct skep_map_entry *entry)
{
	const struct hit hit = {.tuple = map->value, .bytes = entry->value, .from = 1};
	const struct skep_stacks stacks = stacks_of(collect, &hit, KERNEL);

	if (map->value->n)
		skep_stacks_see(collect->seen, &stacks.kernel, &stacks.user);
}

/* What lasts still was begun once. */
static void add_open(const struct skep_collect *collect, const struct skep_trace_map *map,
		     const struct skep_map_entry *entry)
{
	const struct hit hit = {.tuple = map->value, .bytes = entry->value, .from = 1};
	uint64_t first = 0;

	memcpy(&first, entry->value, 8);
	if (collect->source->flags & SKEP_PROFILER_OPEN_IS_SUM)
		add(collect, &hit, 1, first);
	else if (first && first < collect->end_ns)
		add(collect, &hit, 1, collect->end_ns - first);
}

/* --- Maps ------------------------------------------------------------------------------------ */

static int add_map(const struct skep_collect *collect, const struct skep_live *live,
		   const char *name, bool takes,
		   void (*add_one)(const struct skep_collect *collect,
				   const struct skep_trace_map *map,
				   const struct skep_map_entry *entry))
{
	const struct skep_trace_map *map = skep_live_map(live, name);
	struct skep_map_entries entries;

	if (!map)
		return 0;
	int err = takes ? skep_map_take(skep_live_maps(live), map, false, &entries)
			: skep_map_read(skep_live_maps(live), map, false, &entries);
	for (size_t i = 0; takes && i < entries.n; i++)
		expect(collect, map, &entries.entries[i]);
	if (takes)
		skep_namer_settle(collect->namer);
	for (size_t i = 0; i < entries.n; i++)
		add_one(collect, map, &entries.entries[i]);
	skep_map_entries_done(&entries);
	return err;
}

/* Maps of what has begun. */
static int keep_stacks(const struct skep_collect *collect, const struct skep_live *live)
{
	int err = add_map(collect, live, "@open", false, keep_open);

	return err ? err : add_map(collect, live, "@maker", false, keep_open);
}

int skep_collect_all(const struct skep_collect *collect, const struct skep_live *live)
{
	const uint32_t counts_open = SKEP_PROFILER_OPEN_IS_SINCE | SKEP_PROFILER_OPEN_IS_SUM;
	int err = add_map(collect, live, "@stacks", collect->seen, add_entry);

	if (!err)
		err = add_map(collect, live, "@samples", collect->seen, add_entry);
	if (!err && collect->seen)
		err = keep_stacks(collect, live);
	else if (!err && (collect->source->flags & counts_open))
		err = add_map(collect, live, "@open", false, add_open);
	return err;
}
