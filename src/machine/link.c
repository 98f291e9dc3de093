/*
 * Links: a program, and the hook of the machine that it hangs on.
 *
 * A hook is a kind and a name ("xdp" of device 2, "entry" of function bpf_fentry_test1). Whoever
 * drives the machine says when a hook is passed (skep_machine_hook()), and all programs on it run,
 * in the order in which they were attached. A link goes with its last descriptor and pin.
 *
 * Source  behaviour of Linux 6.18, kernel/bpf/syscall.c: link_create() and what it calls
 */
#include "machine/iter.h"
#include "machine/map.h"
#include "machine/prog.h"
#include "machine/run.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define LINK_F_REPLACE 4u
#define MOST_ON_HOOK   64
#define MAP_F_LINK     (1u << 13)
#define TP_NAME_BYTES  128

enum link_type {
	LINK_RAW_TRACEPOINT = 1,
	LINK_TRACING,
	LINK_CGROUP,
	LINK_ITER,
	LINK_NETNS,
	LINK_XDP,
	LINK_PERF_EVENT,
	LINK_KPROBE_MULTI,
	LINK_STRUCT_OPS,
	LINK_NETFILTER,
	LINK_TCX,
	LINK_UPROBE_MULTI,
	LINK_NETKIT,
	LINK_SOCKMAP,
};

enum target {
	ON_DEVICE,
	ON_FD,
	ON_MAP,
	ON_FUNCTION,
	ON_TRACEPOINT,
	ON_NETFILTER,
	ON_ITER,
	ON_NOTHING
};

/* Which program may be linked where. The first row that fits. */
static const struct row {
	uint32_t prog_type, first, last; /* attach types */
	enum link_type link_type;
	enum target target;
	enum skep_hook hook;
} rows[] = {
	{PROG_XDP, ATTACH_XDP, ATTACH_XDP, LINK_XDP, ON_DEVICE, SKEP_HOOK_XDP},
	{PROG_SCHED_CLS, ATTACH_TCX_INGRESS, ATTACH_TCX_INGRESS, LINK_TCX, ON_DEVICE,
	 SKEP_HOOK_INGRESS},
	{PROG_SCHED_CLS, ATTACH_TCX_EGRESS, ATTACH_TCX_EGRESS, LINK_TCX, ON_DEVICE,
	 SKEP_HOOK_EGRESS},
	{PROG_SCHED_CLS, ATTACH_NETKIT_PRIMARY, ATTACH_NETKIT_PEER, LINK_NETKIT, ON_DEVICE,
	 SKEP_HOOK_EGRESS},
	{PROG_CGROUP_SKB, ATTACH_CGROUP_INET_INGRESS, ATTACH_CGROUP_INET_INGRESS, LINK_CGROUP,
	 ON_FD, SKEP_HOOK_INGRESS},
	{PROG_CGROUP_SKB, ATTACH_CGROUP_INET_EGRESS, ATTACH_CGROUP_INET_EGRESS, LINK_CGROUP, ON_FD,
	 SKEP_HOOK_EGRESS},
	{PROG_CGROUP_SOCK, 0, ATTACH_CNT, LINK_CGROUP, ON_FD, SKEP_HOOK_CGROUP},
	{PROG_CGROUP_SOCK_ADDR, 0, ATTACH_CNT, LINK_CGROUP, ON_FD, SKEP_HOOK_CGROUP},
	{PROG_CGROUP_DEVICE, ATTACH_CGROUP_DEVICE, ATTACH_CGROUP_DEVICE, LINK_CGROUP, ON_FD,
	 SKEP_HOOK_CGROUP},
	{PROG_CGROUP_SYSCTL, ATTACH_CGROUP_SYSCTL, ATTACH_CGROUP_SYSCTL, LINK_CGROUP, ON_FD,
	 SKEP_HOOK_CGROUP},
	{PROG_CGROUP_SOCKOPT, 0, ATTACH_CNT, LINK_CGROUP, ON_FD, SKEP_HOOK_CGROUP},
	{PROG_SOCK_OPS, ATTACH_CGROUP_SOCK_OPS, ATTACH_CGROUP_SOCK_OPS, LINK_CGROUP, ON_FD,
	 SKEP_HOOK_CGROUP},
	{PROG_FLOW_DISSECTOR, ATTACH_FLOW_DISSECTOR, ATTACH_FLOW_DISSECTOR, LINK_NETNS, ON_FD,
	 SKEP_HOOK_NETNS},
	{PROG_SK_LOOKUP, ATTACH_SK_LOOKUP, ATTACH_SK_LOOKUP, LINK_NETNS, ON_FD, SKEP_HOOK_NETNS},
	{PROG_SK_MSG, ATTACH_SK_MSG_VERDICT, ATTACH_SK_MSG_VERDICT, LINK_SOCKMAP, ON_MAP,
	 SKEP_HOOK_SOCKMAP},
	{PROG_SK_SKB, ATTACH_SK_SKB_STREAM_PARSER, ATTACH_SK_SKB_STREAM_VERDICT, LINK_SOCKMAP,
	 ON_MAP, SKEP_HOOK_SOCKMAP},
	{PROG_SK_SKB, ATTACH_SK_SKB_VERDICT, ATTACH_SK_SKB_VERDICT, LINK_SOCKMAP, ON_MAP,
	 SKEP_HOOK_SOCKMAP},
	{PROG_NETFILTER, ATTACH_NETFILTER, ATTACH_NETFILTER, LINK_NETFILTER, ON_NETFILTER,
	 SKEP_HOOK_NETFILTER},
	{PROG_TRACING, ATTACH_TRACE_FENTRY, ATTACH_TRACE_FENTRY, LINK_TRACING, ON_FUNCTION,
	 SKEP_HOOK_ENTRY},
	{PROG_TRACING, ATTACH_TRACE_FEXIT, ATTACH_TRACE_FEXIT, LINK_TRACING, ON_FUNCTION,
	 SKEP_HOOK_EXIT},
	{PROG_TRACING, ATTACH_MODIFY_RETURN, ATTACH_MODIFY_RETURN, LINK_TRACING, ON_FUNCTION,
	 SKEP_HOOK_ENTRY},
	{PROG_TRACING, ATTACH_TRACE_RAW_TP, ATTACH_TRACE_RAW_TP, LINK_RAW_TRACEPOINT, ON_TRACEPOINT,
	 SKEP_HOOK_RAW_TRACEPOINT},
	{PROG_TRACING, ATTACH_TRACE_ITER, ATTACH_TRACE_ITER, LINK_ITER, ON_ITER, SKEP_HOOK_ITER},
	{PROG_LSM, ATTACH_LSM_MAC, ATTACH_LSM_MAC, LINK_TRACING, ON_FUNCTION, SKEP_HOOK_LSM},
	{PROG_LSM, ATTACH_LSM_CGROUP, ATTACH_LSM_CGROUP, LINK_CGROUP, ON_FUNCTION, SKEP_HOOK_LSM},
	{PROG_PERF_EVENT, ATTACH_PERF_EVENT, ATTACH_PERF_EVENT, LINK_PERF_EVENT, ON_FD,
	 SKEP_HOOK_PERF_EVENT},
	{PROG_TRACEPOINT, ATTACH_PERF_EVENT, ATTACH_PERF_EVENT, LINK_PERF_EVENT, ON_FD,
	 SKEP_HOOK_PERF_EVENT},
	{PROG_KPROBE, ATTACH_PERF_EVENT, ATTACH_PERF_EVENT, LINK_PERF_EVENT, ON_FD,
	 SKEP_HOOK_PERF_EVENT},
};

static const struct row *row_of(uint32_t prog_type, uint32_t attach_type)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (rows[i].prog_type == prog_type && attach_type >= rows[i].first &&
		    attach_type <= rows[i].last)
			return &rows[i];
	return NULL;
}

/* Types whose attach type is the one they were loaded for. */
static bool is_bound_to_type(uint32_t prog_type)
{
	return prog_type == PROG_TRACING || prog_type == PROG_LSM || prog_type == PROG_CGROUP_SKB ||
	       prog_type == PROG_CGROUP_SOCK || prog_type == PROG_CGROUP_SOCK_ADDR ||
	       prog_type == PROG_CGROUP_SOCKOPT || prog_type == PROG_SK_LOOKUP ||
	       prog_type == PROG_NETFILTER;
}

/* --- Where it hangs --------------------------------------------------------------------------- */

static int name_device(const struct attr_link_create *attr, struct link_object *link)
{
	if (!skep_device_exists(attr->target))
		return -ENODEV;
	snprintf(link->hook, sizeof(link->hook), "%u", attr->target);
	return 0;
}

static int name_fd(const struct attr_link_create *attr, struct link_object *link)
{
	struct handle handle;
	int mode;

	if (machine_handle_identify((int)attr->target, &handle, &mode))
		return -EBADF;
	snprintf(link->hook, sizeof(link->hook), "%llx:%llx", (unsigned long long)handle.dev,
		 (unsigned long long)handle.inode);
	if (link->type == LINK_PERF_EVENT)
		link->cookie = attr->perf_cookie;
	return 0;
}

static int name_map(struct skep_machine *machine, const struct attr_link_create *attr,
		    struct link_object *link)
{
	int err = machine_map_object_get(machine, (int)attr->target, &link->map, NULL);

	if (err)
		return err;
	if (link->map->map->type != SKEP_MAP_SOCKMAP && link->map->map->type != SKEP_MAP_SOCKHASH)
		return -EINVAL;
	snprintf(link->hook, sizeof(link->hook), "%u", link->map->object.id);
	return 0;
}

static const char *target_name(const struct prog_object *prog)
{
	const struct btf_object *btf = prog->attach_btf;

	if (prog->attach_prog)
		btf = prog->attach_prog->btf;
	return btf ? skep_btf_name(btf->btf, prog->attach_btf_id) : "";
}

/* A typedef btf_trace_<name> is in BTF for each tracepoint. */
static int name_tracepoint(const char *name, struct link_object *link)
{
	struct skep_btf *btf = link->object.machine->kernel_btf;
	char typedef_name[TP_NAME_BYTES + 16];

	snprintf(typedef_name, sizeof(typedef_name), "btf_trace_%s", name);
	if (btf && !skep_btf_find(btf, typedef_name, strlen(typedef_name),
				  SKEP_BTF_MASK(SKEP_BTF_TYPEDEF)))
		return -ENOENT;
	snprintf(link->hook, sizeof(link->hook), "%.*s", (int)sizeof(link->hook) - 1, name);
	return 0;
}

static int name_target(const struct attr_link_create *attr, enum target target,
		       struct link_object *link)
{
	const char *name = link->prog ? target_name(link->prog) : "";

	switch (target) {
	case ON_DEVICE: return name_device(attr, link);
	case ON_FD: return name_fd(attr, link);
	case ON_MAP: return name_map(link->object.machine, attr, link);
	case ON_TRACEPOINT:
		link->cookie = attr->tracing_cookie;
		return name_tracepoint(strncmp(name, "btf_trace_", 10) ? name : name + 10, link);
	case ON_FUNCTION:
		link->cookie = attr->tracing_cookie;
		snprintf(link->hook, sizeof(link->hook), "%.*s", (int)sizeof(link->hook) - 1, name);
		return attr->target ? -EINVAL : 0;
	case ON_ITER:
		snprintf(link->hook, sizeof(link->hook), "%.*s", (int)sizeof(link->hook) - 1, name);
		return machine_iter_attach(attr, link);
	case ON_NETFILTER:
		link->priority = attr->priority;
		snprintf(link->hook, sizeof(link->hook), "%u:%u", attr->pf, attr->hooknum);
		return attr->flags || attr->netfilter_flags ? -EINVAL : 0;
	default: return 0;
	}
}

/* --- Making ----------------------------------------------------------------------------------- */

static struct link_object *new_link(struct skep_machine *machine, const struct row *row,
				    uint32_t attach_type)
{
	struct link_object *link = skep_xcalloc(1, sizeof(*link));

	link->object =
		(struct object){.machine = machine, .kind = OBJECT_LINK, .handle.watch_fd = -1};
	link->type = row->link_type;
	link->kind = row->hook;
	link->attach_type = attach_type;
	return link;
}

static void link_object_drop(struct link_object **link)
{
	if (*link)
		machine_link_object_free(&(*link)->object);
}
#define _cleanup_link_ __attribute__((cleanup(link_object_drop)))

static bool same_hook(const struct link_object *link, enum skep_hook kind, const char *name)
{
	return link->kind == kind && !strcmp(link->hook, name);
}

/* One XDP program a device. */
static bool is_taken(struct skep_machine *machine, const struct link_object *link)
{
	bool taken = false;

	if (link->type != LINK_XDP)
		return false;
	machine_object_sweep(machine);
	pthread_mutex_lock(&machine->lock);
	for (size_t i = 0; i < machine->attached.len; i++)
		taken |= same_hook(machine->attached.data[i], link->kind, link->hook);
	pthread_mutex_unlock(&machine->lock);
	return taken;
}

/* Of whatever programs: those that say what type they take, then those that take what they were
 * loaded for. */
static const struct row *row_of_type(uint32_t attach_type)
{
	const struct row *any = NULL;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (attach_type < rows[i].first || attach_type > rows[i].last)
			continue;
		if (rows[i].last != ATTACH_CNT)
			return &rows[i];
		any = any ? any : &rows[i];
	}
	return any;
}

int machine_link_name(uint32_t target, uint32_t type, struct link_object *link)
{
	const struct attr_link_create attr = {.target = target, .type = type};
	const struct row *row = row_of_type(type);

	if (!row)
		return -EINVAL;
	link->kind = row->hook;
	link->attach_type = type;
	return name_target(&attr, row->target, link);
}

bool machine_link_fits(const struct prog_object *prog, uint32_t attach_type)
{
	return row_of(prog->type, attach_type) &&
	       (!is_bound_to_type(prog->type) || attach_type == prog->expected_attach_type);
}

int machine_link_prepare(struct prog_object *prog, const struct attr_link_create *attr,
			 struct link_object **ret)
{
	const struct row *row = row_of(prog->type, attr->type);
	_cleanup_link_ struct link_object *link = NULL;
	int err;

	if (!machine_link_fits(prog, attr->type))
		return -EINVAL;
	link = new_link(prog->object.machine, row, attr->type);
	machine_object_ref(&prog->object);
	link->prog = prog;
	link->target = attr->target;
	link->flags = attr->flags;
	err = name_target(attr, row->target, link);
	if (!err)
		*ret = TAKE_PTR(link);
	return err;
}

/* Publish and attach. *@link is the machine's then. */
static int settle(struct link_object **link)
{
	struct skep_machine *machine = (*link)->object.machine;
	int fd;

	if (is_taken(machine, *link))
		return -EBUSY;
	fd = machine_object_publish(&(*link)->object, -1, O_RDWR);
	if (fd < 0)
		return fd;
	pthread_mutex_lock(&machine->lock);
	skep_vec_push(&machine->attached, *link);
	pthread_mutex_unlock(&machine->lock);
	*link = NULL;
	return fd;
}

static int create_struct_ops(struct skep_machine *machine, const struct attr_link_create *attr)
{
	static const struct row row = {.link_type = LINK_STRUCT_OPS, .hook = SKEP_HOOK_STRUCT_OPS};
	_cleanup_link_ struct link_object *link = new_link(machine, &row, ATTACH_STRUCT_OPS);
	int err = machine_map_object_get(machine, (int)attr->prog_fd, &link->map, NULL);

	if (err)
		return err;
	if (link->map->map->type != SKEP_MAP_STRUCT_OPS || !(link->map->map->flags & MAP_F_LINK))
		return -EINVAL;
	snprintf(link->hook, sizeof(link->hook), "%u", link->map->object.id);
	return settle(&link);
}

int machine_cmd_link_create(struct skep_machine *machine, struct request *req)
{
	const struct attr_link_create *attr = &req->attr.link_create;
	_cleanup_link_ struct link_object *link = NULL;
	struct prog_object *prog;
	int err;

	if (attr->type == ATTACH_STRUCT_OPS)
		return create_struct_ops(machine, attr);
	err = machine_prog_object_get(machine, (int)attr->prog_fd, &prog);
	if (err)
		return err;
	err = machine_link_prepare(prog, attr, &link);
	machine_object_put(&prog->object);
	return err ? err : settle(&link);
}

int machine_cmd_raw_tracepoint_open(struct skep_machine *machine, struct request *req)
{
	static const struct row row = {.link_type = LINK_RAW_TRACEPOINT,
				       .hook = SKEP_HOOK_RAW_TRACEPOINT};
	const struct attr_raw_tracepoint *attr = &req->attr.raw_tracepoint;
	_cleanup_link_ struct link_object *link = new_link(machine, &row, 0);
	char name[TP_NAME_BYTES];
	int err = machine_prog_object_get(machine, (int)attr->prog_fd, &link->prog);

	if (err)
		return err;
	link->cookie = attr->cookie;
	if (link->prog->type == PROG_TRACING || link->prog->type == PROG_LSM) {
		static const struct attr_link_create none;
		const struct row *at = row_of(link->prog->type, link->prog->expected_attach_type);

		if (attr->name || !at || at->hook == SKEP_HOOK_ITER)
			return -EINVAL;
		link->type = at->link_type;
		link->kind = at->hook;
		link->attach_type = link->prog->expected_attach_type;
		err = name_target(&none, at->target, link);
		return err ? err : settle(&link);
	}
	if (link->prog->type != PROG_RAW_TRACEPOINT &&
	    link->prog->type != PROG_RAW_TRACEPOINT_WRITABLE)
		return -EINVAL;
	err = machine_user_string(attr->name, name, sizeof(name));
	if (err < 0)
		return err;
	err = name_tracepoint(name, link);
	return err ? err : settle(&link);
}

/* --- Changing and ending --------------------------------------------------------------------- */

void machine_link_detach_locked(struct link_object *link)
{
	struct skep_machine *machine = link->object.machine;

	for (size_t i = 0; i < machine->attached.len; i++) {
		if (machine->attached.data[i] != link)
			continue;
		machine->attached.len--;
		memmove(&machine->attached.data[i], &machine->attached.data[i + 1],
			(machine->attached.len - i) * sizeof(link));
		return;
	}
}

void machine_link_object_free(struct object *object)
{
	struct link_object *link = object_of(link_object, object);

	if (link->prog)
		machine_object_put(&link->prog->object);
	if (link->map)
		machine_object_put(&link->map->object);
	free(link);
}

int machine_link_object_get(struct skep_machine *machine, uint32_t fd, struct link_object **ret)
{
	struct object *object;
	int err = machine_object_get(machine, (int)fd, OBJECT_LINK, &object, NULL);

	if (!err)
		*ret = object_of(link_object, object);
	return err;
}

bool machine_link_is_iter(const struct link_object *link)
{
	return link->type == LINK_ITER;
}

struct prog_object *machine_link_prog(struct link_object *link)
{
	struct prog_object *prog;

	pthread_mutex_lock(&link->object.machine->lock);
	prog = link->prog;
	prog->object.refs++;
	pthread_mutex_unlock(&link->object.machine->lock);
	return prog;
}

#define BIT(type) (1u << LINK_##type)

static bool can(const struct link_object *link, uint32_t types)
{
	return types >> link->type & 1;
}

static void put_prog(struct prog_object *prog)
{
	if (prog)
		machine_object_put(&prog->object);
}

/* Put @fresh in the place of the program, which must be @old if that is not NULL. */
static int replace(struct link_object *link, struct prog_object *fresh,
		   const struct prog_object *old)
{
	struct prog_object *was;
	int err = 0;

	if (!can(link, BIT(CGROUP) | BIT(NETNS) | BIT(XDP) | BIT(TCX) | BIT(NETKIT) | BIT(SOCKMAP) |
			       BIT(ITER)))
		return -EINVAL;
	pthread_mutex_lock(&link->object.machine->lock);
	was = link->prog;
	if (link->detached)
		err = -ENOLINK;
	else if (old && was != old)
		err = -EPERM;
	else if (was->type != fresh->type ||
		 was->expected_attach_type != fresh->expected_attach_type ||
		 was->attach_btf_id != fresh->attach_btf_id)
		err = -EINVAL;
	if (!err) {
		link->prog = fresh;
		fresh->object.refs++;
	}
	pthread_mutex_unlock(&link->object.machine->lock);
	if (!err)
		put_prog(was);
	return err;
}

static int update(struct skep_machine *machine, const struct attr_link_update *attr,
		  struct link_object *link)
{
	struct prog_object *fresh, *old = NULL;
	int err = machine_prog_object_get(machine, (int)attr->new_fd, &fresh);

	if (err)
		return err;
	if (attr->flags & LINK_F_REPLACE)
		err = machine_prog_object_get(machine, (int)attr->old_fd, &old);
	else if (attr->old_fd)
		err = -EINVAL;
	if (!err)
		err = replace(link, fresh, old);
	put_prog(old);
	put_prog(fresh);
	return err;
}

int machine_cmd_link_update(struct skep_machine *machine, struct request *req)
{
	const struct attr_link_update *attr = &req->attr.link_update;
	struct link_object *link;
	int err;

	if (attr->flags & ~LINK_F_REPLACE)
		return -EINVAL;
	err = machine_link_object_get(machine, attr->link_fd, &link);
	if (err)
		return err;
	err = link->type == LINK_STRUCT_OPS ? -EOPNOTSUPP : update(machine, attr, link);
	machine_object_put(&link->object);
	return err;
}

int machine_cmd_link_detach(struct skep_machine *machine, struct request *req)
{
	struct link_object *link;
	int err = machine_link_object_get(machine, req->attr.word, &link);

	if (err)
		return err;
	if (can(link, BIT(CGROUP) | BIT(NETNS) | BIT(XDP) | BIT(TCX) | BIT(NETKIT) |
			      BIT(STRUCT_OPS) | BIT(SOCKMAP))) {
		pthread_mutex_lock(&machine->lock);
		machine_link_detach_locked(link);
		link->detached = true;
		pthread_mutex_unlock(&machine->lock);
	} else {
		err = -EOPNOTSUPP;
	}
	machine_object_put(&link->object);
	return err;
}

/* --- Passing a hook -------------------------------------------------------------------------- */

/* The programs on a hook, each with a reference. */
static size_t collect(struct skep_machine *machine, enum skep_hook kind, const char *name,
		      struct prog_object *ret[MOST_ON_HOOK])
{
	size_t n = 0;

	pthread_mutex_lock(&machine->lock);
	for (size_t i = 0; i < machine->attached.len && n < MOST_ON_HOOK; i++) {
		struct link_object *link = machine->attached.data[i];

		if (!same_hook(link, kind, name) || !link->prog)
			continue;
		link->prog->object.refs++;
		ret[n++] = link->prog;
	}
	pthread_mutex_unlock(&machine->lock);
	return n;
}

uint32_t skep_machine_hook(struct skep_machine *machine, enum skep_hook kind, const char *name,
			   void *ctx, size_t ctx_bytes, struct skep_world *world)
{
	struct prog_object *progs[MOST_ON_HOOK];
	struct skep_world plain = machine_run_world(machine);
	struct entry entry = {
		.ctx = ctx,
		.ctx_bytes = ctx_bytes,
		.ctx_rights = SKEP_MAY_READ | SKEP_MAY_WRITE,
		.world = world ? world : &plain,
	};
	uint32_t result = 0;
	size_t n;

	if (!machine->attached.len)
		return 0;
	machine_object_sweep(machine);
	n = collect(machine, kind, name, progs);
	for (size_t i = 0; i < n; i++) {
		result = machine_run_once(progs[i], &entry);
		machine_object_put(&progs[i]->object);
	}
	return result;
}

/* --- What it is ------------------------------------------------------------------------------ */

static int put_name(const char *name, uint64_t to, uint32_t *len)
{
	uint32_t room = *len, n = (uint32_t)strlen(name);

	if (!to != !room)
		return -EINVAL;
	*len = n + 1;
	if (!to)
		return 0;
	if (room > n)
		return machine_user_write(to, name, n + 1);
	if (machine_user_write(to, name, room - 1) || machine_user_write(to + room - 1, "", 1))
		return -EFAULT;
	return -ENOSPC;
}

static int describe(const struct link_object *link, struct info_link *info)
{
	uint32_t target = link->detached ? 0 : link->target;

	switch (link->type) {
	case LINK_RAW_TRACEPOINT:
		info->raw_tracepoint.cookie = link->cookie;
		return put_name(link->hook, info->raw_tracepoint.tp_name,
				&info->raw_tracepoint.tp_name_len);
	case LINK_TRACING:
		info->tracing.attach_type = link->attach_type;
		info->tracing.cookie = link->cookie;
		info->tracing.target_btf_id = link->prog->attach_btf_id;
		info->tracing.target_obj_id = link->prog->attach_prog
						      ? link->prog->attach_prog->object.id
						      : link->prog->attach_btf->object.id;
		return 0;
	case LINK_CGROUP: info->cgroup.attach_type = link->attach_type; return 0;
	case LINK_NETNS: info->netns.attach_type = link->attach_type; return 0;
	case LINK_XDP: info->device.ifindex = target; return 0;
	case LINK_TCX:
	case LINK_NETKIT:
		info->device.ifindex = target;
		info->device.attach_type = link->attach_type;
		return 0;
	case LINK_NETFILTER:
		info->netfilter.priority = link->priority;
		sscanf(link->hook, "%u:%u", &info->netfilter.pf, &info->netfilter.hooknum);
		return 0;
	case LINK_ITER:
		info->iter.map_id = link->map ? link->map->object.id : 0;
		return put_name(machine_iter_name(link), info->iter.target_name,
				&info->iter.target_name_len);
	case LINK_STRUCT_OPS:
	case LINK_SOCKMAP: info->struct_ops.map_id = link->map->object.id; return 0;
	default: return 0;
	}
}

int machine_link_info(struct link_object *link, struct request *req)
{
	const struct attr_info *attr = &req->attr.info;
	struct info_link info = {0};
	uint32_t n = attr->len < sizeof(info) ? attr->len : (uint32_t)sizeof(info);
	int err = machine_user_check_tail(attr->info, sizeof(info), attr->len);

	if (!err)
		err = machine_user_read(&info, attr->info, n);
	if (err)
		return err;
	info.type = link->type;
	info.id = link->object.id;
	info.prog_id = link->prog ? link->prog->object.id : 0;
	err = describe(link, &info);
	if (err)
		return err;
	return machine_user_write(attr->info, &info, n) || request_put(req, info.len, n) ? -EFAULT
											 : 0;
}

/* BPF_FD_TYPE_RAW_TRACEPOINT is 0. */
int machine_link_task_fd(struct object *object, struct request *req)
{
	const struct attr_task_fd *attr = &req->attr.task_fd;
	const struct link_object *link;
	uint32_t len = attr->buf_len;
	int err;

	if (object->kind != OBJECT_LINK)
		return -SKEP_ENOTSUPP;
	link = object_of(link_object, object);
	if (link->type != LINK_RAW_TRACEPOINT)
		return -SKEP_ENOTSUPP;
	err = len && attr->buf ? put_name(link->hook, attr->buf, &len) : 0;
	if (err && err != -ENOSPC)
		return err;
	if (request_put(req, task_fd.buf_len, (uint32_t)strlen(link->hook)) ||
	    request_put(req, task_fd.prog_id, link->prog->object.id) ||
	    request_put(req, task_fd.fd_type, 0) || request_put(req, task_fd.probe_offset, 0) ||
	    request_put(req, task_fd.probe_addr, 0))
		return -EFAULT;
	return err;
}
