/* Tasks and cgroups: the process's own, by reference. Models stay, so nothing is counted. */
#include "helper/kfuncs.h"
#include "helper/model.h"

static uint64_t task_for(struct skep_run *run, void *task)
{
	grant(run, task, model_task_bytes(), SKEP_MAY_READ);
	return (uintptr_t)task;
}

static uint64_t cgroup_for(struct skep_run *run, void *cgroup)
{
	grant(run, cgroup, model_cgroup_bytes(), SKEP_MAY_READ);
	return (uintptr_t)cgroup;
}

DEFINE_KFUNC(task_acquire)
{
	return r1;
}

DEFINE_KFUNC(task_release)
{
	return 0;
}

DEFINE_KFUNC(task_from_pid)
{
	return task_for(run, model_task_by_pid((uint32_t)r1));
}

DEFINE_KFUNC(task_from_vpid)
{
	return task_for(run, model_task_by_pid((uint32_t)r1));
}

DEFINE_KFUNC(cgroup_acquire)
{
	return r1;
}

DEFINE_KFUNC(cgroup_release)
{
	return 0;
}

DEFINE_KFUNC(cgroup_ancestor)
{
	int level = model_cgroup_level(ptr_of(r1)), wanted = (int32_t)r2;

	if (wanted < 0 || wanted > level)
		return 0;
	return cgroup_for(run, model_cgroup(wanted));
}

DEFINE_KFUNC(cgroup_from_id)
{
	return cgroup_for(run, model_cgroup_by_id(r1));
}

DEFINE_KFUNC(task_under_cgroup)
{
	int level = model_cgroup_level(ptr_of(r2));

	return level >= 0 && model_cgroup(level) == ptr_of(r2);
}

/* Cgroups of version 1 are not modelled. */
DEFINE_KFUNC(task_get_cgroup1)
{
	return 0;
}

DEFINE_KFUNC(send_signal_task)
{
	const uint32_t type = (uint32_t)r3;

	/* PIDTYPE_PID: the thread; PIDTYPE_TGID: the process */
	if (type > 1 || !r2 || (uint32_t)r2 > 64)
		return as_r0(-EINVAL);
	if (!run->world)
		return as_r0(-EPERM);
	run->world->signal = (uint32_t)r2;
	run->world->signal_thread = type == 0;
	return 0;
}
