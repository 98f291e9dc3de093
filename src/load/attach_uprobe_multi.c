/*
 * Many places of one file by one link. Against an event for each place, as
 * attach_uprobe.c makes, it costs one descriptor and one system call, and all
 * of it comes off at once. A session's program runs at entry, and at return
 * where it gave 0.
 */
#include "load/attach.h"

#include <errno.h>

#include "linux/feature.h"

static uint64_t address(const void *ptr)
{
	return (uint64_t)(uintptr_t)ptr;
}

static int report(const struct skep_attach *at, int err, struct skep_diag *diag)
{
	bool is_session = at->uprobe_multi.session;
	enum skep_feature_id id =
		is_session ? SKEP_FEATURE_UPROBE_SESSION : SKEP_FEATURE_UPROBE_MULTI;

	load_attach_failed(at, err, diag);
	if (err == -ENOENT)
		skep_diag_why(diag, "there is no file %s", at->uprobe_multi.path);
	else if (err == -EBADF)
		skep_diag_why(diag, "%s is not an ordinary file", at->uprobe_multi.path);
	else if (err == -EINVAL && !skep_has_feature(id))
		skep_diag_why(diag, "this kernel has no %s links", skep_feature(id)->name);
	else if (err == -EINVAL || err == -EIO || err == -EOPNOTSUPP)
		skep_diag_why(diag, "one of the %u places in %s is not the start of an instruction",
			      at->uprobe_multi.n, at->uprobe_multi.path);
	return err;
}

int load_attach_uprobe_multi(struct skep_session *session, const struct skep_attach *at,
			     struct skep_diag *diag)
{
	struct link_create_attr attr = {
		.attach_type =
			at->uprobe_multi.session ? ATTACH_UPROBE_SESSION : ATTACH_UPROBE_MULTI,
	};

	attr.uprobe_multi.path = address(at->uprobe_multi.path);
	attr.uprobe_multi.offsets = address(at->uprobe_multi.file_offs);
	attr.uprobe_multi.ref_ctr_offsets = address(at->uprobe_multi.ref_ctr_offs);
	attr.uprobe_multi.cookies = address(at->uprobe_multi.cookies);
	attr.uprobe_multi.cnt = at->uprobe_multi.n;
	attr.uprobe_multi.flags = at->uprobe_multi.ret ? UPROBE_MULTI_RETURN : 0;
	attr.uprobe_multi.pid = (uint32_t)at->uprobe_multi.pid;
	int err = load_link_create(session, at, &attr);

	return err ? report(at, err, diag) : 0;
}
