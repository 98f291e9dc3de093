/*
 * What a kernel function returns: r0, by its BTF, its flags, and for a few by what they are.
 *
 *	a number, or void *     any number
 *	a pointer to a struct   an object of the kernel's; acquired (KF_ACQUIRE), or trusted or
 *	                        under RCU as the iterator it comes from
 *	a pointer to else       memory of the type's size that may be read, or of the size that an
 *	                        argument gave
 *	KF_RET_NULL             it may be NULL
 *
 * Source  behaviour of Linux 6.18, check_kfunc_call(), check_special_kfunc()
 */
#include "verify/kfunc.h"

#define MOST_PERCPU_BYTES 512

static bool is_number(const struct skep_btf *btf, uint32_t id)
{
	enum skep_btf_kind kind = skep_btf_kind(btf, id);

	return kind == SKEP_BTF_INT || kind == SKEP_BTF_ENUM || kind == SKEP_BTF_ENUM64;
}

static bool is_struct(const struct skep_btf *btf, uint32_t id)
{
	enum skep_btf_kind kind = skep_btf_kind(btf, id);

	return kind == SKEP_BTF_STRUCT || kind == SKEP_BTF_UNION;
}

static void object(struct reg *reg, const struct skep_btf *btf, uint32_t id, unsigned flags)
{
	verify_reg_pointer(reg, REG_BTF_PTR, flags);
	reg->btf = btf;
	reg->btf_id = id;
}

/* --- Objects of the program's own ------------------------------------------------------------ */

static int check_percpu(struct verifier *v, const struct skep_btf *btf, uint32_t id)
{
	int64_t bytes = skep_btf_size(btf, id);

	if (bytes > MOST_PERCPU_BYTES)
		return verify_refuse(v, PERCPU_SIZE, (int)bytes, MOST_PERCPU_BYTES);
	if (!verify_is_of_numbers(v, btf, id))
		return verify_refuse(v, PERCPU_MEMBERS);
	return verify_local_type(v, btf, id)->n_fields ? verify_refuse(v, PERCPU_FIELDS) : 0;
}

static int new_object(struct verifier *v, const struct call *call, struct reg *reg)
{
	const struct skep_btf *btf = v->program->btf;
	bool percpu = call->kfunc->row == KFUNC_ROW_bpf_percpu_obj_new_impl;
	uint32_t id = (uint32_t)call->const_size;
	int err;

	if (id != call->const_size)
		return verify_refuse(v, LOCAL_ID_RANGE);
	if (!btf)
		return verify_refuse(v, LOCAL_NO_BTF);
	if (skep_btf_kind(btf, id) != SKEP_BTF_STRUCT)
		return verify_refuse(v, LOCAL_NO_STRUCT);
	err = percpu ? check_percpu(v, btf, id) : 0;
	if (!err)
		object(reg, btf, id, MEM_ALLOC | (percpu ? MEM_PERCPU : 0));
	return err;
}

/* --- Casts and slices ------------------------------------------------------------------------ */

static int rdonly_cast(struct verifier *v, const struct call *call, struct reg *reg)
{
	const struct skep_btf *btf = v->program->kernel_btf;
	uint64_t id = call->const_size;

	if (id > skep_btf_n_types(btf))
		return verify_refuse(v, CAST_UNKNOWN, (long long)id);
	if (is_struct(btf, (uint32_t)id)) {
		object(reg, btf, (uint32_t)id, PTR_UNTRUSTED);
		return 0;
	}
	if (id)
		return verify_refuse(v, CAST_KIND);
	verify_reg_pointer(reg, REG_MEM, MEM_RDONLY | PTR_UNTRUSTED);
	return 0;
}

static int slice(struct verifier *v, const struct call *call, struct reg *reg)
{
	bool rdonly = call->kfunc->row == KFUNC_ROW_bpf_dynptr_slice;
	bool packet = call->dynptr != DYNPTR_LOCAL && call->dynptr != DYNPTR_RINGBUF;

	if (!call->has_constant)
		return -EFAULT;
	if (!rdonly && !verify_packet_access_allowed(v, NULL, ACCESS_WRITE))
		return verify_refuse(v, SLICE_WRITES);
	verify_reg_pointer(reg, REG_MEM,
			   (rdonly ? MEM_RDONLY : 0) | (packet ? MEM_DYNPTR_SLICE : 0));
	reg->mem_bytes = (uint32_t)call->const_size;
	if (rdonly || packet) /* others do not go with the dynptr */
		reg->dynptr_id = call->dynptr_id;
	return 0;
}

/* Return PATH_END: it is none of those */
static int special(struct verifier *v, const struct call *call, struct reg *reg)
{
	switch (call->kfunc->row) {
	case KFUNC_ROW_bpf_obj_new_impl:
	case KFUNC_ROW_bpf_percpu_obj_new_impl: return new_object(v, call, reg);
	case KFUNC_ROW_bpf_refcount_acquire_impl:
		object(reg, call->arg_btf, call->arg_btf_id, MEM_ALLOC);
		return 0;
	case KFUNC_ROW_bpf_list_pop_front:
	case KFUNC_ROW_bpf_list_pop_back:
	case KFUNC_ROW_bpf_list_front:
	case KFUNC_ROW_bpf_list_back:
	case KFUNC_ROW_bpf_rbtree_remove:
	case KFUNC_ROW_bpf_rbtree_first:
	case KFUNC_ROW_bpf_rbtree_root:
	case KFUNC_ROW_bpf_rbtree_left:
	case KFUNC_ROW_bpf_rbtree_right: verify_held_object(v, call, reg); return 0;
	case KFUNC_ROW_bpf_cast_to_kern_ctx:
		object(reg, v->program->kernel_btf, call->ret_btf_id, PTR_TRUSTED);
		return 0;
	case KFUNC_ROW_bpf_rdonly_cast: return rdonly_cast(v, call, reg);
	case KFUNC_ROW_bpf_dynptr_slice:
	case KFUNC_ROW_bpf_dynptr_slice_rdwr: return slice(v, call, reg);
	default: return PATH_END;
	}
}

/* --- By type --------------------------------------------------------------------------------- */

static int memory(struct verifier *v, const struct call *call, struct reg *reg, uint32_t pointee)
{
	const struct skep_btf *btf = v->program->kernel_btf;
	int64_t bytes = (int64_t)call->result_bytes;
	bool rdonly = call->result_rdonly;

	if (call->kfunc->row == KFUNC_ROW_bpf_session_cookie)
		bytes = 8;
	if (!bytes) {
		bytes = skep_btf_size(btf, pointee);
		rdonly = true;
	}
	if (bytes <= 0)
		return verify_refuse(v, KFUNC_RESULT, call->name, "UNKNOWN",
				     skep_btf_name(btf, pointee));
	verify_reg_pointer(reg, REG_MEM, rdonly ? MEM_RDONLY : 0);
	reg->mem_bytes = (uint32_t)bytes;
	reg->ref_id = call->ref_id;
	return 0;
}

static void kernel_object(struct verifier *v, const struct call *call, struct reg *reg,
			  uint32_t pointee)
{
	unsigned flags = 0;

	if (call->kfunc->row == KFUNC_ROW_bpf_get_kmem_cache)
		flags = PTR_UNTRUSTED;
	else if (call->kfunc->flags & KF_RCU_PROTECTED)
		flags = MEM_RCU;
	if (call->kfunc->flags & KF_ITER_NEXT) {
		const struct frame *frame = v->state->frames[call->iter_frame];

		flags |= frame->slots[call->iter_slot].spilled.flags & MEM_RCU ? MEM_RCU
									       : PTR_TRUSTED;
	}
	object(reg, v->program->kernel_btf, pointee, flags);
}

static int by_type(struct verifier *v, const struct call *call, struct reg *reg)
{
	const struct skep_btf *btf = v->program->kernel_btf;
	uint32_t pointee = skep_btf_strip(btf, skep_btf_target(btf, call->kfunc->result));

	if (!pointee) {
		verify_reg_unknown(v, reg);
		return 0;
	}
	if (!is_struct(btf, pointee))
		return memory(v, call, reg, pointee);
	kernel_object(v, call, reg, pointee);
	return 0;
}

/* --- References ------------------------------------------------------------------------------ */

static bool is_borrowed(enum kfunc_row row)
{
	switch (row) {
	case KFUNC_ROW_bpf_list_front:
	case KFUNC_ROW_bpf_list_back:
	case KFUNC_ROW_bpf_rbtree_first:
	case KFUNC_ROW_bpf_rbtree_root:
	case KFUNC_ROW_bpf_rbtree_left:
	case KFUNC_ROW_bpf_rbtree_right: return true;
	default: return false;
	}
}

static bool has_lock(struct verifier *v, const struct reg *reg)
{
	return verify_field_of(v, reg, SKEP_FIELD_SPIN_LOCK) ||
	       verify_field_of(v, reg, SKEP_FIELD_RES_SPIN_LOCK);
}

static void name(struct verifier *v, const struct call *call, struct reg *reg)
{
	const struct kfunc *kfunc = call->kfunc;
	bool may_be_null = kfunc->flags & KF_RET_NULL && !call->owning_argument;

	if (may_be_null) {
		reg->flags |= PTR_MAYBE_NULL;
		reg->id = verify_new_id(v);
	}
	if (kfunc->flags & KF_ACQUIRE) {
		reg->ref_id = verify_ref_acquire(v, REF_PTR);
		if (may_be_null)
			reg->id = reg->ref_id;
	} else if (is_borrowed(kfunc->row)) {
		verify_set_not_owned(v, reg);
	}
	if (!reg->id && has_lock(v, reg))
		reg->id = verify_new_id(v);
}

static int pointer(struct verifier *v, const struct call *call, struct reg *reg)
{
	int err = special(v, call, reg);

	if (err == PATH_END)
		err = by_type(v, call, reg);
	if (!err)
		name(v, call, reg);
	return err;
}

static int number(struct verifier *v, const struct call *call, struct reg *reg)
{
	verify_reg_unknown(v, reg);
	if (call->kfunc->row == KFUNC_ROW_bpf_res_spin_lock ||
	    call->kfunc->row == KFUNC_ROW_bpf_res_spin_lock_irqsave)
		verify_reg_const(v, reg, 0);
	return 0;
}

int verify_kfunc_result(struct verifier *v, struct call *call)
{
	const struct skep_btf *btf = v->program->kernel_btf;
	struct reg *reg = verify_reg(v, SKEP_R0);
	uint32_t type = call->kfunc->result;

	if (is_number(btf, type))
		return number(v, call, reg);
	return skep_btf_kind(btf, type) == SKEP_BTF_PTR ? pointer(v, call, reg) : 0;
}
