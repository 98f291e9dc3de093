/*
 * Making, comparing and printing types. Types are immutable once returned;
 * all that are made here lie on the compilation's arena.
 *
 * Invariant: size and align are always those of the value in memory, so that
 * whoever lays out keys, tuples and events needs no knowledge of kinds.
 * Next: btf_types.c (types of the kernel), names.c (types by name).
 */
#include "trace/type.h"

#include <inttypes.h>
#include <string.h>

#include <skep/btf.h>
#include <skep/diag.h>

#include "base/arena.h"
#include "base/buf.h"

#define INT_TYPE(bytes, sign)                                                                      \
	{                                                                                          \
		.kind = SKEP_T_INT, .size = bytes, .align = bytes, .is_signed = sign               \
	}
#define PLAIN_TYPE(k, s, a)                                                                        \
	{                                                                                          \
		.kind = k, .size = s, .align = a                                                   \
	}

const struct skep_type skep_type_none = PLAIN_TYPE(SKEP_T_NONE, 0, 1);
const struct skep_type skep_type_u8 = INT_TYPE(1, false);
const struct skep_type skep_type_u16 = INT_TYPE(2, false);
const struct skep_type skep_type_u32 = INT_TYPE(4, false);
const struct skep_type skep_type_u64 = INT_TYPE(8, false);
const struct skep_type skep_type_s8 = INT_TYPE(1, true);
const struct skep_type skep_type_s16 = INT_TYPE(2, true);
const struct skep_type skep_type_s32 = INT_TYPE(4, true);
const struct skep_type skep_type_s64 = INT_TYPE(8, true);
const struct skep_type skep_type_bool = {
	.kind = SKEP_T_INT, .size = 1, .align = 1, .is_bool = true};
const struct skep_type skep_type_void_ptr = {
	.kind = SKEP_T_PTR, .size = 8, .align = 8, .elem = &skep_type_none};
const struct skep_type skep_type_ksym = PLAIN_TYPE(SKEP_T_KSYM, 8, 8);
const struct skep_type skep_type_usym = PLAIN_TYPE(SKEP_T_USYM, 16, 8);
const struct skep_type skep_type_username = PLAIN_TYPE(SKEP_T_USERNAME, 8, 8);
const struct skep_type skep_type_inet = PLAIN_TYPE(SKEP_T_INET, 20, 4);
const struct skep_type skep_type_mac = PLAIN_TYPE(SKEP_T_MAC, 8, 8);
const struct skep_type skep_type_timestamp = PLAIN_TYPE(SKEP_T_TIMESTAMP, 16, 8);
const struct skep_type skep_type_cgroup_path = PLAIN_TYPE(SKEP_T_CGROUP_PATH, 16, 8);
const struct skep_type skep_type_strerror = PLAIN_TYPE(SKEP_T_STRERROR, 8, 8);
const struct skep_type skep_type_signal = PLAIN_TYPE(SKEP_T_SIGNAL, 8, 8);
const struct skep_type skep_type_probe = PLAIN_TYPE(SKEP_T_PROBE, 8, 8);

void skep_types_init(struct skep_types *types, struct skep_arena *arena)
{
	*types = (struct skep_types){.arena = arena};
}

#define BTF_DIR "/sys/kernel/btf"

struct skep_module_types {
	const char *name;     /* arena */
	struct skep_btf *btf; /* owned; NULL: there is none */
	struct skep_module_types *next;
};

void skep_types_done(struct skep_types *types)
{
	for (struct skep_module_types *module = types->modules; module; module = module->next)
		skep_btf_free(module->btf);
	if (!types->btf_is_lent)
		skep_btf_free(types->btf);
	*types = (struct skep_types){0};
}

struct skep_btf *skep_types_btf(struct skep_types *types)
{
	if (!types->btf && !types->btf_err)
		types->btf_err = skep_btf_open_kernel(&types->btf, NULL);
	return types->btf;
}

static struct skep_btf *open_module(struct skep_types *types, const char *name)
{
	struct skep_module_types *module = skep_arena_new(types->arena, struct skep_module_types);
	const char *path = skep_arena_printf(types->arena, BTF_DIR "/%s", name);

	module->name = skep_arena_strdup(types->arena, name);
	if (!strchr(name, '/'))
		skep_btf_open(path, types->btf, &module->btf, NULL);
	module->next = types->modules;
	types->modules = module;
	return module->btf;
}

struct skep_btf *skep_types_module_btf(struct skep_types *types, const char *name)
{
	struct skep_btf *base = skep_types_btf(types);

	if (!base || !strcmp(name, SKEP_BASE_MODULE))
		return base;
	for (struct skep_module_types *module = types->modules; module; module = module->next) {
		if (!strcmp(module->name, name))
			return module->btf;
	}
	return open_module(types, name);
}

const struct skep_type *skep_type_int(uint32_t bytes, bool is_signed)
{
	switch (bytes) {
	case 1: return is_signed ? &skep_type_s8 : &skep_type_u8;
	case 2: return is_signed ? &skep_type_s16 : &skep_type_u16;
	case 4: return is_signed ? &skep_type_s32 : &skep_type_u32;
	default: return is_signed ? &skep_type_s64 : &skep_type_u64;
	}
}

static struct skep_type *new_type(struct skep_types *types, enum skep_type_kind kind, uint32_t size,
				  uint32_t align)
{
	struct skep_type *type = skep_arena_new(types->arena, struct skep_type);

	type->kind = kind;
	type->size = size;
	type->align = align;
	return type;
}

const struct skep_type *skep_type_named_int(struct skep_types *types, uint32_t bytes,
					    bool is_signed, const struct skep_enum *named)
{
	struct skep_type *type = new_type(types, SKEP_T_INT, bytes, bytes);

	type->is_signed = is_signed;
	type->enum_script = named;
	return type;
}

const struct skep_type *skep_type_string(struct skep_types *types, uint32_t size)
{
	return new_type(types, SKEP_T_STRING, size, 1);
}

const struct skep_type *skep_type_buffer(struct skep_types *types, uint32_t max_len)
{
	return new_type(types, SKEP_T_BUFFER, max_len + 4, 4);
}

const struct skep_type *skep_type_ptr(struct skep_types *types, const struct skep_type *elem,
				      enum skep_space space)
{
	struct skep_type *type = new_type(types, SKEP_T_PTR, 8, 8);

	type->elem = elem;
	type->space = space;
	return type;
}

/* An array too large to describe in 32 bits is cut: nobody can copy 4 GiB out of a kernel. */
const struct skep_type *skep_type_array(struct skep_types *types, const struct skep_type *elem,
					uint32_t n)
{
	if (elem->size && n > UINT32_MAX / elem->size)
		n = UINT32_MAX / elem->size;
	struct skep_type *type = new_type(types, SKEP_T_ARRAY, elem->size * n, elem->align);

	type->elem = elem;
	type->n = n;
	type->space = elem->space;
	return type;
}

const struct skep_type *skep_type_record(struct skep_types *types, const struct skep_record *record,
					 enum skep_space space)
{
	uint32_t align = record->align ? record->align : 8;
	struct skep_type *type = new_type(types, SKEP_T_RECORD, record->size, align);

	type->record = record;
	type->space = space;
	return type;
}

static uint32_t align_up(uint32_t off, uint32_t align)
{
	return (off + align - 1) / align * align;
}

const struct skep_type *skep_type_tuple(struct skep_types *types,
					const struct skep_type *const *fields, uint32_t n)
{
	struct skep_tuple_field *laid =
		skep_arena_array(types->arena, struct skep_tuple_field, n ? n : 1);
	uint32_t off = 0, align = 1;

	for (uint32_t i = 0; i < n; i++) {
		off = align_up(off, fields[i]->align);
		laid[i] = (struct skep_tuple_field){.type = fields[i], .off = off};
		off += fields[i]->size;
		if (fields[i]->align > align)
			align = fields[i]->align;
	}
	struct skep_type *type = new_type(types, SKEP_T_TUPLE, align_up(off, align), align);
	type->fields = laid;
	type->n = n;
	return type;
}

const struct skep_type *skep_type_stack(struct skep_types *types, bool user,
					enum skep_stack_mode mode, uint32_t depth)
{
	struct skep_type *type = new_type(types, user ? SKEP_T_USTACK : SKEP_T_KSTACK,
					  sizeof(struct skep_stack_key), 4);

	type->stack_mode = mode;
	type->n = depth;
	return type;
}

const struct skep_type *skep_type_agg(struct skep_types *types, enum skep_type_kind kind,
				      bool is_signed)
{
	bool is_one_word = kind == SKEP_T_COUNT || kind == SKEP_T_SUM;
	struct skep_type *type = new_type(types, kind, is_one_word ? 8 : 16, 8);

	type->is_signed = is_signed && kind != SKEP_T_COUNT;
	return type;
}

/*
 * Bucket 0 holds negative numbers; n < 2^bits goes to bucket n + 1; above, each
 * power of two is cut into 2^bits buckets, of which 63 - bits powers are left.
 */
const struct skep_type *skep_type_hist(struct skep_types *types, uint32_t bits)
{
	uint32_t n = ((65 - bits) << bits) + 1;
	struct skep_type *type = new_type(types, SKEP_T_HIST, n * 8, 8);

	type->n = n;
	type->hist_bits = bits;
	return type;
}

/* One bucket below min, one from max on, and those between. */
const struct skep_type *skep_type_lhist(struct skep_types *types, int64_t min, int64_t max,
					int64_t step)
{
	uint32_t n = (uint32_t)(((uint64_t)max - (uint64_t)min) / (uint64_t)step) + 2;
	struct skep_type *type = new_type(types, SKEP_T_LHIST, n * 8, 8);

	type->n = n;
	type->lhist.min = min;
	type->lhist.max = max;
	type->lhist.step = step;
	return type;
}

static bool same_record(const struct skep_record *a, const struct skep_record *b)
{
	if (a == b)
		return true;
	return a->size == b->size && a->btf_id == b->btf_id && !strcmp(a->name, b->name);
}

uint32_t skep_tuple_place(const struct skep_type *tuple, const char *name, uint32_t i)
{
	for (uint32_t j = 0; name && j < tuple->n; j++) {
		if (tuple->fields[j].name && !strcmp(tuple->fields[j].name, name))
			return j;
	}
	return i;
}

static bool same_tuple(const struct skep_type *a, const struct skep_type *b)
{
	for (uint32_t i = 0; i < a->n; i++) {
		if (skep_tuple_place(b, a->fields[i].name, i) != i)
			return false;
		if (a->fields[i].off != b->fields[i].off ||
		    !skep_type_same(a->fields[i].type, b->fields[i].type))
			return false;
	}
	return true;
}

bool skep_type_same(const struct skep_type *a, const struct skep_type *b)
{
	if (a == b)
		return true;
	if (a->kind != b->kind || a->size != b->size || a->n != b->n)
		return false;
	switch (a->kind) {
	case SKEP_T_ARRAY: return skep_type_same(a->elem, b->elem);
	case SKEP_T_RECORD: return same_record(a->record, b->record);
	case SKEP_T_TUPLE: return same_tuple(a, b);
	case SKEP_T_KSTACK:
	case SKEP_T_USTACK: return a->stack_mode == b->stack_mode;
	case SKEP_T_HIST: return a->hist_bits == b->hist_bits;
	case SKEP_T_LHIST:
		return a->lhist.min == b->lhist.min && a->lhist.max == b->lhist.max &&
		       a->lhist.step == b->lhist.step;
	case SKEP_T_SUM:
	case SKEP_T_AVG:
	case SKEP_T_MIN:
	case SKEP_T_MAX:
	case SKEP_T_STATS: return a->is_signed == b->is_signed;
	default: return true;
	}
}

bool skep_type_same_names(const struct skep_type *a, const struct skep_type *b)
{
	if (a == b || a->kind != b->kind || a->n != b->n)
		return a == b;
	if (a->kind == SKEP_T_INT)
		return a->enum_btf == b->enum_btf && a->enum_script == b->enum_script;
	for (uint32_t i = 0; a->kind == SKEP_T_TUPLE && i < a->n; i++) {
		if (!skep_type_same_names(a->fields[i].type, b->fields[i].type))
			return false;
	}
	return true;
}

/* Kinds whose name says it all; the others are printed below. */
static const char *const kind_names[SKEP_T_N_KINDS] = {
	[SKEP_T_NONE] = "void",           [SKEP_T_KSTACK] = "kstack",
	[SKEP_T_USTACK] = "ustack",       [SKEP_T_KSYM] = "ksym_t",
	[SKEP_T_USYM] = "usym_t",         [SKEP_T_USERNAME] = "username_t",
	[SKEP_T_INET] = "inet",           [SKEP_T_MAC] = "mac_address",
	[SKEP_T_TIMESTAMP] = "timestamp", [SKEP_T_CGROUP_PATH] = "cgroup_path_t",
	[SKEP_T_STRERROR] = "strerror_t", [SKEP_T_SIGNAL] = "signal_t",
	[SKEP_T_PROBE] = "probe_t",       [SKEP_T_COUNT] = "count_t",
	[SKEP_T_SUM] = "sum_t",           [SKEP_T_AVG] = "avg_t",
	[SKEP_T_MIN] = "min_t",           [SKEP_T_MAX] = "max_t",
	[SKEP_T_STATS] = "stats_t",       [SKEP_T_HIST] = "hist_t",
	[SKEP_T_LHIST] = "lhist_t",
};

static void print_named_tuple(const struct skep_type *type, struct skep_buf *out)
{
	skep_buf_puts(out, "record { ");
	for (uint32_t i = 0; i < type->n; i++) {
		skep_buf_printf(out, "%s.%s = ", i ? ", " : "", type->fields[i].name);
		skep_type_print(type->fields[i].type, out);
	}
	skep_buf_puts(out, " }");
}

static void print_tuple(const struct skep_type *type, struct skep_buf *out)
{
	if (type->n && type->fields[0].name) {
		print_named_tuple(type, out);
		return;
	}
	skep_buf_addc(out, '(');
	for (uint32_t i = 0; i < type->n; i++) {
		if (i)
			skep_buf_addc(out, ',');
		skep_type_print(type->fields[i].type, out);
	}
	skep_buf_addc(out, ')');
}

static void print_int(const struct skep_type *type, struct skep_buf *out)
{
	if (type->is_bool)
		skep_buf_puts(out, "bool");
	else
		skep_buf_printf(out, "%sint%" PRIu32, type->is_signed ? "" : "u", type->size * 8);
}

static void print_kind(const struct skep_type *type, struct skep_buf *out)
{
	bool has_sign = type->kind >= SKEP_T_SUM && type->kind <= SKEP_T_STATS;

	skep_buf_printf(out, "%s%s", has_sign && !type->is_signed ? "u" : "",
			kind_names[type->kind]);
}

void skep_type_print(const struct skep_type *type, struct skep_buf *out)
{
	switch (type->kind) {
	case SKEP_T_INT: print_int(type, out); break;
	case SKEP_T_PTR:
		skep_type_print(type->elem, out);
		skep_buf_puts(out, " *");
		break;
	case SKEP_T_STRING: skep_buf_printf(out, "string[%" PRIu32 "]", type->size); break;
	case SKEP_T_BUFFER: skep_buf_printf(out, "buffer[%" PRIu32 "]", type->size - 4); break;
	case SKEP_T_ARRAY:
		skep_type_print(type->elem, out);
		skep_buf_printf(out, "[%" PRIu32 "]", type->n);
		break;
	case SKEP_T_RECORD: skep_buf_puts(out, type->record->name); break;
	case SKEP_T_TUPLE: print_tuple(type, out); break;
	default: print_kind(type, out); break;
	}
}
