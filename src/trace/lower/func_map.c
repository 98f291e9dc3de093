/* Functions on maps: delete(), has_key(), len(). Aggregates are assignments, see agg.c. */
#include <linux/bpf.h>

#include "trace/lower/lower.h"

#define FN(name)                                                                                   \
	struct skep_value skep_fn_##name(struct skep_lower *l, const struct skep_expr *call)

/* delete(@x[key]) and delete(@x, key). */
static const struct skep_expr *key_of(const struct skep_expr *call)
{
	return call->args->key ? call->args->key : call->args->next;
}

FN(delete)
{
	struct skep_opnd was = skep_lower_map_delete(l, call->args->map, key_of(call));

	return skep_value_int(was, call->type);
}

FN(has_key)
{
	return skep_value_int(skep_lower_map_has(l, call->args->map, key_of(call)), call->type);
}

/* What was found is read again: an entry that went away in between is 0, as one that is read. */
FN(find)
{
	const struct skep_expr *key = call->args->next, *var = key->next;
	struct skep_expr read = {.kind = SKEP_E_MAP,
				 .span = call->span,
				 .text = call->args->text,
				 .map = call->args->map,
				 .key = (struct skep_expr *)key,
				 .type = var->type};
	uint32_t yes = skep_ir_block(l->f), done = skep_ir_block(l->f), was = skep_ir_var(l->f);

	skep_ir_set(l->f, was, skep_lower_map_has(l, read.map, key));
	skep_ir_branch(l->f, SKEP_IR_NE, R(was), I(0), yes, done);
	skep_ir_at(l->f, yes);
	struct skep_value value = skep_lower_map_read(l, &read);
	skep_lower_set_var(l, var->var, &value);
	skep_ir_jump(l->f, done);
	skep_ir_at(l->f, done);
	return skep_value_int(R(was), call->type);
}

/* The kernel's walk returns how many elements it went over. */
static struct skep_opnd count_entries(struct skep_lower *l, const struct skep_trace_map *map)
{
	struct skep_ir_func *f = l->f;
	const char *name = skep_arena_printf(l->arena, "len_%u", l->n_callbacks++);
	struct skep_ir_func *callback = skep_ir_subprog(f, name, 4);
	uint32_t box = skep_ir_slot(f, 8, 8);

	skep_ir_exit(callback, I(0));
	skep_ir_store(f, 8, S(box, 0), 0, I(0));
	return R(skep_ir_calln(f, BPF_FUNC_for_each_map_elem, R(skep_ir_map(f, map->bpf_map)),
			       R(skep_ir_func_addr(f, callback)), S(box, 0), I(0)));
}

/* Those of the stack that the argument is: it may have been kept, and be another's. */
static struct skep_opnd count_kept(struct skep_lower *l, const struct skep_expr *stack)
{
	struct skep_value value = skep_lower_expr(l, stack);

	return skep_lower_unwind_len(l, skep_lower_load(l, &value, 0, 4, false));
}

/* By frame pointers those of the current one: a program cannot look into the map of stacks. */
static struct skep_opnd count_frames(struct skep_lower *l, const struct skep_expr *stack)
{
	const struct skep_type *type = stack->type;
	struct skep_ir_func *f = l->f;

	if (type->kind == SKEP_T_USTACK && skep_lower_unwinds(l))
		return count_kept(l, stack);
	uint32_t slot = skep_ir_slot(f, 8 * type->n, 8);
	uint32_t n = skep_ir_var(f), some = skep_ir_block(f), done = skep_ir_block(f);
	uint64_t flags = type->kind == SKEP_T_USTACK ? BPF_F_USER_STACK : 0;
	uint32_t bytes =
		skep_ir_calln(f, BPF_FUNC_get_stack, l->ctx, S(slot, 0), I(8 * type->n), I(flags));

	skep_ir_set(f, n, I(0));
	skep_ir_branch(f, SKEP_IR_SGT, R(bytes), I(0), some, done);
	skep_ir_at(f, some);
	skep_ir_set(f, n, R(skep_ir_alu(f, SKEP_IR_SHR, R(bytes), I(3))));
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
	return R(n);
}

FN(len)
{
	const struct skep_expr *arg = call->args;

	if (arg->kind != SKEP_E_MAP)
		return skep_value_int(count_frames(l, arg), call->type);
	const struct skep_trace_map *map = skep_lower_map_of(l, arg->map);
	if (map->key) /* never task storage: nothing could go over that */
		return skep_value_int(count_entries(l, map), call->type);
	skep_lower_cannot(l, call->span,
			  "len() counts the entries of a map, and this one has no keys");
	return skep_value_int(I(0), call->type);
}

/* count() and its kin only appear as the value of an assignment, which agg.c lowers. */
#define AGGREGATE(name)                                                                            \
	FN(name)                                                                                   \
	{                                                                                          \
		return skep_value_int(I(0), call->type);                                           \
	}
AGGREGATE(count)
AGGREGATE(sum)
AGGREGATE(avg)
AGGREGATE(min)
AGGREGATE(max)
AGGREGATE(stats)
AGGREGATE(hist)
AGGREGATE(lhist)
