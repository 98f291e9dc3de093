/*
 * A session's life: open (maps, BTF, programs), run, ask, close. Attaching is
 * attach.c's. Read session.h for who owns what.
 */
#include "load/session.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/fd.h"
#include "linux/bpf.h"

static int *new_fds(size_t n)
{
	int *fds = skep_xmalloc((n ? n : 1) * sizeof(*fds));

	for (size_t i = 0; i < n; i++)
		fds[i] = -1;
	return fds;
}

static void free_fds(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		skep_close(&fds[i]);
	free(fds);
}

static struct skep_session *new_session(const struct skep_object *object, struct skep_buf *log)
{
	struct skep_session *session = skep_xcalloc(1, sizeof(*session));

	session->object = object;
	session->log = log;
	session->map_fds = new_fds(object->n_maps);
	session->prog_fds = new_fds(object->n_progs);
	session->btf_fd = -1;
	return session;
}

int skep_session_open(const struct skep_object *object, struct skep_buf *log,
		      struct skep_session **ret, struct skep_diag *diag)
{
	struct skep_session *session = new_session(object, log);
	int err;

	err = load_btf(session, diag);
	err = err ?: load_maps(session, diag);
	err = err ?: load_progs(session, diag);
	if (err) {
		skep_session_close(session);
		return err;
	}
	*ret = session;
	return 0;
}

void skep_session_close(struct skep_session *session)
{
	if (!session)
		return;
	skep_session_detach_all(session);
	skep_vec_done(&session->links);
	skep_vec_done(&session->events);
	skep_vec_done(&session->undos);
	free_fds(session->prog_fds, session->object->n_progs);
	free_fds(session->map_fds, session->object->n_maps);
	skep_close(&session->btf_fd);
	skep_line_index_done(&session->lines);
	free(session);
}

int skep_session_map_fd(const struct skep_session *session, uint32_t map)
{
	return map < session->object->n_maps ? session->map_fds[map] : -1;
}

int skep_session_prog_fd(const struct skep_session *session, uint32_t prog)
{
	return prog < session->object->n_progs ? session->prog_fds[prog] : -1;
}
