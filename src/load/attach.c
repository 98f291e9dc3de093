/*
 * Attaching: one table of attach types, made from attach.def, and what they
 * share. Each type's file opens its events; programs are put on perf events
 * here, by link where the kernel has links.
 *
 * Invariant: a failed attach leaves the session as it was.
 */
#include "load/attach.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "base/fd.h"
#include "linux/close.h"
#include "linux/link_info.h"
#include "linux/privilege.h"

enum { MOST_FILES = 1 << 20 };

static const struct attach_type {
	int (*attach)(struct skep_session *session, const struct skep_attach *at,
		      struct skep_diag *diag);
	uint32_t prog_type;
	const char *what;
} types[SKEP_ATTACH_CNT] = {
#define ATTACH(name, func, prog_type, what)                                                        \
	[SKEP_ATTACH_##name] = {load_attach_##func, prog_type, what},
#include <skep/attach.def>
#undef ATTACH
};

void load_link_add(struct skep_session *session, int fd)
{
	skep_vec_push(&session->links, fd);
}

void load_undo_add(struct skep_session *session, void (*undo)(void *state), void *state)
{
	struct load_undo entry = {undo, state};

	skep_vec_push(&session->undos, entry);
}

/* How much of everything there was before an attachment. */
struct mark {
	size_t links, events, undos;
};

static struct mark mark_of(const struct skep_session *session)
{
	return (struct mark){session->links.len, session->events.len, session->undos.len};
}

/* Programs first, and waiting until they are off; the events behind them may take their time. */
static void drop(struct skep_session *session, struct mark keep)
{
	size_t n_links = session->links.len - keep.links;
	size_t n_events = session->events.len - keep.events;

	while (session->undos.len > keep.undos) {
		struct load_undo entry = session->undos.data[--session->undos.len];
		entry.undo(entry.state);
	}
	for (size_t i = keep.links; i < session->links.len; i++)
		session->missed += skep_link_missed(session->links.data[i]);
	if (n_links)
		skep_close_parallel(session->links.data + keep.links, n_links);
	if (n_events)
		skep_close_background(session->events.data + keep.events, n_events);
	session->links.len = keep.links;
	session->events.len = keep.events;
}

void skep_session_detach_all(struct skep_session *session)
{
	drop(session, (struct mark){0});
}

int skep_session_attach(struct skep_session *session, const struct skep_attach *at,
			struct skep_diag *diag)
{
	const struct skep_object *object = session->object;
	const struct mark before = mark_of(session);
	int err;

	if ((unsigned)at->type >= SKEP_ATTACH_CNT)
		return -EINVAL;
	/* A table names its programs itself, and may have none. */
	if (at->type != SKEP_ATTACH_STRUCT_OPS && at->prog >= object->n_progs)
		return -EINVAL;
	if (types[at->type].prog_type && object->progs[at->prog].type != types[at->type].prog_type)
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_ATTACH_PROG, at->span, at->target,
				      at->prog);
	err = types[at->type].attach(session, at, diag);
	if (err)
		drop(session, before);
	return err;
}

/* Hundreds of probes need hundreds of descriptors; shells give a soft limit of 1024, and some
 * systems a hard one of 4096, which those may raise who have CAP_SYS_RESOURCE. */
static bool raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return false;
	if (limit.rlim_cur < limit.rlim_max)
		limit.rlim_cur = limit.rlim_max;
	else if (limit.rlim_max < MOST_FILES)
		limit = (struct rlimit){MOST_FILES, MOST_FILES};
	else
		return false;
	return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

int load_perf_open(struct perf_event_attr *attr, pid_t pid, int cpu)
{
	int fd = skep_perf_event_open(attr, pid, cpu, -1, 0);

	if (fd == -EMFILE && raise_files())
		fd = skep_perf_event_open(attr, pid, cpu, -1, 0);
	return fd;
}

int load_link_create(struct skep_session *session, const struct skep_attach *at,
		     struct link_create_attr *attr)
{
	attr->fd = (uint32_t)session->prog_fds[at->prog];
	int fd = skep_bpf(BPF_LINK_CREATE, (union bpf_attr *)attr, sizeof(*attr));

	if (fd == -EMFILE && raise_files())
		fd = skep_bpf(BPF_LINK_CREATE, (union bpf_attr *)attr, sizeof(*attr));
	if (fd < 0)
		return fd;
	load_link_add(session, fd);
	return 0;
}

/* Kernels before 5.15: the program hangs on the event itself, and there are no cookies. */
static int put_on_event(int prog_fd, int event_fd)
{
	if (ioctl(event_fd, PERF_EVENT_IOC_SET_BPF, prog_fd) < 0 ||
	    ioctl(event_fd, PERF_EVENT_IOC_ENABLE, 0) < 0)
		return -errno;
	return 0;
}

/*
 * The link holds the event too. Its descriptor is kept even so: whoever closes
 * the last one waits for the event to go, and that can be left to the kernel.
 */
int load_perf_link(struct skep_session *session, const struct skep_attach *at, int event_fd)
{
	_cleanup_close_ int event = event_fd;
	int prog_fd = session->prog_fds[at->prog];
	int fd = skep_bpf_link_create(prog_fd, event, BPF_PERF_EVENT, at->cookie);

	if (fd == -EMFILE && raise_files())
		fd = skep_bpf_link_create(prog_fd, event, BPF_PERF_EVENT, at->cookie);
	if (fd >= 0) {
		load_link_add(session, fd);
		skep_vec_push(&session->events, TAKE_FD(event));
		return 0;
	}
	if ((fd != -EINVAL && fd != -E2BIG) || at->cookie)
		return fd;
	int err = put_on_event(prog_fd, event);
	if (!err)
		load_link_add(session, TAKE_FD(event));
	return err;
}

size_t skep_session_n_links(const struct skep_session *session)
{
	return session->links.len;
}

int skep_session_link_fd(const struct skep_session *session, size_t i)
{
	return i < session->links.len ? session->links.data[i] : -1;
}

int skep_session_replace(struct skep_session *session, size_t i, uint32_t prog,
			 struct skep_diag *diag)
{
	union bpf_attr attr;

	if (i >= session->links.len || prog >= session->object->n_progs)
		return -EINVAL;
	memset(&attr, 0, sizeof(attr));
	attr.link_update.link_fd = (uint32_t)session->links.data[i];
	attr.link_update.new_prog_fd = (uint32_t)session->prog_fds[prog];
	int err = skep_bpf(BPF_LINK_UPDATE, &attr, sizeof(attr));
	if (!err)
		return 0;
	return skep_diag_fail(diag, err == -EINVAL ? -EOPNOTSUPP : err, SKEP_DIAG_LINK_REPLACE,
			      SKEP_NOWHERE, session->object->progs[prog].name, strerror(-err));
}

static void explain_attach(const struct skep_attach *at, int err, struct skep_diag *diag)
{
	if (err == -EMFILE || err == -ENFILE)
		skep_diag_try(diag, "a higher limit of open files (ulimit -n), or fewer probes");
	else if (err == -E2BIG)
		skep_diag_why(diag, "a place takes at most 64 programs at a time");
	else if (err == -EEXIST)
		skep_diag_why(diag, "the program is attached there already");
	else if (err == -ESRCH)
		skep_diag_why(diag, "there is no such process");
}

int load_attach_failed(const struct skep_attach *at, int err, struct skep_diag *diag)
{
	char action[256];

	if (err == -EPERM || err == -EACCES) {
		snprintf(action, sizeof(action), "attach to %s", at->target);
		return skep_privilege_fail(diag, err, SKEP_PRIVILEGE_PERF, at->span, action);
	}
	skep_diag_add(diag, SKEP_DIAG_ATTACH_FAILED, at->span, at->target, strerror(-err));
	explain_attach(at, err, diag);
	return err;
}
