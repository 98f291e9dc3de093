/* Calls: the table from functions.def to the func_*.c files. */
#include "trace/lower/lower.h"

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
