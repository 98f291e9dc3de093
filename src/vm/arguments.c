/*
 * A helper's arguments against its prototype, before the call; and after it,
 * what the program may touch from now on.
 *
 * args[1] to args[5] are r1 to r5, so that messages and prototypes count alike.
 */
#include "vm/checked.h"

#include <string.h>

#include <skep/check.h>
#include <skep/helper.h>

#define MOST_SIZE      (1u << 29)
#define F_RDONLY_PROG  (1u << 7)
#define F_WRONLY_PROG  (1u << 8)
#define MOST_CONST_STR 4096

struct arguments {
	struct skep_checked *vm;
	const struct skep_callable *row;
	const struct skep_proto *proto;
	const uint64_t *args;
	const struct skep_map *map; /* of the last CONST_MAP_PTR */
};

static uint32_t kind_of(const struct skep_proto *proto, unsigned i)
{
	return i < 1 || i > 5 ? SKEP_ARG_NONE : proto->args[i - 1] & SKEP_ARG_KIND_MASK;
}

static bool refuse(const struct arguments *a, unsigned i, const char *what)
{
	return skep_checked_refuse(a->vm, "r%u, argument %u of %s, is %s", i, i, a->row->name,
				   what);
}

static unsigned rights_of(uint32_t arg)
{
	if (arg & SKEP_ARG_UNINIT)
		return SKEP_MAY_WRITE;
	return arg & SKEP_ARG_WRITES ? SKEP_MAY_READ | SKEP_MAY_WRITE : SKEP_MAY_READ;
}

/* How much memory an argument means; 0: it means none, or of unknown size. */
static uint64_t bytes_of(const struct arguments *a, unsigned i)
{
	static const uint32_t fixed[SKEP_ARG_KIND_MASK + 1] = {
		[SKEP_ARG_SPIN_LOCK] = 4,  [SKEP_ARG_TIMER] = 16,     [SKEP_ARG_KPTR] = 8,
		[SKEP_ARG_DYNPTR] = 16,    [SKEP_ARG_LONG] = 8,       [SKEP_ARG_INT] = 4,
		[SKEP_ARG_LIST_HEAD] = 16, [SKEP_ARG_LIST_NODE] = 24, [SKEP_ARG_RB_ROOT] = 16,
		[SKEP_ARG_RB_NODE] = 32,   [SKEP_ARG_ITER] = 8,
	};
	uint32_t kind = kind_of(a->proto, i), next = kind_of(a->proto, i + 1);

	switch (kind) {
	case SKEP_ARG_MAP_KEY: return a->map ? a->map->key_size : 0;
	case SKEP_ARG_MAP_VALUE: return a->map ? a->map->value_size : 0;
	case SKEP_ARG_MEM:
		if (next == SKEP_ARG_SIZE || next == SKEP_ARG_SIZE_OR_ZERO)
			return a->args[i + 1];
		return a->proto->sizes[i - 1];
	default: return fixed[kind] ? fixed[kind] : a->proto->sizes[i - 1];
	}
}

/* --- kinds of arguments --------------------------------------------------------------------- */

/* The program's own maps, and inner ones that look-ups gave it. */
static bool check_map(struct arguments *a, unsigned i)
{
	const struct skep_image *image = a->vm->image;
	struct skep_map *map = (void *)(uintptr_t)a->args[i];
	bool known = false;

	for (uint32_t k = 0; k < image->n_maps; k++)
		known |= image->maps[k] == map;
	if (!known && skep_check_look(a->vm->run, map, 1, SKEP_IS_MAP) != SKEP_MAY)
		return refuse(a, i, "no map");
	a->map = map;
	return true;
}

static bool check_size(struct arguments *a, unsigned i)
{
	uint64_t size = a->args[i];

	if (!size && kind_of(a->proto, i) == SKEP_ARG_SIZE)
		return refuse(a, i, "a size of 0");
	return size < MOST_SIZE || refuse(a, i, "no size that memory can have");
}

static bool check_function(struct arguments *a, unsigned i)
{
	const struct skep_image *image = a->vm->image;

	for (uint32_t k = 0; k < image->n_callbacks; k++) {
		if (a->args[i] == (uintptr_t)&image->callbacks[k])
			return true;
	}
	return refuse(a, i, "no function of the program");
}

static bool check_string(struct arguments *a, unsigned i)
{
	const char *at = (const char *)(uintptr_t)a->args[i];

	for (size_t n = 0; n < MOST_CONST_STR; n++) {
		if (!skep_checked_access(a->vm, i, (uintptr_t)(at + n), 1, SKEP_MAY_READ))
			return false;
		if (!at[n])
			return true;
	}
	return refuse(a, i, "a text without an end");
}

static bool check_memory(struct arguments *a, unsigned i, uint64_t least)
{
	uint32_t arg = a->proto->args[i - 1];
	uint64_t bytes = bytes_of(a, i);

	bytes = bytes > least ? bytes : least;

	if (bytes >= MOST_SIZE)
		return refuse(a, i, "of a size that no memory has");
	if (arg & SKEP_ARG_ALIGNED && bytes && a->args[i] % (bytes < 8 ? bytes : 8))
		return refuse(a, i, "not aligned");
	return skep_checked_access(a->vm, i, a->args[i], bytes, rights_of(arg));
}

/* What helpers have made. */
static bool is_object(const struct arguments *a, unsigned i)
{
	size_t left = skep_object_left((const void *)(uintptr_t)a->args[i]);

	return left && left >= bytes_of(a, i);
}

static bool check_one(struct arguments *a, unsigned i)
{
	uint32_t arg = a->proto->args[i - 1];

	if (!skep_checked_reads(a->vm, i))
		return false;
	switch (arg & SKEP_ARG_KIND_MASK) {
	case SKEP_ARG_ANYTHING:
	case SKEP_ARG_CONST_ALLOC_SIZE: return true;
	case SKEP_ARG_SIZE:
	case SKEP_ARG_SIZE_OR_ZERO: return check_size(a, i);
	default: break;
	}
	if (!a->args[i])
		return arg & SKEP_ARG_MAYBE_NULL ||
		       (kind_of(a->proto, i) == SKEP_ARG_MEM && !bytes_of(a, i)) ||
		       refuse(a, i, "NULL");
	switch (arg & SKEP_ARG_KIND_MASK) {
	case SKEP_ARG_CONST_MAP_PTR: return check_map(a, i);
	case SKEP_ARG_FUNC: return check_function(a, i);
	case SKEP_ARG_CONST_STR: return check_string(a, i);
	case SKEP_ARG_CTX:
		return a->args[i] == (uintptr_t)a->vm->run->ctx || refuse(a, i, "not the context");
	case SKEP_ARG_ALLOC:
	case SKEP_ARG_PERCPU_BTF_ID:
	case SKEP_ARG_REFCOUNTED_KPTR: return is_object(a, i) || refuse(a, i, "no object");
	case SKEP_ARG_BTF_ID: return is_object(a, i) || check_memory(a, i, 1);
	default: return check_memory(a, i, 0);
	}
}

bool skep_checked_arguments(struct skep_checked *vm, const struct skep_callable *row)
{
	struct arguments a = {vm, row, row->proto, vm->frame->r, NULL};

	for (unsigned i = 1; a.proto && i <= 5 && kind_of(a.proto, i) != SKEP_ARG_NONE; i++) {
		if (!check_one(&a, i))
			return false;
	}
	return true;
}

/* --- after the call ------------------------------------------------------------------------- */

static bool is_map_of_maps(const struct skep_map *map)
{
	return map->type == SKEP_MAP_ARRAY_OF_MAPS || map->type == SKEP_MAP_HASH_OF_MAPS;
}

static void grant_value(struct skep_run *run, const struct skep_map *map, const void *value)
{
	unsigned rights = SKEP_MAY_READ | SKEP_MAY_WRITE;

	if (map->flags & F_RDONLY_PROG)
		rights &= ~(unsigned)SKEP_MAY_WRITE;
	if (map->flags & F_WRONLY_PROG)
		rights &= ~(unsigned)SKEP_MAY_READ;
	if (is_map_of_maps(map))
		skep_run_grant(run, value, 1, SKEP_IS_MAP);
	else
		skep_run_grant(run, value, map->value_size, rights);
}

/* The argument that says how large the result is. */
static uint64_t result_bytes(const struct arguments *a)
{
	for (unsigned i = 1; i <= 5; i++) {
		uint32_t kind = kind_of(a->proto, i);
		if (kind == SKEP_ARG_CONST_ALLOC_SIZE ||
		    ((a->proto->ret & SKEP_RET_KIND_MASK) == SKEP_RET_DYNPTR_SLICE &&
		     (kind == SKEP_ARG_SIZE || kind == SKEP_ARG_SIZE_OR_ZERO)))
			return a->args[i];
	}
	return 0;
}

static void grant_result(const struct arguments *a, uint64_t r0)
{
	struct skep_run *run = a->vm->run;
	const void *at = (void *)(uintptr_t)r0;
	unsigned rights =
		a->proto->ret & SKEP_RET_RDONLY ? SKEP_MAY_READ : SKEP_MAY_READ | SKEP_MAY_WRITE;

	switch (a->proto->ret & SKEP_RET_KIND_MASK) {
	case SKEP_RET_MAP_VALUE:
		if (a->map)
			grant_value(run, a->map, at);
		break;
	case SKEP_RET_MEM:
	case SKEP_RET_DYNPTR_SLICE: skep_run_grant(run, at, result_bytes(a), rights); break;
	default: /* objects: who made them granted them */ break;
	}
}

void skep_checked_result(struct skep_checked *vm, const struct skep_callable *row,
			 const uint64_t args[6], uint64_t r0)
{
	struct arguments a = {vm, row, row->proto, args, NULL};

	for (unsigned i = 1; a.proto && i <= 5 && kind_of(a.proto, i) != SKEP_ARG_NONE; i++) {
		uint32_t arg = a.proto->args[i - 1];
		if (kind_of(a.proto, i) == SKEP_ARG_CONST_MAP_PTR)
			a.map = (const struct skep_map *)(uintptr_t)args[i];
		if (arg & (SKEP_ARG_WRITES | SKEP_ARG_UNINIT))
			skep_check_written(vm->run, (void *)(uintptr_t)args[i], bytes_of(&a, i));
		if (arg & SKEP_ARG_RELEASES)
			skep_run_revoke(vm->run, (void *)(uintptr_t)args[i]);
	}
	if (a.proto && r0)
		grant_result(&a, r0);
}
