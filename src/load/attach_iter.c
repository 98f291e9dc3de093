/*
 * Iterators: a program that the kernel runs for each of its tasks, files, maps
 * … in turn. Attaching says which objects; nothing runs before somebody opens
 * the link for a pass and reads it.
 */
#include "load/attach.h"

#include <errno.h>
#include <string.h>

#include <skep/load.h>

/* Every kind of iterator reads other fields; what it does not know must be zero. */
static union bpf_iter_link_info which_objects(const struct skep_attach *at)
{
	union bpf_iter_link_info info;

	memset(&info, 0, sizeof(info));
	if (at->iter.map_fd) {
		info.map.map_fd = (uint32_t)at->iter.map_fd;
	} else if (at->iter.cgroup_order) {
		info.cgroup.order = at->iter.cgroup_order;
		info.cgroup.cgroup_fd = (uint32_t)at->iter.cgroup_fd;
	} else {
		info.task.tid = (uint32_t)at->iter.tid;
		info.task.pid = (uint32_t)at->iter.pid;
	}
	return info;
}

static bool is_narrowed(const struct skep_attach *at)
{
	return at->iter.map_fd || at->iter.cgroup_order || at->iter.tid || at->iter.pid;
}

int load_attach_iter(struct skep_session *session, const struct skep_attach *at,
		     struct skep_diag *diag)
{
	union bpf_iter_link_info info = which_objects(at);
	struct link_create_attr attr = {.attach_type = BPF_TRACE_ITER};

	if (is_narrowed(at)) {
		attr.iter.info = (uint64_t)(uintptr_t)&info;
		attr.iter.len = sizeof(info);
	}
	int err = load_link_create(session, at, &attr);
	if (!err)
		return 0;
	load_attach_failed(at, err, diag);
	if (err == -EBADF && !at->iter.map_fd)
		skep_diag_why(diag, "this iterator walks the elements of a map that must be named");
	else if (err == -E2BIG || (err == -EINVAL && is_narrowed(at)))
		skep_diag_why(diag, "this kernel's iterator cannot be narrowed in this way");
	return err;
}

int skep_session_iter_open(const struct skep_session *session, size_t i)
{
	union bpf_attr attr;

	if (i >= session->links.len)
		return -EINVAL;
	memset(&attr, 0, sizeof(attr));
	attr.iter_create.link_fd = (uint32_t)session->links.data[i];
	return skep_bpf(BPF_ITER_CREATE, &attr, sizeof(attr));
}
