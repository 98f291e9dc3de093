/*
 * xdp and tc: packets as they come in at an interface, or pass its queues.
 *
 * A place is an interface and a hook. What a frame begins with depends on the
 * interface: Ethernet's header, or IP at once (tunnels, wireguard); its type
 * (ARPHRD_…) tells. Wildcards mean the interfaces that are up. The interfaces
 * are those of our own network namespace.
 */
#include "trace/provider/provider.h"

#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/fd.h"
#include "base/vec.h"

struct interface {
	const char *name;
	uint32_t index;
	bool is_up;
	enum skep_link link; /* NONE: of a kind that cannot be read */
	uint32_t type;       /* ARPHRD_… */
};

/* --- Interfaces --------------------------------------------------------------------------- */

static const struct link_row {
	uint32_t type;
	enum skep_link link;
} links[] = {
	{ARPHRD_ETHER, SKEP_LINK_ETHER}, {ARPHRD_LOOPBACK, SKEP_LINK_ETHER},
	{ARPHRD_NONE, SKEP_LINK_NET},    {ARPHRD_TUNNEL, SKEP_LINK_NET},
	{ARPHRD_TUNNEL6, SKEP_LINK_NET}, {ARPHRD_SIT, SKEP_LINK_NET},
	{ARPHRD_PPP, SKEP_LINK_NET},     {ARPHRD_RAWIP, SKEP_LINK_NET},
};

static enum skep_link link_of(uint32_t type)
{
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		if (links[i].type == type)
			return links[i].link;
	}
	return SKEP_LINK_NONE;
}

/* What the kernel says of it; one that has just gone is down. */
static void ask(int sock, struct interface *interface)
{
	struct ifreq req = {0};

	strncpy(req.ifr_name, interface->name, sizeof(req.ifr_name) - 1);
	if (!ioctl(sock, SIOCGIFFLAGS, &req))
		interface->is_up = req.ifr_flags & IFF_UP;
	if (!ioctl(sock, SIOCGIFHWADDR, &req))
		interface->type = req.ifr_hwaddr.sa_family;
	interface->link = link_of(interface->type);
}

/* Every interface whose name matches; names on the arena. Return how many | -errno */
static int find_interfaces(struct skep_expand *x, const char *pattern, struct interface **ret)
{
	_cleanup_close_ int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct if_nameindex *all = if_nameindex();
	int n = 0, most = 0;

	if (sock < 0 || !all) {
		if_freenameindex(all);
		return -errno;
	}
	while (all[most].if_index)
		most++;
	*ret = skep_arena_array(x->arena, struct interface, (size_t)most + 1);
	for (int i = 0; i < most; i++) {
		if (!skep_wildcard_match(pattern, all[i].if_name))
			continue;
		struct interface *one = &(*ret)[n++];
		one->name = skep_arena_strdup(x->arena, all[i].if_name);
		one->index = all[i].if_index;
		ask(sock, one);
	}
	if_freenameindex(all);
	return n;
}

/* --- Places ------------------------------------------------------------------------------- */

static int fail_missing(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	_cleanup_names_ struct skep_names names = {0};
	const char *wanted = spec->parts[1];
	struct interface *all;
	int n = find_interfaces(x, "*", &all);

	for (int i = 0; i < n && !skep_has_wildcard(wanted); i++)
		skep_vec_push(&names, all[i].name);
	return skep_expand_missing(
		x, skep_spec_span(x, spec, 1),
		skep_has_wildcard(wanted)
			? skep_arena_printf(x->arena, "interface that is up and matches %s", wanted)
			: skep_arena_printf(x->arena, "interface %s", wanted),
		wanted, &names);
}

/* A second program would find the interface taken, by the first. */
static bool has_other(const struct skep_expand *x, const struct interface *interface)
{
	for (uint32_t i = 0; i < x->n_probes; i++) {
		const struct skep_probe *probe = x->probes[i];
		if (probe->hook && probe->hook->id == SKEP_AT_XDP && probe->def != x->def &&
		    probe->attach.xdp.ifindex == interface->index)
			return true;
	}
	return false;
}

static int add_place(struct skep_expand *x, const struct skep_probe_spec *spec,
		     const struct skep_trace_hook *hook, const struct interface *interface)
{
	const struct skep_provider *provider = skep_provider_find(hook->provider);
	struct skep_probe *probe;

	if (hook->id == SKEP_AT_XDP && has_other(x, interface))
		return skep_diag_fail(x->diag, -EBUSY, SKEP_DIAG_PROBE_XDP_TWICE, spec->span,
				      interface->name);
	probe = skep_expand_add(x, provider, spec);
	if (!probe)
		return -E2BIG;
	probe->hook = hook;
	probe->link = interface->link;
	probe->ifname = interface->name;
	if (hook->id == SKEP_AT_XDP) {
		probe->attach.type = SKEP_ATTACH_XDP;
		probe->attach.xdp.ifindex = interface->index;
	} else {
		probe->attach.type = SKEP_ATTACH_TC;
		probe->attach.tc.ifindex = interface->index;
		probe->attach.tc.egress = hook->id == SKEP_AT_TC_EGRESS;
	}
	skep_probe_name(x, probe, "%s:%s%s%s", hook->provider, interface->name,
			hook->name[0] ? ":" : "", hook->name);
	return 0;
}

/* Packets belong to no process; what -c runs is only what makes them. */
static int fail_pid(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	return skep_expand_refused(x, skep_provider_find(spec->parts[0]), spec->span,
				   "packets belong to no process, and one is asked for",
				   "leave -p out; cgroup probes such as connect4 know processes");
}

static int fail_link(struct skep_expand *x, const struct skep_probe_spec *spec,
		     const struct interface *interface)
{
	return skep_expand_refused(
		x, skep_provider_find(spec->parts[0]), skep_spec_span(x, spec, 1),
		skep_arena_printf(x->arena, "%s is of type %u, whose frames skep cannot read",
				  interface->name, interface->type),
		NULL);
}

static int add_places(struct skep_expand *x, const struct skep_probe_spec *spec,
		      const char *hooks_wanted)
{
	bool any = skep_has_wildcard(spec->parts[1]);
	struct interface *interfaces;
	int n = find_interfaces(x, spec->parts[1], &interfaces), err = 0;
	uint32_t before = x->n_probes;

	if (x->pid >= 0 && !x->cmd_path)
		return fail_pid(x, spec);
	if (n == 1 && !any && interfaces[0].link == SKEP_LINK_NONE)
		return fail_link(x, spec, &interfaces[0]);
	for (int i = 0; i < n; i++) {
		if (any && (!interfaces[i].is_up || interfaces[i].link == SKEP_LINK_NONE))
			continue;
		for (int id = SKEP_AT_XDP; id <= SKEP_AT_TC_EGRESS && !err; id++) {
			const struct skep_trace_hook *hook = skep_hook(id);
			if (!strcmp(hook->provider, spec->parts[0]) &&
			    skep_wildcard_match(hooks_wanted, hook->name))
				err = add_place(x, spec, hook, &interfaces[i]);
		}
	}
	return err || x->n_probes > before ? err : fail_missing(x, spec);
}

int skep_xdp_expand(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	if (spec->n_parts != 2)
		return skep_spec_bad_parts(x, skep_provider_find("xdp"), spec);
	return add_places(x, spec, "*");
}

static bool is_direction(const char *pattern)
{
	return skep_wildcard_match(pattern, "ingress") || skep_wildcard_match(pattern, "egress");
}

int skep_tc_expand(struct skep_expand *x, const struct skep_probe_spec *spec)
{
	if (spec->n_parts != 3 || !is_direction(spec->parts[2]))
		return skep_spec_bad_parts(x, skep_provider_find("tc"), spec);
	return add_places(x, spec, spec->parts[2]);
}

/* --- Listing ------------------------------------------------------------------------------ */

static int list(struct skep_expand *x, const char *provider, const struct skep_probe_spec *pattern,
		struct skep_buf *out)
{
	const char *wanted = pattern->n_parts > 1 ? pattern->parts[1] : "*";
	const char *hooks_wanted = pattern->n_parts > 2 ? pattern->parts[2] : "*";
	struct interface *interfaces;
	int n = find_interfaces(x, wanted, &interfaces);

	for (int i = 0; i < n; i++) {
		for (int id = SKEP_AT_XDP; id <= SKEP_AT_TC_EGRESS; id++) {
			const struct skep_trace_hook *hook = skep_hook(id);
			if (strcmp(hook->provider, provider) != 0 ||
			    !skep_wildcard_match(hooks_wanted, hook->name))
				continue;
			skep_buf_printf(out, "%s:%s%s%s\n", provider, interfaces[i].name,
					hook->name[0] ? ":" : "", hook->name);
		}
	}
	return 0;
}

int skep_xdp_list(struct skep_expand *x, const struct skep_probe_spec *pattern, bool verbose,
		  struct skep_buf *out)
{
	return list(x, "xdp", pattern, out);
}

int skep_tc_list(struct skep_expand *x, const struct skep_probe_spec *pattern, bool verbose,
		 struct skep_buf *out)
{
	return list(x, "tc", pattern, out);
}
