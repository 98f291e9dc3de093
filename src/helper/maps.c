/*
 * The helpers of maps: what a program does with elements. The map types do the
 * work; here a value that goes to a checked program becomes memory it may touch.
 */
#include "helper/helpers.h"

#define RDONLY_PROG (1u << 7) /* BPF_F_RDONLY_PROG */

static uint64_t value_for(struct skep_run *run, struct skep_map *map, void *value)
{
	grant(run, value, map->value_size,
	      SKEP_MAY_READ | (map->flags & RDONLY_PROG ? 0 : SKEP_MAY_WRITE));
	return (uintptr_t)value;
}

DEFINE_HELPER(map_lookup_elem)
{
	struct skep_map *map = map_of(r1);

	return value_for(run, map, skep_map_lookup(map, ptr_of(r2)));
}

DEFINE_HELPER(map_lookup_percpu_elem)
{
	struct skep_map *map = map_of(r1);

	return value_for(run, map, skep_map_lookup_percpu(map, ptr_of(r2), (uint32_t)r3));
}

DEFINE_HELPER(map_update_elem)
{
	return as_r0(skep_map_update(map_of(r1), ptr_of(r2), ptr_of(r3), r4));
}

DEFINE_HELPER(map_delete_elem)
{
	return as_r0(skep_map_delete(map_of(r1), ptr_of(r2)));
}

DEFINE_HELPER(map_push_elem)
{
	return as_r0(skep_map_push(map_of(r1), ptr_of(r2), r3));
}

DEFINE_HELPER(map_pop_elem)
{
	return as_r0(skep_map_pop(map_of(r1), ptr_of(r2)));
}

DEFINE_HELPER(map_peek_elem)
{
	return as_r0(skep_map_peek(map_of(r1), ptr_of(r2)));
}
