/* The rows: map_types.def → operations. */
#include "map/ops.h"

static const struct skep_map_ops *const rows[SKEP_MAP_TYPE_CNT] = {
	[SKEP_MAP_ARRAY] = &skep_map_array_ops,
	[SKEP_MAP_PERCPU_ARRAY] = &skep_map_percpu_array_ops,
	[SKEP_MAP_HASH] = &skep_map_hash_ops,
	[SKEP_MAP_PERCPU_HASH] = &skep_map_percpu_hash_ops,
	[SKEP_MAP_LRU_HASH] = &skep_map_lru_hash_ops,
	[SKEP_MAP_LRU_PERCPU_HASH] = &skep_map_lru_percpu_hash_ops,
	[SKEP_MAP_LPM_TRIE] = &skep_map_lpm_trie_ops,
	[SKEP_MAP_QUEUE] = &skep_map_queue_ops,
	[SKEP_MAP_STACK] = &skep_map_stack_ops,
	[SKEP_MAP_BLOOM_FILTER] = &skep_map_bloom_filter_ops,
	[SKEP_MAP_PROG_ARRAY] = &skep_map_prog_array_ops,
	[SKEP_MAP_PERF_EVENT_ARRAY] = &skep_map_perf_event_array_ops,
	[SKEP_MAP_STACK_TRACE] = &skep_map_stack_trace_ops,
	[SKEP_MAP_CGROUP_ARRAY] = &skep_map_cgroup_array_ops,
	[SKEP_MAP_ARRAY_OF_MAPS] = &skep_map_array_of_maps_ops,
	[SKEP_MAP_HASH_OF_MAPS] = &skep_map_hash_of_maps_ops,
	[SKEP_MAP_DEVMAP] = &skep_map_devmap_ops,
	[SKEP_MAP_DEVMAP_HASH] = &skep_map_devmap_hash_ops,
	[SKEP_MAP_CPUMAP] = &skep_map_cpumap_ops,
	[SKEP_MAP_XSKMAP] = &skep_map_xskmap_ops,
	[SKEP_MAP_SOCKMAP] = &skep_map_sockmap_ops,
	[SKEP_MAP_SOCKHASH] = &skep_map_sockhash_ops,
	[SKEP_MAP_REUSEPORT_SOCKARRAY] = &skep_map_reuseport_sockarray_ops,
	[SKEP_MAP_SK_STORAGE] = &skep_map_sk_storage_ops,
	[SKEP_MAP_INODE_STORAGE] = &skep_map_inode_storage_ops,
	[SKEP_MAP_TASK_STORAGE] = &skep_map_task_storage_ops,
	[SKEP_MAP_CGRP_STORAGE] = &skep_map_cgrp_storage_ops,
	[SKEP_MAP_CGROUP_STORAGE] = &skep_map_cgroup_storage_ops,
	[SKEP_MAP_PERCPU_CGROUP_STORAGE] = &skep_map_percpu_cgroup_storage_ops,
	[SKEP_MAP_STRUCT_OPS] = &skep_map_struct_ops_ops,
	[SKEP_MAP_RINGBUF] = &skep_map_ringbuf_ops,
	[SKEP_MAP_USER_RINGBUF] = &skep_map_user_ringbuf_ops,
	[SKEP_MAP_ARENA] = &skep_map_arena_ops,
};

const struct skep_map_ops *skep_map_type_ops(uint32_t type)
{
	return type < SKEP_MAP_TYPE_CNT ? rows[type] : NULL;
}
