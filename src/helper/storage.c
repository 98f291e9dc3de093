/* Storages: a map's value that hangs on a socket, a task, an inode or a cgroup. */
#include "helper/helpers.h"
#include "helper/model.h"

enum { CREATE = 1 };

static uint64_t get(struct skep_run *run, struct skep_map *map, void *owner, const void *init,
		    uint64_t flags)
{
	int err = 0;

	if (!owner || flags & ~(uint64_t)CREATE)
		return 0;
	void *value = skep_map_storage(map, owner, init, flags & CREATE, &err);
	grant(run, value, map->value_size, SKEP_MAY_READ | SKEP_MAY_WRITE);
	return (uintptr_t)value;
}

static uint64_t delete (struct skep_map *map, void *owner)
{
	return as_r0(owner ? skep_map_storage_delete(map, owner) : -EINVAL);
}

DEFINE_HELPER(sk_storage_get)
{
	return get(run, map_of(r1), ptr_of(r2), ptr_of(r3), r4);
}

DEFINE_HELPER(sk_storage_delete)
{
	return delete (map_of(r1), ptr_of(r2));
}

DEFINE_HELPER(inode_storage_get)
{
	return get(run, map_of(r1), ptr_of(r2), ptr_of(r3), r4);
}

DEFINE_HELPER(inode_storage_delete)
{
	return delete (map_of(r1), ptr_of(r2));
}

DEFINE_HELPER(task_storage_get)
{
	return get(run, map_of(r1), ptr_of(r2), ptr_of(r3), r4);
}

DEFINE_HELPER(task_storage_delete)
{
	return delete (map_of(r1), ptr_of(r2));
}

DEFINE_HELPER(cgrp_storage_get)
{
	return get(run, map_of(r1), ptr_of(r2), ptr_of(r3), r4);
}

DEFINE_HELPER(cgrp_storage_delete)
{
	return delete (map_of(r1), ptr_of(r2));
}

/* Of the cgroup that the program is attached to; in a test run, of one that stands for it. */
DEFINE_HELPER(get_local_storage)
{
	static char test_run;

	return r2 ? 0 : get(run, map_of(r1), &test_run, NULL, CREATE);
}
