/*
 * Light-weight tunnels: a route whose packets pass a program, as they come in
 * (lwt_in), before they are sent (lwt_out), or where they leave and may be
 * changed (lwt_xmit); or an IPv6 segment (SRv6) whose function is the program
 * (lwt_seg6local). The route to a prefix by a device is made for it, by netlink
 * (linux/bpf_route.h); one that is there already is not touched.
 *
 * A route has no descriptor: the undo takes it off, by the socket that made it,
 * and so in the same network namespace. A process that is killed before leaves
 * it behind (ip route del PREFIX dev DEVICE). The device's end ends it too.
 */
#include "load/network.h"

#include <errno.h>
#include <stdlib.h>

#include "base/arena.h"
#include "linux/bpf_route.h"

static const struct load_reason reasons[] = {
	{-EINVAL, "the route is no prefix, as in 192.0.2.0/24 or 2001:db8::/32", NULL},
	{-ENODEV, "there is no such network device in this network namespace", NULL},
	{-ENETDOWN, "the device is down", "ip link set DEVICE up"},
	{-EEXIST, "there is such a route already", NULL},
	{-EOPNOTSUPP, "this kernel has no programs at routes", "a kernel with CONFIG_LWTUNNEL_BPF"},
	{0},
};

static void undo(void *state)
{
	skep_bpf_route_remove(state);
	free(state);
}

static int attach(struct skep_session *session, const struct skep_attach *at,
		  struct skep_bpf_route *route)
{
	const struct skep_object_prog *prog = &session->object->progs[at->prog];
	int err = skep_bpf_route_parse(at->lwt.route, route);

	err = err ?: skep_bpf_route_add(route, prog->type, session->prog_fds[at->prog], prog->name);
	if (err)
		return err;
	struct skep_bpf_route *kept = skep_xmalloc(sizeof(*kept));
	*kept = *route;
	load_undo_add(session, undo, kept);
	return 0;
}

int load_attach_lwt(struct skep_session *session, const struct skep_attach *at,
		    struct skep_diag *diag)
{
	const uint32_t type = session->object->progs[at->prog].type;
	struct skep_bpf_route route = {.fd = -1, .ifindex = at->lwt.ifindex};
	int err = load_network_cookie(at, diag);

	if (err)
		return err;
	if ((type < BPF_PROG_TYPE_LWT_IN || type > BPF_PROG_TYPE_LWT_XMIT) &&
	    type != BPF_PROG_TYPE_LWT_SEG6LOCAL)
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_ATTACH_PROG, at->span, at->target,
				      at->prog);
	err = attach(session, at, &route);
	if (err) {
		load_network_failed(at, err, reasons, diag);
		load_network_words(route.words, diag);
	}
	return err;
}
