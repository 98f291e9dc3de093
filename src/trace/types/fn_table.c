/*
 * Checks of the functions that print tables: row(), table(), refresh().
 *
 * Columns whose option is not given are taken out here, with their values, so
 * that nothing behind this knows of them.
 */
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/buf.h"
#include "trace/column.h"
#include "trace/types/typer.h"

#define CHECK(name)                                                                                \
	const struct skep_type *skep_check_fn_##name(struct skep_typer *t, struct skep_expr *call)

static bool is_wanted(struct skep_typer *t, const struct skep_column *column)
{
	if (!column->option_len)
		return true;
	const char *name = skep_arena_dup(t->arena, column->option, column->option_len);
	const char *text = skep_option_given(t, name, "a column of the table");
	return text && strcmp(text, "false") != 0 && strcmp(text, "0") != 0;
}

static bool bad_column(struct skep_typer *t, const struct skep_expr *text, const char *at)
{
	TYPE_ERROR(t, text->span, COLUMN_SYNTAX,
		   (const char *)skep_arena_dup(t->arena, at, strcspn(at, " ")));
	return false;
}

/* The columns that are wanted, and how many all are; values of those that are not are dropped. */
static bool keep_wanted(struct skep_typer *t, struct skep_expr *call, struct skep_buf *ret,
			uint32_t *ret_n)
{
	struct skep_expr **arg = &call->args->next;
	const char *at = call->args->text;
	struct skep_column column;
	int got;

	for (*ret_n = 0; (got = skep_column_next(&at, &column)) > 0; ++*ret_n) {
		const char *name =
			column.option_len ? column.option + column.option_len + 1 : column.start;
		bool is_kept = is_wanted(t, &column);
		if (is_kept) {
			skep_buf_puts(ret, ret->len ? " " : "");
			skep_buf_add(ret, name, column.len - (size_t)(name - column.start));
		}
		if (!*arg)
			continue;
		if (is_kept)
			arg = &(*arg)->next;
		else
			*arg = (*arg)->next;
	}
	return got == 0 ? true : bad_column(t, call->args, at);
}

static void check_values(struct skep_typer *t, const struct skep_expr *call)
{
	const struct skep_expr *arg = call->args->next;
	const char *at = call->args->text;
	struct skep_column column;

	for (; arg && skep_column_next(&at, &column) > 0; arg = arg->next)
		skep_check_conversion(t, &column.conv, arg);
}

CHECK(row)
{
	_cleanup_buf_ struct skep_buf kept = {0};
	uint32_t n, n_given = call->n_args - 1;

	if (!skep_want_text(t, call, 0) || !keep_wanted(t, call, &kept, &n))
		return &skep_type_none;
	if (n > SKEP_TABLE_COLUMNS_MAX)
		return TYPE_ERROR(t, call->args->span, FORMAT_TOO_FEW, n, SKEP_TABLE_COLUMNS_MAX);
	if (n > n_given)
		return TYPE_ERROR(t, call->args->span, FORMAT_TOO_FEW, n, n_given);
	if (n < n_given)
		return TYPE_ERROR(t, call->span, FORMAT_TOO_MANY);
	skep_call_becomes(t, call->args, kept.data ? kept.data : "", kept.len);
	call->n_args = 1;
	for (const struct skep_expr *arg = call->args->next; arg; arg = arg->next)
		call->n_args++;
	check_values(t, call);
	return &skep_type_none;
}

/* --- table() ---------------------------------------------------------------------------------- */

static uint32_t n_parts(const struct skep_type *key)
{
	return key->kind == SKEP_T_TUPLE ? key->n : 1;
}

static bool can_be_cell(const struct skep_type *type)
{
	return type->kind != SKEP_T_HIST && type->kind != SKEP_T_LHIST &&
	       type->kind != SKEP_T_TUPLE;
}

/* The key that all maps have. NULL: not known yet, or an error. */
static const struct skep_type *common_key(struct skep_typer *t, struct skep_expr *first)
{
	const struct skep_type *key = NULL;
	bool is_known = true;

	for (struct skep_expr *arg = first; arg; arg = arg->next) {
		if (arg->kind != SKEP_E_MAP || arg->args)
			return TYPE_ERROR(t, arg->span, TABLE_MAPS);
		struct skep_map *map = skep_map_use(t, arg);
		map->is_read = map->is_iterated = true;
		if (map->scalar_span.len || (map->value && !can_be_cell(map->value)))
			return TYPE_ERROR(t, arg->span, TABLE_MAPS);
		is_known &= map->key && map->value;
		if (map->key && key && !skep_type_same(map->key, key))
			return TYPE_ERROR(t, arg->span, TABLE_MAPS);
		key = map->key ? map->key : key;
	}
	return is_known ? key : NULL;
}

static bool is_named(const struct skep_column *column, const char *name)
{
	return strlen(name) == column->name_len &&
	       !strncasecmp(column->name, name, column->name_len);
}

/* The column that --sort names, else the first value. */
static bool find_sort(struct skep_typer *t, struct skep_expr *call, uint32_t n_key_parts)
{
	const char *name = skep_option_given(t, "sort", "the column that tables are sorted by");
	const char *at = call->args->text;
	struct skep_column column;

	call->integer = n_key_parts;
	if (!name || !*name)
		return true;
	for (uint32_t i = 0; skep_column_next(&at, &column) > 0; i++) {
		call->integer = i;
		if (is_named(&column, name))
			return true;
	}
	TYPE_ERROR(t, call->span, GETOPT_VALUE, "sort", "one of the columns", name);
	return false;
}

CHECK(table)
{
	const char *at = call->args->text;
	struct skep_column column;
	uint32_t n = 0;
	int got;

	if (!skep_want_text(t, call, 0) || !skep_want_const(t, call, 1, 0, UINT32_MAX))
		return &skep_type_none;
	while ((got = skep_column_next(&at, &column)) > 0)
		n++;
	if (got < 0)
		bad_column(t, call->args, at);
	const struct skep_type *key = common_key(t, call->args->next->next);
	if (got < 0 || !key)
		return &skep_type_none;
	uint32_t n_cells = n_parts(key) + call->n_args - 2;
	if (n != n_cells)
		return TYPE_ERROR(t, call->args->span, TABLE_COLUMNS, n, n_cells);
	find_sort(t, call, n_parts(key));
	return &skep_type_none;
}

CHECK(refresh)
{
	return &skep_type_none;
}
