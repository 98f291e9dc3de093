/*
 * Programs that the kernel calls directly from a trampoline, without a breakpoint:
 * fentry, fexit and fmod_ret on functions of the kernel, of modules and of other
 * BPF programs; tp_btf; LSM hooks; freplace. Where a program goes is said when it
 * is loaded (attach_btf_id, attach_fd); attaching makes it take effect. Only
 * freplace may name another place here.
 *
 * An LSM program for one control group (BPF_LSM_CGROUP) is loaded in the same way,
 * but attached to the group.
 *
 * Kernels before 5.19 know none of these as links to be created, but open them
 * like raw tracepoints without a name.
 */
#include "load/attach.h"

#include <errno.h>

static const struct skep_object_prog *prog_of(const struct skep_session *session,
					      const struct skep_attach *at)
{
	return &session->object->progs[at->prog];
}

static int open_as_raw(struct skep_session *session, const struct skep_attach *at)
{
	int fd = skep_bpf_raw_tracepoint_open(NULL, session->prog_fds[at->prog]);

	if (fd < 0)
		return fd;
	load_link_add(session, fd);
	return 0;
}

static int open_link(struct skep_session *session, const struct skep_attach *at)
{
	struct link_create_attr attr = {
		.target = (uint32_t)at->tracing.target_fd,
		.attach_type = prog_of(session, at)->expected_attach_type,
	};

	attr.tracing.target_btf_id = at->tracing.btf_id;
	attr.tracing.cookie = at->cookie;
	int err = load_link_create(session, at, &attr);
	bool is_old = err == -EINVAL && !at->cookie && !at->tracing.target_fd;

	return is_old ? open_as_raw(session, at) : err;
}

static int report(const struct skep_attach *at, int err, struct skep_diag *diag)
{
	load_attach_failed(at, err, diag);
	if (err == -KERNEL_ENOTSUPP || err == -EOPNOTSUPP)
		skep_diag_why(diag, "this kernel cannot call programs from its functions: it was "
				    "built without CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS");
	else if (err == -EBUSY)
		skep_diag_why(diag, "another program is in the way: a function that is replaced "
				    "takes no other program");
	else if (err == -ENOENT)
		skep_diag_why(diag, "ftrace does not know the function: it cannot be traced");
	return err;
}

int load_attach_tracing(struct skep_session *session, const struct skep_attach *at,
			struct skep_diag *diag)
{
	uint32_t type = prog_of(session, at)->type;

	if (type != BPF_PROG_TYPE_TRACING && type != BPF_PROG_TYPE_LSM && type != BPF_PROG_TYPE_EXT)
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_ATTACH_PROG, at->span, at->target,
				      at->prog);
	int err = open_link(session, at);

	return err ? report(at, err, diag) : 0;
}

int load_attach_lsm_cgroup(struct skep_session *session, const struct skep_attach *at,
			   struct skep_diag *diag)
{
	struct link_create_attr attr = {
		.target = (uint32_t)at->cgroup.cgroup_fd,
		.attach_type = BPF_LSM_CGROUP,
	};
	int err = load_link_create(session, at, &attr);

	return err ? report(at, err, diag) : 0;
}
