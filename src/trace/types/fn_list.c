/* in_list(), network_of(): a number, a string, an address against a list that is known when
 * compiling. */
#include "trace/list.h"
#include "trace/types/typer.h"

#define ENTRIES_MOST 64 /* each is a comparison */

/* How many there are; -EINVAL: it is no such list. */
static int count_numbers(const char *at)
{
	struct skep_range range;
	int got, n = 0;

	while ((got = skep_list_next(&at, &range)) > 0)
		n++;
	return got < 0 ? got : n;
}

static int count_names(const char *at)
{
	const char *name;
	uint32_t len;
	int got, n = 0;

	while ((got = skep_list_next_name(&at, &name, &len)) > 0)
		n++;
	return got < 0 ? got : n;
}

/* A list without entries holds everything: an option that was not given forbids nothing. */
const struct skep_type *skep_check_fn_in_list(struct skep_typer *t, struct skep_expr *call)
{
	const struct skep_expr *list = call->args->next;
	bool is_text = call->args->type && call->args->type->kind == SKEP_T_STRING;

	if ((!is_text && !skep_want_int(t, call, 0)) || !skep_want_text(t, call, 1))
		return NULL;
	int n = is_text ? count_names(list->text) : count_numbers(list->text);
	if (n < 0 || n > ENTRIES_MOST)
		return TYPE_ERROR(t, list->span, LIST, list->text);
	call->is_const = !n;
	call->integer = 1;
	return &skep_type_bool;
}

/* A row of a table that the program has with it: see lower/func_list.c. */
const struct skep_type *skep_check_fn_network_of(struct skep_typer *t, struct skep_expr *call)
{
	const struct skep_expr *list = call->args->next;
	struct skep_network net;
	int got, n = 0;

	if (!call->args->type || !skep_want_text(t, call, 1))
		return NULL;
	if (call->args->type->kind != SKEP_T_INET)
		return skep_bad_arg(t, call, 0, "an address of ntop()");
	for (const char *at = list->text; (got = skep_network_next(&at, &net)) > 0;)
		n++;
	if (got < 0 || n > ENTRIES_MOST)
		return TYPE_ERROR(t, list->span, NETWORKS, list->text);
	return skep_type_string(t->types, SKEP_NETWORK_BYTES);
}
