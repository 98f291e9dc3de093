/*
 * One access to memory: by the kind of pointer, each in its file.
 *
 * Before: does the address fit the size (align.c). After: a load of less than eight bytes leaves
 * zeros above them, or copies of the sign; of a number that was known, less is known then.
 *
 * Calls that are given memory ask in the same way for many bytes at once, which no register gets.
 *
 * Source  behaviour of Linux 6.18, check_mem_access(), check_helper_mem_access()
 */
#include "verify/memory.h"

#include <string.h>

#include "verify/call.h"

/* --- Contexts -------------------------------------------------------------------------------- */

int verify_unmodified(struct verifier *v, const struct reg *reg, unsigned regno, bool fixed_ok)
{
	struct skep_tnum bits = reg->value.bits;

	if (reg->off < 0)
		return verify_refuse(v, NEGATIVE_POINTER, KIND_TEXT(reg), regno, reg->off);
	if (!fixed_ok && reg->off)
		return verify_refuse(v, MODIFIED_POINTER, KIND_TEXT(reg), regno, reg->off);
	if (!skep_tnum_is_const(bits) || bits.value)
		return verify_refuse(v, VARIABLE_POINTER, KIND_TEXT(reg), TNUM_TEXT(bits));
	return 0;
}

static void load_field(struct verifier *v, const struct ctx_field *field, struct reg *reg)
{
	if (field->kind == REG_SCALAR) {
		verify_reg_unknown(v, reg);
		if (field->has_range) {
			reg->value.low.smin = reg->value.full.smin = field->ret_range.min;
			reg->value.low.smax = reg->value.full.smax = field->ret_range.max;
			skep_scalar_sync(&reg->value);
		}
		return;
	}
	verify_reg_pointer(reg, field->kind, field->flags);
	if (field->flags & PTR_MAYBE_NULL)
		reg->id = verify_new_id(v);
	if (field->kind == REG_BTF_PTR) {
		reg->btf = field->btf;
		reg->btf_id = field->btf_id;
		reg->ref_id = field->ref_id;
		v->kernel_pointers = true;
	}
}

static int context(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	struct ctx_field field = {.kind = REG_SCALAR, .sign_extends = at->sign_extends};
	int err;

	if (stores_secret(v, at))
		return verify_refuse(v, LEAKS_INTO, at->value, "ctx");
	err = verify_unmodified(v, reg, at->regno, false);
	if (err)
		return err;
	if (verify_ctx_access(v, at->off, at->bytes, at->kind, &field))
		return verify_refuse(v, INVALID_CTX_ACCESS, at->off, at->bytes);
	if (field.ref_id && !verify_ref_find(v->state, field.ref_id))
		return verify_refuse(v, ARGUMENT_RELEASED, at->off);
	if (v->ctx_bytes < (uint32_t)at->off + at->bytes)
		v->ctx_bytes = (uint32_t)at->off + at->bytes;
	if (loads_register(at))
		load_field(v, &field, verify_reg(v, (unsigned)at->value));
	return 0;
}

static int arena(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	(void)reg;
	load_unknown(v, at);
	return 0;
}

/* --- By kind --------------------------------------------------------------------------------- */

typedef int access_function(struct verifier *v, const struct mem_access *at, const struct reg *reg);

static access_function *const by_kind[REG_KIND_CNT] = {
	[REG_CTX] = context,
	[REG_MAP_PTR] = verify_map_pointer,
	[REG_MAP_VALUE] = verify_map_value,
	[REG_MAP_KEY] = verify_map_key,
	[REG_STACK] = verify_stack,
	[REG_PACKET_META] = verify_packet,
	[REG_PACKET] = verify_packet,
	[REG_FLOW_KEYS] = verify_flow_keys,
	[REG_SOCKET] = verify_socket,
	[REG_SOCK_COMMON] = verify_socket,
	[REG_TCP_SOCK] = verify_socket,
	[REG_XDP_SOCK] = verify_socket,
	[REG_TP_BUFFER] = verify_buffer,
	[REG_BUF] = verify_buffer,
	[REG_BTF_PTR] = verify_btf_pointer,
	[REG_ARENA] = arena,
	[REG_MEM] = verify_mem,
};

/* Above what was loaded there are zeros, or the sign. */
static void narrow(struct verifier *v, const struct mem_access *at)
{
	struct reg *reg = verify_reg(v, (unsigned)at->value);

	if (reg->kind != REG_SCALAR || at->bytes >= 8)
		return;
	if (at->sign_extends)
		skep_scalar_sign_extend(&reg->value, at->bytes, 64);
	else
		skep_scalar_zero_extend(&reg->value, at->bytes);
}

int verify_mem_access(struct verifier *v, const struct mem_access *access)
{
	/* a copy: the load may be into the register that holds the address */
	struct reg reg = *verify_reg(v, access->regno);
	struct mem_access at = *access;
	int err = verify_alignment(v, access, &reg);

	if (err)
		return err;
	if (!by_kind[reg.kind] || reg.flags & PTR_MAYBE_NULL)
		return verify_refuse(v, INVALID_MEM_ACCESS, at.regno, KIND_TEXT(&reg));
	at.off += reg.off;
	err = by_kind[reg.kind](v, &at, &reg);
	if (!err && loads_register(&at))
		narrow(v, &at);
	return err;
}

/* --- Memory that a call is given ------------------------------------------------------------- */

/* Contexts whose accesses are not rewritten are plain memory to a call. */
static bool is_plain_context(const struct verifier *v)
{
	static const uint8_t rewritten[] = {
		PROG_TYPE_SOCKET_FILTER,  PROG_TYPE_SCHED_CLS,
		PROG_TYPE_SCHED_ACT,      PROG_TYPE_XDP,
		PROG_TYPE_PERF_EVENT,     PROG_TYPE_CGROUP_SKB,
		PROG_TYPE_CGROUP_SOCK,    PROG_TYPE_LWT_IN,
		PROG_TYPE_LWT_OUT,        PROG_TYPE_LWT_XMIT,
		PROG_TYPE_SOCK_OPS,       PROG_TYPE_SK_SKB,
		PROG_TYPE_SK_MSG,         PROG_TYPE_CGROUP_SOCK_ADDR,
		PROG_TYPE_LWT_SEG6LOCAL,  PROG_TYPE_SK_REUSEPORT,
		PROG_TYPE_FLOW_DISSECTOR, PROG_TYPE_CGROUP_SYSCTL,
		PROG_TYPE_CGROUP_SOCKOPT, PROG_TYPE_SK_LOOKUP,
	};

	return !memchr(rewritten, (int)verify_type(v), sizeof(rewritten));
}

static int neither(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	if (at->zero_ok && !at->bytes && verify_reg_is_null(reg))
		return 0;
	return verify_refuse(v, NOT_MEMORY, at->regno, KIND_TEXT(reg));
}

/* The last byte stands for all. */
static int call_context(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	if (!is_plain_context(v))
		return neither(v, at, reg);
	if (!at->bytes)
		return at->zero_ok ? 0 : -EACCES;
	return verify_mem_access(v, &(struct mem_access){.regno = at->regno,
							 .off = (int32_t)at->bytes - 1,
							 .bytes = 1,
							 .kind = at->kind,
							 .value = -1});
}

static int call_map_value(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	int err = verify_map_flags(v, at, reg);

	return err ? err : verify_map_value_region(v, at, reg);
}

static int call_map_key(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	struct mem_access all = *at;

	if (at->kind == ACCESS_WRITE)
		return verify_refuse(v, CANNOT_WRITE, at->regno, KIND_TEXT(reg));
	all.zero_ok = false;
	return verify_region(v, &all, reg, reg->map->key_size);
}

static int call_mem(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	if (at->kind == ACCESS_WRITE && reg->flags & MEM_RDONLY)
		return verify_refuse(v, CANNOT_WRITE, at->regno, KIND_TEXT(reg));
	return verify_region(v, at, reg, reg->mem_bytes);
}

static int call_btf(struct verifier *v, const struct mem_access *at, const struct reg *reg)
{
	struct mem_access read = *at;

	read.kind = ACCESS_READ;
	return verify_btf_pointer(v, &read, reg);
}

static access_function *const by_kind_of_argument[REG_KIND_CNT] = {
	[REG_PACKET] = verify_packet_range,
	[REG_PACKET_META] = verify_packet_range,
	[REG_MAP_KEY] = call_map_key,
	[REG_MAP_VALUE] = call_map_value,
	[REG_MEM] = call_mem,
	[REG_BUF] = verify_buffer,
	[REG_STACK] = verify_stack_range,
	[REG_BTF_PTR] = call_btf,
	[REG_CTX] = call_context,
};

int verify_call_memory(struct verifier *v, unsigned regno, uint32_t bytes, enum access kind,
		       bool zero_ok, struct call *call)
{
	struct reg reg = *verify_reg(v, regno);
	struct mem_access at = {.regno = regno,
				.off = reg.off,
				.bytes = bytes,
				.kind = kind,
				.value = -1,
				.by_call = true,
				.zero_ok = zero_ok,
				.call = call};
	access_function *const check = by_kind_of_argument[reg.kind];

	return check ? check(v, &at, &reg) : neither(v, &at, &reg);
}
