/*
 * Which helpers may be given which maps: map_rules.def, asked from both sides.
 *
 * Source  behaviour of Linux 6.18, check_map_func_compatibility(), may_update_sockmap()
 */
#include "verify/call.h"

static const struct rule {
	uint32_t map;
	int32_t helper;
	bool of_map, of_helper; /* which of them takes nothing else */
} rules[] = {
#define BOTH(map, helper)        {SKEP_MAP_##map, HELPER_ID_##helper, true, true},
#define MAP(map, helper)         {SKEP_MAP_##map, HELPER_ID_##helper, true, false},
#define HELPER_ONLY(map, helper) {SKEP_MAP_##map, HELPER_ID_##helper, false, true},
#define SOCKET_MAP(map)
#include "verify/map_rules.def"
#undef BOTH
#undef MAP
#undef HELPER_ONLY
#undef SOCKET_MAP
};

static bool is_socket_map(uint32_t map)
{
	switch (map) {
#define BOTH(map, helper)
#define MAP(map, helper)
#define HELPER_ONLY(map, helper)
#define SOCKET_MAP(map)                                                                            \
	case SKEP_MAP_##map:                                                                       \
		return true;
#include "verify/map_rules.def"
#undef BOTH
#undef MAP
#undef HELPER_ONLY
#undef SOCKET_MAP
	default: return false;
	}
}

/* Where no socket can be locked at that moment. */
static bool may_update_sockets(struct verifier *v, int32_t helper)
{
	enum { TRACE_ITER = 28 };

	if (helper != HELPER_ID_map_update_elem && helper != HELPER_ID_map_delete_elem)
		return false;
	switch (verify_type(v)) {
	case PROG_TYPE_TRACING:
		if (v->program->attach_type == TRACE_ITER)
			return true;
		break;
	case PROG_TYPE_SOCK_OPS:
		if (helper == HELPER_ID_map_delete_elem)
			return true;
		break;
	case PROG_TYPE_SOCKET_FILTER:
	case PROG_TYPE_SCHED_CLS:
	case PROG_TYPE_SCHED_ACT:
	case PROG_TYPE_XDP:
	case PROG_TYPE_SK_REUSEPORT:
	case PROG_TYPE_FLOW_DISSECTOR:
	case PROG_TYPE_SK_LOOKUP: return true;
	default: break;
	}
	verify_log(v, "cannot update sockmap in this context\n");
	return false;
}

int verify_map_rules(struct verifier *v, const struct call *call)
{
	bool map_asks = false, helper_asks = false;

	if (!call->map)
		return 0;
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		const struct rule *rule = &rules[i];
		bool map = rule->map == call->map->type, helper = rule->helper == call->id;

		if (map && helper)
			return 0;
		map_asks |= map && rule->of_map;
		helper_asks |= helper && rule->of_helper;
	}
	if (!helper_asks && is_socket_map(call->map->type) && may_update_sockets(v, call->id))
		return 0;
	if (!map_asks && !helper_asks)
		return 0;
	return verify_refuse(v, MAP_HELPER, call->map->type, call->name, call->id);
}
