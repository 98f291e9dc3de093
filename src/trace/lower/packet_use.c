/*
 * Which fields of packets a probe uses, and which headers a packet must have
 * for a statement to be run.
 *
 * A statement that uses a field without condition wants its header: it is
 * passed over where the packet has none. What a condition decides about (the
 * arms of ?:, what && || and ! combine, comparisons) wants nothing of the
 * statement: a comparison whose header is not there is false, see cond.c.
 */
#include <string.h>

#include "base/arena.h"
#include "trace/lower/packet.h"

uint32_t skep_packet_row(const struct skep_packet_field *field)
{
	const struct skep_packet_field *rows;

	skep_packet_fields(&rows);
	return (uint32_t)(field - rows);
}

uint32_t skep_packet_home_row(uint32_t row)
{
	const struct skep_packet_field *rows;

	skep_packet_fields(&rows);
	while (row && !strcmp(rows[row - 1].path, rows[row].path))
		row--;
	return row;
}

/* --- What is used ------------------------------------------------------------------------- */

static bool use_in_stmts(struct skep_packet_homes *homes, const struct skep_stmt *stmt);

/* Return whether any was found. */
static bool use_in_exprs(struct skep_packet_homes *homes, const struct skep_expr *expr)
{
	bool found = false;

	for (; expr; expr = expr->next) {
		if (expr->packet) {
			homes->fields[skep_packet_row(expr->packet)].is_used = found = true;
			continue;
		}
		found |= use_in_exprs(homes, expr->cond);
		found |= use_in_exprs(homes, expr->left);
		found |= use_in_exprs(homes, expr->right);
		found |= use_in_exprs(homes, expr->args);
		found |= use_in_stmts(homes, expr->body);
	}
	return found;
}

static bool use_in_stmts(struct skep_packet_homes *homes, const struct skep_stmt *stmt)
{
	bool found = false;

	for (; stmt; stmt = stmt->next) {
		found |= use_in_exprs(homes, stmt->target);
		found |= use_in_exprs(homes, stmt->value);
		found |= use_in_exprs(homes, stmt->cond);
		found |= use_in_exprs(homes, stmt->limit);
		found |= use_in_stmts(homes, stmt->body);
		found |= use_in_stmts(homes, stmt->else_body);
	}
	return found;
}

/* --- Homes -------------------------------------------------------------------------------- */

/* Of all rows of one path: do they fit a register? */
static bool is_number(const struct skep_packet_field *rows, size_t n, size_t row)
{
	for (size_t i = row; i < n && !strcmp(rows[i].path, rows[row].path); i++) {
		if (rows[i].kind == SKEP_PACKET_MAC || rows[i].kind == SKEP_PACKET_IP6)
			return false;
	}
	return true;
}

static uint32_t block_size(const struct skep_packet_field *field, bool number)
{
	if (number)
		return 8;
	return field->kind == SKEP_PACKET_MAC ? skep_type_mac.size : skep_type_inet.size;
}

static void place(struct skep_lower *l, struct skep_packet_homes *homes,
		  struct skep_packet_home *home, uint32_t size, bool number)
{
	home->size = size;
	home->is_used = true;
	home->is_reg = number && !homes->is_boxed;
	if (home->is_reg) {
		home->reg = skep_ir_var(l->f);
		return;
	}
	home->off = homes->block_bytes;
	homes->block_bytes += (size + 7) & ~7u;
}

static uint32_t wanted_for(const struct skep_packet_field *field)
{
	uint32_t wanted = SKEP_LAYER_BIT(field->layer) | SKEP_LAYER_BIT(field->needs);

	if (wanted & SKEP_LAYER_BIT(SKEP_LAYER_ADDR))
		wanted |= SKEP_LAYER_BIT(SKEP_LAYER_IP) | SKEP_LAYER_BIT(SKEP_LAYER_IP6);
	if (wanted & SKEP_LAYER_BIT(SKEP_LAYER_PORT))
		wanted |= SKEP_LAYER_BIT(SKEP_LAYER_TCP) | SKEP_LAYER_BIT(SKEP_LAYER_UDP);
	return wanted;
}

struct skep_packet_homes *skep_packet_homes_new(struct skep_lower *l,
						const struct skep_probe_def *def, bool has_box)
{
	struct skep_packet_homes *homes = skep_arena_new(l->arena, struct skep_packet_homes);
	const struct skep_packet_field *rows;
	size_t n = skep_packet_fields(&rows);

	homes->is_before_predicate = use_in_exprs(homes, def->predicate);
	bool in_body = use_in_stmts(homes, def->body);
	if (!in_body && !homes->is_before_predicate)
		return NULL;
	homes->is_boxed = has_box;
	for (uint32_t i = 0; i < n; i++) {
		bool number = is_number(rows, n, i);
		if (!homes->fields[i].is_used)
			continue;
		homes->wanted |= wanted_for(&rows[i]);
		if (rows[i].kind != SKEP_PACKET_PRESENT)
			place(l, homes, &homes->fields[i], block_size(&rows[i], number), number);
	}
	place(l, homes, &homes->present, 8, true);
	if (homes->block_bytes)
		homes->block = S(skep_ir_slot(l->f, homes->block_bytes, 8), 0);
	return homes;
}

/* --- What is wanted ----------------------------------------------------------------------- */

static bool is_condition(const struct skep_expr *expr)
{
	return expr->kind == SKEP_E_TERNARY ||
	       (expr->kind == SKEP_E_BINARY && expr->op >= SKEP_OPR_EQ) ||
	       (expr->kind == SKEP_E_UNARY && expr->op == SKEP_OPR_NOT);
}

uint32_t skep_lower_packet_needs(const struct skep_expr *expr)
{
	uint32_t needs = 0;

	if (!expr || expr->is_const || is_condition(expr))
		return 0;
	if (expr->packet)
		return SKEP_LAYER_BIT(expr->packet->needs);
	for (const struct skep_expr *arg = expr->args; arg; arg = arg->next)
		needs |= skep_lower_packet_needs(arg);
	return needs | skep_lower_packet_needs(expr->left) | skep_lower_packet_needs(expr->right);
}

void skep_lower_packet_require(struct skep_lower *l, uint32_t needs, uint32_t else_block)
{
	struct skep_ir_func *f = l->f;
	uint32_t on;

	if (!needs || !l->packet)
		return;
	on = skep_ir_block(f);
	struct skep_opnd present = skep_lower_packet_present(l);
	if (needs & (needs - 1)) {
		present = R(skep_ir_alu(f, SKEP_IR_AND, present, I(needs)));
		skep_ir_branch(f, SKEP_IR_EQ, present, I(needs), on, else_block);
	} else {
		skep_ir_branch(f, SKEP_IR_TEST, present, I(needs), on, else_block);
	}
	skep_ir_at(f, on);
}
