/* Checks of the functions on strings, bytes and network addresses: str() … macaddr(). */
#include "trace/types/typer.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/arena.h"

#define CHECK(name)                                                                                \
	const struct skep_type *skep_check_fn_##name(struct skep_typer *t, struct skep_expr *call)

#define MAC_BYTES     6
#define INET_BYTES    4
#define INET6_BYTES   16
#define MAX_CMP_BYTES 8192

/* The longest that is read: max_strlen, or less if a constant says so. 0: reported. */
static uint32_t length_of(struct skep_typer *t, const struct skep_expr *call, bool *is_explicit)
{
	uint64_t max = t->check->config->max_strlen;
	const struct skep_expr *arg = skep_arg_is_given(call, 1) ? call->args->next : NULL;

	*is_explicit = arg && skep_is_const_int(arg);
	if (!arg || !arg->type)
		return (uint32_t)max;
	if (!*is_explicit)
		return skep_want_int(t, call, 1) ? (uint32_t)max : 0;
	if (!skep_want_const(t, call, 1, 1, UINT32_MAX))
		return 0;
	if ((uint64_t)arg->integer <= max)
		return (uint32_t)arg->integer;
	TYPE_WARN(t, arg->span, LENGTH_CUT, (long long)arg->integer, (unsigned long long)max);
	return (uint32_t)max;
}

static const struct skep_type *string_of(struct skep_typer *t, uint32_t size, bool is_explicit)
{
	const struct skep_type *type = skep_type_string(t->types, size);

	if (!is_explicit)
		return type;
	struct skep_type *own = skep_arena_dup(t->arena, type, sizeof(*type));
	own->is_explicit = true;
	return own;
}

/* str($1) and str($1 + 2) are text that is known now. */
static const struct skep_type *param_text(struct skep_typer *t, struct skep_expr *call)
{
	struct skep_expr *arg = call->args, *skip = NULL;

	if (arg->kind == SKEP_E_BINARY) {
		skip = arg->right;
		arg = arg->left;
	}
	if (!skep_type_value(t, arg) || (skip && !skep_type_value(t, skip)))
		return NULL;
	if (skip && !skep_is_const_int(skip))
		return TYPE_ERROR(t, skip->span, ARG_LITERAL, "str", "an integer literal");
	if (skip && (skip->integer < 0 || skip->integer > arg->text_len))
		return TYPE_ERROR(t, skip->span, ARG_RANGE, "str", (long long)skip->integer, 0LL,
				  (long long)arg->text_len);
	uint32_t start = skip ? (uint32_t)skip->integer : 0;
	uint32_t len = arg->text_len - start;
	bool is_explicit;
	uint32_t max = call->n_args > 1 ? length_of(t, call, &is_explicit) : len + 1;
	if (!max)
		return NULL;
	len = len < max ? len : max - 1;
	skep_call_becomes(t, call, arg->text + start, len);
	call->is_const = true;
	return skep_type_string(t->types, len + 1);
}

CHECK(str)
{
	const struct skep_expr *arg = call->args;
	bool is_sum = arg->kind == SKEP_E_BINARY && arg->op == SKEP_OPR_ADD;
	bool is_explicit;

	if (arg->kind == SKEP_E_PARAM || (is_sum && arg->left->kind == SKEP_E_PARAM))
		return param_text(t, call);
	if (!arg->type)
		return NULL;
	uint32_t size = length_of(t, call, &is_explicit);
	if (!size)
		return NULL;
	bool is_bytes = arg->type->kind == SKEP_T_ARRAY && arg->type->elem->size == 1;
	bool is_text = arg->type->kind == SKEP_T_STRING || is_bytes;
	if (is_text)
		return string_of(t, is_explicit && size < arg->type->size ? size : arg->type->size,
				 is_explicit);
	if (!skep_want_address(t, call, 0))
		return NULL;
	/* max_strlen counts characters; a length in the call is room, with the NUL. */
	return string_of(t, is_explicit ? size : size + 1, is_explicit);
}

CHECK(buf)
{
	const struct skep_type *type = call->args->type;
	bool has_bytes = type && (type->kind == SKEP_T_ARRAY || type->kind == SKEP_T_STRING);
	bool is_explicit;

	if (!type)
		return NULL;
	if (!has_bytes && type->kind != SKEP_T_RECORD && !skep_want_address(t, call, 0))
		return NULL;
	if (call->n_args == 1 && (has_bytes || type->kind == SKEP_T_RECORD))
		return skep_type_buffer(t->types, type->size);
	if (call->n_args == 1)
		return TYPE_ERROR(t, call->span, ARG_LITERAL, "buf",
				  "a length: this is an address");
	uint32_t size = length_of(t, call, &is_explicit);
	return size ? skep_type_buffer(t->types, size) : NULL;
}

/* The kernel looks at the bytes to be written: they are ours, and their number is known. */
CHECK(write_user)
{
	const struct skep_type *src = call->args->next->type;

	if (!skep_want_address(t, call, 0) || !src)
		return NULL;
	if (!skep_want_const(t, call, 2, 1, skep_type_is_scalar(src) ? 8 : src->size))
		return NULL;
	return &skep_type_bool;
}

CHECK(strlen)
{
	return skep_want_string(t, call, 0) ? &skep_type_u64 : NULL;
}

CHECK(strncmp)
{
	bool is_good = skep_want_string(t, call, 0) && skep_want_string(t, call, 1);

	return is_good && skep_want_const(t, call, 2, 0, MAX_CMP_BYTES) ? &skep_type_u64 : NULL;
}

CHECK(strcontains)
{
	bool is_good = skep_want_string(t, call, 0) && skep_want_string(t, call, 1);

	return is_good ? &skep_type_bool : NULL;
}

CHECK(strstr)
{
	bool is_good = skep_want_string(t, call, 0) && skep_want_string(t, call, 1);

	return is_good ? &skep_type_s64 : NULL;
}

CHECK(strerror)
{
	return skep_want_int(t, call, 0) ? &skep_type_strerror : NULL;
}

CHECK(signal_name)
{
	return skep_want_int(t, call, 0) ? &skep_type_signal : NULL;
}

/* A row of a table that the program has with it: see lower/func_string.c. */
CHECK(syscall_name)
{
	return skep_want_int(t, call, 0) ? skep_type_string(t->types, SKEP_SYSCALL_BYTES) : NULL;
}

CHECK(strftime)
{
	const struct skep_expr *ns = call->args->next;
	bool is_good = skep_want_text(t, call, 0) && skep_want_int(t, call, 1);

	if (!is_good)
		return NULL;
	if (skep_is_const_int(ns) && ns->type->is_signed && ns->integer < 0)
		return TYPE_ERROR(t, ns->span, ARG_RANGE, "strftime", (long long)ns->integer, 0LL,
				  (long long)INT64_MAX);
	bool is_clock = ns->kind == SKEP_E_CALL && ns->function == SKEP_FN_nsecs;
	if (is_clock && !strcmp(ns->args->text, "monotonic"))
		return TYPE_ERROR(t, ns->span, ARG_TYPE, "strftime", "a time of boot or tai",
				  "one that stands still while the machine sleeps");
	return &skep_type_timestamp;
}

CHECK(path)
{
	const struct skep_type *type = call->args->type;
	bool is_explicit;

	if (type && type->kind != SKEP_T_RECORD && type->kind != SKEP_T_PTR)
		return skep_bad_arg(t, call, 0, "a struct path or a pointer to one");
	uint32_t size = length_of(t, call, &is_explicit);
	return type && size ? string_of(t, size, is_explicit) : NULL;
}

CHECK(bswap)
{
	if (!skep_want_int(t, call, 0))
		return NULL;
	return skep_type_int(call->args->type->size, false);
}

static bool is_inet_size(uint32_t size)
{
	return size == INET_BYTES || size == INET6_BYTES;
}

static const struct skep_type *check_address(struct skep_typer *t, const struct skep_expr *call,
					     uint32_t i)
{
	const struct skep_expr *arg = skep_call_arg(call, i);
	const struct skep_type *type = arg->type;
	bool has_bytes = type->kind == SKEP_T_ARRAY || type->kind == SKEP_T_STRING ||
			 type->kind == SKEP_T_RECORD;

	if (type->kind != SKEP_T_INT && !has_bytes)
		return skep_bad_arg(t, call, i, "an integer or an array");
	if (has_bytes && !is_inet_size(type->size))
		return TYPE_ERROR(t, arg->span, ARRAY_BYTES, "ntop", "4 or 16", type->size);
	return &skep_type_inet;
}

CHECK(ntop)
{
	uint32_t i = call->n_args - 1;

	if (call->n_args == 2 && !skep_want_int(t, call, 0))
		return NULL;
	return skep_call_arg(call, i)->type ? check_address(t, call, i) : NULL;
}

/* The address is worked out here; lower/ finds its bytes as the call's text. */
CHECK(pton)
{
	uint8_t bytes[INET6_BYTES];

	if (!skep_want_text(t, call, 0))
		return NULL;
	const char *text = call->args->text;
	bool is_v6 = strchr(text, ':') != NULL;
	if (inet_pton(is_v6 ? AF_INET6 : AF_INET, text, bytes) != 1)
		return TYPE_ERROR(t, call->args->span, IP_ADDRESS, text);
	uint32_t size = is_v6 ? INET6_BYTES : INET_BYTES;
	skep_call_becomes(t, call, bytes, size);
	return skep_type_array(t->types, &skep_type_u8, size);
}

CHECK(macaddr)
{
	const struct skep_expr *arg = call->args;
	const struct skep_type *type = arg->type;
	bool has_bytes = type && (type->kind == SKEP_T_ARRAY || type->kind == SKEP_T_STRING);

	if (!type)
		return NULL;
	if (skep_is_const_string(arg))
		return skep_bad_arg(t, call, 0, "the bytes of an address");
	if (has_bytes && type->size < MAC_BYTES)
		return TYPE_ERROR(t, arg->span, ARRAY_BYTES, "macaddr", "6", type->size);
	if (!has_bytes && !skep_want_address(t, call, 0))
		return NULL;
	return &skep_type_mac;
}
