/*
 * Programs of one socket: a filter of what it receives (SO_ATTACH_BPF), and the
 * choice among the sockets that share a port (SO_ATTACH_REUSEPORT_EBPF).
 *
 * There are no links for these. The program goes with the socket, or by the
 * undo, which has the socket by a descriptor of its own: it lives until the
 * session lets go. A socket has one filter; the option would put another in its
 * place without a word, so the one that is there is asked for. Of the choice
 * among sockets nothing can be asked: the last one counts.
 */
#include "load/network.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/fd.h"

struct option {
	int fd; /* owned */
	int detach;
};

static const struct load_reason reasons[] = {
	{-EBUSY, "the socket has a filter already", NULL},
	{-EINVAL, "the program is for another kind of socket, or SO_REUSEPORT is not set on it",
	 NULL},
	{-ENOTSOCK, "that is no socket", NULL},
	{-EBADF, "that is no socket", NULL},
	{-EPERM, "the socket's filter is locked (SO_LOCK_FILTER)", NULL},
	{-ENOPROTOOPT, "this kernel's sockets do not have the option", NULL},
	{0},
};

static void undo(void *state)
{
	struct option *option = state;
	const int unused = 0;

	setsockopt(option->fd, SOL_SOCKET, option->detach, &unused, sizeof(unused));
	skep_close(&option->fd);
	free(option);
}

static int set(struct skep_session *session, const struct skep_attach *at, int attach, int detach)
{
	_cleanup_close_ int fd = fcntl(at->socket.fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, attach, &session->prog_fds[at->prog],
				 sizeof(session->prog_fds[at->prog])) < 0)
		return -errno;
	struct option *option = skep_xmalloc(sizeof(*option));
	*option = (struct option){TAKE_FD(fd), detach};
	load_undo_add(session, undo, option);
	return 0;
}

/* Classic filters are told by their length; of others only that they cannot be shown (EACCES). */
static bool has_filter(int fd)
{
	socklen_t len = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &len) < 0)
		return errno == EACCES;
	return len > 0;
}

int load_attach_socket_filter(struct skep_session *session, const struct skep_attach *at,
			      struct skep_diag *diag)
{
	int err = load_network_cookie(at, diag);

	if (err)
		return err;
	err = has_filter(at->socket.fd) ? -EBUSY : set(session, at, SO_ATTACH_BPF, SO_DETACH_BPF);
	return err ? load_network_failed(at, err, reasons, diag) : 0;
}

/* Programs of two types may choose: those made for it, and filters, which say which by number. */
int load_attach_reuseport(struct skep_session *session, const struct skep_attach *at,
			  struct skep_diag *diag)
{
	int err = load_network_cookie(at, diag);

	if (err)
		return err;
	err = set(session, at, SO_ATTACH_REUSEPORT_EBPF, SO_DETACH_REUSEPORT_BPF);
	return err ? load_network_failed(at, err, reasons, diag) : 0;
}
