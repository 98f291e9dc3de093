/*
 * queue and stack: values in the order they came, or against it.
 *
 *	slots    max_entries + 1; from `tail` (oldest) to before `head`, going round
 *
 * One slot is always empty, which tells full from empty. BPF_EXIST makes room
 * by dropping the oldest value, of a stack too.
 */
#include <errno.h>
#include <string.h>

#include "map/lock.h"
#include "map/ops.h"

struct ring {
	uint32_t lock, head, tail, pad;
	uint8_t slots[];
};

#define CREATE_FLAGS (SKEP_F_NUMA_NODE | SKEP_F_ACCESS)

static int queue_check(const struct skep_map_attr *attr)
{
	if (!attr->max_entries || attr->key_size || !attr->value_size ||
	    !skep_map_flags_ok(attr, CREATE_FLAGS))
		return -EINVAL;
	return attr->value_size > SKEP_KMALLOC_MOST ? -E2BIG : 0;
}

static int queue_create(const struct skep_map_attr *attr, struct skep_map **ret)
{
	struct skep_map *map = skep_map_alloc(attr, sizeof(*map));
	uint64_t bytes = sizeof(struct ring);
	int err;

	if (!map)
		return -ENOMEM;
	bytes += ((uint64_t)attr->max_entries + 1) * attr->value_size;
	err = skep_map_reserve(map, bytes, true);
	if (err)
		skep_map_discard(map);
	else
		*ret = map;
	return err;
}

static struct ring *ring_of(const struct skep_map *map)
{
	return (struct ring *)map->base;
}

static uint32_t after(const struct skep_map *map, uint32_t slot)
{
	return slot == map->max_entries ? 0 : slot + 1;
}

static uint32_t before(const struct skep_map *map, uint32_t slot)
{
	return slot ? slot - 1 : map->max_entries;
}

static uint8_t *slot_at(const struct skep_map *map, uint32_t slot)
{
	return ring_of(map)->slots + (size_t)slot * map->value_size;
}

static int queue_push(struct skep_map *map, const void *value, uint64_t flags)
{
	struct ring *ring = ring_of(map);
	int err = 0;

	if (flags & SKEP_NOEXIST || flags > SKEP_EXIST)
		return -EINVAL;
	skep_lock(&ring->lock);
	if (after(map, ring->head) == ring->tail) {
		if (flags & SKEP_EXIST)
			ring->tail = after(map, ring->tail);
		else
			err = -E2BIG;
	}
	if (!err) {
		memcpy(slot_at(map, ring->head), value, map->value_size);
		ring->head = after(map, ring->head);
	}
	skep_unlock(&ring->lock);
	return err;
}

/* The next value, @take it or leave it. @value is untouched if there is none. */
static int get(struct skep_map *map, void *value, bool take)
{
	struct ring *ring = ring_of(map);
	bool newest = map->type == SKEP_MAP_STACK, empty;

	skep_lock(&ring->lock);
	empty = ring->head == ring->tail;
	if (!empty) {
		uint32_t slot = newest ? before(map, ring->head) : ring->tail;

		memcpy(value, slot_at(map, slot), map->value_size);
		if (take && newest)
			ring->head = slot;
		else if (take)
			ring->tail = after(map, slot);
	}
	skep_unlock(&ring->lock);
	return empty ? -ENOENT : 0;
}

/* Programs find zeros when there is nothing. */
static int get_or_zero(struct skep_map *map, void *value, bool take)
{
	int err = get(map, value, take);

	if (err)
		memset(value, 0, map->value_size);
	return err;
}

static int queue_pop(struct skep_map *map, void *value)
{
	return get_or_zero(map, value, true);
}

static int queue_peek(struct skep_map *map, void *value)
{
	return get_or_zero(map, value, false);
}

static int queue_sys_lookup(struct skep_map *map, const void *key, void *value, uint64_t flags)
{
	return get(map, value, false);
}

static int queue_sys_lookup_and_delete(struct skep_map *map, const void *key, void *value,
				       uint64_t flags)
{
	return get(map, value, true);
}

static int queue_next_key(struct skep_map *map, const void *key, void *next_key)
{
	return -EINVAL;
}

#define QUEUE_OPS                                                                                  \
	{                                                                                          \
		.check = queue_check, .create = queue_create, .free = skep_map_discard,            \
		.push = queue_push, .pop = queue_pop, .peek = queue_peek,                          \
		.sys_lookup = queue_sys_lookup,                                                    \
		.sys_lookup_and_delete = queue_sys_lookup_and_delete, .next_key = queue_next_key,  \
	}

const struct skep_map_ops skep_map_queue_ops = QUEUE_OPS;
const struct skep_map_ops skep_map_stack_ops = QUEUE_OPS;
