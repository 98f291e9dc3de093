/*
 * What the loader's files share: the session, and the steps each of them
 * contributes to skep_session_open().
 *
 * Invariant: every descriptor is in exactly one place below or -1, so that
 * closing a half-opened session is the same as closing a whole one.
 */
#ifndef SKEP_LOAD_SESSION_H
#define SKEP_LOAD_SESSION_H

#include <skep/load.h>

#include "base/buf.h"
#include "base/vec.h"
#include <skep/object.h>

/** Takes an attachment back that would outlive the session's descriptors. */
struct load_undo {
	void (*undo)(void *state); /* frees @state too */
	void *state;
};

struct skep_session {
	const struct skep_object *object; /* borrowed */
	struct skep_buf *log;             /* borrowed; NULL: no logs wanted */
	int *map_fds, *prog_fds;          /* owned, each descriptor too; -1: not made */
	struct skep_line_index lines;     /* of the object's source */
	int btf_fd;                       /* -1: no BTF, or the kernel did not take it */
	/*
	 * Attachments. Closing a link takes its program off, and the link's event
	 * has nothing more to do. Without links (kernels before 5.15) the program
	 * hangs on the event, which then is in `links`.
	 */
	SKEP_VEC(int) links;  /* owned */
	SKEP_VEC(int) events; /* owned */
	/* What no descriptor holds (clsact filters, routes): how to take it back, latest first. */
	SKEP_VEC(struct load_undo) undos;
	uint64_t missed; /* by links that are closed now */
};

/* maps.c */
int load_maps(struct skep_session *session, struct skep_diag *diag);
/* progs.c: BTF and programs */
int load_btf(struct skep_session *session, struct skep_diag *diag);
int load_progs(struct skep_session *session, struct skep_diag *diag);

#endif
