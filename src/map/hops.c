/* Tables of where packets go next; see hops.h. */
#include "map/hops.h"

#include <errno.h>
#include <string.h>

#include "map/lock.h"
#include "map/memory.h"

static size_t table_bytes(const struct skep_map *map)
{
	return (size_t)map->max_entries * sizeof(struct skep_hop);
}

int skep_hops_create(const struct skep_map_attr *attr, struct skep_map **ret)
{
	struct skep_hops *hops = skep_map_alloc(attr, sizeof(*hops));

	if (!hops)
		return -ENOMEM;
	if (skep_memory_fits((uint64_t)attr->max_entries * sizeof(void *)))
		hops->hops = skep_memory_private(table_bytes(&hops->map));
	if (!hops->hops) {
		skep_map_discard(&hops->map);
		return -ENOMEM;
	}
	hops->map.memory_bytes = table_bytes(&hops->map);
	*ret = &hops->map;
	return 0;
}

void skep_hops_free(struct skep_map *map)
{
	struct skep_hops *hops = (struct skep_hops *)map;

	for (uint32_t i = 0; i < hops->n_used; i++)
		skep_objects_put(map, hops->hops[i].prog);
	skep_memory_release(hops->hops, table_bytes(map));
	skep_map_discard(map);
}

void skep_hops_replace(struct skep_map *map, uint32_t index, struct skep_hop hop)
{
	struct skep_hops *hops = (struct skep_hops *)map;
	void *old;

	skep_lock(&hops->lock);
	old = skep_hop_set(&hops->hops[index], hop);
	if (index >= hops->n_used)
		hops->n_used = index + 1;
	skep_unlock(&hops->lock);
	skep_objects_retire(map, old);
}

struct skep_hop *skep_hops_at(struct skep_map *map, uint32_t index)
{
	struct skep_hops *hops = (struct skep_hops *)map;
	struct skep_hop *hop;

	if (index >= map->max_entries)
		return NULL;
	hop = &hops->hops[index];
	return __atomic_load_n(&hop->value, __ATOMIC_ACQUIRE) ? hop : NULL;
}

struct skep_hop_value skep_hop_value_in(const struct skep_map *map, const void *value)
{
	struct skep_hop_value v = {0};

	memcpy(&v, value, map->value_size);
	return v;
}

int skep_hop_get(struct skep_map *map, struct skep_hop_value value, struct skep_hop *ret)
{
	struct skep_hop hop = {0};
	int err;

	if ((int32_t)value.prog > 0) {
		hop.prog = skep_objects_get(map, (int)value.prog, &err);
		if (!hop.prog)
			return err;
		value.prog = map->env->id ? map->env->id(map, hop.prog) : 0;
	} else {
		value.prog = 0;
	}
	memcpy(&hop.value, &value, sizeof(value));
	*ret = hop;
	return 0;
}

void *skep_hop_set(struct skep_hop *at, struct skep_hop hop)
{
	void *old = __atomic_exchange_n(&at->prog, hop.prog, __ATOMIC_SEQ_CST);

	__atomic_store_n(&at->value, hop.value, __ATOMIC_RELEASE);
	return old;
}

int skep_hop_copy(const struct skep_map *map, const struct skep_hop *hop, void *value)
{
	uint64_t word = hop ? __atomic_load_n(&hop->value, __ATOMIC_ACQUIRE) : 0;

	if (!word)
		return -ENOENT;
	memcpy(value, &word, map->value_size);
	return 0;
}

void *skep_hops_lookup(struct skep_map *map, const void *key)
{
	struct skep_hop *hop = skep_hops_at(map, skep_objects_index(key));

	return hop ? &hop->value : NULL;
}

void *skep_hops_object(struct skep_map *map, const void *key)
{
	struct skep_hop *hop = skep_hops_at(map, skep_objects_index(key));

	return hop ? __atomic_load_n(&hop->prog, __ATOMIC_ACQUIRE) : NULL;
}

int skep_hops_sys_lookup(struct skep_map *map, const void *key, void *value, uint64_t flags)
{
	return skep_hop_copy(map, skep_hops_at(map, skep_objects_index(key)), value);
}

int skep_hops_delete(struct skep_map *map, const void *key)
{
	uint32_t index = skep_objects_index(key);

	if (index >= map->max_entries)
		return -EINVAL;
	if (skep_hops_at(map, index))
		skep_hops_replace(map, index, (struct skep_hop){0});
	return 0;
}
