/* Calls: the table from functions.def to the func_*.c files. */
#include "trace/lower/lower.h"

/* What types/ has made constants of, or other expressions. */
#define IS_GONE(name)                                                                              \
	struct skep_value skep_fn_##name(struct skep_lower *l, const struct skep_expr *call)       \
	{                                                                                          \
		return skep_value_int(I(call->integer), call->type);                               \
	}
IS_GONE(ppid)
IS_GONE(pcomm)
IS_GONE(leader_tid)
IS_GONE(leader_comm)
IS_GONE(socket_cookie)
IS_GONE(is_array)
IS_GONE(is_integer)
IS_GONE(is_unsigned_integer)
IS_GONE(is_literal)
IS_GONE(is_ptr)
IS_GONE(is_str)
IS_GONE(has_field)
IS_GONE(assert_str)
IS_GONE(has_cpid)
IS_GONE(selected)
IS_GONE(default_str_length)
IS_GONE(strcap)
IS_GONE(devnum)

static struct skep_value (*const lowerers[SKEP_FN_CNT])(struct skep_lower *,
							const struct skep_expr *) = {
#define FUNCTION(name, ...) [SKEP_FN_##name] = skep_fn_##name,
#include "trace/functions.def"
#undef FUNCTION
};

struct skep_value skep_lower_call(struct skep_lower *l, const struct skep_expr *expr)
{
	l->span = expr->span;
	return lowerers[expr->function](l, expr);
}
