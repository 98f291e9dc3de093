/* Functions that send an event to the run time: printf() and its kin, clear(), exit(). */
#include <linux/bpf.h>
#include <string.h>

#include "trace/lower/lower.h"

#define JOIN_MOST       16
#define JOIN_BYTES_MOST 24576 /* of all strings: what a program's memory has room for */

#define FN(name)                                                                                   \
	struct skep_value skep_fn_##name(struct skep_lower *l, const struct skep_expr *call)

static const struct skep_value nothing = {.type = &skep_type_none};

/* A format and its arguments. */
static struct skep_value formatted(struct skep_lower *l, const struct skep_expr *call,
				   enum skep_event_kind kind)
{
	skep_lower_event(l, kind, call->args->text, 0, call->args->next, call->n_args - 1);
	return nothing;
}

FN(printf)
{
	return formatted(l, call, SKEP_EV_PRINTF);
}
FN(errorf)
{
	return formatted(l, call, SKEP_EV_ERRORF);
}
FN(warnf)
{
	return formatted(l, call, SKEP_EV_WARNF);
}
FN(system)
{
	return formatted(l, call, SKEP_EV_SYSTEM);
}
FN(cat)
{
	return formatted(l, call, SKEP_EV_CAT);
}

/* The format lies on the stack; what is text in a value is given by its address. */
FN(debugf)
{
	const char *text = call->args->text;
	uint32_t size = (uint32_t)strlen(text) + 1, n = 2;
	uint32_t slot = skep_ir_slot(l->f, size, 8);
	struct skep_opnd args[5] = {S(slot, 0), I(size)};

	skep_lower_literal(l, text, size - 1, S(slot, 0), 0, size);
	for (const struct skep_expr *arg = call->args->next; arg; arg = arg->next) {
		struct skep_value value = skep_lower_expr(l, arg);
		if (!skep_type_is_scalar(value.type)) {
			value = skep_lower_own(l, &value);
			value.opnd = skep_lower_address(l, &value);
		}
		args[n++] = value.opnd;
	}
	skep_ir_call(l->f, BPF_FUNC_trace_printk, n, args);
	return nothing;
}

FN(time)
{
	skep_lower_event(l, SKEP_EV_TIME, call->args ? call->args->text : "%H:%M:%S\n", 0, NULL, 0);
	return nothing;
}

/* print(@x[key]): the entry with its key, if it is there. */
static void print_entry(struct skep_lower *l, const struct skep_expr *arg)
{
	struct skep_expr key = *arg->key, value = *arg;
	uint32_t yes = skep_ir_block(l->f), done = skep_ir_block(l->f);
	struct skep_opnd has = skep_lower_map_has(l, arg->map, arg->key);

	key.next = &value;
	value.next = NULL;
	skep_ir_branch(l->f, SKEP_IR_NE, has, I(0), yes, done);
	skep_ir_at(l->f, yes);
	skep_lower_event(l, SKEP_EV_PRINT_KEY, NULL, arg->map->index, &key, 2);
	skep_ir_jump(l->f, done);
	skep_ir_at(l->f, done);
}

static void print_map(struct skep_lower *l, const struct skep_expr *arg, uint32_t n_numbers)
{
	skep_lower_event(l, SKEP_EV_PRINT_MAP, NULL, arg->map->index, arg->next, n_numbers);
	skep_vec_last(&l->events)->takes = arg->is_taken;
}

FN(print)
{
	const struct skep_expr *arg = call->args;
	bool is_map = arg->kind == SKEP_E_MAP;

	if (is_map && !arg->key && !arg->map->is_live)
		return nothing; /* of an option that was not given */
	if (is_map && !arg->key)
		print_map(l, arg, call->n_args - 1);
	else if (is_map)
		print_entry(l, arg);
	else
		skep_lower_event(l, SKEP_EV_PRINT, NULL, 0, arg, 1);
	return nothing;
}

FN(clear)
{
	if (!call->args->is_taken)
		skep_lower_event(l, SKEP_EV_CLEAR, NULL, call->args->map->index, NULL, 0);
	return nothing;
}

FN(zero)
{
	skep_lower_event(l, SKEP_EV_ZERO, NULL, call->args->map->index, NULL, 0);
	return nothing;
}

FN(row)
{
	return formatted(l, call, SKEP_EV_ROW);
}

FN(table)
{
	const struct skep_expr *top = call->args->next;
	uint32_t n = 0, *maps = skep_arena_array(l->arena, uint32_t, call->n_args);
	uint64_t takes = 0;

	for (const struct skep_expr *arg = top->next; arg; arg = arg->next) {
		takes |= (uint64_t)arg->is_taken << n;
		maps[n++] = arg->map->index;
	}
	skep_lower_event(l, SKEP_EV_TABLE, call->args->text, 0, top, 1);
	struct skep_event *event = skep_vec_last(&l->events);
	event->maps = maps;
	event->n_maps = n;
	event->takes = takes;
	event->sort = (uint32_t)call->integer;
	return nothing;
}

FN(refresh)
{
	skep_lower_event(l, SKEP_EV_REFRESH, NULL, 0, NULL, 0);
	return nothing;
}

FN(exit)
{
	skep_lower_event(l, SKEP_EV_EXIT, NULL, 0, call->args, call->n_args);
	skep_lower_leave(l);
	return nothing;
}

FN(assert)
{
	uint32_t fine = skep_ir_block(l->f), broken = skep_ir_block(l->f);
	struct skep_expr status = {.kind = SKEP_E_INT,
				   .is_const = true,
				   .integer = 1,
				   .type = &skep_type_u64,
				   .span = call->span};
	const char *text = call->args->next->text;

	skep_lower_cond(l, call->args, fine, broken);
	skep_ir_at(l->f, broken);
	text = skep_arena_printf(l->arena, "assertion failed: %s\n", text ? text : "");
	skep_lower_event(l, SKEP_EV_ERRORF, text, 0, NULL, 0);
	skep_lower_event(l, SKEP_EV_EXIT, NULL, 0, &status, 1);
	skep_lower_leave(l);
	skep_ir_at(l->f, fine);
	return nothing;
}

/* Decided while compiling (types/): nothing is left to do here. */
FN(static_assert)
{
	return nothing;
}
FN(fail)
{
	return nothing;
}

/* --- join(): the strings of an argv ----------------------------------------------------------- */

/*
 * The record: header, u32 count, then u32 offset and u32 length of each string,
 * then the strings. Lengths vary, so it is put together in a slot.
 */
struct join {
	uint32_t slot, end; /* slot; register */
	uint32_t done;
	uint32_t fixed, str_bytes;
};

static void join_one(struct skep_lower *l, struct join *join, const struct skep_value *argv,
		     uint32_t i)
{
	struct skep_ir_func *f = l->f;
	uint32_t some = skep_ir_block(f);
	int32_t at = (int32_t)(sizeof(struct skep_event_hdr) + 8 + 8 * i);
	struct skep_opnd ptr = skep_lower_load(l, argv, (int32_t)(8 * i), 8, false);

	skep_ir_branch(f, SKEP_IR_NE, ptr, I(0), some, join->done);
	skep_ir_at(f, some);
	struct skep_value text = {.opnd = ptr, .space = argv->space};
	uint32_t to =
		skep_ir_alu(f, SKEP_IR_ADD, R(skep_ir_addr(f, S(join->slot, 0), 0)), R(join->end));
	struct skep_opnd len = skep_lower_read_str(l, R(to), 0, join->str_bytes, &text);
	skep_ir_store(f, 4, S(join->slot, 0), at, R(join->end));
	skep_ir_store(f, 4, S(join->slot, 0), at + 4, len);
	skep_lower_advance(l, join->end, len, join->fixed + (i + 1) * join->str_bytes);
	skep_ir_store(f, 4, S(join->slot, 0), sizeof(struct skep_event_hdr), I(i + 1));
}

FN(join)
{
	struct skep_ir_func *f = l->f;
	uint32_t fixed = sizeof(struct skep_event_hdr) + 8 + 8 * JOIN_MOST;
	uint64_t longest = l->program->config.max_strlen;
	uint32_t str_bytes =
		(uint32_t)(longest < JOIN_BYTES_MOST / JOIN_MOST ? longest
								 : JOIN_BYTES_MOST / JOIN_MOST);
	const struct skep_type *type = call->args->type;
	struct skep_value argv = {.opnd = skep_lower_scalar(l, call->args), .space = type->space};
	struct skep_event event = {.kind = SKEP_EV_JOIN, .text = " "};

	if (argv.space == SKEP_SPACE_NONE)
		argv.space = l->probe->provider->space;
	if (call->args->next && call->args->next->text)
		event.text = call->args->next->text;
	struct join join = {.slot = skep_ir_slot(f, fixed + JOIN_MOST * str_bytes, 8),
			    .end = skep_ir_var(f),
			    .done = skep_ir_block(f),
			    .fixed = fixed,
			    .str_bytes = str_bytes};
	skep_ir_set(f, join.end, I(fixed));
	skep_lower_zero(l, S(join.slot, 0), 0, fixed);
	skep_ir_store(f, 8, S(join.slot, 0), 0, I(l->events.len | (uint64_t)fixed << 32));
	skep_vec_push(&l->events, event);
	for (uint32_t i = 0; i < JOIN_MOST; i++) {
		uint32_t mark = skep_ir_slot_mark(f);
		join_one(l, &join, &argv, i);
		skep_ir_slot_release(f, mark);
	}
	skep_ir_jump(f, join.done);
	skep_ir_at(f, join.done);
	skep_lower_advance(l, join.end, I(0), fixed + JOIN_MOST * str_bytes);
	skep_lower_ring_for_data(l);
	skep_lower_output(l, join.slot, R(join.end), false);
	return nothing;
}
