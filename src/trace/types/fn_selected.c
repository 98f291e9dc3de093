/*
 * selected(), selected(task): whether the current process, or another, is one
 * of those that the options --pid, --tid, --uid, --name, --cgroup and the command
 * of -c mean. The call becomes the comparisons that the options given ask for, or
 * true where there are none; so what is not asked costs nothing.
 */
#include <string.h>

#include "base/arena.h"
#include "trace/types/typer.h"

static struct skep_expr *node(struct skep_typer *t, const struct skep_expr *call,
			      enum skep_expr_kind kind)
{
	struct skep_expr *expr = skep_arena_new(t->arena, struct skep_expr);

	expr->kind = kind;
	expr->span = call->span;
	return expr;
}

static struct skep_expr *named(struct skep_typer *t, const struct skep_expr *call,
			       enum skep_expr_kind kind, const char *text)
{
	struct skep_expr *expr = node(t, call, kind);

	expr->text = text;
	expr->text_len = (uint32_t)strlen(text);
	return expr;
}

static struct skep_expr *binary(struct skep_typer *t, const struct skep_expr *call,
				enum skep_operator op, struct skep_expr *left,
				struct skep_expr *right)
{
	struct skep_expr *expr = node(t, call, SKEP_E_BINARY);

	expr->op = op;
	expr->left = left;
	expr->right = right;
	return expr;
}

static struct skep_expr *number(struct skep_typer *t, const struct skep_expr *call, int64_t n)
{
	struct skep_expr *expr = node(t, call, SKEP_E_INT);

	expr->integer = n;
	return expr;
}

/* base.a.b for "a.b" */
static struct skep_expr *member(struct skep_typer *t, const struct skep_expr *call,
				struct skep_expr *base, const char *path)
{
	for (size_t len; *path; path += len + (path[len] == '.')) {
		len = strcspn(path, ".");
		struct skep_expr *field = named(
			t, call, SKEP_E_FIELD, skep_arena_printf(t->arena, "%.*s", (int)len, path));
		field->left = base;
		base = field;
	}
	return base;
}

struct filter {
	const char *option, *builtin, *path; /* of the current task, of another */
	const char *help;
	struct skep_expr *(*make)(struct skep_typer *t, const struct skep_expr *call,
				  const struct filter *filter, const char *value);
};

/* pid, or task.tgid */
static struct skep_expr *what(struct skep_typer *t, const struct skep_expr *call,
			      const struct filter *filter)
{
	return call->args ? member(t, call, call->args, filter->path)
			  : named(t, call, SKEP_E_IDENT, filter->builtin);
}

/* pid == 12 */
static struct skep_expr *is_number(struct skep_typer *t, const struct skep_expr *call,
				   const struct filter *filter, const char *value)
{
	int64_t n;

	if (!skep_parse_number(value, &n)) {
		TYPE_ERROR(t, call->span, GETOPT_VALUE, filter->option, "a number", value);
		return NULL;
	}
	return binary(t, call, SKEP_OPR_EQ, what(t, call, filter), number(t, call, n));
}

/* comm == "bash" */
static struct skep_expr *is_name(struct skep_typer *t, const struct skep_expr *call,
				 const struct filter *filter, const char *value)
{
	return binary(t, call, SKEP_OPR_EQ, what(t, call, filter),
		      named(t, call, SKEP_E_STRING, value));
}

static struct skep_expr *call_of(struct skep_typer *t, const struct skep_expr *call,
				 const char *function, const char *text)
{
	struct skep_expr *expr = named(t, call, SKEP_E_CALL, function);

	expr->args = named(t, call, SKEP_E_STRING, text);
	expr->n_args = 1;
	return expr;
}

/* descends_from(cpid): without --pid a command of -c means itself and what it starts. */
static struct skep_expr *of_command(struct skep_typer *t, const struct skep_expr *call)
{
	struct skep_expr *expr = named(t, call, SKEP_E_CALL, "descends_from");

	expr->args = named(t, call, SKEP_E_IDENT, "cpid");
	expr->args->next = call->args;
	expr->n_args = 1 + call->n_args;
	return expr;
}

/* cgroup.level >= 2 && cgroup.ancestors[2].kn.id == cgroupid("/sys/fs/cgroup/a/b") */
static struct skep_expr *is_below(struct skep_typer *t, const struct skep_expr *call,
				  struct skep_expr *cgroup, const char *path, int level)
{
	struct skep_expr *above = node(t, call, SKEP_E_INDEX);

	above->left = member(t, call, cgroup, "ancestors");
	above->right = number(t, call, level);
	return binary(t, call, SKEP_OPR_LAND,
		      binary(t, call, SKEP_OPR_GE, member(t, call, cgroup, "level"),
			     number(t, call, level)),
		      binary(t, call, SKEP_OPR_EQ, member(t, call, above, "kn.id"),
			     call_of(t, call, "cgroupid", path)));
}

enum { CGROUP_LEVELS_MOST = 12 };

/* in_cgroup("/sys/fs/cgroup/x"); for another task, the same by its cgroup's ancestors. */
static struct skep_expr *is_inside(struct skep_typer *t, const struct skep_expr *call,
				   const struct filter *filter, const char *value)
{
	struct skep_expr *any, *cgroup;

	if (!call->args)
		return call_of(t, call, filter->builtin, value);
	cgroup = member(t, call, call->args, filter->path);
	any = is_below(t, call, cgroup, value, 0);
	for (int level = 1; level < CGROUP_LEVELS_MOST; level++)
		any = binary(t, call, SKEP_OPR_LOR, any, is_below(t, call, cgroup, value, level));
	return any;
}

static const struct filter filters[] = {
	{"pid", "pid", "tgid", "only this process", is_number},
	{"tid", "tid", "pid", "only this thread", is_number},
	{"uid", "uid", "cred.uid.val", "only this user", is_number},
	{"name", "comm", "comm", "only threads of this name", is_name},
	{"cgroup", "in_cgroup", "cgroups.dfl_cgrp", "only processes in this cgroup or below",
	 is_inside},
};

/* What @filter is to be: for a process also that of -p. A command of -c is of_command()'s. */
static const char *wanted(struct skep_typer *t, const struct filter *filter)
{
	const char *value = skep_option_given(t, filter->option, filter->help);
	const struct skep_compile_opts *opts = t->check->opts;

	if ((!value || !*value) && !strcmp(filter->option, "pid") && opts && opts->pid > 0 &&
	    !opts->cpid)
		return skep_arena_printf(t->arena, "%d", (int)opts->pid);
	return value;
}

static struct skep_expr *all_of(struct skep_typer *t, const struct skep_expr *call)
{
	const struct skep_compile_opts *opts = t->check->opts;
	struct skep_expr *whole = opts && opts->cpid ? of_command(t, call) : NULL;

	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		const char *value = wanted(t, &filters[i]);
		if (!value || !*value)
			continue;
		struct skep_expr *part = filters[i].make(t, call, &filters[i], value);
		if (!part)
			return NULL;
		whole = whole ? binary(t, call, SKEP_OPR_LAND, whole, part) : part;
	}
	if (!whole) {
		whole = number(t, call, 1);
		whole->is_bool_lit = true;
	}
	return whole;
}

const struct skep_type *skep_check_fn_selected(struct skep_typer *t, struct skep_expr *call)
{
	struct skep_expr *whole = all_of(t, call);

	t->check->script->selects = true;
	if (!whole)
		return NULL;
	whole->next = call->next;
	*call = *whole;
	return skep_type_expr(t, call);
}
