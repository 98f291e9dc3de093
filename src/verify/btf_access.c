/*
 * Loads from kernel structures, and what may be believed of the pointers that they bring.
 *
 *	trusted     valid for as long as the program runs, or holds a reference
 *	rcu         valid within an RCU read section
 *	untrusted   may point anywhere: it may be read (faults are caught), but given to nobody
 *	none        from a time before there was trust: taken by old helpers, by no kernel function
 *
 * A pointer that is loaded from a trusted structure is not trusted by that alone. The kernel's BTF
 * says of which members it is: beside struct task_struct it has task_struct__safe_rcu and so on,
 * with those members and no others. Members with the tag __rcu are rcu within a read section.
 *
 * Stores are for a program's own objects, and where struct_writes.def says so.
 *
 * Source  behaviour of Linux 6.18, check_ptr_to_btf_access()
 */
#include <stdio.h>
#include <string.h>

#include <skep/btf.h>

#include "verify/btf_walk.h"
#include "verify/call.h"
#include "verify/kfunc.h"
#include "verify/memory.h"

#define TRUST_FLAGS (MEM_ALLOC | PTR_TRUSTED | NON_OWN_REF)

/* --- Trusted members ------------------------------------------------------------------------- */

enum trust { SAFE_TRUSTED, SAFE_TRUSTED_OR_NULL, SAFE_RCU, SAFE_RCU_OR_NULL, TRUST_CNT };

/* What was looked up once: finding a type by its name takes long. */
struct trust_cache {
	struct {
		const struct skep_btf *btf;
		uint32_t type, safe[TRUST_CNT]; /* 0: there is none */
	} entries[64];
};

static uint32_t find_safe_type(const struct skep_btf *btf, uint32_t type, enum trust trust)
{
	static const char *const suffixes[TRUST_CNT] = {
		"__safe_trusted",
		"__safe_trusted_or_null",
		"__safe_rcu",
		"__safe_rcu_or_null",
	};
	char name[64];
	int len = snprintf(name, sizeof(name), "%s%s", skep_btf_name(btf, type), suffixes[trust]);

	if (len >= (int)sizeof(name))
		return 0;
	/* the index that a look-up may extend is no part of what the BTF says */
	return skep_btf_find((struct skep_btf *)(uintptr_t)btf, name, (size_t)len,
			     SKEP_BTF_MASK(skep_btf_kind(btf, type)));
}

/* The types with the trusted members of @type; NULL: no memory. */
static const uint32_t *safe_types(struct verifier *v, const struct skep_btf *btf, uint32_t type)
{
	struct trust_cache *cache = v->trust_cache;
	uint32_t i = type % 64;

	if (!cache)
		cache = v->trust_cache = skep_arena_array(&v->arena, struct trust_cache, 1);
	if (!cache)
		return NULL;
	if (cache->entries[i].btf != btf || cache->entries[i].type != type) {
		for (enum trust trust = 0; trust < TRUST_CNT; trust++)
			cache->entries[i].safe[trust] = find_safe_type(btf, type, trust);
		cache->entries[i].btf = btf;
		cache->entries[i].type = type;
	}
	return cache->entries[i].safe;
}

static bool has_member(const struct skep_btf *btf, uint32_t safe, const char *name,
		       uint32_t pointee)
{
	uint32_t n = safe ? skep_btf_n_members(btf, safe) : 0;

	for (uint32_t i = 0; i < n; i++) {
		struct skep_btf_member member;

		if (!skep_btf_member(btf, safe, i, &member) && !strcmp(member.name, name) &&
		    skep_btf_kind(btf, member.type) == SKEP_BTF_PTR &&
		    skep_btf_strip(btf, skep_btf_target(btf, member.type)) == pointee)
			return true;
	}
	return false;
}

/* --- What the pointer is --------------------------------------------------------------------- */

static bool in_rcu_section(const struct verifier *v)
{
	return v->state->rcu_locked || v->state->n_locks || !verify_may_sleep(v);
}

static bool is_trusted(const struct reg *reg)
{
	return reg->ref_id || (reg->flags & TRUST_FLAGS && !(reg->flags & ~TRUST_FLAGS));
}

static uint16_t flags_in_rcu(const struct reg *reg, const struct btf_place *place,
			     const uint32_t safe[TRUST_CNT])
{
	uint16_t flags = place->flags;
	bool or_null = has_member(reg->btf, safe[SAFE_RCU_OR_NULL], place->name, place->type);

	if (has_member(reg->btf, safe[SAFE_RCU], place->name, place->type))
		return flags | MEM_RCU;
	if (flags & MEM_RCU || or_null) {
		flags |= MEM_RCU | PTR_MAYBE_NULL;
		return or_null ? flags & (uint16_t)~PTR_UNTRUSTED : flags;
	}
	if (flags & (MEM_PERCPU | MEM_USER))
		return flags;
	return flags & (uint16_t) ~(TRUST_FLAGS | MEM_RCU);
}

static int flags_from_trusted(struct verifier *v, const struct reg *reg,
			      const struct btf_place *place, uint16_t *ret)
{
	const uint32_t *safe = safe_types(v, reg->btf, reg->btf_id);

	if (!safe)
		return -ENOMEM;
	if (has_member(reg->btf, safe[SAFE_TRUSTED], place->name, place->type))
		*ret = place->flags | PTR_TRUSTED;
	else if (has_member(reg->btf, safe[SAFE_TRUSTED_OR_NULL], place->name, place->type))
		*ret = place->flags | PTR_TRUSTED | PTR_MAYBE_NULL;
	else if (in_rcu_section(v) && !(reg->flags & PTR_MAYBE_NULL))
		*ret = flags_in_rcu(reg, place, safe);
	else
		*ret = PTR_UNTRUSTED;
	return 0;
}

static int pointer_flags(struct verifier *v, const struct reg *reg, const struct btf_place *place,
			 uint16_t *ret)
{
	if (reg->flags & PTR_UNTRUSTED)
		*ret = PTR_UNTRUSTED;
	else if (is_trusted(reg) || reg->flags & MEM_RCU)
		return flags_from_trusted(v, reg, place, ret);
	else
		*ret = place->flags & (uint16_t) ~(TRUST_FLAGS | MEM_RCU);
	return 0;
}

static void load_pointer(struct verifier *v, const struct mem_access *at,
			 const struct btf_place *place, uint16_t flags)
{
	struct reg *dst;

	if (!loads_register(at))
		return;
	dst = verify_reg(v, (unsigned)at->value);
	verify_reg_pointer(dst, REG_BTF_PTR, flags);
	dst->btf = place->btf;
	dst->btf_id = place->type;
	if (flags & PTR_MAYBE_NULL)
		dst->id = verify_new_id(v);
}

/* To something without members: read-only, and it may point anywhere. */
static void load_other(struct verifier *v, const struct mem_access *at)
{
	if (loads_register(at))
		verify_reg_pointer(verify_reg(v, (unsigned)at->value), REG_MEM,
				   MEM_RDONLY | PTR_UNTRUSTED);
}

/* --- Stores to kernel structures ------------------------------------------------------------- */

struct write_rule {
	uint32_t prog_type;
	const char *ops, *in, *member;
};

static const struct write_rule write_rules[] = {
#define WRITE(TYPE, ops, in, member) {PROG_TYPE_##TYPE, ops, in, member},
#include "verify/struct_writes.def"
#undef WRITE
};

/* The member that the path @name goes to, from structure @type on. */
static bool find_path(const struct skep_btf *btf, uint32_t type, const char *name,
		      uint32_t *ret_off, uint32_t *ret_end)
{
	uint32_t off = 0, end = 0;

	for (const char *dot = name; dot; name = dot + 1) {
		struct skep_btf_member member;
		size_t len;

		dot = strchr(name, '.');
		len = dot ? (size_t)(dot - name) : strlen(name);
		if (skep_btf_find_member(btf, type, name, len, &member))
			return false;
		off += member.bit_off / 8;
		end = off + (uint32_t)skep_btf_size(btf, member.type);
		type = skep_btf_strip(btf, member.type);
		if (!dot)
			break;
	}
	*ret_off = off;
	*ret_end = end;
	return true;
}

/* The struct_ops table that the program is for; "" for other programs. */
static const char *ops_name(const struct verifier *v)
{
	if (v->image->type != PROG_TYPE_STRUCT_OPS || !v->program->attach_btf)
		return "";
	return skep_btf_name(v->program->attach_btf, v->program->attach_btf_id);
}

static bool is_for(const struct verifier *v, const struct reg *reg, const struct write_rule *rule)
{
	return rule->prog_type == v->image->type && !strcmp(rule->ops, ops_name(v)) &&
	       !strcmp(rule->in, skep_btf_name(reg->btf, reg->btf_id));
}

static int store_to_kernel(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	const char *name = skep_btf_name(reg->btf, reg->btf_id);
	bool known = false;

	for (size_t i = 0; i < sizeof(write_rules) / sizeof(*write_rules); i++) {
		uint32_t start, end, off = (uint32_t)at->off;

		if (!is_for(v, reg, &write_rules[i]) ||
		    !find_path(reg->btf, reg->btf_id, write_rules[i].member, &start, &end))
			continue;
		known = true;
		if (off < start || off >= end)
			continue;
		if (off + at->bytes <= end)
			return 0;
		return verify_refuse(v, BTF_WRITE_BEYOND, at->off, at->bytes, name, end);
	}
	if (known)
		return verify_refuse(v, BTF_NO_WRITE_HERE, name, at->off);
	return verify_refuse(v, BTF_READ_ONLY);
}

/* --- Together -------------------------------------------------------------------------------- */

static bool is_kernels(const struct verifier *v, const struct reg *reg)
{
	return reg->btf != v->program->btf;
}

static int check_offset(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	const char *name = skep_btf_name(reg->btf, reg->btf_id);
	struct skep_tnum bits = reg->value.bits;

	if (at->off < 0)
		return verify_refuse(v, BTF_NEGATIVE, at->regno, name, at->off);
	if (!skep_tnum_is_const(bits) || bits.value)
		return verify_refuse(v, BTF_VARIABLE, at->regno, name, at->off, TNUM_TEXT(bits));
	if (reg->flags & MEM_USER)
		return verify_refuse(v, BTF_USER, at->regno, name, at->off);
	if (reg->flags & MEM_PERCPU)
		return verify_refuse(v, BTF_PERCPU, at->regno, name, at->off);
	return 0;
}

static int check_allowed(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	const char *name = skep_btf_name(reg->btf, reg->btf_id);
	int err;

	if (!v->privileged)
		return verify_refuse(v, BTF_UNPRIV, name);
	if (!v->program->gpl && is_kernels(v, reg))
		return verify_refuse(v, BTF_NOT_GPL, name);
	err = check_offset(v, at, reg);
	if (!err && at->kind == ACCESS_WRITE && reg->flags & PTR_UNTRUSTED)
		return verify_refuse(v, BTF_READ_ONLY);
	return err;
}

/* What has a meaning of its own in an object of the program's (locks, nodes, kptrs) is not touched
 * by plain loads and stores. */
static int check_fields(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	uint32_t n = 0, off = (uint32_t)at->off;
	const struct skep_map_field *fields = verify_fields_of(v, reg, &n);

	for (uint32_t i = 0; i < n; i++)
		if (off < fields[i].off + fields[i].size && fields[i].off < off + at->bytes)
			return verify_refuse(v, BTF_FIELD, verify_field_name(&fields[i]));
	return 0;
}

static int load_member(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	struct btf_place place = {.btf = reg->btf,
				  .type = reg->btf_id,
				  .off = at->off,
				  .bytes = at->bytes,
				  .grows = !(reg->flags & MEM_ALLOC)};
	int found = verify_btf_walk(v, &place), err;
	uint16_t flags;

	if (found < 0)
		return found;
	if (found == BTF_OTHER_PTR) {
		load_other(v, at);
	} else if (found == BTF_NUMBER || reg->flags & MEM_ALLOC) {
		/* an object of the program's own holds no pointers but kptrs */
		load_unknown(v, at);
	} else {
		err = pointer_flags(v, reg, &place, &flags);
		if (err)
			return err;
		load_pointer(v, at, &place, flags);
	}
	return 0;
}

int verify_btf_pointer(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	int err = check_allowed(v, at, reg);

	if (err)
		return err;
	if (at->kind == ACCESS_WRITE && !(reg->flags & MEM_ALLOC))
		return store_to_kernel(v, at, reg);
	err = reg->flags & MEM_ALLOC ? check_fields(v, at, reg) : 0;
	return err ? err : load_member(v, at, reg);
}

/* --- Maps as structures ---------------------------------------------------------------------- */

/* Of a map pointer, what programs see is the kernel's structure for maps of that type. */
static const char *map_struct(uint32_t type)
{
	static const char *const names[SKEP_MAP_TYPE_CNT] = {
		[SKEP_MAP_HASH] = "bpf_htab",
		[SKEP_MAP_ARRAY] = "bpf_array",
		[SKEP_MAP_PROG_ARRAY] = "bpf_array",
		[SKEP_MAP_PERF_EVENT_ARRAY] = "bpf_array",
		[SKEP_MAP_PERCPU_HASH] = "bpf_htab",
		[SKEP_MAP_PERCPU_ARRAY] = "bpf_array",
		[SKEP_MAP_STACK_TRACE] = "bpf_stack_map",
		[SKEP_MAP_CGROUP_ARRAY] = "bpf_array",
		[SKEP_MAP_LRU_HASH] = "bpf_htab",
		[SKEP_MAP_LRU_PERCPU_HASH] = "bpf_htab",
		[SKEP_MAP_LPM_TRIE] = "lpm_trie",
		[SKEP_MAP_ARRAY_OF_MAPS] = "bpf_array",
		[SKEP_MAP_HASH_OF_MAPS] = "bpf_htab",
		[SKEP_MAP_DEVMAP] = "bpf_dtab",
		[SKEP_MAP_SOCKMAP] = "bpf_stab",
		[SKEP_MAP_CPUMAP] = "bpf_cpu_map",
		[SKEP_MAP_XSKMAP] = "xsk_map",
		[SKEP_MAP_SOCKHASH] = "bpf_shtab",
		[SKEP_MAP_CGROUP_STORAGE] = "bpf_cgroup_storage_map",
		[SKEP_MAP_REUSEPORT_SOCKARRAY] = "reuseport_array",
		[SKEP_MAP_PERCPU_CGROUP_STORAGE] = "bpf_cgroup_storage_map",
		[SKEP_MAP_QUEUE] = "bpf_queue_stack",
		[SKEP_MAP_STACK] = "bpf_queue_stack",
		[SKEP_MAP_SK_STORAGE] = "bpf_local_storage_map",
		[SKEP_MAP_DEVMAP_HASH] = "bpf_dtab",
		[SKEP_MAP_STRUCT_OPS] = "bpf_struct_ops_map",
		[SKEP_MAP_RINGBUF] = "bpf_ringbuf_map",
		[SKEP_MAP_INODE_STORAGE] = "bpf_local_storage_map",
		[SKEP_MAP_TASK_STORAGE] = "bpf_local_storage_map",
		[SKEP_MAP_BLOOM_FILTER] = "bpf_bloom_filter",
		[SKEP_MAP_USER_RINGBUF] = "bpf_ringbuf_map",
		[SKEP_MAP_CGRP_STORAGE] = "bpf_local_storage_map",
		[SKEP_MAP_ARENA] = "bpf_arena",
	};

	return type < SKEP_MAP_TYPE_CNT ? names[type] : NULL;
}

static uint32_t find_map_struct(struct verifier *v, uint32_t type)
{
	const char *name = map_struct(type);
	const struct skep_btf *btf = v->program->kernel_btf;

	if (!name || !btf)
		return 0;
	return skep_btf_find((struct skep_btf *)(uintptr_t)btf, name, strlen(name),
			     SKEP_BTF_MASK(SKEP_BTF_STRUCT));
}

static int load_of_map(struct verifier *v, const struct mem_access *at, uint32_t type)
{
	struct btf_place place = {.btf = v->program->kernel_btf,
				  .type = type,
				  .off = at->off,
				  .bytes = at->bytes,
				  .grows = true};
	int found = verify_btf_walk(v, &place);

	if (found < 0)
		return found;
	if (found == BTF_NUMBER)
		load_unknown(v, at);
	else if (found == BTF_OTHER_PTR)
		load_other(v, at);
	else
		load_pointer(v, at, &place, place.flags);
	return 0;
}

int verify_map_pointer(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	const char *name = map_struct(reg->map->type);
	uint32_t type = find_map_struct(v, reg->map->type);

	if (!v->program->kernel_btf)
		return verify_refuse(v, MAP_PTR_NO_BTF);
	if (!type)
		return verify_refuse(v, MAP_PTR_TYPE, reg->map->type);
	if (!v->privileged)
		return verify_refuse(v, BTF_UNPRIV, name);
	if (at->off < 0)
		return verify_refuse(v, MAP_PTR_NEGATIVE, at->regno, name, at->off);
	if (at->kind == ACCESS_WRITE)
		return verify_refuse(v, MAP_PTR_WRITE, name);
	return load_of_map(v, at, type);
}
