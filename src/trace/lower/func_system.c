/* Clocks, cgroups, signals. */
#include <linux/bpf.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "trace/lower/lower.h"

#define CGROUP_LEVELS_MOST 16

#define FN(name)                                                                                   \
	struct skep_value skep_fn_##name(struct skep_lower *l, const struct skep_expr *call)

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now = {0};

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* The time of nsecs and elapsed: since boot, or where the kernel cannot tell that, while awake. */
int32_t skep_lower_clock(struct skep_lower *l)
{
	return skep_lower_best(l, SKEP_FOR_CLOCK) ? BPF_FUNC_ktime_get_boot_ns
						  : BPF_FUNC_ktime_get_ns;
}

/* sw_tai: boot time plus what lay between the two clocks when the script was compiled. */
FN(nsecs)
{
	const char *clock = call->args->text;
	int32_t helper = skep_lower_clock(l);
	int64_t add = 0;

	if (!strcmp(clock, "monotonic"))
		helper = BPF_FUNC_ktime_get_ns;
	else if (!strcmp(clock, "tai"))
		helper = BPF_FUNC_ktime_get_tai_ns;
	else if (!strcmp(clock, "sw_tai"))
		add = clock_ns(CLOCK_TAI) - clock_ns(skep_trace_clock(l->program));
	uint32_t now = skep_ir_call(l->f, helper, 0, NULL);
	if (add)
		now = skep_ir_alu(l->f, SKEP_IR_ADD, R(now), I(add));
	return skep_value_int(R(now), call->type);
}

/* Constants by the time they get here, as texts are. */
FN(getopt)
{
	return skep_value_int(I(call->integer), call->type);
}

FN(cgroupid)
{
	return skep_value_int(I(call->integer), call->type);
}

FN(inode)
{
	return skep_value_int(I(call->integer), call->type);
}

/* Which level of the hierarchy the cgroup is at cannot be told from inside a namespace: the
 * process's own ancestors are compared from the root on, until there is none any more. */
FN(in_cgroup)
{
	struct skep_ir_func *f = l->f;
	uint32_t found = skep_ir_var(f), done = skep_ir_block(f);

	skep_ir_set(f, found, I(0));
	for (int level = 0; level < CGROUP_LEVELS_MOST; level++) {
		uint32_t next = skep_ir_block(f), equal = skep_ir_block(f),
			 differs = skep_ir_block(f);
		uint32_t id = skep_ir_calln(f, BPF_FUNC_get_current_ancestor_cgroup_id, I(level));
		skep_ir_branch(f, SKEP_IR_NE, R(id), I(0), differs, done);
		skep_ir_at(f, differs);
		skep_ir_branch(f, SKEP_IR_EQ, R(id), I(call->integer), equal, next);
		skep_ir_at(f, equal);
		skep_ir_set(f, found, I(1));
		skep_ir_jump(f, done);
		skep_ir_at(f, next);
	}
	skep_ir_jump(f, done);
	skep_ir_at(f, done);
	return skep_value_int(R(found), call->type);
}

FN(cgroup_path)
{
	struct skep_value path = skep_lower_temp(l, call->type);
	const struct skep_expr *filter = call->args->next;

	skep_ir_store(l->f, 8, path.opnd, 0, skep_lower_scalar(l, call->args));
	skep_ir_store(l->f, 8, path.opnd, 8,
		      I(skep_lower_string_id(l, filter && filter->text ? filter->text : "*")));
	return path;
}

/* The initial namespace of processes: its inode's number is fixed (PROC_PID_INIT_INO). */
#define PID_INIT_INO 0xEFFFFFFCu

/* The helper finds the namespace by where its file lies. A process that it does not hold is 0. */
static uint32_t ids_in(struct skep_lower *l, const struct stat *ns, bool is_process)
{
	uint32_t slot = skep_ir_slot(l->f, sizeof(struct bpf_pidns_info), 4);
	size_t off = is_process ? offsetof(struct bpf_pidns_info, tgid)
				: offsetof(struct bpf_pidns_info, pid);

	skep_ir_calln(l->f, BPF_FUNC_get_ns_current_pid_tgid, I(ns->st_dev), I(ns->st_ino),
		      S(slot, 0), I(sizeof(struct bpf_pidns_info)));
	return skep_ir_load(l->f, 4, S(slot, 0), (int32_t)off);
}

struct skep_value skep_lower_ids(struct skep_lower *l, const struct skep_type *type,
				 bool is_process, bool is_initial)
{
	struct stat ns;

	if (!is_initial && !stat("/proc/self/ns/pid", &ns) && ns.st_ino != PID_INIT_INO)
		return skep_value_int(R(ids_in(l, &ns, is_process)), type);
	if (l->probe->hook) /* before Linux 6.10 the helper is for tracing programs alone */
		return skep_lower_task_number(l, type, is_process ? "tgid" : "pid");
	uint32_t both = skep_ir_call(l->f, BPF_FUNC_get_current_pid_tgid, 0, NULL);
	uint32_t part = is_process ? skep_ir_alu(l->f, SKEP_IR_SHR, R(both), I(32))
				   : skep_ir_extend(l->f, R(both), 4, false);
	return skep_value_int(R(part), type);
}

FN(pid)
{
	return skep_lower_ids(l, call->type, true, !strcmp(call->args->text, "init"));
}
FN(tid)
{
	return skep_lower_ids(l, call->type, false, !strcmp(call->args->text, "init"));
}

FN(signal_thread)
{
	skep_ir_calln(l->f, BPF_FUNC_send_signal_thread, skep_lower_scalar(l, call->args));
	return (struct skep_value){.type = &skep_type_none};
}

FN(signal)
{
	skep_ir_calln(l->f, BPF_FUNC_send_signal, skep_lower_scalar(l, call->args));
	return (struct skep_value){.type = &skep_type_none};
}

FN(override)
{
	skep_ir_calln(l->f, BPF_FUNC_override_return, l->ctx, skep_lower_scalar(l, call->args));
	return (struct skep_value){.type = &skep_type_none};
}
