/* Statements and variables. */
#include <linux/bpf.h>

#include "trace/lower/packet.h"

#define MAX_ERRNO 4095

/* --- Variables -------------------------------------------------------------------------- */

static struct skep_var_home *home_of(const struct skep_var *var)
{
	return var->lowered;
}

struct skep_value skep_lower_var(struct skep_lower *l, const struct skep_var *var)
{
	const struct skep_var_home *home = home_of(var);

	switch (home->kind) {
	case SKEP_VAR_REG: return skep_value_int(R(home->reg), var->type);
	case SKEP_VAR_BOX:
		return skep_lower_at(l, l->captured, (int32_t)home->off, var->type, SKEP_SPACE_BPF);
	case SKEP_VAR_SLOT: break;
	}
	return (struct skep_value){
		.type = var->type, .opnd = S(home->slot, 0), .space = SKEP_SPACE_BPF};
}

void skep_lower_set_var(struct skep_lower *l, const struct skep_var *var,
			const struct skep_value *value)
{
	const struct skep_var_home *home = home_of(var);

	if (home->kind == SKEP_VAR_REG)
		skep_ir_set(l->f, home->reg, value->opnd);
	else if (home->kind == SKEP_VAR_SLOT)
		skep_lower_store(l, value, S(home->slot, 0), 0, var->type);
	else
		skep_lower_store(l, value, l->captured, (int32_t)home->off, var->type);
}

static void clear_var(struct skep_lower *l, const struct skep_var *var)
{
	const struct skep_var_home *home = home_of(var);

	if (home->kind == SKEP_VAR_REG)
		skep_ir_set(l->f, home->reg, I(0));
	else if (home->kind == SKEP_VAR_SLOT)
		skep_lower_zero(l, S(home->slot, 0), 0, var->type->size);
	else
		skep_lower_zero(l, l->captured, (int32_t)home->off, var->type->size);
}

/* --- Homes ------------------------------------------------------------------------------- */

static void box_captures(struct skep_lower *l, const struct skep_stmt *stmt)
{
	for (uint32_t i = 0; i < stmt->n_captures; i++) {
		struct skep_var *var = stmt->captures[i];
		if (var->lowered || !var->type)
			continue;
		struct skep_var_home *home = skep_arena_new(l->arena, struct skep_var_home);
		home->kind = SKEP_VAR_BOX;
		home->off = l->captured_bytes;
		l->captured_bytes += (var->type->size + 7) & ~7u;
		var->lowered = home;
	}
}

static void find_captures(struct skep_lower *l, const struct skep_stmt *stmt);

/* Values may hold statements: macros are expanded into such. */
static void find_captures_in(struct skep_lower *l, const struct skep_expr *expr)
{
	for (; expr; expr = expr->next) {
		find_captures(l, expr->body);
		find_captures_in(l, expr->cond);
		find_captures_in(l, expr->left);
		find_captures_in(l, expr->right);
		find_captures_in(l, expr->args);
	}
}

/* Variables that a callback shares live in one piece of memory, the rest where they are cheapest.
 */
static void find_captures(struct skep_lower *l, const struct skep_stmt *stmt)
{
	for (; stmt; stmt = stmt->next) {
		if (stmt->kind == SKEP_S_FOR_MAP) {
			l->has_box = true;
			box_captures(l, stmt);
		}
		find_captures_in(l, stmt->target);
		find_captures_in(l, stmt->value);
		find_captures_in(l, stmt->cond);
		find_captures_in(l, stmt->limit);
		find_captures(l, stmt->body);
		find_captures(l, stmt->else_body);
	}
}

static void make_home(struct skep_lower *l, struct skep_var *var)
{
	if (!var || var->lowered || !var->type || var->type->kind == SKEP_T_NONE)
		return;
	struct skep_var_home *home = skep_arena_new(l->arena, struct skep_var_home);
	var->lowered = home;
	if (skep_type_is_scalar(var->type)) {
		home->kind = SKEP_VAR_REG;
		home->reg = skep_ir_var(l->f);
		return;
	}
	home->kind = SKEP_VAR_SLOT;
	home->slot = skep_ir_slot(l->f, var->type->size, 8);
}

static void forget(const struct skep_stmt *stmt, const struct skep_expr *expr, bool boxes);

static void forget_exprs(const struct skep_expr *expr, bool boxes)
{
	for (; expr; expr = expr->next) {
		struct skep_var *var = expr->var;
		if (var && var->lowered && (boxes || home_of(var)->kind != SKEP_VAR_BOX))
			var->lowered = NULL;
		forget(expr->body, expr->cond, boxes);
		forget(NULL, expr->left, boxes);
		forget(NULL, expr->right, boxes);
		forget(NULL, expr->args, boxes);
	}
}

/*
 * A body may be lowered again, for another place or in another round of an
 * unroll: its variables' homes are then new. What is in the box stays there
 * for the whole program.
 */
static void forget(const struct skep_stmt *stmt, const struct skep_expr *expr, bool boxes)
{
	forget_exprs(expr, boxes);
	for (; stmt; stmt = stmt->next) {
		forget(stmt->body, stmt->target, boxes);
		forget(stmt->else_body, stmt->value, boxes);
		forget(NULL, stmt->cond, boxes);
		forget(NULL, stmt->limit, boxes);
	}
}

static bool is_own_var(const struct skep_lower *l, const struct skep_stmt *stmt)
{
	/* The variables of a for over a map belong to its callback's frame. */
	return stmt->target && stmt->target->kind == SKEP_E_VAR && stmt->kind != SKEP_S_FOR_MAP;
}

/* Of a callback's body (@loop; NULL: the probe's own): a variable of the blocks around keeps what
 * it holds. */
static bool is_shared(const struct skep_stmt *loop, const struct skep_var *var)
{
	for (uint32_t i = 0; loop && i < loop->n_captures; i++) {
		if (loop->captures[i] == var)
			return true;
	}
	return false;
}

static void home_exprs(struct skep_lower *l, const struct skep_expr *expr,
		       const struct skep_stmt *loop);

static void home_stmts(struct skep_lower *l, const struct skep_stmt *stmt,
		       const struct skep_stmt *loop)
{
	for (; stmt; stmt = stmt->next) {
		if (is_own_var(l, stmt)) {
			make_home(l, stmt->target->var);
			if (stmt->target->var && stmt->target->var->lowered &&
			    !is_shared(loop, stmt->target->var))
				clear_var(l, stmt->target->var);
		}
		home_exprs(l, stmt->target, loop);
		home_exprs(l, stmt->value, loop);
		home_exprs(l, stmt->cond, loop);
		home_exprs(l, stmt->limit, loop);
		if (stmt->kind != SKEP_S_FOR_MAP)
			home_stmts(l, stmt->body, loop);
		home_stmts(l, stmt->else_body, loop);
	}
}

/* Values may hold statements: { $x = 1; $x }. */
static void home_exprs(struct skep_lower *l, const struct skep_expr *expr,
		       const struct skep_stmt *loop)
{
	for (; expr; expr = expr->next) {
		if (expr->kind == SKEP_E_BLOCK)
			home_stmts(l, expr->body, loop);
		home_exprs(l, expr->cond, loop);
		home_exprs(l, expr->left, loop);
		home_exprs(l, expr->right, loop);
		home_exprs(l, expr->args, loop);
	}
}

void skep_lower_homes_of(struct skep_lower *l, const struct skep_stmt *loop)
{
	forget(loop->body, NULL, false);
	home_stmts(l, loop->body, loop);
}

void skep_lower_homes(struct skep_lower *l, const struct skep_probe_def *def)
{
	forget(def->body, def->predicate, true);
	l->captured_bytes = 0;
	l->has_box = false;
	find_captures_in(l, def->predicate);
	find_captures(l, def->body);
	l->packet = l->probe->hook ? skep_packet_homes_new(l, def, l->has_box) : NULL;
	if (l->has_box)
		skep_lower_box(l);
	home_exprs(l, def->predicate, NULL);
	home_stmts(l, def->body, NULL);
}

/* --- Statements ---------------------------------------------------------------------------- */

static bool is_aggregate_call(const struct skep_expr *value)
{
	return value->kind == SKEP_E_CALL && value->function >= SKEP_FN_count &&
	       value->function <= SKEP_FN_lhist;
}

static void assign_map(struct skep_lower *l, const struct skep_stmt *stmt)
{
	bool is_step = stmt->op == SKEP_OPR_ADD || stmt->op == SKEP_OPR_SUB;

	if (stmt->op != SKEP_OPR_NONE) {
		struct skep_opnd value = skep_lower_scalar(l, stmt->value);
		if (is_step && stmt->target->type)
			value = skep_lower_steps(l, value, stmt->target->type);
		skep_lower_map_update(l, stmt->target, stmt->op, value, false);
	} else if (is_aggregate_call(stmt->value)) {
		skep_lower_aggregate(l, stmt->target, stmt->value);
	} else {
		skep_lower_map_assign(l, stmt->target, stmt->value);
	}
}

/* $x op= value: as the expression ($x op value), assigned. */
static void assign_var_op(struct skep_lower *l, const struct skep_stmt *stmt)
{
	struct skep_expr sum = {.kind = SKEP_E_BINARY,
				.span = stmt->span,
				.op = stmt->op,
				.left = stmt->target,
				.right = stmt->value,
				.type = stmt->target->var->type};
	struct skep_value value = skep_lower_expr(l, &sum);

	if (skep_type_is_scalar(value.type))
		value.opnd = skep_lower_step(l, value.opnd, value.type);
	skep_lower_set_var(l, stmt->target->var, &value);
}

/*
 * May the verifier know this number, and another one where control came another way? Then it
 * would walk all that follows once for each of them, and 20 such variables are a million ways.
 */
static bool is_told_by_path(const struct skep_expr *value)
{
	switch (value->kind) {
	case SKEP_E_IDENT:
	case SKEP_E_VAR:
	case SKEP_E_FIELD:
	case SKEP_E_INDEX: return value->is_const;
	default: return value->type->kind == SKEP_T_INT;
	}
}

static struct skep_opnd number_for_var(struct skep_lower *l, const struct skep_var *var,
				       const struct skep_expr *value)
{
	struct skep_opnd number = skep_lower_fit(l, skep_lower_scalar(l, value), var->type);

	return is_told_by_path(value) ? skep_lower_blur(l, number) : number;
}

static void assign_var(struct skep_lower *l, const struct skep_var *var,
		       const struct skep_expr *value)
{
	const struct skep_var_home *home = home_of(var);

	if (!home) { /* a value without bytes */
		skep_lower_expr(l, value);
	} else if (home->kind == SKEP_VAR_REG) {
		skep_ir_set(l->f, home->reg, number_for_var(l, var, value));
	} else {
		/* By way of a temporary: the value may read the variable. */
		struct skep_value own = skep_lower_expr(l, value);
		skep_lower_set_var(l, var, &own);
	}
}

static void lower_assign(struct skep_lower *l, const struct skep_stmt *stmt)
{
	if (stmt->target->kind == SKEP_E_MAP)
		assign_map(l, stmt);
	else if (stmt->op != SKEP_OPR_NONE)
		assign_var_op(l, stmt);
	else
		assign_var(l, stmt->target->var, stmt->value);
}

static void lower_let(struct skep_lower *l, const struct skep_stmt *stmt)
{
	struct skep_var *var = stmt->target->var;

	if (!var->lowered)
		return; /* declared, never used */
	if (stmt->value)
		assign_var(l, var, stmt->value);
	else
		clear_var(l, var);
}

static void lower_if(struct skep_lower *l, const struct skep_stmt *stmt)
{
	struct skep_ir_func *f = l->f;
	uint32_t yes = skep_ir_block(f), no = skep_ir_block(f);
	uint32_t done = stmt->else_body ? skep_ir_block(f) : no;
	uint32_t n_proofs = l->n_proofs;

	skep_lower_test(l, stmt->cond, yes, no);
	skep_ir_at(f, yes);
	skep_lower_stmts(l, stmt->body);
	l->n_proofs = n_proofs;
	if (!skep_ir_ended(f))
		skep_ir_jump(f, done);
	if (stmt->else_body) {
		skep_ir_at(f, no);
		skep_lower_stmts(l, stmt->else_body);
		if (!skep_ir_ended(f))
			skep_ir_jump(f, done);
	}
	skep_ir_at(f, done);
}

static void lower_expr_stmt(struct skep_lower *l, const struct skep_stmt *stmt)
{
	if (!stmt->value->is_const)
		skep_lower_expr(l, stmt->value);
}

static void lower_block(struct skep_lower *l, const struct skep_stmt *stmt)
{
	skep_lower_stmts(l, stmt->body);
}

/*
 * What an LSM probe returns is 0, the operation may go on, or the error it fails with. The kernel
 * takes no other numbers; what a script makes of them means 0.
 */
static void verdict(struct skep_lower *l, struct skep_opnd code)
{
	struct skep_ir_func *f = l->f;
	uint32_t is_negative = skep_ir_block(f), refuse = skep_ir_block(f),
		 allow = skep_ir_block(f);

	skep_ir_branch(f, SKEP_IR_SLT, code, I(0), is_negative, allow);
	skep_ir_at(f, is_negative);
	skep_ir_branch(f, SKEP_IR_SGE, code, I(-MAX_ERRNO), refuse, allow);
	skep_ir_at(f, refuse);
	skep_ir_exit(f, code);
	skep_ir_at(f, allow);
	skep_ir_exit(f, I(0));
}

/* The kernel looks at 64 bits to see whether there is a result, the function's callers at those of
 * its type. */
static void lower_return(struct skep_lower *l, const struct skep_stmt *stmt)
{
	if (!stmt->value || !skep_probe_decides(l->probe) || l->in_callback) {
		skep_lower_leave(l);
		return;
	}
	struct skep_opnd value = skep_lower_scalar(l, stmt->value);
	if (l->probe->provider->prog_type == BPF_PROG_TYPE_LSM)
		verdict(l, value);
	else
		skep_ir_exit(l->f, skep_lower_fit(l, value, l->probe->retval));
}

static void (*const lowerers[SKEP_S_N_KINDS])(struct skep_lower *, const struct skep_stmt *) = {
	[SKEP_S_EXPR] = lower_expr_stmt,    [SKEP_S_ASSIGN] = lower_assign,
	[SKEP_S_LET] = lower_let,           [SKEP_S_IF] = lower_if,
	[SKEP_S_WHILE] = skep_lower_loop,   [SKEP_S_UNROLL] = skep_lower_loop,
	[SKEP_S_FOR_MAP] = skep_lower_loop, [SKEP_S_FOR_RANGE] = skep_lower_loop,
	[SKEP_S_BREAK] = skep_lower_loop,   [SKEP_S_CONTINUE] = skep_lower_loop,
	[SKEP_S_RETURN] = lower_return,     [SKEP_S_BLOCK] = lower_block,
};

/* Headers without which the statement is passed over. */
static uint32_t needs_of(const struct skep_stmt *stmt)
{
	return skep_lower_packet_needs(stmt->target) | skep_lower_packet_needs(stmt->value) |
	       skep_lower_packet_needs(stmt->limit);
}

static void lower_one(struct skep_lower *l, const struct skep_stmt *stmt)
{
	uint32_t needs = l->packet ? needs_of(stmt) : 0, on;

	if (!needs) {
		lowerers[stmt->kind](l, stmt);
		return;
	}
	on = skep_ir_block(l->f);
	skep_lower_packet_require(l, needs, on);
	lowerers[stmt->kind](l, stmt);
	if (!skep_ir_ended(l->f))
		skep_ir_jump(l->f, on);
	skep_ir_at(l->f, on);
}

void skep_lower_stmts(struct skep_lower *l, const struct skep_stmt *stmt)
{
	for (; stmt; stmt = stmt->next) {
		uint32_t mark = skep_ir_slot_mark(l->f);
		skep_ir_at_source(l->f, stmt->span);
		lower_one(l, stmt);
		skep_ir_slot_release(l->f, mark);
	}
}
