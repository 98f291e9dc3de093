/*
 * cpumap: CPUs to go on with packets at, the length of their queue, and a
 * program to run there.
 *
 * Source    Linux 6.18, kernel/bpf/cpumap.c, for behaviour.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "map/hops.h"

#define MOST_CPUS  8192 /* of distributions' kernels */
#define MOST_QSIZE 16384

/* How many CPUs the kernel could ever handle, as it says itself: CONFIG_NR_CPUS. */
static uint32_t most_cpus(void)
{
	FILE *file = fopen("/sys/devices/system/cpu/kernel_max", "re");
	uint32_t last = MOST_CPUS - 1;

	if (!file)
		return MOST_CPUS;
	if (fscanf(file, "%" SCNu32, &last) != 1)
		last = MOST_CPUS - 1;
	fclose(file);
	return last + 1;
}

static int create(const struct skep_map_attr *attr, struct skep_map **ret)
{
	if (!attr->max_entries || attr->key_size != 4)
		return -EINVAL;
	if (attr->value_size != 4 && attr->value_size != 8)
		return -EINVAL;
	if (attr->flags & ~SKEP_F_NUMA_NODE)
		return -EINVAL;
	if (attr->max_entries > most_cpus())
		return -E2BIG;
	return skep_hops_create(attr, ret);
}

static int check_update(const struct skep_map *map, uint32_t cpu, struct skep_hop_value value,
			uint64_t flags)
{
	if (flags > SKEP_EXIST)
		return -EINVAL;
	if (cpu >= map->max_entries)
		return -E2BIG;
	if (flags == SKEP_NOEXIST)
		return -EEXIST;
	if (value.number > MOST_QSIZE)
		return -EOVERFLOW;
	return cpu >= skep_map_n_cpus() ? -ENODEV : 0;
}

static int update(struct skep_map *map, const void *key, const void *value, uint64_t flags)
{
	struct skep_hop_value in = skep_hop_value_in(map, value);
	uint32_t cpu = skep_objects_index(key);
	struct skep_hop hop = {0};
	int err = check_update(map, cpu, in, flags);

	if (err)
		return err;
	/* Whatever is wrong with the program, the kernel says it had no memory. */
	if (in.number && skep_hop_get(map, in, &hop))
		return -ENOMEM;
	skep_hops_replace(map, cpu, hop);
	return 0;
}

const struct skep_map_ops skep_map_cpumap_ops = {
	.create = create,
	.free = skep_hops_free,
	.lookup = skep_hops_lookup,
	.update = update,
	.delete = skep_hops_delete,
	.object = skep_hops_object,
	.sys_lookup = skep_hops_sys_lookup,
	.next_key = skep_objects_next_key,
};
