/*
 * Reading and writing maps, each kind of storage in its own way.
 *
 * An entry that is changed in place (++, +=) is added to atomically, and an
 * entry that two CPUs create at the same moment is created once and added to by
 * both: nothing is lost between a look-up and an update.
 */
#include <errno.h>
#include <linux/bpf.h>

#include "trace/lower/lower.h"

/* GLOBAL, TASK and CPU values: a word that says whether the value is set, then the value. */
#define SET_OFF   0
#define VALUE_OFF 8

const struct skep_trace_map *skep_lower_map_of(struct skep_lower *l, const struct skep_map *map)
{
	return &l->program->maps[map->index];
}

/* The kernel hashes whole words three times as fast as bytes. */
uint32_t skep_lower_key_bytes(const struct skep_type *type)
{
	return type->size > 4 ? (type->size + 7) & ~7u : type->size;
}

struct skep_opnd skep_lower_key(struct skep_lower *l, const struct skep_trace_map *map,
				const struct skep_expr *key)
{
	if (!map->key || map->storage == SKEP_STORE_CPU || map->storage == SKEP_STORE_CHOICE) {
		uint32_t page = skep_ir_slot(l->f, 4, 4);
		skep_ir_store(l->f, 4, S(page, 0), 0, I(map->page));
		return S(page, 0);
	}
	if (map->storage == SKEP_STORE_TASK)
		return skep_lower_thread(l, key);
	uint32_t size = map->key->size, bytes = skep_lower_key_bytes(map->key);
	if (bytes == size) {
		struct skep_value slot = skep_lower_temp(l, map->key);
		skep_lower_into(l, key, slot.opnd, 0, map->key);
		return slot.opnd;
	}
	uint32_t slot = skep_ir_slot(l->f, bytes, 8);
	skep_lower_zero(l, S(slot, 0), (int32_t)bytes - 8, 8);
	skep_lower_into(l, key, S(slot, 0), 0, map->key);
	return S(slot, 0);
}

static uint32_t lookup(struct skep_lower *l, const struct skep_trace_map *map, struct skep_opnd key)
{
	return skep_ir_calln(l->f, BPF_FUNC_map_lookup_elem, R(skep_ir_map(l->f, map->bpf_map)),
			     key);
}

/* What find() is to be given: nothing where there is but one entry at hand. */
static struct skep_opnd key_for(struct skep_lower *l, const struct skep_trace_map *map,
				const struct skep_expr *key)
{
	bool has_one = map->storage == SKEP_STORE_GLOBAL || map->storage == SKEP_STORE_CPU;

	return has_one ? I(0) : skep_lower_key(l, map, key);
}

/* The helper takes NULL for a thread, which has no value. */
static uint32_t task_value(struct skep_lower *l, const struct skep_trace_map *map,
			   struct skep_opnd thread, bool create)
{
	uint32_t task = thread.imm == SKEP_CURRENT_TASK
				? skep_ir_call(l->f, BPF_FUNC_get_current_task_btf, 0, NULL)
				: skep_ir_load_address(l->f, l->ctx, (int32_t)(8 * thread.imm));

	return skep_ir_calln(l->f, BPF_FUNC_task_storage_get, R(skep_ir_map(l->f, map->bpf_map)),
			     R(task), I(0), I(create ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0));
}

static void count_full(struct skep_lower *l, const struct skep_trace_map *map)
{
	uint32_t index = (uint32_t)(map - l->program->maps);

	skep_lower_loss(l, map->storage == SKEP_STORE_TASK ? skep_loss_off(l, SKEP_LOSS_TASK)
							   : skep_loss_map_off(l, index));
}

/* The entry of the thread or CPU at hand, if a condition around has found it. */
static const struct skep_proof *proof_of(const struct skep_lower *l,
					 const struct skep_trace_map *map, struct skep_opnd key)
{
	for (uint32_t i = 0; i < l->n_proofs; i++) {
		if (l->proofs[i].map == map && l->proofs[i].key == key.imm)
			return &l->proofs[i];
	}
	return NULL;
}

/*
 * The entry's address in a register, or control goes to @missing (a block that
 * the caller continues). For GLOBAL and CPU there is always one.
 */
static struct skep_opnd find(struct skep_lower *l, const struct skep_trace_map *map,
			     struct skep_opnd key, uint32_t missing)
{
	const struct skep_proof *proof = proof_of(l, map, key);
	struct skep_ir_func *f = l->f;

	if (map->storage == SKEP_STORE_GLOBAL)
		return R(skep_ir_map_value(f, map->bpf_map, map->off));
	if (proof)
		return R(proof->at);
	if (map->storage == SKEP_STORE_CPU)
		key = skep_lower_key(l, map, NULL);
	uint32_t at = map->storage == SKEP_STORE_TASK ? task_value(l, map, key, false)
						      : lookup(l, map, key);
	uint32_t found = skep_ir_block(f);
	skep_ir_branch(f, SKEP_IR_NE, R(at), I(0), found, missing);
	skep_ir_at(f, found);
	return R(map->off ? skep_ir_addr(f, R(at), map->off) : at);
}

static int32_t value_off(const struct skep_trace_map *map)
{
	bool marked = map->storage == SKEP_STORE_GLOBAL || map->storage == SKEP_STORE_TASK ||
		      map->storage == SKEP_STORE_CPU;

	return marked ? VALUE_OFF : 0;
}

/* --- Reading ------------------------------------------------------------------------------ */

static struct skep_value read_aggregate(struct skep_lower *l, const struct skep_trace_map *map,
					const struct skep_expr *expr)
{
	struct skep_opnd key = skep_lower_key(l, map, expr->key);

	return skep_value_int(skep_lower_agg_read(l, map, key), expr->type);
}

/* What of a value is wanted: @off bytes into it, a @type. Zero where there is no entry. */
static struct skep_value read_part(struct skep_lower *l, const struct skep_expr *expr, uint32_t off,
				   const struct skep_type *type)
{
	const struct skep_trace_map *map = skep_lower_map_of(l, expr->map);
	struct skep_ir_func *f = l->f;
	bool scalar = skep_type_is_scalar(type);
	struct skep_value result =
		scalar ? skep_value_int(R(skep_ir_var(f)), type) : skep_lower_temp(l, type);
	struct skep_opnd key = key_for(l, map, expr->key);

	if (scalar)
		skep_ir_set(f, result.opnd.id, I(0));
	else if (map->storage != SKEP_STORE_GLOBAL)
		skep_lower_zero(l, result.opnd, 0, type->size);
	uint32_t done = skep_ir_block(f);
	struct skep_opnd at = find(l, map, key, done);
	struct skep_value value =
		skep_lower_at(l, at, value_off(map) + (int32_t)off, type, SKEP_SPACE_BPF);
	if (scalar)
		skep_ir_set(f, result.opnd.id, value.opnd);
	else
		skep_lower_store(l, &value, result.opnd, 0, type);
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
	return result;
}

struct skep_value skep_lower_map_read(struct skep_lower *l, const struct skep_expr *expr)
{
	const struct skep_trace_map *map = skep_lower_map_of(l, expr->map);

	if (skep_type_is_agg(map->value))
		return read_aggregate(l, map, expr);
	return read_part(l, expr, 0, map->value);
}

struct skep_value skep_lower_map_element(struct skep_lower *l, const struct skep_expr *expr,
					 uint32_t i)
{
	const struct skep_tuple_field *field = &skep_lower_map_of(l, expr->map)->value->fields[i];

	return read_part(l, expr, field->off, field->type);
}

struct skep_opnd skep_lower_map_has(struct skep_lower *l, const struct skep_map *ast,
				    const struct skep_expr *key)
{
	const struct skep_trace_map *map = skep_lower_map_of(l, ast);
	struct skep_ir_func *f = l->f;
	uint32_t has = skep_ir_var(f), done = skep_ir_block(f);
	struct skep_opnd key_at = key_for(l, map, key);

	skep_ir_set(f, has, I(0));
	struct skep_opnd at = find(l, map, key_at, done);
	if (value_off(map))
		skep_ir_set(f, has, R(skep_ir_load(f, 8, at, SET_OFF)));
	else
		skep_ir_set(f, has, I(1));
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
	return R(has);
}

bool skep_lower_map_test(struct skep_lower *l, const struct skep_expr *expr, uint32_t then_block,
			 uint32_t else_block)
{
	bool is_element = expr->kind == SKEP_E_TUPLE_AT && !expr->left->is_const;
	const struct skep_expr *whole = is_element ? expr->left : expr;
	struct skep_value value;

	if (whole->kind != SKEP_E_MAP)
		return false;
	const struct skep_trace_map *map = skep_lower_map_of(l, whole->map);
	const struct skep_tuple_field all = {.type = map->value};
	const struct skep_tuple_field *part =
		is_element ? &map->value->fields[expr->integer] : &all;
	if ((map->storage != SKEP_STORE_TASK && map->storage != SKEP_STORE_CPU) ||
	    !skep_type_is_scalar(part->type))
		return false;
	struct skep_opnd key = key_for(l, map, whole->key), at = find(l, map, key, else_block);
	if (!proof_of(l, map, key) && l->n_proofs < SKEP_MOST_PROOFS)
		l->proofs[l->n_proofs++] =
			(struct skep_proof){.map = map, .key = key.imm, .at = at.id};
	value = skep_lower_at(l, at, VALUE_OFF + (int32_t)part->off, part->type, SKEP_SPACE_BPF);
	skep_ir_branch(l->f, SKEP_IR_NE, value.opnd, I(0), then_block, else_block);
	return true;
}

/* --- Writing ------------------------------------------------------------------------------- */

static uint32_t update(struct skep_lower *l, const struct skep_trace_map *map, struct skep_opnd key,
		       struct skep_opnd value, uint64_t flags)
{
	return skep_ir_calln(l->f, BPF_FUNC_map_update_elem, R(skep_ir_map(l->f, map->bpf_map)),
			     key, value, I(flags));
}

/* Store a whole entry; a full map is counted. */
static void put(struct skep_lower *l, const struct skep_trace_map *map, struct skep_opnd key,
		struct skep_opnd value)
{
	struct skep_ir_func *f = l->f;
	uint32_t full = skep_ir_block(f), on = skep_ir_block(f);
	uint32_t err = update(l, map, key, value, BPF_ANY);

	skep_ir_branch_cold(f, SKEP_IR_NE, R(err), I(0), full);
	skep_ir_jump(f, on);
	skep_ir_at(f, full);
	count_full(l, map);
	skep_ir_jump(f, on);
	skep_ir_at(f, on);
}

/* An integer is stored in place if its entry is there already: a third of an update's cost. */
static void put_scalar(struct skep_lower *l, const struct skep_trace_map *map,
		       const struct skep_map *ast, struct skep_opnd key, struct skep_opnd value)
{
	struct skep_ir_func *f = l->f;
	uint32_t done = skep_ir_block(f);
	uint32_t slot = skep_ir_slot(f, 8, 8);

	if (!ast->is_deleted) {
		uint32_t missing = skep_ir_block(f);
		struct skep_opnd at = find(l, map, key, missing);
		skep_ir_store(f, map->value->size, at, 0, value);
		skep_ir_jump(f, done);
		skep_ir_at(f, missing);
	}
	skep_ir_store(f, 8, S(slot, 0), 0, I(0));
	skep_ir_store(f, map->value->size, S(slot, 0), 0, value);
	put(l, map, key, S(slot, 0));
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
}

static void assign_hash(struct skep_lower *l, const struct skep_expr *target,
			const struct skep_expr *value)
{
	const struct skep_trace_map *map = skep_lower_map_of(l, target->map);

	if (skep_type_is_scalar(map->value)) {
		struct skep_opnd scalar = skep_lower_scalar(l, value);
		put_scalar(l, map, target->map, skep_lower_key(l, map, target->key), scalar);
		return;
	}
	struct skep_value slot = skep_lower_temp(l, map->value);
	skep_lower_into(l, value, slot.opnd, 0, map->value);
	put(l, map, skep_lower_key(l, map, target->key), slot.opnd);
}

/* The address of the thread's, CPU's or global's entry, which is made if need be; or to @failed. */
static struct skep_opnd make_marked(struct skep_lower *l, const struct skep_trace_map *map,
				    struct skep_opnd key, uint32_t failed)
{
	if (map->storage != SKEP_STORE_TASK || proof_of(l, map, key))
		return find(l, map, key, failed);
	struct skep_opnd at = R(task_value(l, map, key, true));
	skep_ir_branch_cold(l->f, SKEP_IR_EQ, at, I(0), failed);
	return at;
}

/* The thread's, CPU's or global's value in place; @value is evaluated before it is touched. */
static void assign_marked(struct skep_lower *l, const struct skep_trace_map *map,
			  const struct skep_expr *key, const struct skep_expr *value)
{
	struct skep_ir_func *f = l->f;
	struct skep_value now;
	uint32_t failed = skep_ir_block(f), on = skep_ir_block(f);
	struct skep_opnd at;

	if (skep_type_is_scalar(map->value)) {
		now = skep_value_int(skep_lower_scalar(l, value), map->value);
	} else {
		now = skep_lower_temp(l, map->value);
		skep_lower_into(l, value, now.opnd, 0, map->value);
	}
	at = make_marked(l, map, key_for(l, map, key), failed);
	skep_ir_store(f, 8, at, SET_OFF, I(1));
	skep_lower_store(l, &now, at, VALUE_OFF, map->value);
	skep_ir_jump(f, on);
	skep_ir_at(f, failed);
	count_full(l, map);
	skep_ir_jump(f, on);
	skep_ir_at(f, on);
}

void skep_lower_map_assign(struct skep_lower *l, const struct skep_expr *target,
			   const struct skep_expr *value)
{
	const struct skep_trace_map *map = skep_lower_map_of(l, target->map);

	if (map->storage == SKEP_STORE_HASH)
		assign_hash(l, target, value);
	else
		assign_marked(l, map, target->key, value);
}

/* --- Changing in place ------------------------------------------------------------------------ */

static enum skep_ir_alu alu_of(enum skep_operator op, bool is_signed)
{
	static const enum skep_ir_alu plain[] = {
		[SKEP_OPR_ADD] = SKEP_IR_ADD,  [SKEP_OPR_SUB] = SKEP_IR_SUB,
		[SKEP_OPR_MUL] = SKEP_IR_MUL,  [SKEP_OPR_DIV] = SKEP_IR_UDIV,
		[SKEP_OPR_MOD] = SKEP_IR_UMOD, [SKEP_OPR_AND] = SKEP_IR_AND,
		[SKEP_OPR_OR] = SKEP_IR_OR,    [SKEP_OPR_XOR] = SKEP_IR_XOR,
		[SKEP_OPR_SHL] = SKEP_IR_SHL,  [SKEP_OPR_SHR] = SKEP_IR_SHR,
	};

	if (is_signed && op == SKEP_OPR_DIV)
		return SKEP_IR_SDIV;
	if (is_signed && op == SKEP_OPR_MOD)
		return SKEP_IR_SMOD;
	return is_signed && op == SKEP_OPR_SHR ? SKEP_IR_SAR : plain[op];
}

struct change {
	enum skep_operator op;
	struct skep_opnd value;
	uint32_t old, now; /* registers that receive the value before and after */
};

/* One entry at @at + @off. Sums are atomic; other operators cannot be, on any CPU. */
static void change_at(struct skep_lower *l, const struct skep_type *type, struct change *change,
		      struct skep_opnd at, int32_t off)
{
	struct skep_ir_func *f = l->f;
	enum skep_ir_alu alu = alu_of(change->op, type->is_signed);
	uint32_t old = skep_ir_load(f, type->size, at, off);

	if (type->is_signed && type->size < 8)
		old = skep_ir_extend(f, R(old), type->size, true);
	uint32_t now = skep_ir_alu(f, alu, R(old), change->value);
	if ((alu == SKEP_IR_ADD || alu == SKEP_IR_SUB) && type->size >= 4) {
		struct skep_opnd step = change->value;
		if (alu == SKEP_IR_SUB)
			step = R(skep_ir_neg(f, step));
		skep_ir_atomic_add(f, type->size, at, off, step);
	} else {
		skep_ir_store(f, type->size, at, off, R(now));
	}
	skep_ir_set(f, change->old, R(old));
	skep_ir_set(f, change->now, R(now));
}

/* No entry yet: create it with (0 op value), unless another CPU has just done so. */
static void create_entry(struct skep_lower *l, const struct skep_trace_map *map,
			 struct change *change, struct skep_opnd key, uint32_t done)
{
	struct skep_ir_func *f = l->f;
	uint32_t slot = skep_ir_slot(f, 8, 8);
	uint32_t race = skep_ir_block(f), full = skep_ir_block(f), again = skep_ir_block(f);
	uint32_t first =
		skep_ir_alu(f, alu_of(change->op, map->value->is_signed), I(0), change->value);

	skep_ir_store(f, 8, S(slot, 0), 0, I(0));
	skep_ir_store(f, map->value->size, S(slot, 0), 0, R(first));
	skep_ir_set(f, change->old, I(0));
	skep_ir_set(f, change->now, R(first));
	uint32_t err = update(l, map, key, S(slot, 0), BPF_NOEXIST);
	skep_ir_branch(f, SKEP_IR_EQ, R(err), I(0), done, race);
	skep_ir_at(f, race);
	skep_ir_branch(f, SKEP_IR_EQ, R(err), I(-EEXIST), again, full);
	skep_ir_at(f, again);
	struct skep_opnd at = find(l, map, key, full);
	change_at(l, map->value, change, at, 0);
	skep_ir_jump(f, done);
	skep_ir_at(f, full);
	count_full(l, map);
	skep_ir_jump(f, done);
}

struct skep_opnd skep_lower_map_update(struct skep_lower *l, const struct skep_expr *target,
				       enum skep_operator op, struct skep_opnd value, bool want_old)
{
	const struct skep_trace_map *map = skep_lower_map_of(l, target->map);
	struct skep_ir_func *f = l->f;
	struct change change = {
		.op = op, .value = value, .old = skep_ir_var(f), .now = skep_ir_var(f)};
	uint32_t missing = skep_ir_block(f), done = skep_ir_block(f);
	struct skep_opnd key = key_for(l, map, target->key), at;

	skep_ir_set(f, change.old, I(0));
	skep_ir_set(f, change.now, I(0));
	at = value_off(map) ? make_marked(l, map, key, missing) : find(l, map, key, missing);
	if (value_off(map))
		skep_ir_store(f, 8, at, SET_OFF, I(1));
	change_at(l, map->value, &change, at, value_off(map));
	skep_ir_jump(f, done);
	skep_ir_at(f, missing);
	if (map->storage == SKEP_STORE_HASH) {
		create_entry(l, map, &change, key, done);
	} else {
		count_full(l, map);
		skep_ir_jump(f, done);
	}
	skep_ir_at(f, done);
	return R(want_old ? change.old : change.now);
}

/* --- Removing -------------------------------------------------------------------------------- */

/* A marked value is cleared where it is: no allocation is given back only to be asked for again. */
static struct skep_opnd unset(struct skep_lower *l, const struct skep_trace_map *map,
			      struct skep_opnd key)
{
	struct skep_ir_func *f = l->f;
	uint32_t done = skep_ir_block(f), was = skep_ir_var(f);

	skep_ir_set(f, was, I(0));
	struct skep_opnd at = find(l, map, key, done);
	skep_ir_set(f, was, R(skep_ir_load(f, 8, at, SET_OFF)));
	skep_lower_zero(l, at, SET_OFF, VALUE_OFF + map->value->size);
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
	return R(was);
}

struct skep_opnd skep_lower_map_delete(struct skep_lower *l, const struct skep_map *ast,
				       const struct skep_expr *key)
{
	const struct skep_trace_map *map = skep_lower_map_of(l, ast);

	if (value_off(map))
		return unset(l, map, key_for(l, map, key));
	if (map->storage == SKEP_STORE_CPU_GLOBAL) {
		skep_lower_event(l, SKEP_EV_CLEAR, NULL, ast->index, NULL, 0);
		return I(1);
	}
	struct skep_opnd at = skep_lower_key(l, map, key);
	uint32_t err = skep_ir_calln(l->f, BPF_FUNC_map_delete_elem,
				     R(skep_ir_map(l->f, map->bpf_map)), at);
	return R(skep_ir_cmp(l->f, SKEP_IR_EQ, R(err), I(0)));
}
