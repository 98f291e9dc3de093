/*
 * Maps whose keys are threads, not only the current one:
 *
 *	rawtracepoint:sched_wakeup { @queued[args.p.pid] = nsecs; }
 *	rawtracepoint:sched_switch /@queued[args.next.pid]/ { … delete(@queued, args.next.pid); }
 *
 * Task storage can be asked for any thread whose structure the verifier knows: an
 * argument of a typed program (typed.c). So such a map is kept as @x[tid] is.
 *
 * That can be seen when all its keys are `tid` or the pid of such an argument; and
 * it is done where the script removes its entries itself, so that nobody waits for
 * those of threads that have ended.
 */
#include <string.h>

#include "trace/lower/lower.h"

#define TASK "struct task_struct"

struct search {
	struct skep_lower *l;
	const struct skep_probe_def *def;
	bool *is_out; /* by map */
	bool in_callback;
};

static const struct skep_expr *task_of(const struct skep_lower *l, const struct skep_expr *key)
{
	if (key->kind == SKEP_E_VAR && key->var)
		key = skep_lower_only_value(l, key->var);
	if (!key || key->kind != SKEP_E_FIELD ||
	    strcmp(key->field.name ? key->field.name : "", "pid"))
		return NULL;
	const struct skep_type *type = key->left->type;
	bool is_task = type && type->kind == SKEP_T_PTR && type->elem &&
		       type->elem->kind == SKEP_T_RECORD && type->elem->record &&
		       !strcmp(type->elem->record->name, TASK);
	return is_task ? key->left : NULL;
}

/* The argument that @key is the pid of, SKEP_CURRENT_TASK for the current thread's. */
static bool find_thread(const struct skep_lower *l, const struct skep_expr *key, uint32_t *ret)
{
	*ret = SKEP_CURRENT_TASK;
	if (key->kind == SKEP_E_IDENT && key->builtin == SKEP_BI_tid)
		return true;
	const struct skep_expr *task = task_of(l, key);
	return task && skep_lower_find_argument(l, task, ret);
}

struct skep_opnd skep_lower_thread(struct skep_lower *l, const struct skep_expr *key)
{
	uint32_t thread;

	return I(find_thread(l, key, &thread) ? thread : SKEP_CURRENT_TASK);
}

/* --- All keys of all maps ------------------------------------------------------------------- */

/* Another place of the same body may have an argument of that name, but of another type. */
static bool is_task_everywhere(const struct search *s, const char *name)
{
	const struct skep_trace_program *program = s->l->program;

	for (uint32_t i = 0; i < program->n_probes; i++) {
		const struct skep_probe *probe = program->probes[i];
		bool has = false;
		for (uint32_t n = 0; probe->args && n < probe->args->n_fields; n++) {
			const struct skep_field *field = &probe->args->fields[n];
			const struct skep_type *to = field->type->elem;
			has |= !strcmp(field->name, name) && field->type->kind == SKEP_T_PTR &&
			       to && to->kind == SKEP_T_RECORD && !strcmp(to->record->name, TASK);
		}
		if (probe->def == s->def && (!has || !skep_lower_can_type(s->l, probe)))
			return false;
	}
	return true;
}

static void note_key(struct search *s, const struct skep_map *map, const struct skep_expr *key)
{
	uint32_t thread;
	bool is_thread = find_thread(s->l, key, &thread);

	if (is_thread && thread != SKEP_CURRENT_TASK) {
		const struct skep_expr *arg = task_of(s->l, key);
		if (arg->kind == SKEP_E_VAR)
			arg = skep_lower_only_value(s->l, arg->var);
		while (arg->kind == SKEP_E_TERNARY)
			arg = arg->cond->integer ? arg->left : arg->right;
		is_thread = !s->in_callback && is_task_everywhere(s, arg->field.name);
	}
	s->is_out[map->index] |= !is_thread;
}

static void in_stmts(struct search *s, const struct skep_stmt *stmt);

static void in_exprs(struct search *s, const struct skep_expr *expr)
{
	for (; expr; expr = expr->next) {
		const struct skep_expr *first = expr->kind == SKEP_E_CALL ? expr->args : NULL;
		if (expr->kind == SKEP_E_MAP && expr->map && expr->key)
			note_key(s, expr->map, expr->key);
		if (first && first->kind == SKEP_E_MAP && first->map && !first->key && first->next)
			note_key(s, first->map, first->next);
		in_exprs(s, expr->cond);
		in_exprs(s, expr->left);
		in_exprs(s, expr->right);
		in_exprs(s, expr->args);
		in_stmts(s, expr->body);
	}
}

static void in_stmts(struct search *s, const struct skep_stmt *stmt)
{
	for (; stmt; stmt = stmt->next) {
		bool was = s->in_callback;
		in_exprs(s, stmt->target);
		in_exprs(s, stmt->value);
		in_exprs(s, stmt->cond);
		in_exprs(s, stmt->limit);
		s->in_callback |= stmt->kind == SKEP_S_FOR_MAP;
		in_stmts(s, stmt->body);
		s->in_callback = was;
		in_stmts(s, stmt->else_body);
	}
}

void skep_lower_find_threads(struct skep_lower *l)
{
	const struct skep_trace_program *program = l->program;
	struct search s = {.l = l};

	s.is_out = skep_arena_array(l->arena, bool, program->n_maps + 1);
	for (uint32_t i = 0; i < program->n_probes; i++) {
		const struct skep_probe *probe = program->probes[i];
		if (probe->def == s.def)
			continue;
		l->probe = probe;
		s.def = probe->def;
		in_exprs(&s, s.def->predicate);
		in_stmts(&s, s.def->body);
	}
	l->has_other_keys = s.is_out;
}
