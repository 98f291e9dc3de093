/* Checks of the functions on maps: count() … lhist(), which are only assigned, and delete() …
 * len(). */
#include "trace/types/typer.h"

#include <inttypes.h>

#include "base/arena.h"

#define CHECK(name)                                                                                \
	const struct skep_type *skep_check_fn_##name(struct skep_typer *t, struct skep_expr *call)

#define MAX_LHIST_BUCKETS 1000
#define MAX_HIST_BITS     5

/* Is this the right side of `@x = …`? */
static bool is_placed(struct skep_typer *t, const struct skep_expr *call)
{
	const char *name = skep_function_name(call);

	if (t->agg_call == call)
		return true;
	TYPE_ERROR(t, call->span, AGG_PLACE, name);
	if (t->diag)
		skep_diag_try(t->diag, "@x = %s(…)", name);
	return false;
}

static const struct skep_type *aggregate(struct skep_typer *t, const struct skep_expr *call,
					 enum skep_type_kind kind)
{
	if (!is_placed(t, call))
		return NULL;
	if (call->n_args && !skep_want_int(t, call, 0))
		return NULL;
	bool is_signed = call->n_args && call->args->type->is_signed;
	return skep_type_agg(t->types, kind, is_signed);
}

CHECK(count)
{
	return aggregate(t, call, SKEP_T_COUNT);
}

CHECK(sum)
{
	return aggregate(t, call, SKEP_T_SUM);
}

CHECK(avg)
{
	return aggregate(t, call, SKEP_T_AVG);
}

CHECK(min)
{
	return aggregate(t, call, SKEP_T_MIN);
}

CHECK(max)
{
	return aggregate(t, call, SKEP_T_MAX);
}

CHECK(stats)
{
	return aggregate(t, call, SKEP_T_STATS);
}

CHECK(hist)
{
	uint32_t bits = 0;

	if (!is_placed(t, call) || !skep_want_int(t, call, 0))
		return NULL;
	if (call->n_args > 1) {
		if (!skep_want_const(t, call, 1, 0, MAX_HIST_BITS))
			return NULL;
		bits = (uint32_t)call->args->next->integer;
	}
	return skep_type_hist(t->types, bits);
}

static const char *lhist_problem(struct skep_typer *t, int64_t min, int64_t max, int64_t step)
{
	if (max <= min)
		return skep_arena_printf(t->arena, "max %" PRId64 " is not above min %" PRId64, max,
					 min);
	if (step <= 0)
		return skep_arena_printf(t->arena, "a step of %" PRId64 " leads nowhere", step);
	uint64_t n = ((uint64_t)max - (uint64_t)min) / (uint64_t)step;
	if (n > MAX_LHIST_BUCKETS)
		return skep_arena_printf(t->arena, "%" PRIu64 " buckets are more than %d", n,
					 MAX_LHIST_BUCKETS);
	return NULL;
}

CHECK(lhist)
{
	if (!is_placed(t, call) || !skep_want_int(t, call, 0))
		return NULL;
	for (uint32_t i = 1; i < 4; i++) {
		if (!skep_want_const(t, call, i, INT64_MIN, INT64_MAX))
			return NULL;
	}
	int64_t min = skep_call_arg(call, 1)->integer, max = skep_call_arg(call, 2)->integer;
	int64_t step = skep_call_arg(call, 3)->integer;
	const char *problem = lhist_problem(t, min, max, step);
	if (problem)
		return TYPE_ERROR(t, call->span, LHIST_RANGE, problem);
	return skep_type_lhist(t->types, min, max, step);
}

static bool want_map(struct skep_typer *t, const struct skep_expr *call)
{
	if (call->args->kind == SKEP_E_MAP)
		return true;
	TYPE_ERROR(t, call->args->span, MAP_EXPECTED, skep_function_name(call));
	return false;
}

/* The map as such, without a key. */
static struct skep_map *whole_map(struct skep_typer *t, const struct skep_expr *call)
{
	if (!want_map(t, call))
		return NULL;
	if (call->args->args) {
		TYPE_ERROR(t, call->args->span, KEY_GIVEN_TWICE, skep_function_name(call));
		if (t->diag)
			skep_diag_try(t->diag, "%s", skep_functions[call->function].synopsis);
		return NULL;
	}
	return skep_map_use(t, call->args);
}

CHECK(delete)
{
	struct skep_map *map;

	if (call->n_args == 2) {
		if ((map = whole_map(t, call))) {
			map->is_deleted = true;
			skep_map_add_key(t, map, call->args->next);
		}
		return &skep_type_bool;
	}
	if (!want_map(t, call))
		return NULL;
	skep_map_key(t, call->args);
	call->args->map->is_deleted = true;
	return &skep_type_bool;
}

CHECK(has_key)
{
	struct skep_map *map = whole_map(t, call);

	if (!map)
		return NULL;
	map->is_read = true;
	return skep_map_add_key(t, map, call->args->next) ? &skep_type_bool : NULL;
}

CHECK(find)
{
	struct skep_map *map = whole_map(t, call);
	struct skep_expr *var = call->args->next->next;

	if (!map)
		return NULL;
	if (var->kind != SKEP_E_VAR)
		return TYPE_ERROR(t, var->span, ARG_LITERAL, "find", "a $variable");
	map->is_read = true;
	if (!skep_map_add_key(t, map, call->args->next))
		return NULL;
	const struct skep_type *value = skep_map_value(t, map, call->span);
	skep_var_assign(t, skep_var_target(t, var, value, NULL), value, NULL);
	var->type = var->var->type;
	return value ? &skep_type_bool : NULL;
}

CHECK(clear)
{
	struct skep_map *map = whole_map(t, call);

	if (map)
		map->is_cleared = true;
	return &skep_type_none;
}

CHECK(zero)
{
	struct skep_map *map = whole_map(t, call);

	if (map)
		map->is_cleared = true;
	return &skep_type_none;
}

CHECK(len)
{
	const struct skep_expr *arg = call->args;

	if (arg->kind == SKEP_E_MAP && !arg->args) {
		struct skep_map *map = skep_map_use(t, call->args);
		map->is_iterated = true;
		return &skep_type_u64;
	}
	const struct skep_type *type =
		arg->kind == SKEP_E_MAP ? skep_type_value(t, call->args) : arg->type;
	if (type && !skep_type_is_stack(type))
		return skep_bad_arg(t, call, 0, "a map or a stack");
	return type ? &skep_type_u64 : NULL;
}
