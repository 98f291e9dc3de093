/*
 * Where paths part and meet again: what the walk is to do at each instruction.
 *
 *	prune_point        a path may be like one that was here before: states are compared, and
 *	                   now and then kept. Targets of jumps, jumps with two ways, what comes
 *	                   behind a call; calls that go into a function.
 *	force_checkpoint   a state is kept each time: an iterator's next element, may_goto, and
 *	                   calls that call back. Such loops end when a round is like the one before.
 *	jump_point         a path may have come here otherwise than from the instruction before; who
 *	                   goes back along it (precision.c) must know from where.
 *
 * Then the loops (flow.c), and what is known of functions (function_facts.c).
 *
 * That all is reached, and jumps end where instructions begin, was found when the image was linked.
 *
 * Source  behaviour of Linux 6.18, visit_insn()
 */
#include "verify/flow.h"

#include <string.h>

#include "verify/call.h"

/* --- Calls by name --------------------------------------------------------------------------- */

const char *verify_kfunc_name(const struct verifier *v, uint32_t at)
{
	const struct skep_image *image = v->image;
	uint32_t call = (uint32_t)image->insns[at].imm;

	return call < image->n_calls ? image->calls[call]->name : "";
}

static bool is_among(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static bool calls_back_at_once(const struct verifier *v, uint32_t at)
{
	const struct skep_insn *insn = &v->insns[at];

	if (is_kfunc_call(insn))
		return !strcmp(verify_kfunc_name(v, at), "bpf_rbtree_add_impl");
	switch (insn->imm) {
	case HELPER_ID_for_each_map_elem:
	case HELPER_ID_find_vma:
	case HELPER_ID_loop:
	case HELPER_ID_user_ringbuf_drain: return is_helper_call(insn);
	default: return false;
	}
}

static bool calls_back_later(const struct verifier *v, uint32_t at)
{
	static const char *const names[] = {"bpf_wq_set_callback_impl",
					    "bpf_task_work_schedule_signal_impl",
					    "bpf_task_work_schedule_resume_impl"};
	const struct skep_insn *insn = &v->insns[at];

	if (is_kfunc_call(insn))
		return is_among(verify_kfunc_name(v, at), names, sizeof(names) / sizeof(*names));
	return is_helper_call(insn) && insn->imm == HELPER_ID_timer_set_callback;
}

/* bpf_iter_num_next() and the like: that is how they are named, and must be. */
static bool is_iterator_next(const struct verifier *v, uint32_t at)
{
	const char *name = is_kfunc_call(&v->insns[at]) ? verify_kfunc_name(v, at) : "";
	size_t len = strlen(name);

	return len > 14 && !memcmp(name, "bpf_iter_", 9) && !memcmp(name + len - 5, "_next", 5);
}

/* --- Points ---------------------------------------------------------------------------------- */

/* Paths come to @at from elsewhere. */
static void come_to(struct verifier *v, uint32_t at)
{
	v->facts[at].prune_point = true;
	v->facts[at].jump_point = true;
}

static void visit_called(struct verifier *v, uint32_t at)
{
	uint32_t start = called_start(&v->insns[at], at);

	v->facts[at].prune_point = true;
	v->facts[start].jump_target = true;
	come_to(v, start);
}

static void visit_call(struct verifier *v, uint32_t at)
{
	struct insn_facts *facts = &v->facts[at];

	facts->calls_callback = calls_back_at_once(v, at);
	facts->iter_next = is_iterator_next(v, at);
	facts->force_checkpoint = facts->calls_callback || facts->iter_next;
	facts->jump_point |= facts->calls_callback;
	facts->prune_point |= facts->force_checkpoint || calls_back_later(v, at);
	come_to(v, at + 1);
	if (is_local_call(&v->insns[at]))
		visit_called(v, at);
}

static void visit_jump(struct verifier *v, uint32_t at)
{
	struct insn_facts *facts = &v->facts[at];
	uint8_t op = v->insns[at].code & 0xf0;
	uint32_t target = jump_target(&v->insns[at], at);

	if (op != SKEP_JA) {
		facts->prune_point = true;
		facts->may_goto = facts->force_checkpoint = op == SKEP_JCOND;
	}
	v->facts[target].jump_target = true;
	come_to(v, target);
}

static void visit(struct verifier *v, uint32_t at)
{
	const struct skep_insn *insn = &v->insns[at];

	if (is_function_address(insn)) {
		visit_called(v, at);
		come_to(v, at + 2);
	} else if (is_call(insn)) {
		visit_call(v, at);
	} else if (is_of_jumps(insn) && (insn->code & 0xf0) != SKEP_EXIT) {
		visit_jump(v, at);
	}
}

int verify_graph(struct verifier *v)
{
	int err = verify_function_facts(v);

	if (err)
		return err;
	for (uint32_t at = 0; at < v->n_insns; at += is_load_imm64(&v->insns[at]) ? 2 : 1)
		visit(v, at);
	flow_order(v);
	flow_components(v);
	return 0;
}
