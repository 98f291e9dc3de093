/*
 * What the kernel tells of a link. It is asked once for the type and the sizes,
 * and again with room for texts and arrays, which differ by type: each row of
 * link_types.def has its function here. What it says of sizes is believed only
 * up to limits of ours.
 */
#include "linux/link_info.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "linux/bpf.h"
#include "linux/newer.h"
#include "linux/procfs.h"

enum { TEXT_BYTES = 4096, MOST_PLACES = 1 << 16, CGROUP_HANDLE = 0xfe, MOUNTS_BYTES = 4 << 20 };

static const char *const attach_names[] = {
#define ATTACH_NAME(name) #name,
#include "linux/attach_names.def"
#undef ATTACH_NAME
};

const char *skep_attach_type_name(uint32_t attach_type)
{
	return attach_type < sizeof(attach_names) / sizeof(*attach_names)
		       ? attach_names[attach_type]
		       : NULL;
}

/* --- Fields ---------------------------------------------------------------------------------- */

static void add_number(struct skep_link *link, const char *key, int64_t number)
{
	struct skep_link_field field = {.key = key, .number = number};

	skep_vec_push(&link->fields, field);
}

static void add_text(struct skep_link *link, const char *key, const char *text)
{
	struct skep_link_field field = {.key = key, .text = strdup(text)};

	if (field.text)
		skep_vec_push(&link->fields, field);
}

static const char *add_attach_type(struct skep_link *link, uint32_t attach_type)
{
	const char *name = skep_attach_type_name(attach_type);

	if (name)
		add_text(link, "attach_type", name);
	else
		add_number(link, "attach_type", attach_type);
	return name ? name : "at a hook that came later";
}

static uint64_t address(const void *ptr)
{
	return (uint64_t)(uintptr_t)ptr;
}

/* A text that did not fit is there as far as it did, with its NUL. */
static int ask_again(int fd, struct link_info *info)
{
	int err = skep_bpf_info(fd, info, sizeof(*info));

	return err == -ENOSPC ? 0 : err;
}

/* --- What was missed ---------------------------------------------------------------------- */

static bool is_kernel_probe(const struct link_info *info)
{
	return info->perf_event.type == PERF_LINK_KPROBE ||
	       info->perf_event.type == PERF_LINK_KRETPROBE;
}

static uint64_t missed_of(const struct link_info *info)
{
	if (info->type == BPF_LINK_TYPE_KPROBE_MULTI)
		return info->kprobe_multi.missed;
	if (info->type == BPF_LINK_TYPE_PERF_EVENT && is_kernel_probe(info))
		return info->perf_event.kprobe.missed;
	return 0;
}

uint64_t skep_link_missed(int fd)
{
	struct link_info info;

	memset(&info, 0, sizeof(info));
	return skep_bpf_info(fd, &info, sizeof(info)) ? 0 : missed_of(&info);
}

/* --- Tracing --------------------------------------------------------------------------------- */

static int nothing(int fd, const struct link_info *info, struct skep_link *ret)
{
	return 0;
}

static int raw_tracepoint(int fd, const struct link_info *info, struct skep_link *ret)
{
	char name[TEXT_BYTES] = "";
	struct link_info more = {.raw_tracepoint = {address(name), sizeof(name)}};
	int err = ask_again(fd, &more);

	if (err)
		return err;
	name[sizeof(name) - 1] = '\0';
	add_text(ret, "tp_name", name);
	skep_buf_puts(&ret->where, name);
	return 0;
}

/* Whoever has the BTF at hand gives the function its name. */
static int tracing(int fd, const struct link_info *info, struct skep_link *ret)
{
	const char *hook = add_attach_type(ret, info->tracing.attach_type);

	ret->target_id = info->tracing.target_id;
	ret->target_btf_id = info->tracing.btf_id;
	if (ret->target_id)
		add_number(ret, "target_obj_id", ret->target_id);
	if (ret->target_btf_id)
		add_number(ret, "target_btf_id", ret->target_btf_id);
	skep_buf_puts(&ret->where, hook);
	return 0;
}

static int iter(int fd, const struct link_info *info, struct skep_link *ret)
{
	char name[TEXT_BYTES] = "";
	struct link_info more = {.iter = {address(name), sizeof(name)}};
	int err = ask_again(fd, &more);

	if (err)
		return err;
	name[sizeof(name) - 1] = '\0';
	add_text(ret, "target_name", name);
	skep_buf_puts(&ret->where, name);
	if (more.iter.map_id) {
		add_number(ret, "map_id", more.iter.map_id);
		skep_buf_printf(&ret->where, " of map %u", more.iter.map_id);
	}
	if (!strncmp(name, "task", strlen("task")) && more.iter.task.pid) {
		add_number(ret, "pid", more.iter.task.pid);
		skep_buf_printf(&ret->where, " of process %u", more.iter.task.pid);
	}
	return 0;
}

/* Missed hits are told of kprobes alone. */
static void tell_probe(struct skep_link *ret, const struct link_info *info, const char *name)
{
	bool is_kernel = is_kernel_probe(info);
	bool is_return = info->perf_event.type == PERF_LINK_URETPROBE ||
			 info->perf_event.type == PERF_LINK_KRETPROBE;
	uint32_t off = info->perf_event.uprobe.off; /* at the same place in both */

	if (name[0])
		add_text(ret, is_kernel ? "func" : "file", name);
	add_number(ret, "offset", off);
	if (is_kernel) {
		add_number(ret, "addr", (int64_t)info->perf_event.kprobe.addr);
		add_number(ret, "missed", (int64_t)ret->missed);
	}
	if (name[0] || !is_kernel)
		skep_buf_puts(&ret->where, name);
	else /* it was asked for by its address */
		skep_buf_printf(&ret->where, "0x%llx",
				(unsigned long long)info->perf_event.kprobe.addr);
	if (off)
		skep_buf_printf(&ret->where, "+0x%x", off);
	if (is_return)
		skep_buf_puts(&ret->where, " (return)");
}

/* Clocks are of a PMU of their own, whatever was asked for. */
static void tell_event(struct skep_link *ret, const struct link_info *info)
{
	static const char *const types[] = {"hardware", "software", "tracepoint",
					    "cache",    "raw",      "breakpoint"};
	uint32_t type = info->perf_event.event.type;
	unsigned long long config = info->perf_event.event.config;

	add_number(ret, "event_type", type);
	add_number(ret, "event_config", (int64_t)config);
	if (type < sizeof(types) / sizeof(*types))
		skep_buf_printf(&ret->where, "%s event %llu", types[type], config);
	else
		skep_buf_printf(&ret->where, "event %llu of PMU %u", config, type);
}

/* Kernels before 6.6 tell nothing more than that it is one. */
static int perf_event(int fd, const struct link_info *info, struct skep_link *ret)
{
	char name[TEXT_BYTES] = "";
	struct link_info more = {.perf_event.uprobe = {address(name), sizeof(name)}};
	uint32_t type = info->perf_event.type;

	if (type == PERF_LINK_EVENT)
		tell_event(ret, info);
	if (type == PERF_LINK_UNSPEC || type >= PERF_LINK_EVENT)
		return 0;
	int err = ask_again(fd, &more);
	if (err)
		return err;
	name[sizeof(name) - 1] = '\0';
	if (type != PERF_LINK_TRACEPOINT) {
		tell_probe(ret, &more, name);
		return 0;
	}
	add_text(ret, "tracepoint", name);
	skep_buf_puts(&ret->where, name);
	return 0;
}

/* --- Many places ----------------------------------------------------------------------------- */

/* Room for @n places; NULL: there are too many, or none. */
static uint64_t *room_for(struct skep_link *ret, uint32_t n)
{
	if (!n || n > MOST_PLACES)
		return NULL;
	for (uint32_t i = 0; i < n; i++)
		skep_vec_push(&ret->places, 0);
	return ret->places.data;
}

static int kprobe_multi(int fd, const struct link_info *info, struct skep_link *ret)
{
	uint32_t n = info->kprobe_multi.count;
	uint64_t *addrs = room_for(ret, n);
	struct link_info more = {.kprobe_multi = {.addrs = address(addrs), .count = n}};
	bool is_return = info->kprobe_multi.flags & 1;

	if (addrs && ask_again(fd, &more))
		ret->places.len = 0;
	add_number(ret, "retprobe", is_return);
	add_number(ret, "func_cnt", n);
	add_number(ret, "missed", (int64_t)ret->missed);
	if (n)
		skep_buf_printf(&ret->where, "%u kernel function%s%s", n, n == 1 ? "" : "s",
				is_return ? " (return)" : "");
	return 0;
}

static int uprobe_multi(int fd, const struct link_info *info, struct skep_link *ret)
{
	uint32_t n = info->uprobe_multi.count;
	uint64_t *offs = room_for(ret, n);
	char path[TEXT_BYTES] = "";
	struct link_info more = {.uprobe_multi = {.path = address(path),
						  .path_len = sizeof(path),
						  .offs = address(offs),
						  .count = offs ? n : 0}};
	bool is_return = info->uprobe_multi.flags & UPROBE_MULTI_RETURN;

	if (ask_again(fd, &more))
		ret->places.len = 0;
	path[sizeof(path) - 1] = '\0';
	add_number(ret, "retprobe", is_return);
	add_text(ret, "path", path);
	add_number(ret, "func_cnt", n);
	add_number(ret, "pid", info->uprobe_multi.pid);
	skep_buf_printf(&ret->where, "%s, %u place%s%s", path, n, n == 1 ? "" : "s",
			is_return ? " (return)" : "");
	if (info->uprobe_multi.pid)
		skep_buf_printf(&ret->where, " of process %u", info->uprobe_multi.pid);
	return 0;
}

/* --- Control groups, networks, maps ---------------------------------------------------------- */

/* A group's id is that of its folder's file handle. */
static int group_path(uint64_t id, char *ret, size_t size)
{
	_Alignas(struct file_handle) char bytes[sizeof(struct file_handle) + sizeof(id)] = {0};
	struct file_handle *handle = (struct file_handle *)bytes;
	_cleanup_buf_ struct skep_buf mounts = {0};
	char root[TEXT_BYTES], self[64];

	if (skep_file_read("/proc/self/mounts", MOUNTS_BYTES, &mounts) || !mounts.data ||
	    skep_mounts_find(mounts.data, "cgroup2", "/sys/fs/cgroup", root, sizeof(root)))
		return -ENOENT;
	_cleanup_close_ int mount = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	handle->handle_bytes = sizeof(id);
	handle->handle_type = CGROUP_HANDLE;
	memcpy(handle->f_handle, &id, sizeof(id));
	_cleanup_close_ int fd = open_by_handle_at(mount, handle, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	ssize_t len = readlink(self, ret, size - 1);
	ret[len < 0 ? 0 : len] = '\0';
	return len < 0 ? -errno : 0;
}

static int cgroup(int fd, const struct link_info *info, struct skep_link *ret)
{
	char path[TEXT_BYTES];
	const char *hook = add_attach_type(ret, info->cgroup.attach_type);

	add_number(ret, "cgroup_id", (int64_t)info->cgroup.id);
	if (group_path(info->cgroup.id, path, sizeof(path))) {
		skep_buf_printf(&ret->where, "control group %llu (%s)",
				(unsigned long long)info->cgroup.id, hook);
		return 0;
	}
	add_text(ret, "cgroup", path);
	skep_buf_printf(&ret->where, "%s (%s)", path, hook);
	return 0;
}

/* Devices of other network namespaces have numbers of their own: a name is that of ours. */
static void tell_device(struct skep_link *ret, uint32_t index)
{
	char name[IF_NAMESIZE];

	add_number(ret, "ifindex", index);
	if (if_indextoname(index, name)) {
		add_text(ret, "devname", name);
		skep_buf_puts(&ret->where, name);
	} else {
		skep_buf_printf(&ret->where, "device %u", index);
	}
}

static int xdp(int fd, const struct link_info *info, struct skep_link *ret)
{
	tell_device(ret, info->place.target);
	return 0;
}

static int device(int fd, const struct link_info *info, struct skep_link *ret)
{
	tell_device(ret, info->place.target);
	skep_buf_printf(&ret->where, " (%s)", add_attach_type(ret, info->place.attach_type));
	return 0;
}

static int netns(int fd, const struct link_info *info, struct skep_link *ret)
{
	add_number(ret, "netns_ino", info->place.target);
	skep_buf_printf(&ret->where, "network namespace %u (%s)", info->place.target,
			add_attach_type(ret, info->place.attach_type));
	return 0;
}

static int struct_ops(int fd, const struct link_info *info, struct skep_link *ret)
{
	add_number(ret, "map_id", info->place.target);
	skep_buf_printf(&ret->where, "map %u", info->place.target);
	return 0;
}

static int sockmap(int fd, const struct link_info *info, struct skep_link *ret)
{
	add_number(ret, "map_id", info->place.target);
	skep_buf_printf(&ret->where, "map %u (%s)", info->place.target,
			add_attach_type(ret, info->place.attach_type));
	return 0;
}

static int netfilter(int fd, const struct link_info *info, struct skep_link *ret)
{
	static const char *const families[] = {[2] = "ipv4", [3] = "arp", [10] = "ipv6"};
	static const char *const hooks[] = {"prerouting", "input", "forward", "output",
					    "postrouting"};
	uint32_t pf = info->netfilter.pf, hook = info->netfilter.hook;
	bool has_family = pf < sizeof(families) / sizeof(*families) && families[pf];

	add_number(ret, "pf", pf);
	add_number(ret, "hook", hook);
	add_number(ret, "prio", info->netfilter.priority);
	add_number(ret, "flags", info->netfilter.flags);
	skep_buf_printf(&ret->where, "%s %s, priority %d", has_family ? families[pf] : "family",
			hook < sizeof(hooks) / sizeof(*hooks) ? hooks[hook] : "hook",
			info->netfilter.priority);
	return 0;
}

/* --- The whole ------------------------------------------------------------------------------- */

static const struct link_type {
	const char *name;
	int (*describe)(int fd, const struct link_info *info, struct skep_link *ret);
} types[] = {
#define LINK_TYPE(name, describe) {name, describe},
#include "linux/link_types.def"
#undef LINK_TYPE
};

int skep_link_describe(int fd, struct skep_link *ret)
{
	struct link_info info;

	memset(ret, 0, sizeof(*ret));
	memset(&info, 0, sizeof(info));
	int err = skep_bpf_info(fd, &info, sizeof(info));
	if (err)
		return err;
	ret->id = info.id;
	ret->type = info.type;
	ret->prog_id = info.prog_id;
	ret->missed = missed_of(&info);
	if (info.type < sizeof(types) / sizeof(*types)) {
		ret->type_name = types[info.type].name;
		return types[info.type].describe(fd, &info, ret);
	}
	snprintf(ret->unknown, sizeof(ret->unknown), "type %u", info.type);
	ret->type_name = ret->unknown;
	return 0;
}

void skep_link_done(struct skep_link *link)
{
	for (size_t i = 0; i < link->fields.len; i++)
		free(link->fields.data[i].text);
	skep_vec_done(&link->fields);
	skep_vec_done(&link->places);
	skep_buf_done(&link->where);
}
