/*
 * Maps that a program of its type may not use at all, whatever it does with them: told before any
 * path is followed.
 *
 * Programs at tracepoints and probes may interrupt who holds a value's lock. Those that sleep can
 * not use maps whose elements go as soon as no CPU is in the middle of them.
 *
 * Source  behaviour of Linux 6.18, check_map_prog_compatibility()
 */
#include "verify/program.h"

#include <skep/map.h>

static bool is_probe(enum program_type type)
{
	switch (type) {
	case PROGRAM_KPROBE:
	case PROGRAM_TRACEPOINT:
	case PROGRAM_PERF_EVENT:
	case PROGRAM_RAW_TRACEPOINT:
	case PROGRAM_RAW_TRACEPOINT_WRITABLE: return true;
	default: return false;
	}
}

static bool holds(const struct skep_map *map, enum skep_field_kind kind)
{
	for (uint32_t i = 0; i < map->n_fields; i++)
		if (map->fields[i].kind == kind)
			return true;
	return false;
}

/* In the order in which the kernel looks. */
static int check_fields(struct verifier *v, const struct skep_map *map)
{
	enum program_type type = program_type_of(v);
	bool probe = is_probe(type);

	if (probe && (holds(map, SKEP_FIELD_LIST_HEAD) || holds(map, SKEP_FIELD_RB_ROOT)))
		return verify_refuse(v, PROBE_WITH_MAP_FIELD, "bpf_{list_head,rb_root}");
	if (type == PROGRAM_SOCKET_FILTER && holds(map, SKEP_FIELD_SPIN_LOCK))
		return verify_refuse(v, FILTER_WITH_LOCK);
	if (probe && holds(map, SKEP_FIELD_SPIN_LOCK))
		return verify_refuse(v, PROBE_WITH_MAP_FIELD, "bpf_spin_lock");
	if (probe && holds(map, SKEP_FIELD_TIMER))
		return verify_refuse(v, PROBE_WITH_MAP_FIELD, "bpf_timer");
	if (probe && holds(map, SKEP_FIELD_WORKQUEUE))
		return verify_refuse(v, PROBE_WITH_MAP_FIELD, "bpf_wq");
	return 0;
}

static bool is_for_sleepers(uint32_t type)
{
	switch (type) {
	case SKEP_MAP_HASH:
	case SKEP_MAP_LRU_HASH:
	case SKEP_MAP_ARRAY:
	case SKEP_MAP_PERCPU_HASH:
	case SKEP_MAP_PERCPU_ARRAY:
	case SKEP_MAP_LRU_PERCPU_HASH:
	case SKEP_MAP_ARRAY_OF_MAPS:
	case SKEP_MAP_HASH_OF_MAPS:
	case SKEP_MAP_RINGBUF:
	case SKEP_MAP_USER_RINGBUF:
	case SKEP_MAP_INODE_STORAGE:
	case SKEP_MAP_SK_STORAGE:
	case SKEP_MAP_TASK_STORAGE:
	case SKEP_MAP_CGRP_STORAGE:
	case SKEP_MAP_QUEUE:
	case SKEP_MAP_STACK:
	case SKEP_MAP_ARENA: return true;
	default: return false;
	}
}

static bool is_cgroup_storage(const struct skep_map *map)
{
	return map->type == SKEP_MAP_CGROUP_STORAGE || map->type == SKEP_MAP_PERCPU_CGROUP_STORAGE;
}

/* A cgroup has one value for a program, and one for each CPU. */
static bool is_second_storage(const struct verifier *v, uint32_t index)
{
	const struct skep_map *map = v->image->maps[index];

	for (uint32_t i = 0; i < index && is_cgroup_storage(map); i++)
		if (v->image->maps[i]->type == map->type)
			return true;
	return false;
}

static int check_map(struct verifier *v, uint32_t index)
{
	const struct skep_map *map = v->image->maps[index];
	int err = check_fields(v, map);

	if (err)
		return err;
	if (map->type == SKEP_MAP_STRUCT_OPS)
		return verify_refuse(v, STRUCT_OPS_MAP);
	if ((v->program->flags & PROGRAM_SLEEPS) && !is_for_sleepers(map->type))
		return verify_refuse(v, MAP_SLEEPS);
	return is_second_storage(v, index) ? verify_refuse(v, TWO_STORAGES) : 0;
}

int verify_maps(struct verifier *v)
{
	int err = 0;

	for (uint32_t i = 0; i < v->image->n_maps && !err; i++)
		err = check_map(v, i);
	return err;
}
