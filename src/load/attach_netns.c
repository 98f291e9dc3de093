/*
 * Network namespaces: which listening socket gets a packet (sk_lookup), and how
 * the kernel finds protocols and ports in one (flow_dissector). By link, which
 * ends with its namespace; replaced in place.
 *
 * There may be 64 of the first. Of the second there is one: the first
 * namespace's is everybody's, and stands in the way of all others.
 */
#include "load/network.h"

#include <errno.h>

static const struct load_reason lookup_reasons[] = {
	{-EINVAL, "that is no network namespace, or this kernel has no such hook", NULL},
	{-E2BIG, "a network namespace takes at most 64 programs", NULL},
	{0},
};

static const struct load_reason dissector_reasons[] = {
	{-EINVAL, "that is no network namespace, or this kernel has no such hook", NULL},
	{-E2BIG, "another program is there already", NULL},
	{-EEXIST, "another program is there already, or at the machine's first namespace", NULL},
	{0},
};

int load_attach_netns(struct skep_session *session, const struct skep_attach *at,
		      struct skep_diag *diag)
{
	const uint32_t type = session->object->progs[at->prog].type;
	struct link_create_attr attr = {.target = (uint32_t)at->netns.netns_fd};

	if (type != BPF_PROG_TYPE_SK_LOOKUP && type != BPF_PROG_TYPE_FLOW_DISSECTOR)
		return skep_diag_fail(diag, -EINVAL, SKEP_DIAG_ATTACH_PROG, at->span, at->target,
				      at->prog);
	const bool looks_up = type == BPF_PROG_TYPE_SK_LOOKUP;
	attr.attach_type = looks_up ? BPF_SK_LOOKUP : BPF_FLOW_DISSECTOR;
	return load_network_link(session, at, &attr, looks_up ? lookup_reasons : dissector_reasons,
				 diag);
}
