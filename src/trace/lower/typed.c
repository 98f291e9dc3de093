/*
 * Arguments of raw tracepoints, and the current task, as the verifier knows them.
 *
 * A program on a raw tracepoint gets its arguments as numbers, and to read
 * args.rq.__data_len is to call a helper. One that names its tracepoint by the
 * kernel's BTF when it is loaded (tp_btf) gets pointers of which the verifier
 * knows the type, and the same is one load. Both are called in the same way, at
 * the same place, so a probe is loaded as the latter if it has something to
 * read so.
 *
 * What an argument itself points to is there: such a load cannot fail. What a
 * pointer in it points to may be gone, and a load that fails gives 0 and does
 * not tell. So where a 0 comes of it, it is read again by a helper, whose failures
 * are counted; where it is a pointer on the way, all is.
 *
 * Arguments are trusted, and a pointer that is read from something trusted might
 * be so itself: to find out, Linux looks four times through all of its types, one
 * by one, for a list of such members. That takes up to half a millisecond for
 * each pointer, and nothing here needs the answer. So what pointers are read from
 * is cast first (bpf_rdonly_cast, no instruction), which nobody trusts.
 *
 * Members of unions and bit fields are left to helpers: the verifier judges by
 * the union's first member.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include <skep/btf.h>

#include "linux/feature.h"
#include "trace/lower/lower.h"

#define TYPE_PREFIX   "btf_trace_"
#define TARGET_PREFIX "rawtracepoint:" SKEP_BASE_MODULE ":"

/* --- The tracepoint ------------------------------------------------------------------------- */

/* The verifier refuses to load arguments of other types, or, older ones, to go on from there. */
static bool is_known_type(const struct skep_btf *btf, uint32_t id)
{
	enum skep_btf_kind kind = skep_btf_kind(btf, id = skep_btf_strip(btf, id));

	if (kind != SKEP_BTF_PTR)
		return kind == SKEP_BTF_INT || kind == SKEP_BTF_ENUM || kind == SKEP_BTF_ENUM64;
	id = skep_btf_strip(btf, skep_btf_target(btf, id));
	kind = skep_btf_kind(btf, id);
	return !id || kind == SKEP_BTF_INT || kind == SKEP_BTF_STRUCT || kind == SKEP_BTF_UNION;
}

/* The first parameter is the kernel's own. */
static bool knows_all_args(const struct skep_btf *btf, uint32_t type)
{
	uint32_t proto = skep_btf_target(btf, skep_btf_strip(btf, type));
	struct skep_btf_member param;

	for (uint32_t i = 1; i < skep_btf_n_members(btf, proto); i++) {
		if (skep_btf_member(btf, proto, i, &param) || !is_known_type(btf, param.type))
			return false;
	}
	return skep_btf_kind(btf, proto) == SKEP_BTF_FUNC_PROTO;
}

/* --- Variables that are an argument --------------------------------------------------------- */

/* How often @var is assigned to, and what the last time. */
struct sets {
	const struct skep_var *var;
	const struct skep_expr *value;
	uint32_t n;
};

static void count_in_exprs(const struct skep_expr *expr, struct sets *sets);

static void count_in_stmts(const struct skep_stmt *stmt, struct sets *sets)
{
	for (; stmt; stmt = stmt->next) {
		if (stmt->target && stmt->target->kind == SKEP_E_VAR &&
		    stmt->target->var == sets->var) {
			bool is_plain = stmt->kind == SKEP_S_ASSIGN || stmt->kind == SKEP_S_LET;
			sets->value = is_plain && stmt->op == SKEP_OPR_NONE ? stmt->value : NULL;
			sets->n++;
		}
		count_in_exprs(stmt->target, sets);
		count_in_exprs(stmt->value, sets);
		count_in_exprs(stmt->cond, sets);
		count_in_exprs(stmt->limit, sets);
		count_in_stmts(stmt->body, sets);
		count_in_stmts(stmt->else_body, sets);
	}
}

/* $x++, &$x, find(@m, key, $x): whoever takes the variable itself may change it. */
static bool may_set(const struct skep_expr *expr, const struct skep_var *var)
{
	bool is_taken = expr->kind == SKEP_E_INCDEC || expr->kind == SKEP_E_UNARY;
	const struct skep_expr *arg = expr->kind == SKEP_E_CALL ? expr->args : NULL;

	if (is_taken && expr->right->kind == SKEP_E_VAR && expr->right->var == var)
		return true;
	for (; arg; arg = arg->next) {
		if (arg->kind == SKEP_E_VAR && arg->var == var && expr->function == SKEP_FN_find)
			return true;
	}
	return false;
}

static void count_in_exprs(const struct skep_expr *expr, struct sets *sets)
{
	for (; expr; expr = expr->next) {
		sets->n += may_set(expr, sets->var);
		count_in_exprs(expr->cond, sets);
		count_in_exprs(expr->left, sets);
		count_in_exprs(expr->right, sets);
		count_in_exprs(expr->args, sets);
		count_in_stmts(expr->body, sets);
	}
}

/* What the variable is wherever it can be read; NULL: not always the same. */
static const struct skep_expr *value_of(const struct skep_probe_def *def,
					const struct skep_var *var)
{
	struct sets sets = {.var = var};

	if (var->is_hoisted || var->is_let)
		return NULL;
	count_in_exprs(def->predicate, &sets);
	count_in_stmts(def->body, &sets);
	return sets.n == 1 ? sets.value : NULL;
}

/* --- What is read --------------------------------------------------------------------------- */

#define MOST_STEPS 6

struct reach {
	uint32_t slot;             /* the argument; SKEP_CURRENT_TASK: it is curtask */
	uint32_t offs[MOST_STEPS]; /* in what it points to, in what is there, … */
	uint32_t n;                /* of them */
	uint32_t root;             /* what the argument points to, in BTF; 0: not known */
	uint32_t type;             /* of the member that is there */
};

static bool is_builtin(const struct skep_expr *expr, enum skep_builtin_id builtin)
{
	return expr->kind == SKEP_E_IDENT && expr->builtin == builtin;
}

static uint32_t root_of(const struct skep_type *pointer)
{
	const struct skep_type *to = pointer->elem;

	return to && to->kind == SKEP_T_RECORD ? to->record->btf_id : 0;
}

/* args.rq, curtask, or a variable that is never anything else; or which of them an option says. */
static bool find_argument(const struct skep_lower *l, const struct skep_expr *expr,
			  struct reach *ret)
{
	if (expr->kind == SKEP_E_VAR && expr->var)
		expr = value_of(l->probe->def, expr->var);
	while (expr && expr->kind == SKEP_E_TERNARY && skep_lower_is_told(expr->cond))
		expr = expr->cond->integer ? expr->left : expr->right;
	if (!expr || !expr->type || expr->type->kind != SKEP_T_PTR)
		return false;
	*ret = (struct reach){.slot = expr->field.off / 8, .root = root_of(expr->type), .n = 1};
	if (is_builtin(expr, SKEP_BI_curtask)) {
		ret->slot = SKEP_CURRENT_TASK;
		return l->opts->target->isa_v4 && !l->probe->hook;
	}
	return expr->kind == SKEP_E_FIELD && is_builtin(expr->left, SKEP_BI_args) &&
	       l->probe->provider->ctx == SKEP_CTX_RAW && expr->field.off % 8 == 0;
}

static bool is_qualifier(enum skep_btf_kind kind)
{
	return kind == SKEP_BTF_CONST || kind == SKEP_BTF_VOLATILE || kind == SKEP_BTF_TYPEDEF ||
	       kind == SKEP_BTF_TYPE_TAG;
}

/* And not to memory of a process, or a CPU's copy of something: the verifier keeps these apart. */
static bool points_to_struct(const struct skep_btf *btf, uint32_t pointer)
{
	uint32_t id = skep_btf_target(btf, skep_btf_strip(btf, pointer));

	for (; is_qualifier(skep_btf_kind(btf, id)); id = skep_btf_target(btf, id)) {
		if (skep_btf_kind(btf, id) == SKEP_BTF_TYPE_TAG &&
		    strcmp(skep_btf_name(btf, id), "rcu") != 0)
			return false;
	}
	return skep_btf_kind(btf, id) == SKEP_BTF_STRUCT;
}

/* Not in a union, nor in a struct without a name. */
static bool is_plain_member(const struct skep_btf *btf, const struct skep_record *record,
			    const struct skep_field *field, uint32_t *ret_type)
{
	uint32_t id = record->btf_id ? skep_btf_strip(btf, record->btf_id) : 0;
	struct skep_btf_member member;

	for (uint32_t i = 0; id && i < skep_btf_n_members(btf, id); i++) {
		if (skep_btf_member(btf, id, i, &member) || strcmp(member.name, field->name) != 0)
			continue;
		*ret_type = member.type;
		return skep_btf_kind(btf, id) == SKEP_BTF_STRUCT && !member.bit_size &&
		       member.bit_off == 8 * field->off;
	}
	return false;
}

static bool find_member(const struct skep_lower *l, const struct skep_expr *expr,
			struct reach *ret);

/* The struct that @expr stands for: one within another, or what a pointer points to. */
static bool find_struct(const struct skep_lower *l, const struct skep_expr *expr, struct reach *ret)
{
	if (expr->type->kind == SKEP_T_RECORD)
		return find_member(l, expr, ret);
	if (find_argument(l, expr, ret))
		return true;
	if (!find_member(l, expr, ret) || ret->n == MOST_STEPS ||
	    !points_to_struct(skep_types_btf(l->types), ret->type))
		return false;
	ret->offs[ret->n++] = 0;
	return true;
}

static bool find_member(const struct skep_lower *l, const struct skep_expr *expr, struct reach *ret)
{
	const struct skep_type *type = expr->kind == SKEP_E_FIELD ? expr->left->type : NULL;

	if (!type || expr->field.bit_size || !expr->field.name || expr->packet || expr->member)
		return false;
	type = type->kind == SKEP_T_PTR ? type->elem : type;
	if (!type || type->kind != SKEP_T_RECORD || !find_struct(l, expr->left, ret))
		return false;
	ret->offs[ret->n - 1] += expr->field.off;
	return is_plain_member(skep_types_btf(l->types), type->record, &expr->field, &ret->type);
}

static bool is_readable(const struct skep_lower *l, const struct skep_expr *expr, struct reach *ret)
{
	return expr->kind == SKEP_E_FIELD && expr->field.type &&
	       skep_type_is_scalar(expr->field.type) && skep_types_btf(l->types) &&
	       find_member(l, expr, ret);
}

static bool reads_in_exprs(const struct skep_lower *l, const struct skep_expr *expr);

static bool reads_in_stmts(const struct skep_lower *l, const struct skep_stmt *stmt)
{
	for (; stmt; stmt = stmt->next) {
		if (reads_in_exprs(l, stmt->target) || reads_in_exprs(l, stmt->value) ||
		    reads_in_exprs(l, stmt->cond) || reads_in_exprs(l, stmt->limit) ||
		    reads_in_stmts(l, stmt->body) || reads_in_stmts(l, stmt->else_body))
			return true;
	}
	return false;
}

static bool reads_in_exprs(const struct skep_lower *l, const struct skep_expr *expr)
{
	struct reach reach;

	for (; expr; expr = expr->next) {
		bool is_here = is_readable(l, expr, &reach) && reach.slot != SKEP_CURRENT_TASK;
		if (is_here || reads_in_exprs(l, expr->cond) || reads_in_exprs(l, expr->left) ||
		    reads_in_exprs(l, expr->right) || reads_in_exprs(l, expr->args) ||
		    reads_in_stmts(l, expr->body))
			return true;
	}
	return false;
}

/* --- What others ask ------------------------------------------------------------------------ */

const struct skep_expr *skep_lower_only_value(const struct skep_lower *l,
					      const struct skep_var *var)
{
	return value_of(l->probe->def, var);
}

bool skep_lower_find_argument(const struct skep_lower *l, const struct skep_expr *expr,
			      uint32_t *ret_slot)
{
	struct reach reach;

	if (!find_argument(l, expr, &reach))
		return false;
	*ret_slot = reach.slot;
	return true;
}

/* What BTF has of the tracepoint; 0: not all that it takes. */
static uint32_t find_type(struct skep_lower *l, const struct skep_probe *probe)
{
	size_t prefix = strlen(TARGET_PREFIX);
	const char *target = probe->attach.target;
	struct skep_btf *btf = probe->args ? skep_types_btf(l->types) : NULL;

	if (!btf || probe->provider->ctx != SKEP_CTX_RAW ||
	    probe->attach.type != SKEP_ATTACH_RAW_TRACEPOINT ||
	    strncmp(target, TARGET_PREFIX, prefix) != 0)
		return 0;
	const char *name = skep_arena_printf(l->arena, TYPE_PREFIX "%s", target + prefix);
	uint32_t type = skep_btf_find(btf, name, strlen(name), SKEP_BTF_MASK(SKEP_BTF_TYPEDEF));
	return type && knows_all_args(btf, type) ? type : 0;
}

bool skep_lower_can_type(struct skep_lower *l, const struct skep_probe *probe)
{
	return find_type(l, probe) && skep_lower_best(l, SKEP_FOR_ARGUMENTS);
}

void skep_lower_type_args(struct skep_lower *l, struct skep_probe *probe)
{
	uint32_t type = find_type(l, probe);

	l->probe = probe;
	if (!type ||
	    !(reads_in_exprs(l, probe->def->predicate) || reads_in_stmts(l, probe->def->body)) ||
	    !skep_lower_best(l, SKEP_FOR_ARGUMENTS))
		return;
	probe->is_typed = true;
	probe->attach_btf_id = type;
	probe->expected_attach_type = BPF_TRACE_RAW_TP;
	probe->attach.type = SKEP_ATTACH_TRACING;
	probe->attach.tracing.target_fd = 0; /* the program knows where it belongs */
	probe->attach.tracing.btf_id = 0;
}

/* It came before the instructions of v4. Programs of other licences, and interpreted ones, may not
 * call it. */
static uint32_t find_cast(const struct skep_lower *l)
{
	static const char name[] = "bpf_rdonly_cast";

	if (!l->opts->target->isa_v4 || strcmp(l->program->config.license, "GPL") != 0 ||
	    !skep_has_feature(SKEP_FEATURE_JIT))
		return 0;
	return skep_btf_find(skep_types_btf(l->types), name, strlen(name),
			     SKEP_BTF_MASK(SKEP_BTF_FUNC));
}

static uint32_t distrust(const struct skep_lower *l, const struct reach *reach, uint32_t at)
{
	const struct skep_btf *btf = skep_types_btf(l->types);
	uint32_t cast = reach->root ? find_cast(l) : 0, to = skep_btf_strip(btf, reach->root);
	struct skep_opnd args[] = {R(at), I(to)};

	if (!cast || skep_btf_kind(btf, to) != SKEP_BTF_STRUCT)
		return at;
	return skep_ir_call_kfunc(l->f, (int32_t)cast, 2, args);
}

/* The address of the struct that the member is in, or to @none. */
static uint32_t walk(struct skep_lower *l, const struct reach *reach, bool for_pointer,
		     uint32_t none)
{
	struct skep_ir_func *f = l->f;
	uint32_t at = reach->slot == SKEP_CURRENT_TASK
			      ? skep_ir_call(f, BPF_FUNC_get_current_task_btf, 0, NULL)
			      : skep_ir_load_address(f, l->ctx, (int32_t)(8 * reach->slot));

	if (reach->slot != SKEP_CURRENT_TASK)
		skep_ir_branch_cold(f, SKEP_IR_EQ, R(at), I(0), none);
	if (for_pointer || reach->n > 1)
		at = distrust(l, reach, at);
	for (uint32_t i = 0; i + 1 < reach->n; i++) {
		at = skep_ir_load_address(f, R(at), (int32_t)reach->offs[i]);
		skep_ir_branch_cold(f, SKEP_IR_EQ, R(at), I(0), none);
	}
	return at;
}

/* A 0 where the way came to an end: members are 0 often. Read by a helper, which tells. */
static struct skep_opnd confirm(struct skep_lower *l, uint32_t at, uint32_t off,
				const struct skep_type *type)
{
	struct skep_value there = {
		.type = type, .opnd = skep_lower_as_number(l, R(at)), .space = SKEP_SPACE_KERNEL};

	return skep_lower_load(l, &there, (int32_t)off, type->size, type->is_signed);
}

/* What a 0 on the way means: that an argument is NULL, or that all is to be read again. */
static struct skep_opnd read_again(struct skep_lower *l, const struct skep_expr *expr,
				   const struct reach *reach)
{
	if (reach->n == 1) {
		skep_lower_loss(l, skep_loss_off(l, SKEP_LOSS_READ));
		return I(0);
	}
	l->is_untyped = true;
	struct skep_value value = skep_lower_field(l, expr);
	l->is_untyped = false;
	return value.opnd;
}

bool skep_lower_typed_field(struct skep_lower *l, const struct skep_expr *expr,
			    struct skep_value *ret)
{
	struct skep_ir_func *f = l->f;
	const struct skep_type *type = expr->field.type;
	struct reach reach;

	if (l->is_untyped || l->in_callback || !is_readable(l, expr, &reach) ||
	    (reach.slot != SKEP_CURRENT_TASK && !l->probe->is_typed))
		return false;
	uint32_t value = skep_ir_var(f), none = skep_ir_block(f), on = skep_ir_block(f);
	uint32_t zero = reach.n > 1 ? skep_ir_block(f) : none;
	uint32_t at = walk(l, &reach, type->kind == SKEP_T_PTR, none),
		 off = reach.offs[reach.n - 1];
	uint32_t word = skep_ir_load(f, type->size, R(at), (int32_t)off);
	if (reach.n > 1)
		skep_ir_branch_cold(f, SKEP_IR_EQ, R(word), I(0), zero);
	if (type->is_signed && type->size < 8)
		word = skep_ir_extend(f, R(word), type->size, true);
	skep_ir_set(f, value,
		    type->kind == SKEP_T_PTR ? skep_lower_as_number(l, R(word)) : R(word));
	skep_ir_jump(f, on);
	if (reach.n > 1) {
		skep_ir_at(f, zero);
		skep_ir_set(f, value, confirm(l, at, off, type));
		skep_ir_jump(f, on);
	}
	skep_ir_at(f, none);
	skep_ir_set(f, value, read_again(l, expr, &reach));
	skep_ir_jump(f, on);
	skep_ir_at(f, on);
	*ret = skep_value_int(R(value), type);
	return true;
}
