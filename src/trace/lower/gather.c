/*
 * Many system calls through one raw tracepoint.
 *
 * Each event of `syscalls` is a perf event that the kernel sets up, and takes
 * down long after the process that had it is gone: `sys_enter_*` makes 360, and
 * the next tracer waits for what is left of them. But all of them are made from
 * the two raw tracepoints sys_enter and sys_exit. So where a probe has many
 * such places, and its body does not depend on the event's record, one of the
 * two is attached instead, and the program begins with what the kernel does
 * there: find the number of the call, and the place that belongs to it.
 *
 * The number is looked up in a table in a frozen map, one word for each number:
 * the place's index + 1, or 0 if the probe has no such place.
 *
 * What the kernel leaves out is left out here: calls of 32-bit programs (their
 * numbers mean other calls), and x32's, whose numbers lie behind every table.
 *
 * Not gathered, and so attached as written: a body that uses `args` or `ctx`
 * (the record), `func`, or `kstack` (its innermost frames are those of the way
 * here); and a call whose number is not known, as one that is newer than we.
 */
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

#include <skep/btf.h>

#include "trace/lower/lower.h"
#include "trace/parse.h"

/*
 * How many are many. Where a call is one of the places, this way costs it 90 ns
 * less than a perf event; where it is none, 90 ns more, for the program runs
 * and leaves, where the kernel would only look at a bitmap. And to attach the
 * raw tracepoint takes 3 to 18 ms: it waits for what is attached there to be
 * seen everywhere. So few events are better off as they are: 70 attach in 10 ms,
 * also shortly after others; 280 take 50 ms, and 500 shortly after others; and
 * those they leave behind slow all calls down for a while.
 */
#define LEAST_PLACES 64

#define TASK_STRUCT  "task_struct"
#if defined(__x86_64__)
#define NUMBER_OF_REGS "orig_ax"
#define COMPAT_MEMBER  "status" /* of struct thread_info */
#define COMPAT_FLAG    0x2      /* TS_COMPAT: this call came the 32-bit way */
#elif defined(__aarch64__)
#define NUMBER_OF_REGS "syscallno"
#define COMPAT_MEMBER  "flags"
#define COMPAT_FLAG    (1u << 22) /* TIF_32BIT */
#endif

/* --- Numbers ------------------------------------------------------------------------------- */

/* Events are named after the function that serves the call, which is not always the call's name. */
static const char *call_of(const char *event)
{
	static const struct {
		const char *event, *call;
	} renamed[] = {
		{"newstat", "stat"},           {"newfstat", "fstat"},
		{"newlstat", "lstat"},         {"newuname", "uname"},
		{"sendfile64", "sendfile"},    {"umount", "umount2"},
		{"fadvise64_64", "fadvise64"}, {"arm64_personality", "personality"},
	};

	for (size_t i = 0; i < sizeof(renamed) / sizeof(renamed[0]); i++) {
		if (!strcmp(renamed[i].event, event))
			return renamed[i].call;
	}
	return event;
}

static const char *prefix_of(bool is_exit)
{
	return is_exit ? "tracepoint:syscalls:sys_exit_" : "tracepoint:syscalls:sys_enter_";
}

static bool number_of(const struct skep_probe *probe, bool is_exit, uint32_t *ret)
{
	const char *target = probe->attach.target, *prefix = prefix_of(is_exit);
	size_t len = strlen(prefix);
	int64_t number;

	if (probe->special != SKEP_PROBE_ATTACHED || probe->attach.type != SKEP_ATTACH_TRACEPOINT ||
	    strncmp(target, prefix, len) || !skep_syscall_find(call_of(target + len), &number))
		return false;
	*ret = (uint32_t)number;
	return true;
}

/* --- What the program reads of the kernel --------------------------------------------------- */

static bool has_func(struct skep_btf *btf, const char *name)
{
	return skep_btf_find(btf, name, strlen(name), SKEP_BTF_MASK(SKEP_BTF_FUNC));
}

/* Bytes from the start of struct @name. */
static bool find_off(struct skep_btf *btf, const char *name, const char *member, uint32_t *ret_off,
		     uint32_t *ret_type)
{
	uint32_t id = skep_btf_find(btf, name, strlen(name), SKEP_BTF_MASK(SKEP_BTF_STRUCT));
	struct skep_btf_member found;

	if (!id || skep_btf_find_member(btf, id, member, strlen(member), &found))
		return false;
	*ret_off = found.bit_off / 8;
	*ret_type = found.type;
	return true;
}

/* The word of the current task that tells a 32-bit call, and the call's number in the registers.
 * False: this kernel's BTF or helpers do not get us there. */
static bool find_offs(struct skep_btf *btf, uint32_t *ret_compat, uint32_t *ret_number)
{
	uint32_t info, in_info, number, type;

	if (!btf || !has_func(btf, "bpf_get_current_task_btf") ||
	    !has_func(btf, "bpf_task_pt_regs") ||
	    !find_off(btf, TASK_STRUCT, "thread_info", &info, &type) ||
	    !find_off(btf, "thread_info", COMPAT_MEMBER, &in_info, &type) ||
	    !find_off(btf, "pt_regs", NUMBER_OF_REGS, &number, &type))
		return false;
	*ret_compat = info + in_info;
	*ret_number = number;
	return true;
}

/* --- Gathering ------------------------------------------------------------------------------- */

static uint32_t add_table(struct skep_lower *l, const uint32_t *places, uint32_t n)
{
	struct skep_object_map map = {
		.type = BPF_MAP_TYPE_ARRAY,
		.key_size = 4,
		.value_size = n * (uint32_t)sizeof(*places),
		.max_entries = 1,
		.flags = BPF_F_RDONLY_PROG,
		.init = places,
		.freeze = true,
	};

	snprintf(map.name, sizeof(map.name), "skep.calls%u", l->n_gathers++);
	return skep_object_add_map(l->object, &map);
}

static uint32_t count(const struct skep_trace_program *program, uint32_t first, uint32_t end,
		      bool is_exit)
{
	uint32_t n = 0, number;

	for (uint32_t i = first; i < end; i++)
		n += number_of(program->probes[i], is_exit, &number);
	return n;
}

/* The first of the places is attached for all. */
static void take(struct skep_gather *gather, struct skep_probe *probe)
{
	probe->gather = gather;
	if (gather->n++)
		return;
	gather->first = probe;
	probe->attach.type = SKEP_ATTACH_RAW_TRACEPOINT;
	probe->attach.raw_tracepoint.name = gather->is_exit ? "sys_exit" : "sys_enter";
	probe->attach.target =
		gather->is_exit ? "rawtracepoint:sys_exit" : "rawtracepoint:sys_enter";
}

static void gather(struct skep_lower *l, uint32_t first, uint32_t end, bool is_exit)
{
	struct skep_gather gather = {.is_exit = is_exit, .n_numbers = skep_syscall_end()};
	struct skep_probe **probes = l->program->probes;
	uint32_t number;

	if (count(l->program, first, end, is_exit) < LEAST_PLACES ||
	    !find_offs(skep_types_btf(l->types), &gather.compat_off, &gather.number_off))
		return;
	uint32_t *places = skep_arena_array(l->arena, uint32_t, gather.n_numbers);
	struct skep_gather *shared = skep_arena_dup(l->arena, &gather, sizeof(gather));
	for (uint32_t i = first; i < end; i++) {
		if (!number_of(probes[i], is_exit, &number))
			continue;
		places[number] = i + 1;
		take(shared, probes[i]);
	}
	shared->map = add_table(l, places, gather.n_numbers);
}

static bool depends_on_the_way(const struct skep_probe_def *def)
{
	return def->uses_args || skep_lower_mentions(def, SKEP_BI_ctx) ||
	       skep_lower_mentions(def, SKEP_BI_func) || skep_lower_mentions(def, SKEP_BI_kstack) ||
	       skep_lower_mentions_call(def, SKEP_FN_kstack);
}

void skep_lower_gather(struct skep_lower *l)
{
	const struct skep_trace_program *program = l->program;
	uint32_t end;

	for (uint32_t i = 0; i < program->n_probes; i = end) {
		const struct skep_probe_def *def = program->probes[i]->def;
		for (end = i + 1; end < program->n_probes && program->probes[end]->def == def;)
			end++;
		if (end - i < LEAST_PLACES || depends_on_the_way(def))
			continue;
		gather(l, i, end, false);
		gather(l, i, end, true);
	}
}

/* --- The beginning of such a program --------------------------------------------------------- */

static uint32_t call_number(struct skep_lower *l, const struct skep_gather *gather, uint32_t task)
{
	struct skep_ir_func *f = l->f;
	uint32_t number;

	/* sys_enter(regs, id), sys_exit(regs, ret): regs is only an address there, while the same
	 * registers found through the task can be read without a helper's call. */
	if (gather->is_exit)
		number = skep_ir_load(f, 8, R(skep_ir_calln(f, BPF_FUNC_task_pt_regs, R(task))),
				      (int32_t)gather->number_off);
	else
		number = skep_ir_load(f, 8, l->ctx, 8);
	return skep_ir_extend(f, R(number), 4, false);
}

void skep_lower_gathered_place(struct skep_lower *l)
{
	const struct skep_gather *gather = l->probe->gather;
	struct skep_ir_func *f = l->f;

	if (!gather)
		return;
	uint32_t other = skep_ir_block(f), native = skep_ir_block(f), known = skep_ir_block(f);
	uint32_t task = skep_ir_call(f, BPF_FUNC_get_current_task_btf, 0, NULL);
	uint32_t compat = skep_ir_load(f, 4, R(task), (int32_t)gather->compat_off);
	skep_ir_branch(f, SKEP_IR_TEST, R(compat), I(COMPAT_FLAG), other, native);
	skep_ir_at(f, native);
	uint32_t number = call_number(l, gather, task);
	skep_ir_branch(f, SKEP_IR_ULT, R(number), I(gather->n_numbers), known, other);
	skep_ir_at(f, other);
	skep_ir_exit(f, I(0));
	skep_ir_at(f, known);
	uint32_t off = skep_ir_alu(f, SKEP_IR_SHL, R(number), I(2));
	uint32_t at = skep_ir_alu(f, SKEP_IR_ADD, R(skep_ir_map_value(f, gather->map, 0)), R(off));
	uint32_t place = skep_ir_load(f, 4, R(at), 0), mine = skep_ir_block(f);
	skep_ir_branch(f, SKEP_IR_NE, R(place), I(0), mine, other);
	skep_ir_at(f, mine);
	l->place = R(place);
}
