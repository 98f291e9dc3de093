/*
 * Traffic control without tcx: the program as a filter of the device's clsact
 * (linux/tc_filter.h).
 *
 * Neither has a descriptor. They are taken off by an undo, which asks by the
 * socket that made them, and so in the same network namespace. A process that
 * is killed before leaves both behind (tc qdisc del dev DEVICE clsact takes
 * them off): with tcx nothing can be.
 */
#include "load/network.h"

#include <errno.h>
#include <stdlib.h>

#include "base/arena.h"
#include "linux/tc_filter.h"

static const struct load_reason reasons[] = {
	{-ENODEV, "there is no such network device in this network namespace", NULL},
	{-EINVAL, "this kernel's traffic control has no clsact or no BPF filters",
	 "a kernel built with CONFIG_NET_CLS_BPF and CONFIG_NET_SCH_INGRESS, or with tcx"},
	{-ENOENT, "this kernel's traffic control has no clsact or no BPF filters",
	 "a kernel built with CONFIG_NET_CLS_BPF and CONFIG_NET_SCH_INGRESS, or with tcx"},
	{-EOPNOTSUPP, "the device or this kernel has no traffic control", NULL},
	{0},
};

static void undo(void *state)
{
	skep_tc_filter_remove(state);
	free(state);
}

int load_clsact(struct skep_session *session, const struct skep_attach *at, struct skep_diag *diag)
{
	struct skep_tc_filter filter, *kept;
	int err = skep_tc_filter_add(at->tc.ifindex, at->tc.egress, session->prog_fds[at->prog],
				     session->object->progs[at->prog].name, &filter);

	if (err) {
		load_network_failed(at, err, reasons, diag);
		load_network_words(filter.words, diag);
		return err;
	}
	kept = skep_xmalloc(sizeof(*kept));
	*kept = filter;
	load_undo_add(session, undo, kept);
	return 0;
}
