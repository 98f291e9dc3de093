/*
 * Aggregates whose every key is one of a few that are known now:
 *
 *	@["read"] = count()
 *	@[$n == 0 ? "hi" : $n == 1 ? "timer" : "other"] = sum($took)
 *	@[syscall_name(args.id)] = count()
 *
 * No hash is asked for them: the values of all keys lie one behind the other
 * among the per-CPU globals, each behind a word that says whether it is set,
 * and a key is its value's number. What a key is made of (a tuple's elements)
 * is chosen by itself: the number counts through all combinations.
 *
 * A map is kept so if that can be seen of all its keys, which are then only in
 * assignments: nothing reads, looks for or removes single entries, and nothing
 * walks the map but the run time. Branches that options have turned off do not
 * count; whatever key stands there is number 0, in code that is not emitted.
 */
#include <string.h>

#include "trace/lower/lower.h"
#include "trace/parse.h"
#include "trace/types/types.h"

#define MOST_PARTS 4
#define MOST_BYTES 16384 /* of all values: half of what a per-CPU value may have */

/** An element of a key, or the key if it is no tuple: what it may be. */
struct part {
	const struct skep_type *type;
	uint32_t off; /* in the key */
	SKEP_VEC(const uint8_t *)
	values;         /* on the arena, type->size bytes each; each once, but for
					     rows of the table of system calls */
	uint32_t calls; /* where that table begins among the values */
	bool has_calls;
};

struct skep_choice {
	struct part parts[MOST_PARTS];
	uint32_t n_parts;
	bool is_out; /* no: a hash */
};

struct search {
	struct skep_lower *l;
	struct skep_choice *choices; /* by map */
};

/* --- What an element may be ---------------------------------------------------------------- */

/* The same wherever the probe is: `probetype` and the like are constants that differ by place. */
static bool is_fixed(const struct skep_expr *expr)
{
	switch (expr->kind) {
	case SKEP_E_INT:
	case SKEP_E_STRING:
	case SKEP_E_PARAM: return true;
	case SKEP_E_CALL: return expr->is_const && expr->function == SKEP_FN_getopt;
	case SKEP_E_UNARY: return is_fixed(expr->right);
	case SKEP_E_BINARY: return is_fixed(expr->left) && is_fixed(expr->right);
	default: return false;
	}
}

static bool is_known(const struct skep_expr *expr)
{
	return expr->is_const && is_fixed(expr);
}

bool skep_lower_is_told(const struct skep_expr *cond)
{
	return is_known(cond) && cond->type->kind == SKEP_T_INT;
}

/* A constant as it lies in a key; see skep_lower_literal(). */
static const uint8_t *bytes_of(struct skep_lower *l, const struct part *part,
			       const struct skep_expr *expr)
{
	uint8_t *bytes = skep_arena_array(l->arena, uint8_t, part->type->size);
	uint32_t most = part->type->size - 1;

	if (part->type->kind == SKEP_T_STRING)
		memcpy(bytes, expr->text, expr->text_len < most ? expr->text_len : most);
	else
		memcpy(bytes, &expr->integer, part->type->size);
	return bytes;
}

static uint32_t find(const struct part *part, const uint8_t *bytes)
{
	for (uint32_t i = 0; i < part->values.len; i++) {
		if (!memcmp(part->values.data[i], bytes, part->type->size))
			return i;
	}
	return (uint32_t)part->values.len;
}

static bool is_of_type(const struct skep_expr *expr, const struct skep_type *type)
{
	return (type->kind == SKEP_T_STRING || type->kind == SKEP_T_INT) &&
	       expr->type->kind == type->kind;
}

static bool add_known(struct skep_lower *l, struct part *part, const struct skep_expr *expr)
{
	if (!is_known(expr) || !is_of_type(expr, part->type))
		return false;
	const uint8_t *bytes = bytes_of(l, part, expr);
	if (find(part, bytes) == part->values.len)
		skep_vec_push(&part->values, bytes);
	return true;
}

static bool add_calls(struct skep_lower *l, struct part *part)
{
	uint32_t end = skep_syscall_end();

	if (part->type->kind != SKEP_T_STRING || part->type->size < SKEP_SYSCALL_BYTES)
		return false;
	if (part->has_calls)
		return true;
	part->has_calls = true;
	part->calls = (uint32_t)part->values.len;
	for (uint32_t i = 0; i <= end; i++) {
		const char *name = i < end ? skep_syscall_name(i) : NULL;
		struct skep_expr text = {.kind = SKEP_E_STRING,
					 .text = name ? name : SKEP_SYSCALL_UNKNOWN};
		text.text_len = (uint32_t)strlen(text.text);
		skep_vec_push(&part->values, bytes_of(l, part, &text));
	}
	return true;
}

static bool is_call_name(const struct skep_expr *expr)
{
	return expr->kind == SKEP_E_CALL && expr->function == SKEP_FN_syscall_name;
}

/* Note all that @expr may be; false: that cannot be told. */
static bool add(struct skep_lower *l, struct part *part, const struct skep_expr *expr)
{
	if (expr->is_const)
		return add_known(l, part, expr);
	if (expr->kind == SKEP_E_TERNARY && skep_lower_is_told(expr->cond))
		return add(l, part, expr->cond->integer ? expr->left : expr->right);
	if (expr->kind == SKEP_E_TERNARY)
		return add(l, part, expr->left) && add(l, part, expr->right);
	if (expr->kind == SKEP_E_BLOCK && expr->right)
		return add(l, part, expr->right);
	return is_call_name(expr) && add_calls(l, part);
}

/* --- Keys ---------------------------------------------------------------------------------- */

static void open_parts(struct skep_choice *choice, const struct skep_type *key)
{
	bool is_tuple = key->kind == SKEP_T_TUPLE;

	choice->n_parts = is_tuple ? key->n : 1;
	choice->is_out |= choice->n_parts > MOST_PARTS || !choice->n_parts;
	for (uint32_t i = 0; i < choice->n_parts && !choice->is_out; i++) {
		choice->parts[i].type = is_tuple ? key->fields[i].type : key;
		choice->parts[i].off = is_tuple ? key->fields[i].off : 0;
	}
}

/* The expression for part @i of @key: tuples are written out, without names. */
static const struct skep_expr *part_of(const struct skep_choice *choice,
				       const struct skep_expr *key, uint32_t i)
{
	if (choice->n_parts == 1 && key->kind != SKEP_E_TUPLE)
		return key;
	const struct skep_expr *arg = key->kind == SKEP_E_TUPLE ? key->args : NULL;
	for (uint32_t n = 0; arg && n < i; n++)
		arg = arg->next;
	return arg && !arg->elem_name ? arg : NULL;
}

static void add_key(struct search *s, const struct skep_map *map, const struct skep_expr *key)
{
	struct skep_choice *choice = &s->choices[map->index];

	if (!choice->n_parts)
		open_parts(choice, map->key);
	for (uint32_t i = 0; i < choice->n_parts && !choice->is_out; i++) {
		const struct skep_expr *part = part_of(choice, key, i);
		choice->is_out = !part || !add(s->l, &choice->parts[i], part);
	}
}

/* --- All uses of all maps ------------------------------------------------------------------ */

static void in_exprs(struct search *s, const struct skep_expr *expr);

/* What is not typed here, as this kernel has no such field, is known by its name. */
static void rule_out(struct search *s, const struct skep_expr *expr)
{
	const struct skep_map *map = s->l->program->script->maps;

	for (; map; map = map->next) {
		if (map == expr->map || (!expr->map && !strcmp(map->name, expr->text)))
			s->choices[map->index].is_out = true;
	}
}

/* Those that the run time reads and sets back as a whole. */
static bool takes_whole_maps(const struct skep_expr *call)
{
	return call->function == SKEP_FN_print || call->function == SKEP_FN_table ||
	       call->function == SKEP_FN_clear;
}

static void in_call(struct search *s, const struct skep_expr *call)
{
	for (const struct skep_expr *arg = call->args; arg; arg = arg->next) {
		if (arg->kind == SKEP_E_MAP && !takes_whole_maps(call))
			rule_out(s, arg);
	}
	in_exprs(s, call->args);
}

static void in_stmts(struct search *s, const struct skep_stmt *stmt);

static void in_expr(struct search *s, const struct skep_expr *expr)
{
	if (expr->kind == SKEP_E_MAP && expr->args)
		rule_out(s, expr);
	if (expr->kind == SKEP_E_CALL) {
		in_call(s, expr);
		return;
	}
	in_exprs(s, expr->cond);
	in_exprs(s, expr->left);
	in_exprs(s, expr->right);
	in_exprs(s, expr->args);
	in_stmts(s, expr->body);
}

static void in_exprs(struct search *s, const struct skep_expr *expr)
{
	for (; expr; expr = expr->next)
		in_expr(s, expr);
}

static bool is_aggregation(const struct skep_stmt *stmt)
{
	const struct skep_expr *value = stmt->value;

	return stmt->kind == SKEP_S_ASSIGN && stmt->op == SKEP_OPR_NONE &&
	       stmt->target->kind == SKEP_E_MAP && stmt->target->key && stmt->target->map &&
	       value->kind == SKEP_E_CALL && value->function >= SKEP_FN_count &&
	       value->function <= SKEP_FN_lhist;
}

static void in_stmt(struct search *s, const struct skep_stmt *stmt)
{
	if (is_aggregation(stmt)) {
		add_key(s, stmt->target->map, stmt->target->key);
		in_exprs(s, stmt->target->args);
	} else {
		in_exprs(s, stmt->target);
	}
	if (stmt->kind == SKEP_S_FOR_MAP)
		rule_out(s, stmt->value);
	in_exprs(s, stmt->value);
	in_exprs(s, stmt->cond);
	in_exprs(s, stmt->limit);
	in_stmts(s, stmt->foreign);
}

static void in_stmts(struct search *s, const struct skep_stmt *stmt)
{
	for (; stmt; stmt = stmt->next) {
		bool told = stmt->kind == SKEP_S_IF && skep_lower_is_told(stmt->cond);
		in_stmt(s, stmt);
		if (!told || stmt->cond->integer)
			in_stmts(s, stmt->body);
		if (!told || !stmt->cond->integer)
			in_stmts(s, stmt->else_body);
	}
}

/* --- What comes of it ---------------------------------------------------------------------- */

static uint64_t count(const struct skep_choice *choice)
{
	uint64_t n = 1;

	if (choice->is_out || !choice->n_parts)
		return 0;
	for (uint32_t i = 0; i < choice->n_parts && n <= MOST_BYTES; i++)
		n *= choice->parts[i].values.len;
	return n;
}

uint32_t skep_lower_choices(const struct skep_lower *l, const struct skep_map *map)
{
	uint64_t n = count(&l->choices[map->index]);
	bool is_apt = n && !map->decl_kind && skep_type_is_agg(map->value) &&
		      n * skep_choice_stride(map->value) <= MOST_BYTES;

	return is_apt ? (uint32_t)n : 0;
}

/* Key @number, as assignments would have written it. */
static void write_key(const struct skep_choice *choice, uint32_t number, uint8_t *ret)
{
	for (uint32_t i = choice->n_parts; i-- > 0;) {
		const struct part *part = &choice->parts[i];
		uint32_t n = (uint32_t)part->values.len;
		memcpy(ret + part->off, part->values.data[number % n], part->type->size);
		number /= n;
	}
}

const uint8_t *skep_lower_choice_keys(const struct skep_lower *l, const struct skep_map *map,
				      uint32_t n)
{
	uint32_t bytes = map->key->size;
	uint8_t *keys = skep_arena_array(l->arena, uint8_t, (size_t)n * bytes);

	for (uint32_t i = 0; i < n; i++)
		write_key(&l->choices[map->index], i, keys + (size_t)i * bytes);
	return keys;
}

void skep_lower_find_choices(struct skep_lower *l)
{
	const struct skep_script *script = l->program->script;
	struct search s = {.l = l};

	s.choices = skep_arena_array(l->arena, struct skep_choice, script->n_maps + 1);
	for (const struct skep_probe_def *def = script->probes; def; def = def->next) {
		if (def->is_off)
			continue;
		in_exprs(&s, def->predicate);
		in_stmts(&s, def->body);
	}
	l->choices = s.choices;
}

void skep_lower_forget_choices(struct skep_lower *l)
{
	for (uint32_t i = 0; l->choices && i < l->program->n_maps; i++) {
		for (uint32_t p = 0; p < MOST_PARTS; p++)
			skep_vec_done(&l->choices[i].parts[p].values);
	}
}

/* --- The number of a key ------------------------------------------------------------------- */

static struct skep_opnd number_of_part(struct skep_lower *l, const struct part *part,
				       const struct skep_expr *expr);

static struct skep_opnd number_of_arms(struct skep_lower *l, const struct part *part,
				       const struct skep_expr *expr)
{
	struct skep_ir_func *f = l->f;
	uint32_t sides[2] = {skep_ir_block(f), skep_ir_block(f)}, done = skep_ir_block(f);
	const struct skep_expr *arms[2] = {expr->left, expr->right};
	uint32_t number = skep_ir_var(f);

	skep_lower_cond(l, expr->cond, sides[0], sides[1]);
	for (int i = 0; i < 2; i++) {
		skep_ir_at(f, sides[i]);
		skep_ir_set(f, number, number_of_part(l, part, arms[i]));
		if (!skep_ir_ended(f))
			skep_ir_jump(f, done);
	}
	skep_ir_at(f, done);
	return R(number);
}

static struct skep_opnd number_of_part(struct skep_lower *l, const struct part *part,
				       const struct skep_expr *expr)
{
	if (is_known(expr) && is_of_type(expr, part->type)) {
		uint32_t at = find(part, bytes_of(l, part, expr));
		return I(at < part->values.len ? at : 0);
	}
	if (!expr->is_const && expr->kind == SKEP_E_TERNARY && skep_lower_is_told(expr->cond))
		return number_of_part(l, part, expr->cond->integer ? expr->left : expr->right);
	if (!expr->is_const && expr->kind == SKEP_E_TERNARY)
		return number_of_arms(l, part, expr);
	if (!expr->is_const && expr->kind == SKEP_E_BLOCK && expr->right) {
		skep_lower_stmts(l, expr->body);
		return number_of_part(l, part, expr->right);
	}
	if (!expr->is_const && is_call_name(expr) && part->has_calls)
		return R(skep_ir_alu(l->f, SKEP_IR_ADD, skep_lower_syscall_row(l, expr->args),
				     I(part->calls)));
	return I(0);
}

struct skep_opnd skep_lower_choice(struct skep_lower *l, const struct skep_map *map,
				   const struct skep_expr *key)
{
	const struct skep_choice *choice = &l->choices[map->index];
	uint64_t known = 0; /* what the elements make that are constants */
	struct skep_opnd number = I(0);

	for (uint32_t i = 0; i < choice->n_parts; i++) {
		const struct part *part = &choice->parts[i];
		const struct skep_expr *expr = part_of(choice, key, i);
		struct skep_opnd own = expr ? number_of_part(l, part, expr) : I(0);
		known = known * part->values.len + (own.kind == SKEP_OPND_IMM ? own.imm : 0);
		if (number.kind != SKEP_OPND_IMM)
			number = R(skep_ir_alu(l->f, SKEP_IR_MUL, number, I(part->values.len)));
		if (own.kind != SKEP_OPND_IMM)
			number = R(skep_ir_alu(l->f, SKEP_IR_ADD, number, own));
	}
	return number.kind == SKEP_OPND_IMM ? I(known)
					    : R(skep_ir_alu(l->f, SKEP_IR_ADD, number, I(known)));
}
