/*
 * bpf(2) of the running kernel: the system call and the map commands the
 * layers above use most. Nothing here keeps state but the once-only raise of
 * RLIMIT_MEMLOCK.
 *
 * Invariant: a descriptor that comes back is close-on-exec (the kernel makes
 * all bpf(2) descriptors so).
 */
#include "linux/bpf.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "linux/newer.h"

enum { LOAD_TRIES = 5 };

static int sys_bpf(enum bpf_cmd cmd, union bpf_attr *attr, size_t size)
{
	long ret = syscall(SYS_bpf, cmd, attr, size);

	return ret < 0 ? -errno : (int)ret;
}

/*
 * Before 5.11 maps and programs were charged against RLIMIT_MEMLOCK, and a
 * limit that is too low shows as EPERM. Newer kernels charge the memory
 * cgroup, so nothing is lost where raising it is not allowed.
 *
 * Returns whether the limit is higher now than when the command failed.
 */
static bool raise_memlock_once(void)
{
	static atomic_flag done = ATOMIC_FLAG_INIT;
	struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

	if (atomic_flag_test_and_set(&done))
		return false;
	return setrlimit(RLIMIT_MEMLOCK, &limit) == 0;
}

/* A load is interrupted with EAGAIN when a signal is pending during verification. */
int skep_bpf(enum bpf_cmd cmd, union bpf_attr *attr, size_t size)
{
	int ret = sys_bpf(cmd, attr, size);

	for (int i = 1; cmd == BPF_PROG_LOAD && ret == -EAGAIN && i < LOAD_TRIES; i++)
		ret = sys_bpf(cmd, attr, size);
	if (ret == -EPERM && (cmd == BPF_MAP_CREATE || cmd == BPF_PROG_LOAD) &&
	    raise_memlock_once())
		ret = sys_bpf(cmd, attr, size);
	return ret;
}

/* User-space addresses travel as 64-bit numbers. */
static uint64_t ptr_u64(const void *ptr)
{
	return (uint64_t)(uintptr_t)ptr;
}

static int map_elem(enum bpf_cmd cmd, int map_fd, const void *key, const void *value,
		    uint64_t flags)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)map_fd;
	attr.key = ptr_u64(key);
	attr.value = ptr_u64(value);
	attr.flags = flags;
	return sys_bpf(cmd, &attr, sizeof(attr));
}

int skep_bpf_map_lookup(int map_fd, const void *key, void *ret_value, uint64_t flags)
{
	return map_elem(BPF_MAP_LOOKUP_ELEM, map_fd, key, ret_value, flags);
}

int skep_bpf_map_update(int map_fd, const void *key, const void *value, uint64_t flags)
{
	return map_elem(BPF_MAP_UPDATE_ELEM, map_fd, key, value, flags);
}

int skep_bpf_map_delete(int map_fd, const void *key)
{
	return map_elem(BPF_MAP_DELETE_ELEM, map_fd, key, NULL, 0);
}

int skep_bpf_map_take(int map_fd, const void *key, void *ret_value)
{
	int err = map_elem(BPF_MAP_LOOKUP_AND_DELETE_ELEM, map_fd, key, ret_value, 0);

	if (err != -KERNEL_ENOTSUPP)
		return err;
	err = map_elem(BPF_MAP_LOOKUP_ELEM, map_fd, key, ret_value, 0);
	return err ? err : skep_bpf_map_delete(map_fd, key);
}

int skep_bpf_map_next_key(int map_fd, const void *key, void *ret_next)
{
	return map_elem(BPF_MAP_GET_NEXT_KEY, map_fd, key, ret_next, 0);
}

int skep_bpf_map_lookup_batch(int map_fd, const void *in_batch, void *out_batch, void *keys,
			      void *values, uint32_t *count, bool and_delete)
{
	union bpf_attr attr;
	int err;

	memset(&attr, 0, sizeof(attr));
	attr.batch.in_batch = ptr_u64(in_batch);
	attr.batch.out_batch = ptr_u64(out_batch);
	attr.batch.keys = ptr_u64(keys);
	attr.batch.values = ptr_u64(values);
	attr.batch.count = *count;
	attr.batch.map_fd = (uint32_t)map_fd;
	err = sys_bpf(and_delete ? BPF_MAP_LOOKUP_AND_DELETE_BATCH : BPF_MAP_LOOKUP_BATCH, &attr,
		      sizeof(attr));
	/* The kernel writes the count back for these three only; otherwise nothing was filled. */
	if (err == 0 || err == -ENOENT)
		*count = attr.batch.count;
	else
		*count = 0;
	return err;
}

int skep_bpf_map_freeze(int map_fd)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)map_fd;
	return sys_bpf(BPF_MAP_FREEZE, &attr, sizeof(attr));
}

int skep_bpf_btf_load(const void *data, size_t size)
{
	union bpf_attr attr;

	if (size > UINT32_MAX)
		return -E2BIG;
	memset(&attr, 0, sizeof(attr));
	attr.btf = ptr_u64(data);
	attr.btf_size = (uint32_t)size;
	return sys_bpf(BPF_BTF_LOAD, &attr, sizeof(attr));
}

int skep_bpf_link_create(int prog_fd, int target_fd, enum bpf_attach_type type, uint64_t cookie)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = (uint32_t)prog_fd;
	attr.link_create.target_fd = (uint32_t)target_fd;
	attr.link_create.attach_type = type;
	attr.link_create.perf_event.bpf_cookie = cookie;
	return sys_bpf(BPF_LINK_CREATE, &attr, sizeof(attr));
}

int skep_bpf_raw_tracepoint_open(const char *name, int prog_fd)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.raw_tracepoint.name = ptr_u64(name);
	attr.raw_tracepoint.prog_fd = (uint32_t)prog_fd;
	return sys_bpf(BPF_RAW_TRACEPOINT_OPEN, &attr, sizeof(attr));
}

int skep_bpf_info(int fd, void *ret_info, size_t size)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = (uint32_t)size;
	attr.info.info = ptr_u64(ret_info);
	return sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr));
}

int skep_bpf_next_id(enum bpf_cmd cmd, uint32_t id, uint32_t *ret_next)
{
	union bpf_attr attr;
	int err;

	memset(&attr, 0, sizeof(attr));
	attr.start_id = id;
	err = sys_bpf(cmd, &attr, sizeof(attr));
	if (!err)
		*ret_next = attr.next_id;
	return err;
}

/* Programs, maps, BTF and links: the id is in the same place. */
int skep_bpf_open_id(enum bpf_cmd cmd, uint32_t id)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_id = id;
	return sys_bpf(cmd, &attr, sizeof(attr));
}

void *skep_bpf_mmap(size_t bytes, int prot, int map_fd, off_t off)
{
	void *at = mmap(NULL, bytes, prot, MAP_SHARED, map_fd, off);

	if (at != MAP_FAILED)
		madvise(at, bytes, MADV_DONTFORK);
	return at;
}
