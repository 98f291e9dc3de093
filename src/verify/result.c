/*
 * What a helper returns: r0, by the prototype.
 *
 *	a number                  any; of some helpers it is known between what it lies
 *	a pointer                 of the prototype's kind; if it may be NULL with an id, so that a
 *	                          test of one copy tells of all
 *	something acquired        a reference, which the pointer carries
 *	the argument as another   (a socket as a TCP socket): it goes with the argument's reference
 *
 * Source  behaviour of Linux 6.18, check_helper_call(), do_refine_retval_range()
 */
#include "verify/call.h"

/* --- Numbers --------------------------------------------------------------------------------- */

#define MOST_ERRNO 4095

static void set_bounds(struct skep_scalar *value, int64_t min, int64_t max)
{
	value->full.smin = value->low.smin = min;
	value->full.smax = max;
	value->low.smax = (int32_t)max;
	if (min >= 0) {
		value->full.umin = value->low.umin = (uint64_t)min;
		value->full.umax = value->low.umax = (uint64_t)max;
	}
	skep_scalar_sync(value);
}

static void number(struct verifier *v, const struct call *call, struct reg *reg)
{
	verify_reg_unknown(v, reg);
	switch (call->id) {
	case HELPER_ID_get_stack:
	case HELPER_ID_get_task_stack:
	case HELPER_ID_probe_read_str:
	case HELPER_ID_probe_read_kernel_str:
	case HELPER_ID_probe_read_user_str:
		set_bounds(&reg->value, -MOST_ERRNO, (int64_t)call->most_bytes);
		break;
	case HELPER_ID_get_smp_processor_id:
		set_bounds(&reg->value, 0, (int64_t)skep_map_n_cpus() - 1);
		break;
	default: break;
	}
}

/* --- Pointers -------------------------------------------------------------------------------- */

static bool has_lock(const struct skep_map *map)
{
	for (uint32_t i = 0; i < map->n_fields; i++)
		if (map->fields[i].kind == SKEP_FIELD_SPIN_LOCK ||
		    map->fields[i].kind == SKEP_FIELD_RES_SPIN_LOCK)
			return true;
	return false;
}

/* An array has every element: with a key that is known to be one, there is no NULL. */
static bool element_is_there(const struct call *call)
{
	return call->id == HELPER_ID_map_lookup_elem && call->key_known && call->key >= 0 &&
	       call->key < call->map->max_entries;
}

static void map_value(struct verifier *v, const struct call *call, struct reg *reg, unsigned flags)
{
	if (element_is_there(call))
		flags &= ~(unsigned)PTR_MAYBE_NULL;
	verify_reg_pointer(reg, REG_MAP_VALUE, flags);
	reg->map = call->map;
	reg->map_uid = call->map_uid;
	if (!(flags & PTR_MAYBE_NULL) && has_lock(call->map))
		reg->id = verify_new_id(v);
}

static void memory(const struct call *call, struct reg *reg, unsigned flags)
{
	verify_reg_pointer(reg, REG_MEM, flags);
	reg->mem_bytes = (uint32_t)call->const_size;
	if (call->id == HELPER_ID_ringbuf_reserve)
		reg->flags |= MEM_RINGBUF;
	if (call->id == HELPER_ID_dynptr_data)
		reg->dynptr_id = call->dynptr_id;
}

static void object(struct reg *reg, const struct skep_btf *btf, uint32_t id, unsigned flags)
{
	verify_reg_pointer(reg, REG_BTF_PTR, flags);
	reg->btf = btf;
	reg->btf_id = id;
}

/* A variable of which each CPU has its own: a struct is an object, all else bytes. */
static int percpu(struct verifier *v, const struct call *call, struct reg *reg, unsigned flags)
{
	const struct skep_btf *btf = call->arg_btf;
	uint32_t type = skep_btf_strip(btf, call->arg_btf_id);
	enum skep_btf_kind kind = skep_btf_kind(btf, type);
	int64_t bytes = skep_btf_size(btf, type);

	if (kind == SKEP_BTF_STRUCT || kind == SKEP_BTF_UNION) {
		object(reg, btf, call->arg_btf_id,
		       call->percpu_alloc ? MEM_ALLOC | MEM_RCU : flags & ~(unsigned)MEM_RDONLY);
		return 0;
	}
	if (bytes < 0)
		return verify_refuse(v, TYPE_SIZE, skep_btf_name(btf, type), -EINVAL);
	verify_reg_pointer(reg, REG_MEM, flags);
	reg->mem_bytes = (uint32_t)bytes;
	return 0;
}

static void object_by_name(struct verifier *v, const struct call *call, struct reg *reg,
			   unsigned flags)
{
	if (call->id == HELPER_ID_kptr_xchg) {
		verify_kptr_result(v, call, reg);
		reg->flags |= (uint16_t)flags;
		return;
	}
	if (call->proto->ret & SKEP_RET_TRUSTED)
		flags |= PTR_TRUSTED;
	object(reg, v->program->kernel_btf, verify_kernel_struct(v, call->proto->ret_type), flags);
}

static int by_prototype(struct verifier *v, const struct call *call, struct reg *reg)
{
	uint32_t ret = call->proto->ret;
	unsigned flags = (ret & SKEP_RET_MAYBE_NULL ? PTR_MAYBE_NULL : 0) |
			 (ret & SKEP_RET_RDONLY ? MEM_RDONLY : 0);

	switch (ret & SKEP_RET_KIND_MASK) {
	case SKEP_RET_INTEGER: number(v, call, reg); return 0;
	case SKEP_RET_MAP_VALUE: map_value(v, call, reg, flags); return 0;
	case SKEP_RET_SOCKET: verify_reg_pointer(reg, REG_SOCKET, flags); return 0;
	case SKEP_RET_TCP_SOCK: verify_reg_pointer(reg, REG_TCP_SOCK, flags); return 0;
	case SKEP_RET_SOCK_COMMON: verify_reg_pointer(reg, REG_SOCK_COMMON, flags); return 0;
	case SKEP_RET_MEM:
	case SKEP_RET_DYNPTR_SLICE: memory(call, reg, flags); return 0;
	case SKEP_RET_MEM_OR_BTF_ID: return percpu(v, call, reg, flags);
	case SKEP_RET_BTF_ID: object_by_name(v, call, reg, flags); return 0;
	default: return 0; /* nothing: r0 stays unset */
	}
}

/* --- References ------------------------------------------------------------------------------ */

/* The result is the argument, seen as another kind. */
static bool is_cast(int32_t id)
{
	switch (id) {
	case HELPER_ID_tcp_sock:
	case HELPER_ID_sk_fullsock:
	case HELPER_ID_skc_to_tcp_sock:
	case HELPER_ID_skc_to_tcp6_sock:
	case HELPER_ID_skc_to_udp6_sock:
	case HELPER_ID_skc_to_mptcp_sock:
	case HELPER_ID_skc_to_tcp_timewait_sock:
	case HELPER_ID_skc_to_tcp_request_sock: return true;
	default: return false;
	}
}

static bool acquires(const struct call *call)
{
	const struct skep_map *map = call->map;

	if (call->id == HELPER_ID_map_lookup_elem && map &&
	    (map->type == SKEP_MAP_SOCKMAP || map->type == SKEP_MAP_SOCKHASH))
		return true;
	return call->proto->ret & SKEP_RET_ACQUIRES;
}

int verify_result(struct verifier *v, const struct call *call)
{
	struct reg *reg = verify_reg(v, SKEP_R0);
	int err = by_prototype(v, call, reg);

	if (err)
		return err;
	if (reg->flags & PTR_MAYBE_NULL)
		reg->id = verify_new_id(v);
	if (is_cast(call->id) || call->id == HELPER_ID_dynptr_data)
		reg->ref_id = call->ref_id;
	else if (acquires(call))
		reg->id = reg->ref_id = verify_ref_acquire(v, REF_PTR);
	return 0;
}
