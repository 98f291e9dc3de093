/* Checks of the functions on clocks, cgroups and signals: nsecs() … override(). */
#include "trace/types/typer.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define CHECK(name)                                                                                \
	const struct skep_type *skep_check_fn_##name(struct skep_typer *t, struct skep_expr *call)

#define MAX_SIGNAL        64
#define KERNEL_MINOR_BITS 20 /* of the kernel's own dev_t */

CHECK(nsecs)
{
	static const char *const clocks[] = {"monotonic", "boot", "tai", "sw_tai"};
	const struct skep_expr *arg = call->args;

	if (arg->kind != SKEP_E_IDENT)
		return TYPE_ERROR(t, arg->span, ARG_LITERAL, "nsecs", "the name of a clock");
	for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
		if (!strcmp(clocks[i], arg->text))
			return &skep_type_u64;
	}
	return TYPE_ERROR(t, arg->span, CLOCK, arg->text);
}

/* A cgroup's id is the number of its folder's inode. */
CHECK(cgroupid)
{
	struct stat st;

	if (!skep_want_text(t, call, 0))
		return NULL;
	if (stat(call->args->text, &st))
		return TYPE_ERROR(t, call->args->span, CGROUP_PATH, call->args->text,
				  strerror(errno));
	call->is_const = true;
	call->integer = (int64_t)st.st_ino;
	return &skep_type_u64;
}

CHECK(inode)
{
	struct stat st;

	if (!skep_want_text(t, call, 0))
		return NULL;
	if (stat(call->args->text, &st))
		return TYPE_ERROR(t, call->args->span, NO_PATH, call->args->text, strerror(errno));
	call->is_const = true;
	call->integer = (int64_t)st.st_ino;
	return &skep_type_u64;
}

CHECK(devnum)
{
	struct stat st;

	if (!skep_want_text(t, call, 0))
		return NULL;
	int err = stat(call->args->text, &st) ? errno : 0;
	if (!err && !S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		err = ENODEV;
	if (err)
		return TYPE_ERROR(t, call->args->span, DEVICE_PATH, call->args->text,
				  strerror(err));
	call->is_const = true;
	call->integer = (int64_t)major(st.st_rdev) << KERNEL_MINOR_BITS | minor(st.st_rdev);
	return &skep_type_u64;
}

CHECK(in_cgroup)
{
	if (!skep_check_fn_cgroupid(t, call))
		return NULL;
	call->is_const = false;
	return &skep_type_bool;
}

CHECK(cgroup_path)
{
	if (!skep_want_int(t, call, 0))
		return NULL;
	if (call->n_args > 1 && !skep_want_text(t, call, 1))
		return NULL;
	return &skep_type_cgroup_path;
}

/* "KILL" or "SIGKILL"; 0: no such signal. */
static int find_signal(const char *name)
{
	if (!strncasecmp(name, "SIG", 3))
		name += 3;
	for (int i = 1; i < MAX_SIGNAL; i++) {
		const char *known = sigabbrev_np(i);
		if (known && !strcasecmp(known, name))
			return i;
	}
	return 0;
}

/* A name becomes its number in the tree. */
CHECK(signal)
{
	struct skep_expr *arg = call->args;

	if (skep_is_const_string(arg)) {
		int number = find_signal(arg->text);
		if (!number)
			return TYPE_ERROR(t, arg->span, SIGNAL_NAME, arg->text);
		arg->kind = SKEP_E_INT;
		arg->integer = number;
		arg->type = &skep_type_s64;
		arg->text = NULL;
		return &skep_type_none;
	}
	if (skep_is_const_int(arg))
		skep_want_const(t, call, 0, 1, MAX_SIGNAL);
	else
		skep_want_int(t, call, 0);
	return &skep_type_none;
}

CHECK(signal_thread)
{
	return skep_check_fn_signal(t, call);
}

static const struct skep_type *check_namespace(struct skep_typer *t, const struct skep_expr *call)
{
	const struct skep_expr *arg = call->args;

	if (arg->kind != SKEP_E_IDENT ||
	    (strcmp(arg->text, "curr_ns") != 0 && strcmp(arg->text, "init") != 0))
		return TYPE_ERROR(t, arg->span, ARG_LITERAL, skep_function_name(call),
				  "curr_ns or init");
	return &skep_type_u32;
}

CHECK(pid)
{
	return check_namespace(t, call);
}

CHECK(tid)
{
	return check_namespace(t, call);
}

CHECK(override)
{
	const struct skep_provider *provider = t->probe->provider;
	bool is_kprobe = provider->prog_type == BPF_PROG_TYPE_KPROBE &&
			 provider->ctx == SKEP_CTX_REGS && provider->space == SKEP_SPACE_KERNEL &&
			 !provider->is_return;

	if (!is_kprobe)
		return skep_bad_probe(t, call);
	skep_want_int(t, call, 0);
	return &skep_type_none;
}
