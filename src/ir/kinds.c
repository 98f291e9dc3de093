/*
 * Which registers hold what the kernel must go on knowing.
 *
 * It tracks what is stored and loaded again only on the stack; in a map's
 * value a pointer becomes a number and a bounded number any number. So frame.c
 * must know what may be moved to the scratch: no pointers, and only if nothing
 * else helps, numbers that are added to pointers or given to helpers.
 *
 * Judged per register, not per place: a register is as much of a pointer as
 * the most pointer-like value ever put into it.
 */
#include <linux/bpf.h>
#include <stddef.h>

#include <skep/isa.h>

#include "ir/ir.h"

/* Newer than some distributions' <linux/bpf.h>. */
#define FUNC_CGRP_STORAGE_GET 210

/* Helpers that return something the kernel tracks; all others return numbers. */
static const int pointer_helpers[] = {
	BPF_FUNC_map_lookup_elem,
	BPF_FUNC_sk_lookup_tcp,
	BPF_FUNC_sk_lookup_udp,
	BPF_FUNC_sk_fullsock,
	BPF_FUNC_tcp_sock,
	BPF_FUNC_get_listener_sock,
	BPF_FUNC_skc_lookup_tcp,
	BPF_FUNC_get_local_storage,
	BPF_FUNC_sk_storage_get,
	BPF_FUNC_ringbuf_reserve,
	BPF_FUNC_skc_to_tcp6_sock,
	BPF_FUNC_skc_to_tcp_sock,
	BPF_FUNC_skc_to_tcp_timewait_sock,
	BPF_FUNC_skc_to_tcp_request_sock,
	BPF_FUNC_skc_to_udp6_sock,
	BPF_FUNC_skc_to_unix_sock,
	BPF_FUNC_skc_to_mptcp_sock,
	BPF_FUNC_inode_storage_get,
	BPF_FUNC_per_cpu_ptr,
	BPF_FUNC_this_cpu_ptr,
	BPF_FUNC_task_storage_get,
	BPF_FUNC_get_current_task_btf,
	BPF_FUNC_sock_from_file,
	BPF_FUNC_task_pt_regs,
	BPF_FUNC_kptr_xchg,
	BPF_FUNC_map_lookup_percpu_elem,
	BPF_FUNC_dynptr_data,
	FUNC_CGRP_STORAGE_GET,
};

static enum reg_kind kind_of_helper(int64_t helper)
{
	for (size_t i = 0; i < sizeof(pointer_helpers) / sizeof(*pointer_helpers); i++)
		if (pointer_helpers[i] == helper)
			return KIND_POINTER;
	return KIND_SCALAR;
}

static enum reg_kind kind_of_opnd(const uint8_t *kinds, struct skep_opnd o)
{
	if (is_reg(o))
		return kinds[o.id];
	return is_slot(o) ? KIND_POINTER : KIND_SCALAR;
}

static enum reg_kind kind_of_alu(const uint8_t *kinds, const struct inst *inst)
{
	enum reg_kind a = kind_of_opnd(kinds, inst->a), b = kind_of_opnd(kinds, inst->b);

	if (inst->sub == SKEP_IR_ADD)
		return a > b ? a : b;
	if (inst->sub == SKEP_IR_SUB)
		return a == KIND_POINTER && b != KIND_SCALAR ? KIND_TRACKED : a;
	return KIND_SCALAR;
}

/* Where a program's context has pointers to its packet and the packet's end: fields of 32 bits.
 * Whether an address is the context's is not asked; a few numbers are taken for such. */
static bool is_packet_pointer(const struct skep_ir_func *f, const struct inst *inst)
{
	switch (f->prog->desc.type) {
	case BPF_PROG_TYPE_XDP:
		return inst->off == offsetof(struct xdp_md, data) ||
		       inst->off == offsetof(struct xdp_md, data_end);
	case BPF_PROG_TYPE_SCHED_CLS:
	case BPF_PROG_TYPE_CGROUP_SKB:
		return inst->off == offsetof(struct __sk_buff, data) ||
		       inst->off == offsetof(struct __sk_buff, data_end);
	default: return false;
	}
}

static enum reg_kind kind_of_load(const struct skep_ir_func *f, const uint8_t *kinds,
				  const struct inst *inst)
{
	if (is_slot(inst->a)) {
		const struct slot *slot = &f->slots[inst->a.id];

		return slot->holds_pointer && inst->bytes == 8 ? KIND_POINTER : KIND_SCALAR;
	}
	if (inst->bytes == 4 && kinds[inst->a.id] == KIND_POINTER && is_packet_pointer(f, inst))
		return KIND_POINTER;
	if (inst->bytes == 8 || (inst->bytes == 4 && inst->a.id == 0 && f->prog == f))
		return KIND_TRACKED;
	return KIND_SCALAR;
}

static enum reg_kind kind_of(const struct skep_ir_func *f, const uint8_t *kinds,
			     const struct inst *inst)
{
	if (inst->tracked)
		return KIND_POINTER;
	switch (inst->op) {
	case OP_PARAM: return f->prog == f ? KIND_POINTER : KIND_TRACKED;
	case OP_MOV: return kind_of_opnd(kinds, inst->a);
	case OP_ALU: return kind_of_alu(kinds, inst);
	case OP_LOAD: return kind_of_load(f, kinds, inst);
	case OP_MAP:
	case OP_MAP_VALUE:
	case OP_FUNC_ADDR: return KIND_POINTER;
	case OP_CALL:
		return inst->sub == SKEP_CALL_HELPER ? kind_of_helper(inst->a.imm) : KIND_TRACKED;
	default: return KIND_SCALAR;
	}
}

/* A slot that a pointer is stored into must be on the stack. */
static bool note_store(struct skep_ir_func *f, const uint8_t *kinds, const struct inst *inst)
{
	struct slot *slot;

	if (inst->op != OP_STORE || !is_slot(inst->a) || inst->bytes != 8)
		return false;
	slot = &f->slots[inst->a.id];
	if (slot->holds_pointer || kind_of_opnd(kinds, inst->b) != KIND_POINTER)
		return false;
	return slot->holds_pointer = slot->needs_stack = true;
}

/* Helpers one of whose arguments must be on the stack: a callback's context, a dynamic pointer. */
static const int stack_helpers[] = {
	BPF_FUNC_for_each_map_elem,
	BPF_FUNC_find_vma,
	BPF_FUNC_loop,
	BPF_FUNC_dynptr_from_mem,
	BPF_FUNC_ringbuf_reserve_dynptr,
	BPF_FUNC_ringbuf_submit_dynptr,
	BPF_FUNC_ringbuf_discard_dynptr,
	BPF_FUNC_dynptr_read,
	BPF_FUNC_dynptr_write,
	BPF_FUNC_dynptr_data,
	BPF_FUNC_user_ringbuf_drain,
};

/* Of kernel functions we do not know: iterators must be on the stack. */
static bool wants_stack(const struct inst *inst)
{
	if (inst->sub != SKEP_CALL_HELPER)
		return inst->sub == SKEP_CALL_KFUNC;
	for (size_t i = 0; i < sizeof(stack_helpers) / sizeof(*stack_helpers); i++)
		if (stack_helpers[i] == inst->a.imm)
			return true;
	return false;
}

static void note_call(struct skep_ir_func *f, const struct inst *inst)
{
	if (!wants_stack(inst))
		return;
	for (unsigned i = 0; i < inst->n_args; i++)
		if (is_slot(inst->args[i]))
			f->slots[inst->args[i].id].needs_stack = true;
}

static bool raise_to_tracked(uint8_t *kinds, struct skep_opnd o)
{
	if (!is_reg(o) || kinds[o.id] != KIND_SCALAR)
		return false;
	kinds[o.id] = KIND_TRACKED;
	return true;
}

static bool note_args(uint8_t *kinds, const struct inst *inst)
{
	bool changed = false;

	for (unsigned i = 0; i < inst->n_args; i++)
		changed |= raise_to_tracked(kinds, inst->args[i]);
	return changed;
}

/*
 * Bounds are wanted of what is added to a pointer, given to a helper, ends a
 * loop, or makes such a value.
 */
static bool note_bounds(uint8_t *kinds, const struct block *block, const struct inst *inst)
{
	bool changed;

	if (inst->op == OP_CALL)
		return note_args(kinds, inst);
	if (inst->op == OP_BRANCH && block->depth && is_imm(inst->b))
		return raise_to_tracked(kinds, inst->a);
	if (inst->op != OP_MOV && inst->op != OP_ALU)
		return false;
	if (kinds[inst->dst] == KIND_SCALAR ||
	    (inst->op == OP_ALU && inst->sub == SKEP_IR_AND && is_imm(inst->b)))
		return false;
	changed = raise_to_tracked(kinds, inst->a);
	return raise_to_tracked(kinds, inst->b) || changed;
}

static bool walk(struct skep_ir_func *f, uint8_t *kinds)
{
	bool changed = false;

	for (uint32_t i = 0; i < f->n_order; i++) {
		const struct block *block = f->blocks[f->order[i]];

		for (struct inst *p = block->first; p; p = p->next) {
			if (p->op == OP_CALL)
				note_call(f, p);
			changed |= note_store(f, kinds, p);
			changed |= note_bounds(kinds, block, p);
			if (p->dst == IR_NONE || kinds[p->dst] >= kind_of(f, kinds, p))
				continue;
			kinds[p->dst] = kind_of(f, kinds, p);
			changed = true;
		}
	}
	return changed;
}

uint8_t *skep_ir_kinds(struct skep_ir_func *f)
{
	uint8_t *kinds = skep_arena_array(f->work, uint8_t, f->n_regs);

	while (walk(f, kinds))
		;
	return kinds;
}
