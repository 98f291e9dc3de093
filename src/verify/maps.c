/*
 * Maps that a program of its type may not use at all, whatever it does with them: told before any
 * path is followed.
 *
 * Programs at tracepoints and probes may interrupt who holds a value's lock.
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

int verify_maps(struct verifier *v)
{
	for (uint32_t i = 0; i < v->image->n_maps; i++) {
		int err = check_fields(v, v->image->maps[i]);

		if (!err && v->image->maps[i]->type == SKEP_MAP_STRUCT_OPS)
			err = verify_refuse(v, STRUCT_OPS_MAP);
		if (err)
			return err;
	}
	return 0;
}
