/*
 * Lists and trees of the program's own objects.
 *
 *	bpf_obj_new()    the program owns the object (a reference)
 *	push, add        the collection owns it; the program's pointers to it are good as long as
 *	                 the lock is held (NON_OWN_REF), and with a count in the object beyond that,
 *	                 under RCU
 *	pop, remove      the program owns it again
 *	first, front …   a pointer to what the collection owns
 *	unlock           what is not owned may go any time: such pointers mean nothing any more
 *
 * A collection's head lies beside its lock, in one value or object, and says in its BTF which
 * struct it holds and which member of it is the node.
 *
 * Source  behaviour of Linux 6.18, __process_kf_arg_ptr_to_graph_root(),
 *         __process_kf_arg_ptr_to_graph_node(), ref_convert_owning_non_owning()
 */
#include "verify/kfunc.h"

/* --- The lock's other side ------------------------------------------------------------------- */

bool verify_in_tree_callback(const struct verifier *v)
{
	const struct frame *frame = top_frame(v->state);
	const struct kfunc *kfunc;

	if (v->state->n_frames < 2 || !frame->in_callback || frame->call_at >= v->n_insns)
		return false;
	kfunc = v->facts[frame->call_at].kfunc;
	return kfunc && kfunc->row == KFUNC_ROW_bpf_rbtree_add_impl;
}

static void forget(struct reg *reg, void *ctx)
{
	if (reg->kind == REG_BTF_PTR && reg->flags & NON_OWN_REF)
		verify_reg_invalid(ctx, reg);
}

void verify_forget_not_owned(struct verifier *v)
{
	verify_each_reg(v->state, forget, v);
}

/* --- Owned and not --------------------------------------------------------------------------- */

void verify_set_not_owned(struct verifier *v, struct reg *reg)
{
	reg->flags |= NON_OWN_REF;
	if (verify_field_of(v, reg, SKEP_FIELD_REFCOUNT))
		reg->flags |= MEM_RCU;
}

struct disowned {
	struct verifier *v;
	uint32_t ref_id;
};

static void disown(struct reg *reg, void *ctx)
{
	const struct disowned *disowned = ctx;

	if (reg->ref_id != disowned->ref_id)
		return;
	reg->ref_id = 0;
	verify_set_not_owned(disowned->v, reg);
}

int verify_disown(struct verifier *v, uint32_t ref_id)
{
	struct disowned disowned = {v, ref_id};

	if (!ref_id || !verify_ref_find(v->state, ref_id))
		return -EFAULT;
	verify_each_reg(v->state, disown, &disowned);
	return verify_ref_drop(v, ref_id);
}

void verify_held_object(struct verifier *v, const struct call *call, struct reg *reg)
{
	verify_reg_pointer(reg, REG_BTF_PTR, MEM_ALLOC);
	reg->btf = call->field_btf;
	reg->btf_id = call->field->btf_id;
	reg->off = (int32_t)call->field->node_off;
}

void verify_graph_node(struct verifier *v, const struct call *call, struct reg *reg)
{
	verify_held_object(v, call, reg);
	verify_set_not_owned(v, reg);
}

/* --- Heads ----------------------------------------------------------------------------------- */

static const char *word(enum skep_field_kind kind)
{
	switch (kind) {
	case SKEP_FIELD_LIST_HEAD: return "bpf_list_head";
	case SKEP_FIELD_LIST_NODE: return "bpf_list_node";
	case SKEP_FIELD_RB_ROOT: return "bpf_rb_root";
	default: return "bpf_rb_node";
	}
}

static const struct skep_map_field *field_at(struct verifier *v, const struct reg *reg, int64_t off,
					     enum skep_field_kind kind)
{
	uint32_t n;
	const struct skep_map_field *fields = verify_fields_of(v, reg, &n);

	for (uint32_t i = 0; i < n; i++)
		if (fields[i].kind == kind && fields[i].off == off)
			return &fields[i];
	return NULL;
}

int verify_collection_root(struct verifier *v, struct call *call, unsigned regno,
			   enum skep_field_kind kind)
{
	const struct reg *reg = verify_reg(v, regno);
	const struct skep_map_field *field, *lock;
	int64_t off = reg->off + (int64_t)reg->value.bits.value;

	if (!skep_tnum_is_const(reg->value.bits))
		return verify_refuse(v, COLLECTION_VARIABLE, regno, word(kind));
	field = field_at(v, reg, off, kind);
	if (!field)
		return verify_refuse(v, COLLECTION_NONE, word(kind), (uint32_t)off);
	lock = verify_field_of(v, reg, SKEP_FIELD_SPIN_LOCK);
	if (!verify_lock_held(v, reg))
		return verify_refuse(v, COLLECTION_UNLOCKED, lock ? (int)lock->off : -EINVAL,
				     word(kind));
	call->field = field;
	call->field_btf = reg->kind == REG_MAP_VALUE ? reg->map->btf : reg->btf;
	return 0;
}

/* --- Nodes ----------------------------------------------------------------------------------- */

static enum skep_field_kind head_of(enum skep_field_kind node)
{
	return node == SKEP_FIELD_LIST_NODE ? SKEP_FIELD_LIST_HEAD : SKEP_FIELD_RB_ROOT;
}

int verify_collection_node(struct verifier *v, struct call *call, unsigned regno,
			   enum skep_field_kind kind)
{
	const struct reg *reg = verify_reg(v, regno);
	const struct skep_map_field *head = call->field;
	int64_t off = reg->off + (int64_t)reg->value.bits.value;
	const char *held;

	if (!skep_tnum_is_const(reg->value.bits))
		return verify_refuse(v, COLLECTION_VARIABLE, regno, word(kind));
	if (!field_at(v, reg, off, kind))
		return verify_refuse(v, COLLECTION_NONE, word(kind), (uint32_t)off);
	if (!head)
		return -EFAULT;
	held = skep_btf_name(call->field_btf, head->btf_id);
	if (!verify_types_match(reg->btf, reg->btf_id, 0, call->field_btf, head->btf_id, true))
		return verify_refuse(v, COLLECTION_TYPE, word(head_of(kind)), word(kind),
				     (int)head->node_off, held, (int)off,
				     skep_btf_name(reg->btf, reg->btf_id));
	call->arg_btf = reg->btf;
	call->arg_btf_id = reg->btf_id;
	if (off != head->node_off)
		return verify_refuse(v, COLLECTION_OTHER_NODE, (int)off, word(kind),
				     (int)head->node_off, held);
	return 0;
}
