/*
 * Loops. while and ranges are guarded (see skep_ir_loop_guard()), an outermost unroll is
 * written out, and a for over a map is a callback that the kernel calls for
 * each element.
 *
 * A callback is a function of its own: variables of the outer scopes that it
 * uses live in memory whose address it finds in the box that it is given.
 */
#include <linux/bpf.h>

#include "trace/lower/packet.h"

/*
 * A loop under may_goto is verified until its state repeats. A variable that
 * starts as a constant and counts up never repeats, and the verifier would walk
 * every iteration; so what a loop changes enters it combined with a zero that
 * the verifier does not know to be one. By xor: after an addition it would
 * remember that one is the other plus a constant, and find this not repeated.
 */
struct skep_opnd skep_lower_blur(struct skep_lower *l, struct skep_opnd value)
{
	struct skep_ir_func *f = l->f;

	if (!l->opts->target->may_goto)
		return value; /* there each iteration is walked anyway, and must end */
	uint32_t at = skep_ir_map_value(f, skep_lower_zeroes(l, 8), 0);
	return R(skep_ir_alu(f, SKEP_IR_XOR, value, R(skep_ir_load(f, 8, R(at), 0))));
}

/*
 * Where a condition has told what a variable is, the next step from there is known again: after
 * `if ($i == 0)` a loop that counts would be walked as 0, 1, 2….
 */
struct skep_opnd skep_lower_step(struct skep_lower *l, struct skep_opnd value,
				 const struct skep_type *type)
{
	return l->loop && type->kind == SKEP_T_INT ? skep_lower_blur(l, value) : value;
}

static void blur_var(struct skep_lower *l, const struct skep_var *var)
{
	if (!var || !var->lowered || !skep_type_is_scalar(var->type))
		return;
	if (var->type->kind == SKEP_T_PTR && var->type->space == SKEP_SPACE_BPF)
		return; /* not a number to the verifier */
	struct skep_value value = skep_lower_var(l, var);
	value.opnd = skep_lower_blur(l, value.opnd);
	skep_lower_set_var(l, var, &value);
}

static void blur_captures(struct skep_lower *l, const struct skep_stmt *loop)
{
	for (uint32_t i = 0; i < loop->n_captures; i++)
		blur_var(l, loop->captures[i]);
}

static void blur_exprs(struct skep_lower *l, const struct skep_expr *expr);

/* Every variable that @stmt or what is in it assigns to; a callback's own are not in this frame. */
static void blur_assigned(struct skep_lower *l, const struct skep_stmt *stmt)
{
	for (; stmt; stmt = stmt->next) {
		if (stmt->kind == SKEP_S_FOR_MAP) {
			blur_captures(l, stmt);
			continue;
		}
		if (stmt->target && stmt->target->kind == SKEP_E_VAR)
			blur_var(l, stmt->target->var);
		blur_exprs(l, stmt->target);
		blur_exprs(l, stmt->value);
		blur_exprs(l, stmt->cond);
		blur_exprs(l, stmt->limit);
		blur_assigned(l, stmt->body);
		blur_assigned(l, stmt->else_body);
	}
}

static void blur_exprs(struct skep_lower *l, const struct skep_expr *expr)
{
	for (; expr; expr = expr->next) {
		if (expr->kind == SKEP_E_INCDEC)
			blur_var(l, expr->right->var);
		blur_exprs(l, expr->cond);
		blur_exprs(l, expr->left);
		blur_exprs(l, expr->right);
		blur_exprs(l, expr->args);
		blur_assigned(l, expr->body);
	}
}

/*
 * What a callback is given, on the stack, as the kernel forgets what a pointer
 * is anywhere else: how the loop was left, the program's context, where the captured
 * variables are, the place (see gather.c), and where the packet's values are. Those may be
 * many and long, and so lie wherever there is room.
 */
enum {
	BOX_LEFT = 0,
	BOX_CTX = 8,
	BOX_CAPTURED = 16,
	BOX_PLACE = 24,
	BOX_PACKET = 32,
	BOX_BYTES = 40
};
enum left_by { LEFT_AT_END, LEFT_BY_RETURN };

void skep_lower_box(struct skep_lower *l)
{
	l->box = S(skep_ir_slot(l->f, BOX_BYTES, 8), 0);
	skep_ir_store(l->f, 8, l->box, BOX_LEFT, I(LEFT_AT_END));
	skep_ir_store(l->f, 8, l->box, BOX_CTX, l->ctx);
	if (l->probe->gather)
		skep_ir_store(l->f, 8, l->box, BOX_PLACE, l->place);
	if (l->packet)
		skep_ir_store(l->f, 8, l->box, BOX_PACKET, l->packet->block);
	if (!l->captured_bytes)
		return;
	l->captured = S(skep_ir_slot(l->f, l->captured_bytes, 8), 0);
	skep_lower_zero(l, l->captured, 0, l->captured_bytes);
	skep_ir_store(l->f, 8, l->box, BOX_CAPTURED, l->captured);
}

void skep_lower_leave(struct skep_lower *l)
{
	if (!l->in_callback) {
		skep_lower_exit(l);
		return;
	}
	skep_ir_store(l->f, 8, l->box, BOX_LEFT, I(LEFT_BY_RETURN));
	skep_ir_exit(l->f, I(1));
}

static void count_limit(struct skep_lower *l, uint32_t exhausted, uint32_t done)
{
	skep_ir_at(l->f, exhausted);
	skep_lower_loss(l, skep_loss_off(l, SKEP_LOSS_LOOP));
	skep_ir_jump(l->f, done);
}

static void loop_body(struct skep_lower *l, const struct skep_stmt *stmt, uint32_t next,
		      uint32_t done)
{
	struct skep_loop loop = {.outer = l->loop, .break_block = done, .continue_block = next};

	l->loop = &loop;
	skep_lower_stmts(l, stmt->body);
	l->loop = loop.outer;
	if (!skep_ir_ended(l->f))
		skep_ir_jump(l->f, next);
}

static void lower_while(struct skep_lower *l, const struct skep_stmt *stmt)
{
	struct skep_ir_func *f = l->f;
	uint32_t head = skep_ir_block(f), body = skep_ir_block(f);
	uint32_t done = skep_ir_block(f), exhausted = skep_ir_block(f);

	blur_assigned(l, stmt->body);
	blur_exprs(l, stmt->cond);
	skep_ir_jump(f, head);
	skep_ir_at(f, head);
	skep_ir_loop_guard(f, exhausted);
	skep_lower_cond(l, stmt->cond, body, done);
	skep_ir_at(f, body);
	loop_body(l, stmt, head, done);
	count_limit(l, exhausted, done);
	skep_ir_at(f, done);
}

/* Rounds from @start to below @limit; @element sees the round's number, if there is one. */
static void count_rounds(struct skep_lower *l, const struct skep_stmt *stmt, struct skep_opnd start,
			 struct skep_opnd limit, const struct skep_var *element)
{
	struct skep_ir_func *f = l->f;
	uint32_t head = skep_ir_block(f), body = skep_ir_block(f), next = skep_ir_block(f);
	uint32_t done = skep_ir_block(f), exhausted = skep_ir_block(f);
	uint32_t i = skep_ir_var(f);

	blur_assigned(l, stmt->body);
	skep_ir_set(f, i, skep_lower_blur(l, start));
	skep_ir_jump(f, head);
	skep_ir_at(f, head);
	skep_ir_loop_guard(f, exhausted);
	skep_ir_branch(f, SKEP_IR_SLT, R(i), limit, body, done);
	skep_ir_at(f, body);
	if (element && element->lowered) {
		struct skep_value now = skep_value_int(R(i), element->type);
		skep_lower_set_var(l, element, &now);
	}
	loop_body(l, stmt, next, done);
	skep_ir_at(f, next);
	skep_ir_set(f, i, skep_lower_blur(l, R(skep_ir_alu(f, SKEP_IR_ADD, R(i), I(1)))));
	skep_ir_jump(f, head);
	count_limit(l, exhausted, done);
	skep_ir_at(f, done);
}

/* The counter is the loop's own: assigning to $i in the body does not change the course. */
static void lower_range(struct skep_lower *l, const struct skep_stmt *stmt)
{
	struct skep_opnd limit = R(skep_ir_mov(l->f, skep_lower_scalar(l, stmt->limit)));

	count_rounds(l, stmt, skep_lower_scalar(l, stmt->value), limit, stmt->target->var);
}

/* Within another loop it would make that so many times as long to verify: there it is a loop. */
static void lower_unroll(struct skep_lower *l, const struct skep_stmt *stmt)
{
	if (l->loop && l->opts->target->may_goto && stmt->unroll_cnt > 1) {
		count_rounds(l, stmt, I(0), I((int64_t)stmt->unroll_cnt), NULL);
		return;
	}
	uint32_t done = skep_ir_block(l->f);
	for (uint64_t i = 0; i < stmt->unroll_cnt && !skep_ir_ended(l->f); i++) {
		uint32_t next = skep_ir_block(l->f);
		loop_body(l, stmt, next, done);
		skep_ir_at(l->f, next);
	}
	if (!skep_ir_ended(l->f))
		skep_ir_jump(l->f, done);
	skep_ir_at(l->f, done);
}

/* --- for over a map --------------------------------------------------------------------------- */

/* Where $kv lives: with what a loop inside this one captures, or in the callback's own frame. */
static struct skep_opnd element_home(struct skep_lower *l, struct skep_var *var, int32_t *ret_off)
{
	struct skep_var_home *home = var->lowered;

	*ret_off = 0;
	if (home && home->kind == SKEP_VAR_BOX) {
		*ret_off = (int32_t)home->off;
		return l->captured;
	}
	home = skep_arena_new(l->arena, struct skep_var_home);
	home->kind = SKEP_VAR_SLOT;
	home->slot = skep_ir_slot(l->f, var->type->size, 8);
	var->lowered = home;
	return S(home->slot, 0);
}

/* $kv = (key, value), from the callback's arguments (map, key, value, box). */
static void bind_element(struct skep_lower *l, const struct skep_stmt *stmt,
			 const struct skep_trace_map *map)
{
	const struct skep_type *type = stmt->target->var->type;
	const struct skep_tuple_field *fields = type->fields;
	struct skep_opnd key = R(skep_ir_param(l->f, 1)), at = R(skep_ir_param(l->f, 2));
	int32_t off;
	struct skep_opnd element = element_home(l, stmt->target->var, &off);

	skep_lower_zero(l, element, off, type->size);
	struct skep_value value = skep_lower_at(l, key, 0, map->key, SKEP_SPACE_BPF);
	skep_lower_store(l, &value, element, off + (int32_t)fields[0].off, fields[0].type);
	if (skep_type_is_agg(map->value))
		value = skep_value_int(skep_lower_agg_read(l, map, key), fields[1].type);
	else
		value = skep_lower_at(l, at, 0, map->value, SKEP_SPACE_BPF);
	skep_lower_store(l, &value, element, off + (int32_t)fields[1].off, fields[1].type);
}

static void build_callback(struct skep_lower *l, const struct skep_stmt *stmt,
			   const struct skep_trace_map *map, struct skep_ir_func *callback)
{
	struct skep_lower outer = *l;
	struct skep_loop loop = {.is_callback = true};

	l->f = callback;
	l->loop = &loop;
	l->in_callback = true;
	l->n_proofs = 0; /* registers of another function */
	l->box = R(skep_ir_param(callback, 3));
	skep_ir_at_source(callback, stmt->span);
	l->ctx = R(skep_ir_load(callback, 8, l->box, BOX_CTX));
	if (l->probe->gather)
		l->place = R(skep_ir_load(callback, 8, l->box, BOX_PLACE));
	if (l->captured_bytes)
		l->captured = R(skep_ir_load(callback, 8, l->box, BOX_CAPTURED));
	struct skep_opnd block = l->packet ? l->packet->block : I(0);
	if (l->packet)
		l->packet->block = R(skep_ir_load(callback, 8, l->box, BOX_PACKET));
	skep_lower_homes_of(l, stmt);
	bind_element(l, stmt, map);
	skep_lower_stmts(l, stmt->body);
	if (!skep_ir_ended(callback))
		skep_ir_exit(callback, I(0));
	l->f = outer.f;
	l->loop = outer.loop;
	l->in_callback = outer.in_callback;
	l->n_proofs = outer.n_proofs;
	l->box = outer.box;
	l->captured = outer.captured;
	l->ctx = outer.ctx;
	l->place = outer.place;
	if (l->packet)
		l->packet->block = block;
}

static void lower_for_map(struct skep_lower *l, const struct skep_stmt *stmt)
{
	const struct skep_trace_map *map = skep_lower_map_of(l, stmt->value->map);
	struct skep_ir_func *f = l->f;
	const char *name = skep_arena_printf(l->arena, "for_each_%u", l->n_callbacks++);
	struct skep_ir_func *callback = skep_ir_subprog(f, name, 4);
	uint32_t leave = skep_ir_block(f), on = skep_ir_block(f);

	build_callback(l, stmt, map, callback);
	blur_captures(l, stmt);
	skep_ir_store(f, 8, l->box, BOX_LEFT, I(LEFT_AT_END));
	skep_ir_calln(f, BPF_FUNC_for_each_map_elem, R(skep_ir_map(f, map->bpf_map)),
		      R(skep_ir_func_addr(f, callback)), R(skep_ir_addr(f, l->box, 0)), I(0));
	uint32_t left = skep_ir_load(f, 8, l->box, BOX_LEFT);
	skep_ir_branch(f, SKEP_IR_NE, R(left), I(LEFT_AT_END), leave, on);
	skep_ir_at(f, leave);
	if (l->in_callback)
		skep_ir_exit(f, I(1));
	else
		skep_lower_exit(l);
	skep_ir_at(f, on);
}

static void lower_jump(struct skep_lower *l, const struct skep_stmt *stmt)
{
	bool is_break = stmt->kind == SKEP_S_BREAK;

	if (l->loop->is_callback)
		skep_ir_exit(l->f, I(is_break));
	else
		skep_ir_jump(l->f, is_break ? l->loop->break_block : l->loop->continue_block);
}

void skep_lower_loop(struct skep_lower *l, const struct skep_stmt *stmt)
{
	if (stmt->kind == SKEP_S_WHILE || stmt->kind == SKEP_S_FOR_RANGE)
		skep_lower_best(l, SKEP_FOR_LOOPS); /* noted: the target decides */
	switch (stmt->kind) {
	case SKEP_S_WHILE: lower_while(l, stmt); break;
	case SKEP_S_FOR_RANGE: lower_range(l, stmt); break;
	case SKEP_S_UNROLL: lower_unroll(l, stmt); break;
	case SKEP_S_FOR_MAP: lower_for_map(l, stmt); break;
	default: lower_jump(l, stmt); break;
	}
}
