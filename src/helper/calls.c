/*
 * Helpers that call the program back: loops, elements of a map, areas of memory.
 *
 * Each looks at run->stop after a call: a run that was stopped does not go on.
 */
#include "helper/helpers.h"

#include "helper/os.h"

#define MOST_LOOPS 8388608u /* BPF_MAX_LOOPS */

DEFINE_HELPER(loop)
{
	uint32_t n = (uint32_t)r1;

	if (r4)
		return as_r0(-EINVAL);
	if (n > MOST_LOOPS)
		return as_r0(-E2BIG);
	for (uint32_t i = 0; i < n; i++) {
		const uint64_t args[5] = {i, r3};

		if (skep_run_callback(run, r2, args) || run->stop)
			return i + 1;
	}
	return n;
}

struct elements {
	struct skep_run *run;
	uint64_t callback, ctx;
};

static long each_element(struct skep_map *map, void *key, void *value, void *ctx)
{
	const struct elements *all = ctx;
	const uint64_t args[5] = {(uintptr_t)map, (uintptr_t)key, (uintptr_t)value, all->ctx};

	grant(all->run, key, map->key_size, SKEP_MAY_READ);
	grant(all->run, value, map->value_size, SKEP_MAY_READ | SKEP_MAY_WRITE);
	long ret = (long)skep_run_callback(all->run, all->callback, args);
	return all->run->stop ? 1 : ret;
}

DEFINE_HELPER(for_each_map_elem)
{
	struct elements all = {run, r2, r3};

	return (uint64_t)skep_map_for_each(map_of(r1), each_element, &all, r4);
}

/* The head of Linux's struct vm_area_struct, and zeros for the rest of it. */
struct area {
	uint64_t start, end;
	uint8_t rest[496];
};

DEFINE_HELPER(find_vma)
{
	struct area area = {0};

	if (r5)
		return as_r0(-EINVAL);
	if (!r1 || skep_os_area(r2, &area.start, &area.end))
		return as_r0(-ENOENT);
	const uint64_t args[5] = {r1, (uintptr_t)&area, r4};
	grant(run, &area, sizeof(area), SKEP_MAY_READ);
	skep_run_callback(run, r3, args);
	ungrant(run, &area);
	return 0;
}

/* Engines make tail calls themselves: they end the program that makes them. Who calls this one
 * gets what the kernel gives when there is no such program. */
DEFINE_HELPER(tail_call)
{
	return as_r0(-ENOENT);
}
