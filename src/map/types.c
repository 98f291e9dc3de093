/* The rows: map_types.def → operations. */
#include "map/ops.h"

static const struct skep_map_ops *const rows[SKEP_MAP_TYPE_CNT] = {
	[SKEP_MAP_ARRAY] = &skep_map_array_ops,
	[SKEP_MAP_PERCPU_ARRAY] = &skep_map_percpu_array_ops,
};

const struct skep_map_ops *skep_map_type_ops(uint32_t type)
{
	return type < SKEP_MAP_TYPE_CNT ? rows[type] : NULL;
}
