/*
 * What is known of some refusals beyond their row: the kind of pointer, what was to be given back,
 * what may be returned, where the time goes. Memory with its numbers is in explain_memory.c.
 */
#include "verify/explain_tell.h"

#include <stdlib.h>
#include <string.h>

#include "verify/call.h"
#include "verify/explain_source.h"

static const struct reg *subject(const struct telling *t)
{
	return t->subject >= 0 ? &t->trail->regs[t->subject] : &verify_reg_unset;
}

/* --- A pointer that may be NULL -------------------------------------------------------------- */

/* What the program calls the pointer: by the line that it came from. */
static const char *name_of_pointer(struct telling *t, const char *otherwise)
{
	const char *name = NULL;
	uint32_t step;

	if (t->subject >= 0 && explain_origin(t, t->trail->len - 1, (unsigned)t->subject, &step)) {
		struct skep_explain_place place = explain_place(t, trail_step(t->trail, step)->at);

		name = explain_name_assigned(t->arena, place.text);
	}
	return name ? name : otherwise;
}

static void check_for_null(struct telling *t)
{
	t->ret->hint = "compare it with NULL first, and use it only where it is not";
	t->ret->code = skep_arena_printf(t->arena, "if (!%s)\n\treturn %s;",
					 name_of_pointer(t, "pointer"), explain_result(t));
}

static void may_be_null(struct telling *t)
{
	const struct reg *reg = subject(t);

	t->ret->what = skep_arena_printf(t->arena,
					 "this uses %s that may not be there: the pointer can be "
					 "NULL",
					 explain_pointee(t, reg));
	if (reg->kind == REG_MAP_VALUE)
		t->ret->counterexample = skep_arena_printf(
			t->arena, "where the key is not in map %s, r%d is NULL here",
			reg->map->name, t->subject);
	check_for_null(t);
}

void explain_null_argument(struct telling *t)
{
	t->ret->what = skep_arena_printf(t->arena,
					 "%s must be given a pointer that is not NULL, and r%d "
					 "can be",
					 explain_callee(t, t->step->at), t->subject);
	check_for_null(t);
}

/* --- A register that is no address ----------------------------------------------------------- */

/* The call that ended the pointer, and whether that gave back what was acquired; NULL: none did. */
static const char *ended_by(struct telling *t, bool *ret_released)
{
	const struct trail *trail = t->trail;
	uint16_t mask = (uint16_t)(1u << t->subject);
	uint32_t frame = t->step->frame;

	for (uint32_t i = trail->len - 1; i-- > trail_first(trail);) {
		const struct trail_step *step = trail_step(trail, i);

		if (step->frame == frame && step->lost_regs & mask) {
			*ret_released = trail_step(trail, i + 1)->n_refs < step->n_refs;
			return explain_callee(t, step->at);
		}
	}
	return NULL;
}

static void number_as_address(struct telling *t)
{
	const struct reg *reg = subject(t);
	bool released = false;
	const char *call = ended_by(t, &released);

	if (call) {
		t->ret->what = skep_arena_printf(
			t->arena, "this uses a pointer that is not valid any more since %s", call);
		t->ret->hint = released ? "use it only before it is given back"
					: "get the pointer anew behind the call, and check it "
					  "again";
		return;
	}
	if (verify_reg_is_null(reg)) {
		t->ret->what = "this uses a pointer that is NULL here";
		t->ret->hint = "use it only on the way on which it is not NULL";
		return;
	}
	t->ret->what = "this uses a number as if it were an address";
	t->ret->why = skep_arena_printf(t->arena,
					"r%d holds a number (%s), and only what came as a pointer "
					"may be followed",
					t->subject, explain_reg(t, reg));
	t->ret->hint = "what an address in memory leads to is read with "
		       "bpf_probe_read_kernel() or bpf_probe_read_user()";
}

void explain_kind(struct telling *t)
{
	const struct reg *reg = subject(t);

	if (t->subject < 0)
		return;
	if (reg->flags & PTR_MAYBE_NULL) {
		may_be_null(t);
	} else if (reg->kind == REG_SCALAR) {
		number_as_address(t);
	} else if (reg->kind == REG_PACKET_END) {
		t->ret->what = "the packet's end is there to be compared with: there is nothing "
			       "to read";
	} else {
		t->ret->what = skep_arena_printf(t->arena, "%s cannot be read or written this way",
						 explain_pointee(t, reg));
	}
}

/* --- A register that was not set ------------------------------------------------------------- */

/* The call before, that left nothing in r1 to r5; NULL: it was no call. */
static const char *emptied_by(struct telling *t)
{
	const struct trail *trail = t->trail;

	if (t->subject < SKEP_R1 || t->subject > SKEP_R5)
		return NULL;
	for (uint32_t i = trail->len - 1; i-- > trail_first(trail);) {
		const struct trail_step *step = trail_step(trail, i);

		if (step->frame == t->step->frame &&
		    t->v->insns[step->at].code == (SKEP_JMP | SKEP_CALL))
			return explain_callee(t, step->at);
	}
	return NULL;
}

void explain_uninit(struct telling *t)
{
	const char *call;

	if (t->subject < 0)
		return;
	call = emptied_by(t);
	if (t->insn->code == (SKEP_JMP | SKEP_EXIT)) {
		t->ret->what = "this returns without a result: r0 was not set on this path";
		t->ret->hint = "return a value on every path";
		return;
	}
	if (t->insn->code == (SKEP_JMP | SKEP_CALL)) {
		t->ret->what = skep_arena_printf(
			t->arena, "%s takes an argument in r%d, and nothing was put there",
			explain_callee(t, t->step->at), t->subject);
		return;
	}
	if (!call)
		return;
	t->ret->what = skep_arena_printf(t->arena,
					 "r%d is read after %s, and a call leaves "
					 "nothing in r1 to r5",
					 t->subject, call);
	t->ret->hint = "keep it in r6 to r9 or on the stack over the call";
}

/* --- What was to be given back --------------------------------------------------------------- */

static const struct {
	const char *acquires, *releases, *code; /* code: with the pointer's name */
} pairs[] = {
	{"bpf_ringbuf_reserve()", "bpf_ringbuf_submit() or bpf_ringbuf_discard()",
	 "bpf_ringbuf_discard(%s, 0);"},
	{"bpf_ringbuf_reserve_dynptr()",
	 "bpf_ringbuf_submit_dynptr() or bpf_ringbuf_discard_dynptr()",
	 "bpf_ringbuf_discard_dynptr(&%s, 0);"},
	{"bpf_sk_lookup_tcp()", "bpf_sk_release()", "bpf_sk_release(%s);"},
	{"bpf_sk_lookup_udp()", "bpf_sk_release()", "bpf_sk_release(%s);"},
	{"bpf_skc_lookup_tcp()", "bpf_sk_release()", "bpf_sk_release(%s);"},
	{"bpf_map_lookup_elem()", "bpf_sk_release()", "bpf_sk_release(%s);"},
	{"bpf_obj_new_impl()", "bpf_obj_drop()", "bpf_obj_drop(%s);"},
	{"bpf_percpu_obj_new_impl()", "bpf_percpu_obj_drop()", "bpf_percpu_obj_drop(%s);"},
	{"bpf_refcount_acquire_impl()", "bpf_obj_drop()", "bpf_obj_drop(%s);"},
	{"bpf_task_acquire()", "bpf_task_release()", "bpf_task_release(%s);"},
	{"bpf_task_from_pid()", "bpf_task_release()", "bpf_task_release(%s);"},
	{"bpf_task_from_vpid()", "bpf_task_release()", "bpf_task_release(%s);"},
	{"bpf_cgroup_acquire()", "bpf_cgroup_release()", "bpf_cgroup_release(%s);"},
	{"bpf_cgroup_ancestor()", "bpf_cgroup_release()", "bpf_cgroup_release(%s);"},
	{"bpf_cgroup_from_id()", "bpf_cgroup_release()", "bpf_cgroup_release(%s);"},
	{"bpf_cpumask_create()", "bpf_cpumask_release()", "bpf_cpumask_release(%s);"},
	{"bpf_cpumask_acquire()", "bpf_cpumask_release()", "bpf_cpumask_release(%s);"},
	{"bpf_lookup_user_key()", "bpf_key_put()", "bpf_key_put(%s);"},
	{"bpf_lookup_system_key()", "bpf_key_put()", "bpf_key_put(%s);"},
	{"bpf_get_task_exe_file()", "bpf_put_file()", "bpf_put_file(%s);"},
	{"bpf_iter_num_new()", "bpf_iter_num_destroy()", "bpf_iter_num_destroy(&%s);"},
	{"bpf_spin_lock()", "bpf_spin_unlock()", NULL},
	{"bpf_res_spin_lock()", "bpf_res_spin_unlock()", NULL},
	{"bpf_res_spin_lock_irqsave()", "bpf_res_spin_unlock_irqrestore()", NULL},
	{"bpf_local_irq_save()", "bpf_local_irq_restore()", NULL},
};

void explain_held(struct telling *t)
{
	const struct ref *held = explain_held_ref(t);
	uint32_t at = held ? held->insn : NOWHERE;
	const char *call, *name, *lock;

	if (at >= t->v->n_insns)
		return;
	call = explain_callee(t, at);
	lock = explain_argument_of(t->arena, explain_place(t, at).text, "bpf_spin_lock");
	if (lock)
		t->ret->code = skep_arena_printf(t->arena, "bpf_spin_unlock(%s);", lock);
	t->ret->what = skep_arena_printf(
		t->arena, "what %s %s is not given back on one of the ways to the end", call,
		held->kind == REF_PTR ? "gives" : "takes");
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		if (strcmp(pairs[i].acquires, call))
			continue;
		t->ret->hint = skep_arena_printf(
			t->arena, "call %s on every way on which it is held", pairs[i].releases);
		name = explain_name_assigned(t->arena, explain_place(t, at).text);
		if (pairs[i].code && name)
			t->ret->code = skep_arena_printf(t->arena, pairs[i].code, name);
	}
}

/* --- Results --------------------------------------------------------------------------------- */

void explain_returned(struct telling *t)
{
	const struct trail *trail = t->trail;
	const struct reg *r0 = &trail->regs[SKEP_R0];
	const char *who = t->step->frame ? "this function" : "the program";
	long long min, max;

	if (trail->n_args < 2 || r0->kind != REG_SCALAR)
		return;
	min = trail->args[trail->n_args - 2].number;
	max = trail->args[trail->n_args - 1].number;
	t->ret->what = min == max
			       ? skep_arena_printf(t->arena,
						   "%s must return %lld here, and may "
						   "return something else",
						   who, min)
			       : skep_arena_printf(t->arena, "%s may return only %lld to %lld here",
						   who, min, max);
	t->ret->why = skep_arena_printf(t->arena, "what it returns is %s", explain_reg(t, r0));
}

/* --- Arguments ------------------------------------------------------------------------------- */

static const struct {
	const char *word, *plain;
} kinds[] = {
	{"fp", "the stack"},
	{"pkt", "the packet"},
	{"pkt_meta", "the packet's metadata"},
	{"map_ptr", "a map"},
	{"map_value", "a value of a map"},
	{"map_key", "a key of a map"},
	{"mem", "memory of a known size"},
	{"ringbuf_mem", "a record of a ring buffer"},
	{"buf", "a buffer"},
	{"rdonly_buf", "a buffer"},
	{"ctx", "the context"},
	{"scalar", "a number"},
	{"func", "a function"},
	{"sock", "a socket"},
	{"sock_common", "a socket"},
	{"tcp_sock", "a TCP socket"},
	{"xdp_sock", "an XDP socket"},
	{"ptr_", "an object of the kernel"},
	{"trusted_ptr_", "an object of the kernel that is sure to stay"},
	{"rcu_ptr_", "an object of the kernel within an RCU read section"},
	{"percpu_ptr_", "a variable of the kernel's for each CPU"},
};

static const char *plain_kind(struct telling *t, const char *word, size_t len)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strncmp(kinds[i].word, word, len) && !kinds[i].word[len])
			return kinds[i].plain;
	return skep_arena_dup(t->arena, word, len);
}

/* "fp, pkt, mem" in plain words. */
static const char *plain_kinds(struct telling *t, const char *list)
{
	struct skep_buf out = {0};
	const char *copy, *last = "";

	/* whatever can be read: the kernel names nine kinds */
	if (!strncmp(list, "fp, pkt", 7))
		return "memory (of the stack, the packet or a map)";
	while (*list) {
		size_t len = strcspn(list, ",");
		const char *plain = plain_kind(t, list, len);

		list += len + (list[len] == ',');
		list += strspn(list, " ");
		if (strcmp(plain, last))
			skep_buf_printf(&out, "%s%s", !out.len ? "" : *list ? ", " : " or ", plain);
		last = plain;
	}
	copy = skep_arena_strdup(t->arena, out.data ? out.data : "something else");
	skep_buf_done(&out);
	return copy;
}

void explain_argument(struct telling *t)
{
	const struct reg *reg = subject(t);
	const char *words = t->trail->words, *expected = strstr(words, "expected=");

	if (t->subject < 0)
		return;
	if (reg->flags & PTR_MAYBE_NULL) {
		explain_null_argument(t);
		return;
	}
	if (!expected)
		return;
	t->ret->what = skep_arena_printf(t->arena, "%s takes %s as argument %d, and is given %s",
					 explain_callee(t, t->step->at),
					 plain_kinds(t, expected + strlen("expected=")), t->subject,
					 explain_pointee(t, reg));
	if (!t->ret->hint)
		t->ret->hint = "pass what the function takes: its declaration is in "
			       "bpf_helper_defs.h or the kernel's BTF";
	if (reg->kind == REG_SCALAR)
		t->ret->why = skep_arena_printf(t->arena, "r%d holds a number: %s", t->subject,
						explain_reg(t, reg));
}

/* --- Limits ---------------------------------------------------------------------------------- */

#define HOTTEST 3

static bool is_same_line(const struct skep_explain_place *a, const struct skep_explain_place *b)
{
	return a->line == b->line && a->file && b->file && !strcmp(a->file, b->file);
}

/* The instruction that was processed most, of lines that are not in @known. */
static uint32_t hottest(struct telling *t, const struct skep_explain_place *known, uint32_t n)
{
	uint32_t most = NOWHERE;

	for (uint32_t at = 0; at < t->v->n_insns; at++) {
		struct skep_explain_place place;
		bool seen = false;

		if (!t->trail->visits[at] ||
		    (most != NOWHERE && t->trail->visits[at] <= t->trail->visits[most]))
			continue;
		place = explain_place(t, at);
		for (uint32_t i = 0; i < n; i++)
			seen |= is_same_line(&place, &known[i]) || place.slot == known[i].slot;
		if (!seen)
			most = at;
	}
	return most;
}

static uint32_t most_visited(const struct telling *t)
{
	uint32_t most = 0;

	for (uint32_t at = 1; at < t->v->n_insns; at++)
		if (t->trail->visits[at] > t->trail->visits[most])
			most = at;
	return most;
}

void explain_limit(struct telling *t)
{
	struct skep_explain_place places[HOTTEST];
	struct skep_explanation *ret = t->ret;

	for (ret->n_links = 0; ret->n_links < HOTTEST; ret->n_links++) {
		uint32_t at = hottest(t, places, ret->n_links);

		if (at == NOWHERE || t->trail->visits[at] < t->trail->visits[most_visited(t)] / 8)
			break;
		places[ret->n_links] = explain_place(t, at);
		ret->chain[ret->n_links] = (struct skep_explain_link){
			.place = places[ret->n_links],
			.insn = explain_insn(t, at),
			.says = skep_arena_printf(t->arena, "looked at %u times",
						  (unsigned)t->trail->visits[at]),
		};
	}
}
