/*
 * A call of a helper, step by step: allowed here, arguments, what goes, rules of its own, result.
 *
 * Source  behaviour of Linux 6.18, check_helper_call()
 */
#include "verify/call.h"

/* --- Allowed here ---------------------------------------------------------------------------- */

static int find(struct verifier *v, struct call *call)
{
	const char *name = skep_helper_name(call->id);

	if (call->id < 0 || call->id >= HELPER_ID_CNT)
		return verify_refuse(v, HELPER_INVALID, call->id);
	call->name = name ? name : "unspec";
	call->proto = verify_helper_allowed(v, call->id);
	if (!call->proto)
		return verify_refuse(v, HELPER_NOT_ALLOWED, call->name, call->id);
	return 0;
}

static int check_sleep(struct verifier *v, const struct call *call)
{
	const struct state *state = v->state;

	if (!call->proto->may_sleep)
		return 0;
	if (!verify_may_sleep(v))
		return verify_refuse(v, HELPER_SLEEPS);
	if (state->rcu_locked)
		return verify_refuse(v, HELPER_SLEEPS_RCU, call->name, call->id);
	if (state->preempt_off)
		return verify_refuse(v, HELPER_SLEEPS_PREEMPT, call->name, call->id);
	if (state->irq_id)
		return verify_refuse(v, HELPER_SLEEPS_IRQ, call->name, call->id);
	return 0;
}

static int check_allowed(struct verifier *v, struct call *call)
{
	int err = find(v, call);

	if (err)
		return err;
	if (call->proto->gpl_only && !v->program->gpl)
		return verify_refuse(v, HELPER_GPL);
	if (!verify_helper_fits_target(v, call->id))
		return verify_refuse(v, HELPER_TARGET);
	return check_sleep(v, call);
}

/* --- Arguments ------------------------------------------------------------------------------- */

/* A map that programs only read. */
static int check_map_writable(struct verifier *v, const struct call *call)
{
	enum { RDONLY_PROG = 1 << 7 };

	if (!call->map || !(call->map->flags & RDONLY_PROG))
		return 0;
	switch (call->id) {
	case HELPER_ID_map_delete_elem:
	case HELPER_ID_map_update_elem:
	case HELPER_ID_map_push_elem:
	case HELPER_ID_map_pop_elem: return verify_refuse(v, MAP_READ_ONLY);
	default: return 0;
	}
}

/* The index of a tail call that is always the same becomes a direct jump: it counts, then. */
static int note_tail_call(struct verifier *v, const struct call *call)
{
	const struct reg *index = verify_reg(v, SKEP_R3);

	if (call->id != HELPER_ID_tail_call)
		return 0;
	if (call->map->type != SKEP_MAP_PROG_ARRAY)
		return verify_refuse(v, TAIL_CALL_MAP);
	if (!verify_reg_is_const(index) || index->value.bits.value >= call->map->max_entries)
		return 0;
	return verify_mark_precise(v, SKEP_R3);
}

/* Stack that the helper fills without its having been set before: by halves of slots, as whole
 * ones would be taken for stores of the program's own, which end what was there before. */
static int fill_memory(struct verifier *v, const struct call *call)
{
	const struct reg *reg = call->fill_bytes ? verify_reg(v, call->fill_regno) : NULL;
	uint32_t i = 0;

	while (i < call->fill_bytes) {
		int64_t off = reg->off + (int64_t)reg->value.bits.value + i;
		bool half = off % 4 == 0 && call->fill_bytes - i >= 4;
		const struct mem_access access = {.regno = call->fill_regno,
						  .off = (int32_t)i,
						  .bytes = half ? 4 : 1,
						  .kind = ACCESS_WRITE,
						  .value = -1};
		int err = verify_mem_access(v, &access);

		if (err)
			return err;
		i += access.bytes;
	}
	return 0;
}

static int check_arguments(struct verifier *v, struct call *call)
{
	int err;

	for (unsigned regno = SKEP_R1; regno <= SKEP_R5; regno++) {
		err = verify_argument(v, call, regno);
		if (err)
			return err;
	}
	err = check_map_writable(v, call);
	if (!err)
		err = note_tail_call(v, call);
	return err ? err : fill_memory(v, call);
}

/* --- What goes ------------------------------------------------------------------------------- */

struct exchanged {
	struct verifier *v;
	uint32_t id;
};

/* What is put into a map is not owned any more; objects of each CPU can still be used within an RCU
 * section. */
static void disown(struct reg *reg, void *ctx)
{
	const struct exchanged *exchanged = ctx;
	const struct verifier *v = exchanged->v;
	bool in_rcu = v->state->rcu_locked || v->state->n_locks || !verify_may_sleep(v);

	if (reg->ref_id != exchanged->id)
		return;
	if (!in_rcu || (reg->flags & (MEM_ALLOC | MEM_PERCPU)) != (MEM_ALLOC | MEM_PERCPU)) {
		verify_reg_invalid(v, reg);
		return;
	}
	reg->ref_id = 0;
	reg->flags = (uint16_t)((reg->flags & ~MEM_ALLOC) | MEM_RCU);
}

static int give_to_map(struct verifier *v, uint32_t id)
{
	struct exchanged exchanged = {v, id};
	int err = verify_ref_drop(v, id);

	if (!err)
		verify_each_reg(v->state, disown, &exchanged);
	return err;
}

static int give_back(struct verifier *v, const struct call *call)
{
	unsigned regno = call->release_regno;

	if ((call->proto->args[regno - 1] & SKEP_ARG_KIND_MASK) == SKEP_ARG_DYNPTR)
		return verify_dynptr_release(v, regno);
	if (call->id == HELPER_ID_kptr_xchg && call->ref_id)
		return give_to_map(v, call->ref_id);
	if (call->ref_id)
		return verify_ref_release(v, call->ref_id);
	return verify_reg_is_null(verify_reg(v, regno)) ? 0 : -EINVAL;
}

static int release(struct verifier *v, const struct call *call)
{
	int err = call->release_regno ? give_back(v, call) : 0;

	if (!err || v->refusal)
		return err;
	return verify_refuse(v, NOT_ACQUIRED, call->name, call->id);
}

/* --- Rules of their own ---------------------------------------------------------------------- */

static int rule_local_storage(struct verifier *v, struct call *call)
{
	if (!verify_reg_is_null(verify_reg(v, SKEP_R2)))
		return verify_refuse(v, STORAGE_FLAGS);
	return verify_mark_precise(v, SKEP_R2);
}

static int rule_tail_call(struct verifier *v, struct call *call)
{
	return verify_nothing_held(v, false, true, "tail_call");
}

static int rule_snprintf(struct verifier *v, struct call *call)
{
	uint64_t bytes = verify_reg(v, SKEP_R5)->value.bits.value;
	const char *format = NULL;
	int err = verify_string_argument(v, SKEP_R3, &format);

	if (err)
		return err;
	if (bytes % 8)
		return -EINVAL;
	if (!skep_format_is_valid(format, (uint32_t)(bytes / 8)))
		return verify_refuse(v, FORMAT_INVALID);
	return 0;
}

/* As often as the loop can go round, or until nothing changes. */
static int rule_loop(struct verifier *v, struct call *call)
{
	struct frame *frame = top_frame(v->state);
	int err = verify_reg_is_null(verify_reg(v, SKEP_R4)) ? verify_mark_precise(v, SKEP_R4) : 0;

	if (!err)
		err = verify_mark_precise(v, SKEP_R1);
	if (err)
		return err;
	if (frame->callback_depth < verify_reg(v, SKEP_R1)->value.full.umax)
		return verify_call_back(v, call);
	frame->callback_depth = 0;
	if (v->level & 2)
		verify_log(v, "frame%u bpf_loop iteration limit reached\n", frame->number);
	return 0;
}

static int rule_dynptr_from_mem(struct verifier *v, struct call *call)
{
	const struct reg *reg = verify_reg(v, SKEP_R1);

	if (reg->kind == REG_MAP_VALUE && !reg->flags)
		return 0;
	return verify_refuse(v, DYNPTR_FROM, KIND_TEXT(reg));
}

static const struct reg *dynptr_of(struct verifier *v, unsigned regno)
{
	const struct reg *reg = verify_reg(v, regno);
	int64_t off = reg->off + (int64_t)reg->value.bits.value;

	if (reg->kind == REG_DYNPTR)
		return reg;
	return &v->state->frames[reg->frame]->slots[(-off - 1) / SLOT_BYTES].spilled;
}

/* The slice lives as long as the dynptr, and as what that is of. */
static int rule_dynptr_data(struct verifier *v, struct call *call)
{
	const struct reg *dynptr = dynptr_of(v, SKEP_R1);

	call->dynptr_id = dynptr->id;
	call->ref_id = dynptr->ref_id;
	return 0;
}

static int rule_dynptr_write(struct verifier *v, struct call *call)
{
	call->changes_packet |= dynptr_of(v, SKEP_R1)->dynptr == DYNPTR_SKB;
	return 0;
}

static int rule_percpu(struct verifier *v, struct call *call)
{
	call->percpu_alloc = verify_reg(v, SKEP_R1)->flags & MEM_RCU;
	return 0;
}

static int rule_set_retval(struct verifier *v, struct call *call)
{
	enum { LSM_CGROUP = 43 };
	const struct skep_verify_program *program = v->program;
	uint32_t proto;

	if (v->image->type != PROG_TYPE_LSM || program->attach_type != LSM_CGROUP ||
	    !program->attach_btf)
		return 0;
	proto = skep_btf_target(program->attach_btf, program->attach_btf_id);
	return skep_btf_target(program->attach_btf, proto) ? 0 : verify_refuse(v, RETVAL_OF_VOID);
}

static const struct {
	int32_t id;
	int (*check)(struct verifier *v, struct call *call);
} own_rules[] = {
	{HELPER_ID_tail_call, rule_tail_call},
	{HELPER_ID_get_local_storage, rule_local_storage},
	{HELPER_ID_for_each_map_elem, verify_call_back},
	{HELPER_ID_timer_set_callback, verify_call_back},
	{HELPER_ID_find_vma, verify_call_back},
	{HELPER_ID_user_ringbuf_drain, verify_call_back},
	{HELPER_ID_loop, rule_loop},
	{HELPER_ID_snprintf, rule_snprintf},
	{HELPER_ID_dynptr_from_mem, rule_dynptr_from_mem},
	{HELPER_ID_dynptr_data, rule_dynptr_data},
	{HELPER_ID_dynptr_write, rule_dynptr_write},
	{HELPER_ID_per_cpu_ptr, rule_percpu},
	{HELPER_ID_this_cpu_ptr, rule_percpu},
	{HELPER_ID_set_retval, rule_set_retval},
};

static int check_own_rules(struct verifier *v, struct call *call)
{
	for (size_t i = 0; i < sizeof(own_rules) / sizeof(*own_rules); i++)
		if (own_rules[i].id == call->id)
			return own_rules[i].check(v, call);
	return 0;
}

/* Where a function's address can be asked for. */
static int check_func_ip(struct verifier *v, const struct call *call)
{
	enum { FENTRY = 24, FEXIT = 25, MODIFY_RETURN = 26 };
	uint32_t attach = v->program->attach_type;

	if (call->id != HELPER_ID_get_func_ip || verify_type(v) == PROG_TYPE_KPROBE)
		return 0;
	if (verify_type(v) != PROG_TYPE_TRACING)
		return verify_refuse(v, FUNC_IP, verify_type(v));
	if (attach == FENTRY || attach == FEXIT || attach == MODIFY_RETURN)
		return 0;
	return verify_refuse(v, FUNC_IP_TRACING);
}

/* --- The call -------------------------------------------------------------------------------- */

int verify_call_helper(struct verifier *v, const struct skep_insn *insn)
{
	struct call call = {.insn = insn, .id = insn->imm, .callback = NOWHERE};
	int err = check_allowed(v, &call);

	if (err)
		return err;
	call.changes_packet = call.proto->changes_packet;
	err = check_arguments(v, &call);
	if (!err)
		err = release(v, &call);
	if (!err)
		err = check_own_rules(v, &call);
	if (err)
		return err;
	verify_clobber(v);
	err = verify_result(v, &call);
	if (!err)
		err = verify_map_rules(v, &call);
	if (!err)
		err = check_func_ip(v, &call);
	if (!err && call.changes_packet)
		verify_packet_changed(v);
	return err;
}
