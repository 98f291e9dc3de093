/*
 * A call of a kernel function, step by step: allowed here, arguments, callbacks, sections, what
 * goes, result.
 *
 *	allowed    by the program's type (kfunc_rules.c), and where it sleeps: not in a section
 *	arguments  kfunc_arguments.c
 *	sections   bpf_rcu_read_lock(), bpf_preempt_disable() and their other halves are calls like
 *	           any; at the end of an RCU section what it protected may point nowhere
 *	goes       what is released; what is put into a list or tree is not owned any more
 *	result     kfunc_result.c
 *
 * A lock that may fail to be taken (bpf_res_spin_lock()) forks the path before: one way has the
 * lock and 0, the other a negative number.
 *
 * Source  behaviour of Linux 6.18, check_kfunc_call()
 */
#include "verify/flow.h"
#include "verify/kfunc.h"

#define MOST_ERRNO 4095

/* --- Allowed here ---------------------------------------------------------------------------- */

bool verify_kfunc_may_sleep(struct verifier *v, const struct skep_insn *insn)
{
	const struct kfunc *kfunc = verify_kfunc(v, (uint32_t)(insn - v->insns));

	return kfunc && kfunc->flags & KF_SLEEPABLE;
}

bool verify_kfunc_under_lock(struct verifier *v, const struct skep_insn *insn)
{
	const struct kfunc *kfunc = verify_kfunc(v, (uint32_t)(insn - v->insns));

	switch (kfunc ? kfunc->row : KFUNC_ROW_CNT) {
	case KFUNC_ROW_bpf_list_push_front_impl:
	case KFUNC_ROW_bpf_list_push_back_impl:
	case KFUNC_ROW_bpf_list_pop_front:
	case KFUNC_ROW_bpf_list_pop_back:
	case KFUNC_ROW_bpf_list_front:
	case KFUNC_ROW_bpf_list_back:
	case KFUNC_ROW_bpf_rbtree_add_impl:
	case KFUNC_ROW_bpf_rbtree_remove:
	case KFUNC_ROW_bpf_rbtree_first:
	case KFUNC_ROW_bpf_rbtree_root:
	case KFUNC_ROW_bpf_rbtree_left:
	case KFUNC_ROW_bpf_rbtree_right:
	case KFUNC_ROW_bpf_refcount_acquire_impl:
	case KFUNC_ROW_bpf_iter_num_new:
	case KFUNC_ROW_bpf_iter_num_next:
	case KFUNC_ROW_bpf_iter_num_destroy:
	case KFUNC_ROW_bpf_res_spin_lock:
	case KFUNC_ROW_bpf_res_spin_unlock:
	case KFUNC_ROW_bpf_res_spin_lock_irqsave:
	case KFUNC_ROW_bpf_res_spin_unlock_irqrestore: return true;
	default: return false;
	}
}

/* The way on which the lock could not be taken. */
static int fork_failure(struct verifier *v)
{
	struct state *failed = verify_fork(v, v->at + 1, v->at, false);
	struct reg *regs, *r0;

	if (!failed)
		return verify_no_fork(v, -ENOMEM);
	regs = top_frame(failed)->regs;
	for (unsigned r = SKEP_R0; r <= SKEP_R5; r++)
		regs[r] = verify_reg_unset;
	r0 = &regs[SKEP_R0];
	verify_reg_unknown(v, r0);
	r0->value.low.smin = -MOST_ERRNO;
	r0->value.low.smax = -1;
	r0->value.full.smin = -MOST_ERRNO;
	r0->value.full.smax = -1;
	skep_scalar_sync(&r0->value);
	return 0;
}

static int before(struct verifier *v, const struct kfunc *kfunc)
{
	switch (kfunc->row) {
	case KFUNC_ROW_bpf_res_spin_lock:
	case KFUNC_ROW_bpf_res_spin_lock_irqsave: return fork_failure(v);
	case KFUNC_ROW___bpf_trap: return verify_refuse(v, TRAP);
	default: return 0;
	}
}

static int check_allowed(struct verifier *v, const struct kfunc *kfunc)
{
	int err;

	if (kfunc->is_of_device)
		return verify_refuse(v, KFUNC_OF_DEVICE);
	if (!kfunc->allowed)
		return verify_refuse(v, KFUNC_NOT_ALLOWED, kfunc->name);
	err = before(v, kfunc);
	if (err)
		return err;
	if (kfunc->flags & KF_SLEEPABLE && !verify_may_sleep(v))
		return verify_refuse(v, KFUNC_SLEEPS, kfunc->name);
	return 0;
}

/* --- Callbacks ------------------------------------------------------------------------------- */

static int call_back(struct verifier *v, struct call *call)
{
	int err;

	switch (call->kfunc->row) {
	case KFUNC_ROW_bpf_rbtree_add_impl:
	case KFUNC_ROW_bpf_wq_set_callback_impl:
	case KFUNC_ROW_bpf_task_work_schedule_signal_impl:
	case KFUNC_ROW_bpf_task_work_schedule_resume_impl: break;
	default: return 0;
	}
	err = verify_call_back(v, call);
	if (err)
		verify_log(v, "kfunc %s#%u failed callback verification\n", call->name,
			   call->kfunc->id);
	return err;
}

/* --- Sections -------------------------------------------------------------------------------- */

static void end_rcu(struct reg *reg, void *ctx)
{
	if (reg->flags & MEM_RCU)
		reg->flags = (uint16_t)((reg->flags & ~(MEM_RCU | PTR_MAYBE_NULL)) | PTR_UNTRUSTED);
}

/* Registers and spills, and iterators of what RCU protects. */
static void rcu_ended(struct verifier *v)
{
	struct state *state = v->state;

	verify_each_reg(state, end_rcu, NULL);
	for (uint32_t f = 0; f < state->n_frames; f++)
		for (uint32_t s = 0; s < state->frames[f]->n_slots; s++)
			if (state->frames[f]->slots[s].kinds[0] == SLOT_ITER)
				end_rcu(&state->frames[f]->slots[s].spilled, NULL);
}

static int rcu_section(struct verifier *v, const struct kfunc *kfunc)
{
	struct state *state = v->state;
	bool locks = kfunc->row == KFUNC_ROW_bpf_rcu_read_lock;
	bool unlocks = kfunc->row == KFUNC_ROW_bpf_rcu_read_unlock;

	if (state->rcu_locked && (locks || unlocks) && verify_in_tree_callback(v))
		return verify_refuse(v, RCU_IN_CALLBACK);
	if (locks) {
		if (state->rcu_locked)
			return verify_refuse(v, RCU_NESTED, kfunc->name);
		state->rcu_locked++;
	} else if (unlocks) {
		if (!state->rcu_locked)
			return verify_refuse(v, RCU_UNMATCHED, kfunc->name);
		if (!--state->rcu_locked)
			rcu_ended(v);
	} else if (state->rcu_locked && kfunc->flags & KF_SLEEPABLE) {
		return verify_refuse(v, KFUNC_SLEEPS_RCU, kfunc->name);
	}
	return 0;
}

static int preempt_section(struct verifier *v, const struct kfunc *kfunc)
{
	struct state *state = v->state;

	if (kfunc->row == KFUNC_ROW_bpf_preempt_disable) {
		state->preempt_off++;
	} else if (kfunc->row == KFUNC_ROW_bpf_preempt_enable) {
		if (!state->preempt_off)
			return verify_refuse(v, PREEMPT_UNMATCHED, kfunc->name);
		state->preempt_off--;
	} else if (state->preempt_off && kfunc->flags & KF_SLEEPABLE) {
		return verify_refuse(v, KFUNC_SLEEPS_PREEMPT, kfunc->name);
	}
	return 0;
}

static int check_sections(struct verifier *v, const struct kfunc *kfunc)
{
	int err = rcu_section(v, kfunc);

	if (!err)
		err = preempt_section(v, kfunc);
	if (err)
		return err;
	if (v->state->irq_id && kfunc->flags & KF_SLEEPABLE)
		return verify_refuse(v, KFUNC_SLEEPS_IRQ, kfunc->name);
	if (kfunc->flags & KF_RCU_PROTECTED && !verify_in_rcu(v))
		return verify_refuse(v, KFUNC_NEEDS_RCU, kfunc->name);
	return 0;
}

/* --- What goes ------------------------------------------------------------------------------- */

static int release(struct verifier *v, const struct call *call)
{
	uint32_t id;

	if (!call->release_regno)
		return 0;
	id = verify_reg(v, call->release_regno)->ref_id;
	return verify_ref_release(v, id)
		       ? verify_refuse(v, KFUNC_NOT_ACQUIRED, call->name, call->kfunc->id)
		       : 0;
}

static int give_to_collection(struct verifier *v, const struct call *call)
{
	switch (call->kfunc->row) {
	case KFUNC_ROW_bpf_list_push_front_impl:
	case KFUNC_ROW_bpf_list_push_back_impl:
	case KFUNC_ROW_bpf_rbtree_add_impl: return verify_disown(v, verify_reg(v, SKEP_R2)->ref_id);
	default: return 0;
	}
}

static bool has_exception_callback(const struct verifier *v)
{
	for (uint32_t i = 0; i < v->n_funcs; i++)
		if (v->funcs[i].is_exception_callback)
			return true;
	return false;
}

/* The cookie is what the program returns, where nobody catches it. */
static int check_cookie(struct verifier *v, const struct call *call)
{
	if (call->kfunc->row != KFUNC_ROW_bpf_throw || has_exception_callback(v))
		return 0;
	return verify_return_code(v, SKEP_R1, "R1");
}

/* --- The call -------------------------------------------------------------------------------- */

static int carry_out(struct verifier *v, struct call *call)
{
	int err = call_back(v, call);

	if (!err)
		err = check_sections(v, call->kfunc);
	if (!err)
		err = release(v, call);
	if (!err)
		err = give_to_collection(v, call);
	if (!err)
		err = check_cookie(v, call);
	if (err)
		return err;
	verify_clobber(v);
	err = verify_kfunc_result(v, call);
	if (!err && call->kfunc->row == KFUNC_ROW_bpf_xdp_pull_data)
		verify_packet_changed(v);
	if (!err && call->kfunc->flags & KF_ITER_NEXT)
		err = verify_iterator_next(v, call);
	return err;
}

int verify_call_kfunc(struct verifier *v, const struct skep_insn *insn)
{
	const struct kfunc *kfunc = verify_kfunc(v, v->at);
	struct call call = {.insn = insn, .callback = NOWHERE, .kfunc = kfunc};
	int err;

	if (!insn->imm) /* it is not there, which is no harm where no path comes: see the end */
		return 0;
	if (!kfunc)
		return verify_refuse(v, KFUNC_UNKNOWN, insn->imm);
	call.name = kfunc->name;
	call.flags = kfunc->flags;
	call.btf = v->program->kernel_btf;
	call.func_id = kfunc->id;
	err = check_allowed(v, kfunc);
	if (!err)
		err = verify_kfunc_arguments(v, &call);
	if (!err)
		err = carry_out(v, &call);
	if (!err && kfunc->row == KFUNC_ROW_bpf_throw)
		return verify_throw(v);
	return err;
}

int verify_no_absent_kfunc(struct verifier *v)
{
	for (uint32_t at = 0; at < v->n_insns; at += is_load_imm64(&v->insns[at]) ? 2 : 1)
		if (v->facts[at].seen && is_kfunc_call(&v->insns[at]) && !v->insns[at].imm)
			return verify_refuse(v, ABSENT_KFUNC);
	return 0;
}
