/* Clocks, cgroups, signals. */
#include <linux/bpf.h>
#include <string.h>
#include <time.h>

#include "trace/lower/lower.h"

#define FN(name)                                                                                   \
	struct skep_value skep_fn_##name(struct skep_lower *l, const struct skep_expr *call)

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now = {0};

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* sw_tai: boot time plus what lay between the two clocks when the script was compiled. */
FN(nsecs)
{
	const char *clock = call->args->text;
	int32_t helper = BPF_FUNC_ktime_get_boot_ns;
	int64_t add = 0;

	if (!strcmp(clock, "monotonic"))
		helper = BPF_FUNC_ktime_get_ns;
	else if (!strcmp(clock, "tai"))
		helper = BPF_FUNC_ktime_get_tai_ns;
	else if (!strcmp(clock, "sw_tai"))
		add = clock_ns(CLOCK_TAI) - clock_ns(CLOCK_BOOTTIME);
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

FN(cgroup_path)
{
	struct skep_value path = skep_lower_temp(l, call->type);
	const struct skep_expr *filter = call->args->next;

	skep_ir_store(l->f, 8, path.opnd, 0, skep_lower_scalar(l, call->args));
	skep_ir_store(l->f, 8, path.opnd, 8,
		      I(skep_lower_string_id(l, filter && filter->text ? filter->text : "*")));
	return path;
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
