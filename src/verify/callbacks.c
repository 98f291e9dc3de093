/*
 * Functions that a helper or kernel function calls back.
 *
 *	at once     bpf_loop() and the like. The path forks at the call: one way is the function,
 *	            in a frame of its own, and when that returns the call is come to again; the
 *	            other goes past it. So states.c sees the rounds of a loop at the call, and ends
 *	            them when nothing has changed.
 *	later       timers, work queues. The function begins a path of its own, with a fresh stack:
 *	            nothing of the caller's is left then.
 *
 * What the function gets is in the table of its caller.
 *
 * Source  behaviour of Linux 6.18, push_callback_call(), push_async_cb(), set_…_callback_state()
 */
#include "verify/call.h"

#include <string.h>

/* --- What they get --------------------------------------------------------------------------- */

static void give_map(struct reg *reg, enum reg_kind kind, const struct reg *from)
{
	verify_reg_pointer(reg, kind, 0);
	reg->map = from->map;
	reg->map_uid = from->map_uid;
}

static bool can_be_walked(const struct skep_map *map)
{
	switch (map->type) {
	case SKEP_MAP_HASH:
	case SKEP_MAP_PERCPU_HASH:
	case SKEP_MAP_LRU_HASH:
	case SKEP_MAP_LRU_PERCPU_HASH:
	case SKEP_MAP_ARRAY:
	case SKEP_MAP_PERCPU_ARRAY: return true;
	default: return false;
	}
}

/* (map, key, value, context) */
static int for_each_map_elem(struct verifier *v, struct call *call, const struct reg *from,
			     struct frame *to)
{
	if (!can_be_walked(call->map))
		return verify_refuse(v, CALLBACK_MAP);
	to->regs[SKEP_R1] = from[SKEP_R1];
	give_map(&to->regs[SKEP_R2], REG_MAP_KEY, &from[SKEP_R1]);
	give_map(&to->regs[SKEP_R3], REG_MAP_VALUE, &from[SKEP_R1]);
	to->regs[SKEP_R4] = from[SKEP_R3];
	return 0;
}

/* (index, context) */
static int loop(struct verifier *v, struct call *call, const struct reg *from, struct frame *to)
{
	verify_reg_unknown(v, &to->regs[SKEP_R1]);
	to->regs[SKEP_R2] = from[SKEP_R3];
	return 0;
}

/* (task, vma, context) */
static int find_vma(struct verifier *v, struct call *call, const struct reg *from, struct frame *to)
{
	struct reg *vma = &to->regs[SKEP_R2];

	to->regs[SKEP_R1] = from[SKEP_R1];
	verify_reg_pointer(vma, REG_BTF_PTR, 0);
	vma->btf = v->program->kernel_btf;
	vma->btf_id = verify_kernel_struct(v, "vm_area_struct");
	to->regs[SKEP_R3] = from[SKEP_R4];
	return 0;
}

/* (dynptr, context) */
static int user_ringbuf_drain(struct verifier *v, struct call *call, const struct reg *from,
			      struct frame *to)
{
	verify_reg_dynptr(v, &to->regs[SKEP_R1], DYNPTR_LOCAL);
	to->regs[SKEP_R2] = from[SKEP_R3];
	return 0;
}

/* (map, key, value) of the map that the timer or work is in: that of the caller's @regno. */
static int in_map(struct frame *to, const struct reg *map)
{
	give_map(&to->regs[SKEP_R1], REG_MAP_PTR, map);
	give_map(&to->regs[SKEP_R2], REG_MAP_KEY, map);
	give_map(&to->regs[SKEP_R3], REG_MAP_VALUE, map);
	return 0;
}

static int timer(struct verifier *v, struct call *call, const struct reg *from, struct frame *to)
{
	return in_map(to, &from[SKEP_R1]);
}

static int task_work(struct verifier *v, struct call *call, const struct reg *from,
		     struct frame *to)
{
	return in_map(to, &from[SKEP_R3]);
}

/* (node, node) of what the tree holds, which is not the function's own. */
static int rbtree_add(struct verifier *v, struct call *call, const struct reg *from,
		      struct frame *to)
{
	verify_graph_node(v, call, &to->regs[SKEP_R1]);
	verify_graph_node(v, call, &to->regs[SKEP_R2]);
	return 0;
}

struct caller {
	const char *name; /* of the helper or kernel function */
	int (*arguments)(struct verifier *v, struct call *call, const struct reg *from,
			 struct frame *to);
	struct range32 ret;
	bool later, may_sleep;
};

#define ANY_INT                                                                                    \
	{                                                                                          \
		INT32_MIN, INT32_MAX                                                               \
	}

static const struct caller helper_callers[] = {
	{"for_each_map_elem", for_each_map_elem, {0, 1}, false, false},
	{"loop", loop, {0, 1}, false, false},
	{"find_vma", find_vma, {0, 1}, false, false},
	{"user_ringbuf_drain", user_ringbuf_drain, {0, 1}, false, false},
	{"timer_set_callback", timer, {0, 0}, true, false},
};

static const struct caller kfunc_callers[] = {
	{"bpf_rbtree_add_impl", rbtree_add, {0, 1}, false, false},
	{"bpf_wq_set_callback_impl", timer, {0, 0}, true, true},
	{"bpf_task_work_schedule_signal_impl", task_work, ANY_INT, true, true},
	{"bpf_task_work_schedule_resume_impl", task_work, ANY_INT, true, true},
};

static const struct caller *find_caller(const struct call *call)
{
	const struct caller *callers = call->proto ? helper_callers : kfunc_callers;
	size_t n = call->proto ? sizeof(helper_callers) / sizeof(*helper_callers)
			       : sizeof(kfunc_callers) / sizeof(*kfunc_callers);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(callers[i].name, call->name))
			return &callers[i];
	return NULL;
}

/* --- At once --------------------------------------------------------------------------------- */

static int call_now(struct verifier *v, struct call *call, const struct caller *caller)
{
	struct state *state = verify_fork(v, v->funcs[call->callback].start, v->at, false);
	struct frame *from, *to;
	int err;

	if (!state)
		return verify_no_fork(v, -ENOMEM);
	err = verify_frame_push(v, state, call->callback, v->at);
	if (err)
		return err;
	to = top_frame(state);
	from = state->frames[state->n_frames - 2];
	to->in_callback = true;
	to->callback_ret = caller->ret;
	err = caller->arguments(v, call, from->regs, to);
	if (err)
		return err;
	/* the way back finds the caller as a call leaves it */
	state->callback_unroll_depth++;
	from->callback_depth++;
	top_frame(v->state)->callback_depth = 0;
	return 0;
}

/* --- Later ----------------------------------------------------------------------------------- */

static int push(struct verifier *v, struct state *state, uint32_t at)
{
	skep_vec_push(&v->pending, ((struct pending){state, at, v->at, v->log ? v->log->len : 0,
						     verify_trail_len(v), v->n_processed}));
	if (v->pending.len > MOST_PENDING)
		return verify_refuse(v, TOO_MANY_ASYNC, (unsigned)v->pending.len);
	return 0;
}

static int call_later(struct verifier *v, struct call *call, const struct caller *caller)
{
	const struct frame *from = top_frame(v->state);
	struct state *state = verify_state_new(v);
	struct frame *to;
	int err;

	v->funcs[call->callback].is_async_callback = true;
	if (!state)
		return -ENOMEM;
	state->in_sleepable = caller->may_sleep;
	err = verify_frame_push(v, state, call->callback, NOWHERE);
	if (!err)
		err = push(v, state, v->funcs[call->callback].start);
	else
		verify_state_free(v, state);
	if (err)
		return err;
	to = top_frame(state);
	to->async_entries = from->async_entries + 1;
	to->in_async_callback = true;
	to->callback_ret = caller->ret;
	return caller->arguments(v, call, from->regs, to);
}

int verify_call_back(struct verifier *v, struct call *call)
{
	const struct caller *caller = find_caller(call);

	if (!caller || call->callback == NOWHERE)
		return -EFAULT;
	v->funcs[call->callback].is_callback = true;
	verify_callback_types(v, call->callback);
	return caller->later ? call_later(v, call, caller) : call_now(v, call, caller);
}
