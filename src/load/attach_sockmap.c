/*
 * Sockmaps: programs for what sockets in the map receive (sk_skb: a parser that
 * finds messages in a stream, a verdict on each) and send (sk_msg). Sockets that
 * are put in the map afterwards have them.
 *
 * Newer kernels have links for it. Elsewhere the program is put on the map
 * itself, in place of whatever was there, so this is asked before; it goes with
 * the map, or by the undo, which keeps both until then.
 */
#include "load/network.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/fd.h"

struct place {
	int map_fd, prog_fd; /* owned */
	uint32_t attach_type;
};

static const struct load_reason reasons[] = {
	{-EBUSY, "another program is there already, or a verdict of the other kind", NULL},
	{-EINVAL, "that is no sockmap or sockhash", NULL},
	{-EOPNOTSUPP, "that is no sockmap or sockhash, or this kernel does not have the hook",
	 NULL},
	{0},
};

static bool is_taken(const struct place *place)
{
	union bpf_attr attr;
	uint32_t id = 0;

	memset(&attr, 0, sizeof(attr));
	attr.query.target_fd = (uint32_t)place->map_fd;
	attr.query.attach_type = place->attach_type;
	attr.query.prog_ids = (uint64_t)(uintptr_t)&id;
	attr.query.prog_cnt = 1;
	return skep_bpf(BPF_PROG_QUERY, &attr, sizeof(attr)) == 0 && attr.query.prog_cnt;
}

static int put(enum bpf_cmd cmd, const struct place *place)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)place->map_fd;
	attr.attach_bpf_fd = (uint32_t)place->prog_fd;
	attr.attach_type = place->attach_type;
	return skep_bpf(cmd, &attr, sizeof(attr));
}

static void drop(struct place *place)
{
	skep_close(&place->map_fd);
	skep_close(&place->prog_fd);
	free(place);
}

/* The kernel takes off this very program, not another that has come in its place. */
static void undo(void *state)
{
	struct place *place = state;

	put(BPF_PROG_DETACH, place);
	drop(place);
}

static int put_on_map(struct skep_session *session, const struct skep_attach *at,
		      uint32_t attach_type)
{
	struct place *place = skep_xmalloc(sizeof(*place));
	int err;

	place->map_fd = fcntl(at->socket.fd, F_DUPFD_CLOEXEC, 0);
	place->prog_fd = fcntl(session->prog_fds[at->prog], F_DUPFD_CLOEXEC, 0);
	place->attach_type = attach_type;
	if (place->map_fd < 0 || place->prog_fd < 0)
		err = -errno;
	else
		err = is_taken(place) ? -EBUSY : put(BPF_PROG_ATTACH, place);
	if (err)
		drop(place);
	else
		load_undo_add(session, undo, place);
	return err;
}

int load_attach_sockmap(struct skep_session *session, const struct skep_attach *at,
			struct skep_diag *diag)
{
	const struct skep_object_prog *prog = &session->object->progs[at->prog];
	struct link_create_attr attr = {
		.target = (uint32_t)at->socket.fd,
		.attach_type = prog->type == BPF_PROG_TYPE_SK_MSG ? BPF_SK_MSG_VERDICT
								  : prog->expected_attach_type,
	};
	int err = load_network_cookie(at, diag);

	if (err)
		return err;
	err = load_link_create(session, at, &attr);
	if (err == -EINVAL)
		err = put_on_map(session, at, attr.attach_type);
	return err ? load_network_failed(at, err, reasons, diag) : 0;
}
