/* Who runs the program: the host's process and thread. */
#include <string.h>

#include "helper/helpers.h"
#include "helper/model.h"
#include "helper/os.h"

DEFINE_HELPER(get_current_pid_tgid)
{
	struct skep_os_ids ids;

	skep_os_ids(&ids);
	return (uint64_t)ids.tgid << 32 | ids.pid;
}

DEFINE_HELPER(get_current_uid_gid)
{
	struct skep_os_ids ids;

	skep_os_ids(&ids);
	return (uint64_t)ids.gid << 32 | ids.uid;
}

/* Cut to fit with its NUL, and padded with NULs. */
DEFINE_HELPER(get_current_comm)
{
	char comm[16], *to = ptr_of(r1);
	uint32_t size = (uint32_t)r2;

	if (!size)
		return as_r0(-EINVAL);
	skep_os_comm(comm);
	memset(to, 0, size);
	memcpy(to, comm, strnlen(comm, size - 1 < 15 ? size - 1 : 15));
	return 0;
}

struct pid_info {
	uint32_t pid, tgid;
};

DEFINE_HELPER(get_ns_current_pid_tgid)
{
	struct pid_info *info = ptr_of(r3);
	struct skep_os_ids ids;
	uint64_t dev, ino;

	skep_os_pid_ns(&dev, &ino);
	if ((uint32_t)r4 != sizeof(*info) || r1 != (uint32_t)r1 || r1 != dev || r2 != ino) {
		memset(info, 0, (uint32_t)r4);
		return as_r0(-EINVAL);
	}
	skep_os_ids(&ids);
	*info = (struct pid_info){ids.pid, ids.tgid};
	return 0;
}

DEFINE_HELPER(get_current_cgroup_id)
{
	return skep_os_cgroup_id(-1);
}

DEFINE_HELPER(get_current_ancestor_cgroup_id)
{
	return (int32_t)r1 < 0 ? 0 : skep_os_cgroup_id((int32_t)r1);
}

/* The map's elements are cgroup models: the process is under its own cgroup's ancestors. */
DEFINE_HELPER(current_task_under_cgroup)
{
	struct skep_map *map = map_of(r1);
	uint32_t index = (uint32_t)r2;

	if (index >= map->max_entries)
		return as_r0(-E2BIG);
	const void *cgroup = skep_map_object(map, &index);
	if (!cgroup)
		return as_r0(-EAGAIN);
	int level = model_cgroup_level(cgroup);
	return level >= 0 && model_cgroup(level) == cgroup;
}

static uint64_t current_task(struct skep_run *run)
{
	void *task = model_task_current();

	grant(run, task, model_task_bytes(), SKEP_MAY_READ);
	return (uintptr_t)task;
}

DEFINE_HELPER(get_current_task)
{
	return current_task(run);
}

DEFINE_HELPER(get_current_task_btf)
{
	return current_task(run);
}

/* Registers of user space at the entry of the kernel: there was none. */
DEFINE_HELPER(task_pt_regs)
{
	static const uint64_t none[32];

	grant(run, none, sizeof(none), SKEP_MAY_READ);
	return (uintptr_t)none;
}

#define MOST_SIGNAL 64

/* Kept for the caller: a test run that killed its process would tell nothing. */
static uint64_t record_signal(struct skep_run *run, uint64_t signal, bool thread)
{
	if (!signal || signal > MOST_SIGNAL)
		return as_r0(-EINVAL);
	if (!run->world)
		return as_r0(-EPERM);
	run->world->signal = (uint32_t)signal;
	run->world->signal_thread = thread;
	return 0;
}

DEFINE_HELPER(send_signal)
{
	return record_signal(run, (uint32_t)r1, false);
}

DEFINE_HELPER(send_signal_thread)
{
	return record_signal(run, (uint32_t)r1, true);
}
