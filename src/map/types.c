/* The rows of map_types.def: a type's number → its operations. */
#include "map/ops.h"

static const struct skep_map_ops *const rows[SKEP_MAP_TYPE_CNT] = {
#define SKEP_MAP_TYPE(number, NAME, name, help) [number] = &skep_map_##name##_ops,
#include <skep/map_types.def>
#undef SKEP_MAP_TYPE
};

const struct skep_map_ops *skep_map_type_ops(uint32_t type)
{
	return type < SKEP_MAP_TYPE_CNT ? rows[type] : NULL;
}
