/*
 * Memory whose size is known: map values and keys, and what helpers and kernel functions give.
 *
 * The pointer is off + something between umin and umax further on than where the memory begins.
 * Both ends must be inside: the lowest that can be, and the highest. The kernel takes the signed
 * lower bound (a pointer may have gone back) and the unsigned upper one, and holds anything beyond
 * 2^29 for unbounded, so that sums of offsets do not overflow.
 *
 * In map values there are special fields (locks, timers, lists, kptrs) that plain loads and stores
 * must not touch, not even possibly; kptrs alone may be loaded and stored, whole (kptr.c).
 *
 * A frozen map that programs cannot write is a constant: loads from it give the number itself, and
 * branches on it are decided while verifying. That is how `const volatile` configuration works.
 *
 * Source  behaviour of Linux 6.18, check_mem_region_access(), check_map_access()
 */
#include "verify/memory.h"

#include <string.h>

/* --- Inside? --------------------------------------------------------------------------------- */

static int outside(struct verifier *v, const struct mem_access *at, const struct reg *reg,
		   int32_t off, uint32_t mem_bytes)
{
	switch (reg->kind) {
	case REG_MAP_KEY: return verify_refuse(v, OUTSIDE_MAP_KEY, mem_bytes, off, at->bytes);
	case REG_MAP_VALUE: return verify_refuse(v, OUTSIDE_MAP_VALUE, mem_bytes, off, at->bytes);
	default: return verify_refuse(v, OUTSIDE_MEMORY, mem_bytes, off, at->bytes);
	}
}

static int check_end(struct verifier *v, const struct mem_access *at, const struct reg *reg,
		     int32_t off, uint32_t mem_bytes)
{
	if (off >= 0 && (at->bytes || at->zero_ok) && (uint64_t)off + at->bytes <= mem_bytes)
		return 0;
	return outside(v, at, reg, off, mem_bytes);
}

static bool may_be_negative(const struct mem_access *at, const struct reg *reg)
{
	int64_t smin = reg->value.full.smin, lowest;

	if (smin >= 0)
		return false;
	return smin == INT64_MIN || __builtin_add_overflow(smin, at->off, &lowest) ||
	       lowest != (int32_t)lowest || lowest < 0;
}

/* The words that follow are added to the log; the rule is the one that was broken first. */
static int at_end(struct verifier *v, const char *which, unsigned regno, int err)
{
	verify_log(v, "R%u %s value is outside of the allowed memory range\n", regno, which);
	return err;
}

int verify_region(struct verifier *v, const struct mem_access *at, const struct reg *reg,
		  uint32_t mem_bytes)
{
	const struct skep_bounds *bounds = &reg->value.full;
	int err;

	if (may_be_negative(at, reg))
		return verify_refuse(v, NEGATIVE_INDEX, at->regno);
	err = check_end(v, at, reg, (int32_t)(bounds->smin + at->off), mem_bytes);
	if (err)
		return at_end(v, "min", at->regno, err);
	if (bounds->umax >= MOST_VARIABLE_OFF)
		return verify_refuse(v, UNBOUNDED_ACCESS, at->regno);
	err = check_end(v, at, reg, (int32_t)((int64_t)bounds->umax + at->off), mem_bytes);
	return err ? at_end(v, "max", at->regno, err) : 0;
}

/* --- Special fields -------------------------------------------------------------------------- */

const char *verify_field_name(const struct skep_map_field *field)
{
	static const char *const names[SKEP_FIELD_KIND_CNT] = {
		[SKEP_FIELD_SPIN_LOCK] = "bpf_spin_lock",
		[SKEP_FIELD_RES_SPIN_LOCK] = "bpf_res_spin_lock",
		[SKEP_FIELD_TIMER] = "bpf_timer",
		[SKEP_FIELD_WORKQUEUE] = "bpf_wq",
		[SKEP_FIELD_TASK_WORK] = "bpf_task_work",
		[SKEP_FIELD_KPTR] = "kptr",
		[SKEP_FIELD_UPTR] = "uptr",
		[SKEP_FIELD_LIST_HEAD] = "bpf_list_head",
		[SKEP_FIELD_LIST_NODE] = "bpf_list_node",
		[SKEP_FIELD_RB_ROOT] = "bpf_rb_root",
		[SKEP_FIELD_RB_NODE] = "bpf_rb_node",
		[SKEP_FIELD_REFCOUNT] = "bpf_refcount",
	};

	if (field->kind == SKEP_FIELD_KPTR && field->kptr == SKEP_KPTR_PERCPU)
		return "percpu_kptr";
	return names[field->kind];
}

static bool is_pointer_field(const struct skep_map_field *field)
{
	return field->kind == SKEP_FIELD_KPTR || field->kind == SKEP_FIELD_UPTR;
}

static bool may_touch(const struct mem_access *at, const struct reg *reg,
		      const struct skep_map_field *field)
{
	return reg->value.full.smin + at->off < (int64_t)field->off + field->size &&
	       field->off < reg->value.full.umax + (uint64_t)(int64_t)at->off + at->bytes;
}

static int touch(struct verifier *v, const struct mem_access *at, const struct reg *reg,
		 const struct skep_map_field *field)
{
	uint64_t off = reg->value.bits.value + (uint64_t)(int64_t)at->off;

	if (!is_pointer_field(field))
		return verify_refuse(v, SPECIAL_FIELD, verify_field_name(field));
	if (at->by_call)
		return verify_refuse(v, KPTR_BY_HELPER, verify_field_name(field));
	if (!skep_tnum_is_const(reg->value.bits))
		return verify_refuse(v, KPTR_VARIABLE, verify_field_name(field));
	if (off != field->off)
		return verify_refuse(v, KPTR_MISALIGNED, verify_field_name(field), field->off,
				     (unsigned long long)off);
	if (at->bytes != 8)
		return verify_refuse(v, KPTR_SIZE, verify_field_name(field));
	return 0;
}

int verify_map_value_region(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	const struct skep_map *map = reg->map;
	int err = verify_region(v, at, reg, map->value_size);

	for (uint32_t i = 0; i < map->n_fields && !err; i++)
		if (may_touch(at, reg, &map->fields[i]))
			err = touch(v, at, reg, &map->fields[i]);
	return err;
}

/* --- Map values ------------------------------------------------------------------------------ */

#define RDONLY_PROG (1u << 7) /* BPF_F_RDONLY_PROG */
#define WRONLY_PROG (1u << 8)

int verify_map_flags(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	const struct skep_map *map = reg->map;

	if (at->kind == ACCESS_WRITE && map->flags & RDONLY_PROG)
		return verify_refuse(v, MAP_WRITE, map->value_size, at->off, at->bytes);
	if (at->kind == ACCESS_READ && map->flags & WRONLY_PROG && !(map->flags & RDONLY_PROG))
		return verify_refuse(v, MAP_READ, map->value_size, at->off, at->bytes);
	return 0;
}

static const struct skep_map_field *pointer_field_at(const struct mem_access *at,
						     const struct reg *reg)
{
	const struct skep_map *map = reg->map;

	if (!skep_tnum_is_const(reg->value.bits))
		return NULL;
	for (uint32_t i = 0; i < map->n_fields; i++)
		if (is_pointer_field(&map->fields[i]) &&
		    map->fields[i].off == reg->value.bits.value + (uint64_t)(int64_t)at->off)
			return &map->fields[i];
	return NULL;
}

static bool is_constant(const struct reg *reg)
{
	const struct skep_map *map = reg->map;

	return skep_tnum_is_const(reg->value.bits) && map->type == SKEP_MAP_ARRAY &&
	       map->flags & RDONLY_PROG && __atomic_load_n(&map->frozen, __ATOMIC_ACQUIRE);
}

static int64_t sign_extended(uint64_t value, uint32_t bytes)
{
	unsigned above = 64 - 8 * bytes;

	return (int64_t)(value << above) >> above;
}

/* The first element's bytes: only maps of one can be read so. */
static int load_constant(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	const struct skep_map *map = reg->map;
	uint64_t off = reg->value.bits.value + (uint64_t)(int64_t)at->off, value = 0;

	if (map->max_entries != 1)
		return -SKEP_ENOTSUPP;
	memcpy(&value, map->values + off, at->bytes);
	if (at->sign_extends)
		value = (uint64_t)sign_extended(value, at->bytes);
	verify_reg_const(v, verify_reg(v, (unsigned)at->value), value);
	return 0;
}

int verify_map_value(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	const struct skep_map_field *field;
	int err;

	if (stores_secret(v, at))
		return verify_refuse(v, LEAKS_INTO, at->value, "map");
	err = verify_map_flags(v, at, reg);
	if (!err)
		err = verify_map_value_region(v, at, reg);
	if (err)
		return err;
	field = pointer_field_at(at, reg);
	if (field)
		return verify_kptr_access(v, at, field);
	if (loads_register(at) && is_constant(reg))
		return load_constant(v, at, reg);
	load_unknown(v, at);
	return 0;
}

/* --- Keys, other memory ---------------------------------------------------------------------- */

int verify_map_key(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	int err;

	if (at->kind == ACCESS_WRITE)
		return verify_refuse(v, KEY_WRITE, at->regno);
	err = verify_region(v, at, reg, reg->map->key_size);
	if (!err)
		load_unknown(v, at);
	return err;
}

int verify_mem(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	bool read_only = reg->flags & MEM_RDONLY;
	int err = 0;

	if (at->kind == ACCESS_WRITE && read_only)
		return verify_refuse(v, CANNOT_WRITE, at->regno, KIND_TEXT(reg));
	if (stores_secret(v, at))
		return verify_refuse(v, LEAKS_INTO, at->value, "mem");
	/* what may point nowhere is read with faults caught, wherever it points */
	if (!(read_only && reg->flags & PTR_UNTRUSTED))
		err = verify_region(v, at, reg, reg->mem_bytes);
	if (!err)
		load_unknown(v, at);
	return err;
}
