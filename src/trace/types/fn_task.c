/*
 * Functions that are another way to write members of the kernel's structs: of a
 * task, of a socket. The call becomes those members' expression in the tree, so
 * that nothing below types/ knows of them.
 */
#include "trace/types/typer.h"

#include "base/arena.h"

#define CHECK(name)                                                                                \
	const struct skep_type *skep_check_fn_##name(struct skep_typer *t, struct skep_expr *call)

static struct skep_expr *node(const struct skep_typer *t, enum skep_expr_kind kind,
			      const struct skep_expr *call)
{
	struct skep_expr *expr = skep_arena_new(t->arena, struct skep_expr);

	expr->kind = kind;
	expr->span = call->span;
	return expr;
}

/* (TYPE)kptr(argument): a plain number, too, is an address of the kernel here. */
static struct skep_expr *as_kernel_ptr(const struct skep_typer *t, const struct skep_expr *call,
				       const char *type_name)
{
	struct skep_expr *cast = node(t, SKEP_E_CAST, call), *kptr = node(t, SKEP_E_CALL, call);

	kptr->text = "kptr";
	kptr->args = call->args;
	kptr->n_args = 1;
	cast->type_name = type_name;
	cast->right = kptr;
	return cast;
}

/* The call's node becomes the last member of @path, names that end in NULL. */
static const struct skep_type *becomes(struct skep_typer *t, struct skep_expr *call,
				       const char *type_name, const char *const *path)
{
	if (!skep_want_address(t, call, 0))
		return NULL;
	struct skep_expr *base = as_kernel_ptr(t, call, type_name);
	for (; path[1]; path++) {
		struct skep_expr *member = node(t, SKEP_E_FIELD, call);
		member->text = path[0];
		member->left = base;
		base = member;
	}
	call->kind = SKEP_E_FIELD;
	call->text = path[0];
	call->left = base;
	call->args = NULL;
	call->n_args = 0;
	return skep_type_expr(t, call);
}

CHECK(descends_from)
{
	if (!skep_want_int(t, call, 0) || (call->n_args > 1 && !skep_want_address(t, call, 1)))
		return NULL;
	return &skep_type_bool;
}

#define TASK(name, ...)                                                                            \
	CHECK(name)                                                                                \
	{                                                                                          \
		static const char *const path[] = {__VA_ARGS__, NULL};                             \
		return becomes(t, call, "struct task_struct *", path);                             \
	}
TASK(ppid, "real_parent", "tgid")
TASK(pcomm, "real_parent", "comm")
TASK(leader_tid, "group_leader", "pid")
TASK(leader_comm, "group_leader", "comm")

/* The helper that makes a cookie where there is none takes only sockets that the kernel vouches
 * for, which no probe here has. */
CHECK(socket_cookie)
{
	static const char *const path[] = {"__sk_common", "skc_cookie", "counter", NULL};

	return becomes(t, call, "struct sock *", path);
}
