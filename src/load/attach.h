/*
 * What the attach types share. An attach function opens what its type hangs
 * programs on and adds the descriptors to the session; attach.c takes back
 * what it added when it fails.
 */
#ifndef SKEP_LOAD_ATTACH_H
#define SKEP_LOAD_ATTACH_H

#include "linux/bpf.h"
#include "linux/newer.h"
#include "load/session.h"

/* load_attach_tracepoint(), …: Return 0 | -errno (see @diag) */
#define ATTACH(name, func, ...)                                                                    \
	int load_attach_##func(struct skep_session *session, const struct skep_attach *at,         \
			       struct skep_diag *diag);
#include <skep/attach.def>
#undef ATTACH

/** perf_event_open() that raises the limit of open files when it is in the way. */
int load_perf_open(struct perf_event_attr *attr, pid_t pid, int cpu);
/** Put the program of @at on the perf event, which is owned by this function from here on. */
int load_perf_link(struct skep_session *session, const struct skep_attach *at, int event_fd);
/** Own @fd as one more attachment. */
void load_link_add(struct skep_session *session, int fd);
/** Have @undo called with @state when the attachment is to go. */
void load_undo_add(struct skep_session *session, void (*undo)(void *state), void *state);
/** BPF_LINK_CREATE by @attr, whose fd is filled in from @at->prog, the link owned by the session;
 *  more open files are asked for when they are in the way. Return 0 | -errno */
int load_link_create(struct skep_session *session, const struct skep_attach *at,
		     struct link_create_attr *attr);

/** Report that attaching failed with @err (see @diag). Return @err */
int load_attach_failed(const struct skep_attach *at, int err, struct skep_diag *diag);

#endif
