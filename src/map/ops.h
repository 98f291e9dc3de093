/*
 * What a map type is made of: one table of functions a type, in the file of its
 * name. Functions that a type does not have are NULL; map.c answers then as the
 * kernel does (-ENOTSUP, -EOPNOTSUPP, -EINVAL), and does for all types what is
 * the same for all: frozen and read-only maps, special fields, batches.
 */
#ifndef SKEP_MAP_OPS_H
#define SKEP_MAP_OPS_H

#include <skep/map.h>

struct skep_map_ops {
	/* What can be said of the attributes before memory is asked for; 0 | -errno. */
	int (*check)(const struct skep_map_attr *attr);
	int (*create)(const struct skep_map_attr *attr, struct skep_map **ret);
	void (*free)(struct skep_map *map);

	/* programs */
	void *(*lookup)(struct skep_map *map, const void *key);
	int (*update)(struct skep_map *map, const void *key, const void *value, uint64_t flags);
	int (*delete)(struct skep_map *map, const void *key);
	int (*push)(struct skep_map *map, const void *value, uint64_t flags);
	int (*pop)(struct skep_map *map, void *value);
	int (*peek)(struct skep_map *map, void *value);
	void *(*lookup_percpu)(struct skep_map *map, const void *key, uint32_t cpu);
	long (*for_each)(struct skep_map *map,
			 long (*each)(struct skep_map *map, void *key, void *value, void *ctx),
			 void *ctx, uint64_t flags);
	void *(*object)(struct skep_map *map, const void *key);

	/* the syscall side; NULL: by the functions above, copying */
	int (*sys_lookup)(struct skep_map *map, const void *key, void *value, uint64_t flags);
	int (*sys_update)(struct skep_map *map, const void *key, const void *value, uint64_t flags);
	int (*sys_delete)(struct skep_map *map, const void *key);
	int (*sys_lookup_and_delete)(struct skep_map *map, const void *key, void *value,
				     uint64_t flags);
	int (*next_key)(struct skep_map *map, const void *key, void *next_key);
	int (*lookup_batch)(struct skep_map *map, struct skep_map_batch *batch, bool delete);
	intptr_t (*mmap)(struct skep_map *map, void *addr, size_t len, int prot, int flags,
			 uint64_t off);
};

#define MAP_TYPE(number, NAME, name, help) extern const struct skep_map_ops skep_map_##name##_ops;
#include <skep/map_types.def>
#undef MAP_TYPE

#endif
