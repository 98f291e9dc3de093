/*
 * struct_ops: one table of functions of the kernel's, filled in by programs.
 *
 *	        update                       delete
 *	INIT ───────────► INUSE ─────────────────────────► TOBEFREE
 *	    └───────────► READY   with BPF_F_LINK: links register it from here
 *
 * What a value's members mean is the environment's business: it turns the
 * descriptors of programs in a value into ids, and registers the table.
 *
 * Source    Linux 6.18, kernel/bpf/bpf_struct_ops.c, for behaviour.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "map/objects.h"

/* struct bpf_struct_ops_common, at the start of every value; the table is a cache line on. */
struct common {
	uint32_t users;
	uint32_t state;
};

struct struct_ops {
	struct skep_map map;
	pthread_mutex_t lock;
	uint32_t state; /* enum skep_struct_ops_state; atomic */
	uint8_t *kept;  /* the value as user space reads it: ids for programs */
};

static int check(const struct skep_map_attr *attr)
{
	if (attr->key_size != 4 || attr->max_entries != 1)
		return -EINVAL;
	if (attr->flags & ~(SKEP_F_LINK | SKEP_F_VTYPE_BTF_OBJ_FD))
		return -EINVAL;
	return attr->value_size < sizeof(struct common) ? -EINVAL : 0;
}

static int create(const struct skep_map_attr *attr, struct skep_map **ret)
{
	struct struct_ops *st = skep_map_alloc(attr, sizeof(*st));

	if (!st)
		return -ENOMEM;
	st->kept = calloc(1, attr->value_size);
	if (!st->kept) {
		skep_map_discard(&st->map);
		return -ENOMEM;
	}
	pthread_mutex_init(&st->lock, NULL);
	st->map.memory_bytes = attr->value_size;
	*ret = &st->map;
	return 0;
}

static void drop_programs(struct struct_ops *st)
{
	if (st->map.env && st->map.env->unfill)
		st->map.env->unfill(&st->map, st->kept);
}

static void destroy(struct skep_map *map)
{
	struct struct_ops *st = (struct struct_ops *)map;

	if (skep_struct_ops_state(map) != SKEP_STRUCT_OPS_INIT)
		drop_programs(st);
	pthread_mutex_destroy(&st->lock);
	free(st->kept);
	skep_map_discard(map);
}

enum skep_struct_ops_state skep_struct_ops_state(const struct skep_map *map)
{
	const struct struct_ops *st = (const struct struct_ops *)map;

	return __atomic_load_n(&st->state, __ATOMIC_ACQUIRE);
}

const void *skep_struct_ops_value(const struct skep_map *map)
{
	return ((const struct struct_ops *)map)->kept;
}

static int enlist(struct struct_ops *st)
{
	return st->map.env && st->map.env->enlist ? st->map.env->enlist(&st->map, st->kept) : 0;
}

/* Under the lock, in state INIT. */
static int fill(struct struct_ops *st, const void *value)
{
	bool linked = st->map.flags & SKEP_F_LINK;
	int err = 0;

	memcpy(st->kept, value, st->map.value_size);
	if (st->map.env && st->map.env->fill)
		err = st->map.env->fill(&st->map, st->kept);
	if (!err && !linked) {
		err = enlist(st);
		if (err)
			drop_programs(st);
	}
	if (err) {
		memset(st->kept, 0, st->map.value_size);
		return err;
	}
	if (!linked)
		skep_map_ref(&st->map);
	__atomic_store_n(&st->state, linked ? SKEP_STRUCT_OPS_READY : SKEP_STRUCT_OPS_INUSE,
			 __ATOMIC_RELEASE);
	return 0;
}

static int sys_update(struct skep_map *map, const void *key, const void *value, uint64_t flags)
{
	struct struct_ops *st = (struct struct_ops *)map;
	struct common common;
	int err = -EBUSY;

	if (flags)
		return -EINVAL;
	if (skep_objects_index(key))
		return -E2BIG;
	memcpy(&common, value, sizeof(common));
	if (common.users || common.state)
		return -EINVAL;
	pthread_mutex_lock(&st->lock);
	if (skep_struct_ops_state(map) == SKEP_STRUCT_OPS_INIT)
		err = fill(st, value);
	pthread_mutex_unlock(&st->lock);
	return err;
}

static int sys_delete(struct skep_map *map, const void *key)
{
	struct struct_ops *st = (struct struct_ops *)map;
	uint32_t state = SKEP_STRUCT_OPS_INUSE;

	if (map->flags & SKEP_F_LINK)
		return -EOPNOTSUPP;
	if (!__atomic_compare_exchange_n(&st->state, &state, SKEP_STRUCT_OPS_TOBEFREE, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return state == SKEP_STRUCT_OPS_TOBEFREE ? -EINPROGRESS : -ENOENT;
	if (map->env && map->env->delist)
		map->env->delist(map, st->kept);
	skep_map_unref(map);
	return 0;
}

static int sys_lookup(struct skep_map *map, const void *key, void *value, uint64_t flags)
{
	const struct struct_ops *st = (const struct struct_ops *)map;
	struct common common = {.state = skep_struct_ops_state(map)};

	if (skep_objects_index(key))
		return -ENOENT;
	if (common.state == SKEP_STRUCT_OPS_INIT) {
		memset(value, 0, map->value_size);
		return 0;
	}
	/* Who uses it beside descriptors: the registration itself. */
	common.users = common.state == SKEP_STRUCT_OPS_INUSE;
	memcpy(value, st->kept, map->value_size);
	memcpy(value, &common, sizeof(common));
	return 0;
}

static int next_key(struct skep_map *map, const void *key, void *next)
{
	uint32_t only = 0;

	if (key && !skep_objects_index(key))
		return -ENOENT;
	memcpy(next, &only, sizeof(only));
	return 0;
}

const struct skep_map_ops skep_map_struct_ops_ops = {
	.check = check,
	.create = create,
	.free = destroy,
	.sys_lookup = sys_lookup,
	.sys_update = sys_update,
	.sys_delete = sys_delete,
	.next_key = next_key,
};
