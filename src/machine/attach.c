/*
 * PROG_ATTACH, PROG_DETACH and PROG_QUERY: programs on hooks, from before there were links.
 *
 * What is attached so is a link that nobody has a descriptor of: it hangs on its hook until it is
 * taken off or the machine ends. Hooks of cgroups, name spaces, devices and socket maps can be had
 * so; what each allows is its row here.
 *
 *	cgroup       one program, or with BPF_F_ALLOW_MULTI many; all of a place with the same flags
 *	device       many, in the order of their coming (tcx, netkit)
 *	name space   one; another takes its place
 *	socket map   one of a type; another takes its place
 *
 * Source  behaviour of Linux 6.18, bpf_prog_attach() and what it calls: kernel/bpf/cgroup.c, tcx.c,
 *         net_namespace.c, net/core/sock_map.c
 */
#include "machine/map.h"
#include "machine/prog.h"

#include <stdio.h>
#include <string.h>

#include "base/fd.h"

#define F_OVERRIDE 1u
#define F_MULTI    2u
#define F_REPLACE  4u
#define F_KNOWN    7u
#define EFFECTIVE  1u /* of queries */
#define MOST_HERE  64

enum place { NOWHERE, AT_CGROUP, AT_DEVICE, AT_NETNS, AT_SOCKMAP };

static enum place place_of(uint32_t type)
{
	if (type == ATTACH_SK_SKB_STREAM_PARSER || type == ATTACH_SK_SKB_STREAM_VERDICT ||
	    type == ATTACH_SK_SKB_VERDICT || type == ATTACH_SK_MSG_VERDICT)
		return AT_SOCKMAP;
	if (type == ATTACH_FLOW_DISSECTOR)
		return AT_NETNS;
	if (type == ATTACH_TCX_INGRESS || type == ATTACH_TCX_EGRESS ||
	    type == ATTACH_NETKIT_PRIMARY || type == ATTACH_NETKIT_PEER)
		return AT_DEVICE;
	if (type <= ATTACH_CGROUP_SETSOCKOPT && type != ATTACH_LIRC_MODE2)
		return AT_CGROUP;
	if ((type >= ATTACH_CGROUP_INET4_GETPEERNAME && type <= ATTACH_CGROUP_INET6_GETSOCKNAME) ||
	    (type >= ATTACH_CGROUP_UNIX_CONNECT && type <= ATTACH_CGROUP_UNIX_GETSOCKNAME))
		return AT_CGROUP;
	return type == ATTACH_CGROUP_INET_SOCK_RELEASE ? AT_CGROUP : NOWHERE;
}

/* Types that belong to a kind of program that is not attached so: its descriptor is looked at. */
static bool is_of_programs(uint32_t type)
{
	return (type >= ATTACH_TRACE_RAW_TP && type <= ATTACH_MODIFY_RETURN) ||
	       type == ATTACH_LSM_MAC || type == ATTACH_LIRC_MODE2 || type == ATTACH_TRACE_ITER ||
	       type == ATTACH_SK_LOOKUP || type == ATTACH_XDP || type == ATTACH_LSM_CGROUP;
}

/* --- What hangs where ------------------------------------------------------------------------- */

static bool same_place(const struct link_object *a, const struct link_object *b)
{
	return a->kind == b->kind && a->attach_type == b->attach_type && !strcmp(a->hook, b->hook);
}

/* The links of @wanted's place, the lock held. Return how many; the first MOST_HERE to @ret. */
static uint32_t find_all(struct skep_machine *machine, const struct link_object *wanted,
			 struct link_object *ret[MOST_HERE])
{
	uint32_t n = 0;

	for (size_t i = 0; i < machine->attached.len && n < MOST_HERE; i++)
		if (same_place(machine->attached.data[i], wanted))
			ret[n++] = machine->attached.data[i];
	return n;
}

/* Links on a cgroup are of those that may be many. */
static uint32_t flags_of(const struct link_object *link)
{
	return link->plain ? link->flags & (F_OVERRIDE | F_MULTI) : F_MULTI;
}

/* @fresh in the place of @old, which is for the caller to free. */
static void put_in_place(struct skep_machine *machine, struct link_object *old,
			 struct link_object *fresh)
{
	for (size_t i = 0; i < machine->attached.len; i++)
		if (machine->attached.data[i] == old)
			machine->attached.data[i] = fresh;
}

/* --- Attaching -------------------------------------------------------------------------------- */

/* Which of the @n goes for @fresh; NULL: none. Return 0 | -errno */
static int choose_old(struct link_object *const *here, uint32_t n, const struct link_object *fresh,
		      const struct prog_object *replace, struct link_object **ret)
{
	*ret = NULL;
	for (uint32_t i = 0; i < n; i++) {
		if (here[i]->prog == fresh->prog && fresh->prog != replace)
			return -EINVAL;
		if (here[i]->prog == replace && here[i]->plain)
			*ret = here[i];
	}
	return replace && !*ret ? -ENOENT : 0;
}

static int choose_at_cgroup(struct link_object *const *here, uint32_t n,
			    const struct link_object *fresh, const struct prog_object *replace,
			    struct link_object **ret)
{
	if (n && flags_of(here[0]) != flags_of(fresh))
		return -EPERM;
	if (n >= MOST_HERE)
		return -E2BIG;
	if (fresh->flags & F_MULTI)
		return choose_old(here, n, fresh, replace, ret);
	*ret = n ? here[0] : NULL;
	return 0;
}

static int choose_at_device(struct link_object *const *here, uint32_t n,
			    const struct link_object *fresh, const struct prog_object *replace,
			    struct link_object **ret)
{
	int err = choose_old(here, n, fresh, replace, ret);

	if (err == -EINVAL)
		return -EEXIST;
	return !err && n >= MOST_HERE ? -ERANGE : err;
}

/* Where there is one at most. */
static int choose_single(struct link_object *const *here, uint32_t n,
			 const struct link_object *fresh, bool twice, struct link_object **ret)
{
	*ret = n ? here[0] : NULL;
	if (!n)
		return 0;
	if (!here[0]->plain)
		return twice ? -EBUSY : -EEXIST;
	return !twice && here[0]->prog == fresh->prog ? -EINVAL : 0;
}

static int choose(enum place place, struct link_object *const *here, uint32_t n,
		  const struct link_object *fresh, const struct prog_object *replace,
		  struct link_object **ret)
{
	switch (place) {
	case AT_CGROUP: return choose_at_cgroup(here, n, fresh, replace, ret);
	case AT_DEVICE: return choose_at_device(here, n, fresh, replace, ret);
	default: return choose_single(here, n, fresh, place == AT_SOCKMAP, ret);
	}
}

/* A socket map has either kind of verdict on data, not both. */
static bool is_shut_out(struct skep_machine *machine, const struct link_object *fresh)
{
	struct link_object other = *fresh, *here[MOST_HERE];

	if (fresh->attach_type == ATTACH_SK_SKB_VERDICT)
		other.attach_type = ATTACH_SK_SKB_STREAM_VERDICT;
	else if (fresh->attach_type == ATTACH_SK_SKB_STREAM_VERDICT)
		other.attach_type = ATTACH_SK_SKB_VERDICT;
	else
		return false;
	return find_all(machine, &other, here);
}

/* *@fresh is the machine's then; what it replaced is in its place, for the caller to free. */
static int settle(enum place place, struct link_object **fresh, const struct prog_object *replace)
{
	struct skep_machine *machine = (*fresh)->object.machine;
	struct link_object *here[MOST_HERE], *old = NULL;
	int err;

	pthread_mutex_lock(&machine->lock);
	err = is_shut_out(machine, *fresh) ? -EBUSY : 0;
	if (!err)
		err = choose(place, here, find_all(machine, *fresh, here), *fresh, replace, &old);
	if (!err && old)
		put_in_place(machine, old, *fresh);
	else if (!err)
		skep_vec_push(&machine->attached, *fresh);
	pthread_mutex_unlock(&machine->lock);
	if (!err)
		*fresh = old;
	return err;
}

/* What the kernel looks at before the program, and what after it. */
static int check_early(enum place place, const struct attr_attach *attr)
{
	if (attr->flags & ~F_KNOWN || (place == AT_DEVICE && attr->flags & ~F_REPLACE))
		return -EINVAL;
	return place != AT_DEVICE &&
			       (attr->relative || (place != AT_CGROUP && attr->expected_revision))
		       ? -EINVAL
		       : 0;
}

static int check_late(enum place place, const struct attr_attach *attr)
{
	uint32_t flags = attr->flags;

	if (place == NOWHERE)
		return -EINVAL;
	if (place == AT_DEVICE)
		return 0;
	if (place != AT_CGROUP)
		return flags || attr->replace_fd ? -EINVAL : 0;
	return (flags & F_OVERRIDE && flags & F_MULTI) || (flags & F_REPLACE && !(flags & F_MULTI))
		       ? -EINVAL
		       : 0;
}

static void free_link(struct link_object **link)
{
	if (*link)
		machine_link_object_free(&(*link)->object);
}

static void put_prog(struct prog_object **prog)
{
	if (*prog)
		machine_object_put(&(*prog)->object);
}
#define _cleanup_link_ __attribute__((cleanup(free_link)))
#define _cleanup_prog_ __attribute__((cleanup(put_prog)))

/* What the caller named, if it is of the right kind: for the name space nothing, and then it is
 * the thread's own. @ret_own: to be closed. */
static int find_target(struct skep_machine *machine, enum place place, uint32_t *target,
		       int *ret_own)
{
	struct map_object *map;
	int err = 0;

	if (place == AT_NETNS) {
		*ret_own = *target ? -EINVAL : machine_netns_open();
		*target = (uint32_t)*ret_own;
		return *ret_own < 0 ? *ret_own : 0;
	}
	if (place != AT_SOCKMAP)
		return 0;
	err = machine_map_object_get(machine, (int)*target, &map, NULL);
	if (err)
		return err;
	if (map->map->type != SKEP_MAP_SOCKMAP && map->map->type != SKEP_MAP_SOCKHASH)
		err = -EOPNOTSUPP;
	machine_object_put(&map->object);
	return err;
}

/* A link of @prog at the place that the caller named. */
static int prepare(struct prog_object *prog, uint32_t target, uint32_t type,
		   struct link_object **ret)
{
	_cleanup_close_ int own = -1;
	struct attr_link_create attr = {.target = target, .type = type};
	int err = machine_link_fits(prog, type) ? 0 : -EINVAL;

	if (!err)
		err = find_target(prog->object.machine, place_of(type), &attr.target, &own);
	if (!err)
		err = machine_link_prepare(prog, &attr, ret);
	if (err)
		return err;
	/* What is attached to a map goes with it: see machine_attach_drop_map(). */
	if ((*ret)->map)
		machine_object_put(&(*ret)->map->object);
	(*ret)->map = NULL;
	(*ret)->plain = true;
	return 0;
}

int machine_cmd_prog_attach(struct skep_machine *machine, struct request *req)
{
	const struct attr_attach *attr = &req->attr.attach;
	_cleanup_prog_ struct prog_object *prog = NULL, *replace = NULL;
	_cleanup_link_ struct link_object *link = NULL;
	enum place place = place_of(attr->type);
	int err;

	if (place == NOWHERE && !is_of_programs(attr->type))
		return -EINVAL;
	err = check_early(place, attr);
	if (!err)
		err = machine_prog_object_get(machine, (int)attr->prog_fd, &prog);
	if (!err)
		err = check_late(place, attr);
	if (!err && attr->flags & F_REPLACE)
		err = machine_prog_object_get(machine, (int)attr->replace_fd, &replace);
	if (!err)
		err = prepare(prog, attr->target, attr->type, &link);
	if (err)
		return err;
	link->flags = attr->flags;
	return settle(place, &link, replace);
}

/* --- Detaching -------------------------------------------------------------------------------- */

/* The last that was attached without a link, taken off; to the map of that id, if @hook is not
 * NULL. */
static struct link_object *take_plain(struct skep_machine *machine, const char *hook)
{
	struct link_object *found = NULL;

	pthread_mutex_lock(&machine->lock);
	for (size_t i = machine->attached.len; i-- > 0 && !found;) {
		struct link_object *link = machine->attached.data[i];
		bool there =
			!hook || (link->kind == SKEP_HOOK_SOCKMAP && !strcmp(link->hook, hook));

		if (link->plain && there)
			found = link;
	}
	if (found)
		machine_link_detach_locked(found);
	pthread_mutex_unlock(&machine->lock);
	return found;
}

void machine_attach_drop_all(struct skep_machine *machine)
{
	struct link_object *link;

	while ((link = take_plain(machine, NULL)))
		machine_link_object_free(&link->object);
}

void machine_attach_drop_map(const struct map_object *map)
{
	struct link_object *link;
	char hook[16];

	snprintf(hook, sizeof(hook), "%u", map->object.id);
	while ((link = take_plain(map->object.machine, hook)))
		machine_link_object_free(&link->object);
}

/* Which of the @n is to go. @prog NULL: the caller named none. */
static int choose_to_go(enum place place, struct link_object *const *here, uint32_t n,
			const struct prog_object *prog, struct link_object **ret)
{
	bool any = place == AT_CGROUP && n && !(flags_of(here[0]) & F_MULTI);

	if (place == AT_CGROUP && n && !any && !prog)
		return -EINVAL;
	for (uint32_t i = 0; i < n; i++)
		if (here[i]->plain && (any || here[i]->prog == prog)) {
			*ret = here[i];
			return 0;
		}
	return -ENOENT;
}

static int take_off(enum place place, const struct link_object *wanted,
		    const struct prog_object *prog, struct link_object **ret)
{
	struct skep_machine *machine = wanted->object.machine;
	struct link_object *here[MOST_HERE];
	int err;

	pthread_mutex_lock(&machine->lock);
	err = choose_to_go(place, here, find_all(machine, wanted, here), prog, ret);
	if (!err)
		machine_link_detach_locked(*ret);
	pthread_mutex_unlock(&machine->lock);
	return err;
}

/* Only the name of the place is wanted. */
static int name_place(struct skep_machine *machine, uint32_t target, uint32_t type,
		      struct link_object **ret)
{
	*ret = skep_xcalloc(1, sizeof(**ret));
	(*ret)->object =
		(struct object){.machine = machine, .kind = OBJECT_LINK, .handle.watch_fd = -1};
	return machine_link_name(target, type, *ret);
}

int machine_cmd_prog_detach(struct skep_machine *machine, struct request *req)
{
	const struct attr_attach *attr = &req->attr.attach;
	_cleanup_prog_ struct prog_object *prog = NULL;
	_cleanup_link_ struct link_object *wanted = NULL, *link = NULL;
	_cleanup_close_ int own = -1;
	uint32_t target = attr->target;
	enum place place = place_of(attr->type);
	int err;

	if (place == NOWHERE || attr->flags || attr->relative)
		return -EINVAL;
	err = machine_prog_object_get(machine, (int)attr->prog_fd, &prog);
	if (err && place != AT_CGROUP)
		return err;
	err = find_target(machine, place, &target, &own);
	if (!err)
		err = name_place(machine, target, attr->type, &wanted);
	return err ? err : take_off(place, wanted, prog, &link);
}

/* --- Asking ----------------------------------------------------------------------------------- */

static int put_ids(struct request *req, struct link_object *const *here, uint32_t n)
{
	const struct attr_query *attr = &req->attr.query;
	uint32_t room = attr->count;

	if (!room || !attr->prog_ids)
		return 0;
	for (uint32_t i = 0; i < n && i < room; i++) {
		uint32_t id = here[i]->prog->object.id;

		if (machine_user_write(attr->prog_ids + i * sizeof(id), &id, sizeof(id)))
			return -EFAULT;
	}
	return n > room ? -ENOSPC : 0;
}

static int answer_none(struct request *req)
{
	return request_put(req, query.attach_flags, 0) || request_put(req, query.count, 0);
}

static int answer(struct request *req, enum place place, const struct link_object *wanted)
{
	struct skep_machine *machine = wanted->object.machine;
	struct link_object *here[MOST_HERE];
	uint32_t n, flags = 0;
	int err;

	pthread_mutex_lock(&machine->lock);
	n = find_all(machine, wanted, here);
	if (place == AT_CGROUP && n && !(req->attr.query.query_flags & EFFECTIVE))
		flags = flags_of(here[0]);
	err = put_ids(req, here, n);
	pthread_mutex_unlock(&machine->lock);
	if (request_put(req, query.attach_flags, flags) || request_put(req, query.count, n))
		return -EFAULT;
	return err;
}

int machine_cmd_prog_query(struct skep_machine *machine, struct request *req)
{
	const struct attr_query *attr = &req->attr.query;
	_cleanup_link_ struct link_object *wanted = NULL;
	enum place place = place_of(attr->type);
	int err = 0;

	if (attr->type == ATTACH_SK_LOOKUP)
		place = AT_NETNS;
	if (place == NOWHERE || attr->query_flags & ~EFFECTIVE ||
	    (attr->query_flags && place != AT_CGROUP))
		return -EINVAL;
	machine_object_sweep(machine);
	if (place == AT_SOCKMAP)
		err = find_target(machine, place, &(uint32_t){attr->target}, NULL);
	if (err == -EOPNOTSUPP && answer_none(req))
		err = -EFAULT;
	if (!err)
		err = name_place(machine, attr->target, attr->type, &wanted);
	return err ? err : answer(req, place, wanted);
}
