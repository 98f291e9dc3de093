/*
 * What the attach types of the network share: words for what the kernel
 * refuses, and the two ways to put a program on traffic control.
 */
#ifndef SKEP_LOAD_NETWORK_H
#define SKEP_LOAD_NETWORK_H

#include "load/attach.h"

/** What an error means at this kind of place. A list ends with err 0. */
struct load_reason {
	int err;
	const char *why, *hint; /* hint: NULL: none */
};

/** Report that attaching failed, in the words of @reasons. Return @err */
int load_network_failed(const struct skep_attach *at, int err, const struct load_reason *reasons,
			struct skep_diag *diag);
/** Add the kernel's own words to what was reported, if it has some. */
void load_network_words(const char *words, struct skep_diag *diag);
/** No network type has cookies: -EINVAL (see @diag) if @at wants one, or else 0. */
int load_network_cookie(const struct skep_attach *at, struct skep_diag *diag);
/** load_link_create(), and the words if it fails. */
int load_network_link(struct skep_session *session, const struct skep_attach *at,
		      struct link_create_attr *attr, const struct load_reason *reasons,
		      struct skep_diag *diag);

/** clsact.c: a filter of traffic control, by netlink. Return 0 | -errno (see @diag) */
int load_clsact(struct skep_session *session, const struct skep_attach *at, struct skep_diag *diag);

#endif
