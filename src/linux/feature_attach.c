/* Probes of where tracing programs attach: attach, and take it back at once. */
#include "linux/feature_try.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/hw_breakpoint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "linux/own_code.h"
#include "linux/procfs.h"

#define KERNEL_BTF "/sys/kernel/btf/vmlinux"

/* A function that every kernel has, that is seldom called, and that can be traced. */
#define KERNEL_FUNCTION "do_sys_settimeofday64"
/* One whose result may be changed, and that only the kernel's own tests of programs call. */
#define MODIFIED_FUNCTION "bpf_modify_return_test"

enum { BTF_STRUCT = 4, BTF_TYPEDEF = 8, BTF_FUNC = 12, COOKIE = 1 };

/* --- perf events --------------------------------------------------------------------------- */

/* Put "return 0" of @prog_type on the event, which is closed then. */
static int try_event(struct perf_event_attr *attr, uint32_t prog_type, uint64_t cookie)
{
	_cleanup_close_ int prog = try_prog(prog_type, 0, 0, 0);
	_cleanup_close_ int event = -1;

	if (prog < 0)
		return prog;
	attr->size = sizeof(*attr);
	event = skep_perf_event_open(attr, -1, 0, -1, 0);
	if (event < 0)
		return event;
	int link = skep_bpf_link_create(prog, event, BPF_PERF_EVENT, cookie);
	if (link != -EINVAL || cookie)
		return link;
	return ioctl(event, PERF_EVENT_IOC_SET_BPF, prog) < 0 ? -errno : 0;
}

int probe_tracepoint(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT, .sample_period = 1};
	const char *root = skep_tracefs();
	char path[PATH_MAX];
	int64_t id;
	int err;

	if (!root)
		return -errno;
	snprintf(path, sizeof(path), "%s/events/sched/sched_process_exit/id", root);
	err = skep_file_number(path, &id);
	if (err)
		return err;
	attr.config = (uint64_t)id;
	return try_event(&attr, BPF_PROG_TYPE_TRACEPOINT, 0);
}

int probe_perf(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	struct perf_event_attr attr = {.type = (uint32_t)feature->arg,
				       .config = (uint64_t)feature->arg2,
				       .sample_period = 10000000};
	int got = try_event(&attr, BPF_PROG_TYPE_PERF_EVENT, 0);

	if (got == -ENOENT || got == -EOPNOTSUPP) {
		snprintf(ret->why, sizeof(ret->why),
			 "the processor's counters are not to be seen here");
		snprintf(ret->hint, sizeof(ret->hint),
			 "in a virtual machine: let the hypervisor pass the PMU on");
	}
	return got;
}

int probe_cookie(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
				       .config = PERF_COUNT_SW_CPU_CLOCK,
				       .sample_period = 1000000000};

	return try_event(&attr, BPF_PROG_TYPE_PERF_EVENT, COOKIE);
}

/* A hypervisor may take the watchpoint and never let it fire: so one is tripped. */
int probe_watchpoint(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	static volatile uint64_t watched;
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(attr),
		.bp_type = HW_BREAKPOINT_W,
		.bp_addr = (uint64_t)(uintptr_t)&watched,
		.bp_len = sizeof(watched),
		.sample_period = 1,
	};
	uint64_t fired = 0;
	_cleanup_close_ int event = skep_perf_event_open(&attr, 0, -1, -1, 0);

	if (event < 0)
		return event;
	watched = 1;
	if (read(event, &fired, sizeof(fired)) == sizeof(fired) && fired)
		return 0;
	snprintf(ret->why, sizeof(ret->why),
		 "the kernel takes one, but it never fires: the hypervisor keeps the processor's "
		 "debug registers to itself");
	snprintf(ret->hint, sizeof(ret->hint), "a machine of one's own, or another hypervisor");
	return -EOPNOTSUPP;
}

int probe_raw_tp(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	_cleanup_close_ int prog = try_prog(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 0, 0);

	return prog < 0 ? prog : skep_bpf_raw_tracepoint_open("sched_process_exit", prog);
}

/* --- functions ----------------------------------------------------------------------------- */

/* What user-space probes are tried on: a function of our own that nobody calls. */
__attribute__((noinline, used)) static void probed_function(void)
{
	__asm__ volatile("");
}

/* Both dynamic PMUs take "at return" as bit 0 on every kernel so far. arg: at return? */
static int try_function(const char *pmu, long ret_probe, const char *name, uint64_t offset)
{
	struct perf_event_attr attr = {.config = (uint64_t)ret_probe};
	int type = skep_pmu_type(pmu);

	if (type < 0)
		return type;
	attr.type = (uint32_t)type;
	attr.config1 = (uint64_t)(uintptr_t)name;
	attr.config2 = offset;
	return try_event(&attr, BPF_PROG_TYPE_KPROBE, 0);
}

int probe_uprobe(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	return try_function("uprobe", feature->arg, "/proc/self/exe",
			    skep_own_file_off((uintptr_t)probed_function));
}

int probe_kprobe(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	return try_function("kprobe", feature->arg, KERNEL_FUNCTION, 0);
}

static int try_link(struct link_create_attr *attr, uint32_t prog_type)
{
	_cleanup_close_ int prog = try_prog(prog_type, attr->attach_type, 0, 0);

	if (prog < 0)
		return prog;
	attr->fd = (uint32_t)prog;
	return skep_bpf(BPF_LINK_CREATE, (union bpf_attr *)attr, sizeof(*attr));
}

/* A folder is no place for a probe, and a kernel that knows of these links says so. To put one on a
 * function would take as long as tens of programs do to load: it waits for all CPUs, twice. */
int probe_uprobe_multi(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	const uint64_t offset = 0;
	struct link_create_attr attr = {
		.attach_type = (uint32_t)feature->arg,
	};

	attr.uprobe_multi.path = (uint64_t)(uintptr_t) "/";
	attr.uprobe_multi.offsets = (uint64_t)(uintptr_t)&offset;
	attr.uprobe_multi.cnt = 1;
	int got = try_link(&attr, BPF_PROG_TYPE_KPROBE);
	return got == -EBADF ? 0 : got;
}

int probe_kprobe_multi(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	const char *const name = KERNEL_FUNCTION;
	struct link_create_attr attr = {
		.attach_type = (uint32_t)feature->arg,
	};

	attr.kprobe_multi.cnt = 1;
	attr.kprobe_multi.syms = (uint64_t)(uintptr_t)&name;
	return try_link(&attr, BPF_PROG_TYPE_KPROBE);
}

/* --- by BTF -------------------------------------------------------------------------------- */

struct btf_type {
	uint32_t name, info, size;
};

/* Bytes that follow the 12 of a type, by its kind; kinds are the format's numbers. */
static size_t extra_bytes(uint32_t info)
{
	static const struct {
		uint8_t fixed, each;
	} extra[32] = {
		[1] = {4, 0},  [3] = {12, 0}, [4] = {0, 12},  [5] = {0, 12}, [6] = {0, 8},
		[13] = {0, 8}, [14] = {4, 0}, [15] = {0, 12}, [17] = {4, 0}, [19] = {0, 12},
	};
	unsigned kind = info >> 24 & 31;

	return extra[kind].fixed + (size_t)extra[kind].each * (info & 0xffff);
}

static bool named(const struct btf_type *type, const char *strings, size_t strings_len,
		  const char *name)
{
	return type->name < strings_len &&
	       strncmp(strings + type->name, name, strings_len - type->name) == 0;
}

static int scan_btf(const char *btf, size_t len, const char *name, unsigned kind)
{
	uint32_t head
		[6]; /* magic and version, header length, types and length, strings and theirs */
	struct btf_type type;
	size_t at, end;
	int id = 0;

	if (len < sizeof(head))
		return -EINVAL;
	memcpy(head, btf, sizeof(head));
	at = (size_t)head[1] + head[2];
	end = at + head[3];
	if (end > len || (size_t)head[1] + head[4] + head[5] > len)
		return -EINVAL;
	for (; at + sizeof(type) <= end; at += sizeof(type) + extra_bytes(type.info)) {
		memcpy(&type, btf + at, sizeof(type));
		id++;
		if ((type.info >> 24 & 31) == kind &&
		    named(&type, btf + head[1] + head[4], head[5], name))
			return id;
	}
	return -ENOENT;
}

/* Megabytes, of which each read() gets a page: mapped, where that can be done (Linux 6.16). */
int try_btf_id(const char *name, unsigned kind)
{
	_cleanup_close_ int fd = open(KERNEL_BTF, O_RDONLY | O_CLOEXEC);
	_cleanup_buf_ struct skep_buf btf = {0};
	struct stat info;
	void *bytes = MAP_FAILED;

	if (fd >= 0 && !fstat(fd, &info) && info.st_size > 0)
		bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED) {
		int err = skep_file_read(KERNEL_BTF, 256 << 20, &btf);
		return err ? err : scan_btf(btf.data, btf.len, name, kind);
	}
	int id = scan_btf(bytes, (size_t)info.st_size, name, kind);
	munmap(bytes, (size_t)info.st_size);
	return id;
}

static int try_trampoline(uint32_t prog_type, uint32_t attach_type, const char *name, unsigned kind)
{
	int id = try_btf_id(name, kind);
	_cleanup_close_ int prog = id < 0 ? id : try_prog(prog_type, attach_type, (uint32_t)id, 0);

	return prog < 0 ? prog : skep_bpf_raw_tracepoint_open(NULL, prog);
}

int probe_tp_btf(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	return try_trampoline(BPF_PROG_TYPE_TRACING, BPF_TRACE_RAW_TP,
			      "btf_trace_sched_process_exit", BTF_TYPEDEF);
}

int probe_fentry(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	bool modifies = feature->arg == BPF_MODIFY_RETURN;

	return try_trampoline(BPF_PROG_TYPE_TRACING, (uint32_t)feature->arg,
			      modifies ? MODIFIED_FUNCTION : KERNEL_FUNCTION, BTF_FUNC);
}

static int try_iterator(void)
{
	int id = try_btf_id("bpf_iter_task", BTF_FUNC);
	_cleanup_close_ int prog =
		id < 0 ? id : try_prog(BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER, (uint32_t)id, 0);

	return prog < 0 ? prog : skep_bpf_link_create(prog, 0, BPF_TRACE_ITER, 0);
}

/* arg: BPF_TRACE_ITER or BPF_LSM_MAC */
int probe_btf_link(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	if (feature->arg == BPF_TRACE_ITER)
		return try_iterator();
	return try_trampoline(BPF_PROG_TYPE_LSM, BPF_LSM_MAC, "bpf_lsm_settime", BTF_FUNC);
}

/* A table of functions that programs may make has a map's value of its own in the BTF. To register
 * one, a scheduler say, would not be a small way of trying. */
int probe_struct_ops(const struct skep_feature *feature, struct skep_feature_result *ret)
{
	static const char *const values[] = {
		[TABLE_TCP_CONGESTION] = "bpf_struct_ops_tcp_congestion_ops",
		[TABLE_SCHED_EXT] = "bpf_struct_ops_sched_ext_ops",
		[TABLE_HID_BPF] = "bpf_struct_ops_hid_bpf_ops",
	};
	int id = try_btf_id(values[feature->arg], BTF_STRUCT);

	return id < 0 ? id : 0;
}
