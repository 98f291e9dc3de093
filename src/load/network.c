/* See network.h. */
#include "load/network.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

#include "linux/privilege.h"

static const struct load_reason *find(const struct load_reason *reasons, int err)
{
	while (reasons->err && reasons->err != err)
		reasons++;
	return reasons->err ? reasons : NULL;
}

/* EPERM is about rights first; whoever has them is told what else it may mean here. */
static bool lacks_rights(int err)
{
	return (err == -EPERM || err == -EACCES) && !skep_has_cap(CAP_NET_ADMIN);
}

int load_network_failed(const struct skep_attach *at, int err, const struct load_reason *reasons,
			struct skep_diag *diag)
{
	const struct load_reason *reason = find(reasons, err);
	char action[256];

	if (lacks_rights(err) || (!reason && err == -EPERM)) {
		snprintf(action, sizeof(action), "attach to %s", at->target);
		return skep_privilege_fail(diag, err, SKEP_PRIVILEGE_NETWORK, at->span, action);
	}
	if (!reason)
		return load_attach_failed(at, err, diag);
	skep_diag_add(diag, SKEP_DIAG_ATTACH_FAILED, at->span, at->target, strerror(-err));
	skep_diag_why(diag, "%s", reason->why);
	if (reason->hint)
		skep_diag_try(diag, "%s", reason->hint);
	return err;
}

void load_network_words(const char *words, struct skep_diag *diag)
{
	if (words[0])
		skep_diag_why(diag, "the kernel says: %s", words);
}

int load_network_cookie(const struct skep_attach *at, struct skep_diag *diag)
{
	if (!at->cookie)
		return 0;
	skep_diag_add(diag, SKEP_DIAG_ATTACH_COOKIE, at->span, at->target);
	skep_diag_try(diag, "a program of its own for each place: the network's have no cookies");
	return -EINVAL;
}

int load_network_link(struct skep_session *session, const struct skep_attach *at,
		      struct link_create_attr *attr, const struct load_reason *reasons,
		      struct skep_diag *diag)
{
	int err = load_network_cookie(at, diag);

	if (err)
		return err;
	err = load_link_create(session, at, attr);
	return err ? load_network_failed(at, err, reasons, diag) : 0;
}
