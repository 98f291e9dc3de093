/*
 * Traffic control: a program at a device's ingress or egress.
 *
 * Newer kernels have tcx, which is by link: it needs no queueing discipline,
 * its programs run before tc's filters, can be replaced in place and go with
 * their descriptors. A kernel without it knows no such attach type and says
 * EINVAL; then the program becomes a filter of the device's clsact.
 */
#include "load/network.h"

#include <errno.h>

static const struct load_reason reasons[] = {
	{-ENODEV, "there is no such network device in this network namespace", NULL},
	{-ERANGE, "a device takes at most 64 programs in each direction", NULL},
	{0},
};

int load_attach_tc(struct skep_session *session, const struct skep_attach *at,
		   struct skep_diag *diag)
{
	struct link_create_attr attr = {.target = at->tc.ifindex,
					.attach_type = at->tc.egress ? ATTACH_TCX_EGRESS
								     : ATTACH_TCX_INGRESS};
	int err = load_network_cookie(at, diag);

	if (err)
		return err;
	err = at->tc.clsact ? -EINVAL : load_link_create(session, at, &attr);
	if (err == -EINVAL)
		return load_clsact(session, at, diag);
	return err ? load_network_failed(at, err, reasons, diag) : 0;
}
