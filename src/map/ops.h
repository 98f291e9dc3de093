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
	bool percpu_values; /* the syscall side sees a copy for each CPU */
	bool fd_values;     /* it writes descriptors and reads ids, of 4 bytes */
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
	/* Which of BPF_MAP_*_BATCH there are; the generic ones are in map.c. */
	bool has_lookup_batch, has_lookup_and_delete_batch, has_update_batch, has_delete_batch;
	intptr_t (*mmap)(struct skep_map *map, void *addr, size_t len, int prot, int flags,
			 uint64_t off);
};

/** The rows by number, types.c; NULL: no such type. */
const struct skep_map_ops *skep_map_type_ops(uint32_t type);

/**
 * The start of a type's create(): @bytes of zeros (the type's struct, which begins with struct
 * skep_map), common parts filled from @attr, one reference, no memory. NULL: no memory.
 * free() ends with skep_map_discard(), which releases `base`, `memory_fd` and the struct.
 */
void *skep_map_alloc(const struct skep_map_attr *attr, size_t bytes);
/** Reserve the map's memory: sets base and memory_bytes. @in_full: it is not to come lazily, so
 *  refuse what the machine does not have. Return 0 | -ENOMEM */
int skep_map_reserve(struct skep_map *map, uint64_t bytes, bool in_full);
/** The same in a memfd, for mmap(): sets memory_fd too. */
int skep_map_reserve_fd(struct skep_map *map, uint64_t bytes);
void skep_map_discard(struct skep_map *map);

/** What create() checks for most types: no flags but @allowed, and programs may read or write. */
bool skep_map_flags_ok(const struct skep_map_attr *attr, uint32_t allowed);
/** attr->numa_node if the flag says so, else -1. */
int skep_map_numa_node(const struct skep_map_attr *attr);

#define SKEP_KMALLOC_MOST (4u << 20)  /* the largest value that the kernel's kmalloc() takes */
#define SKEP_PERCPU_MOST  (32u << 10) /* the largest per-CPU value */

/* UAPI, Linux 6.18: flags of maps and of commands on their elements. */
enum {
	SKEP_F_NO_PREALLOC = 1 << 0,
	SKEP_F_NO_COMMON_LRU = 1 << 1,
	SKEP_F_NUMA_NODE = 1 << 2,
	SKEP_F_RDONLY = 1 << 3,
	SKEP_F_WRONLY = 1 << 4,
	SKEP_F_STACK_BUILD_ID = 1 << 5,
	SKEP_F_ZERO_SEED = 1 << 6,
	SKEP_F_RDONLY_PROG = 1 << 7,
	SKEP_F_WRONLY_PROG = 1 << 8,
	SKEP_F_CLONE = 1 << 9,
	SKEP_F_MMAPABLE = 1 << 10,
	SKEP_F_PRESERVE_ELEMS = 1 << 11,
	SKEP_F_INNER_MAP = 1 << 12,
	SKEP_F_LINK = 1 << 13,
	SKEP_F_PATH_FD = 1 << 14,
	SKEP_F_VTYPE_BTF_OBJ_FD = 1 << 15,
	SKEP_F_TOKEN_FD = 1 << 16,
	SKEP_F_SEGV_ON_FAULT = 1 << 17,
	SKEP_F_NO_USER_CONV = 1 << 18,
	SKEP_F_ACCESS = SKEP_F_RDONLY | SKEP_F_WRONLY | SKEP_F_RDONLY_PROG | SKEP_F_WRONLY_PROG,
};
enum { SKEP_ANY, SKEP_NOEXIST, SKEP_EXIST, SKEP_LOCK = 4 };

#define SKEP_MAP_TYPE(number, NAME, name, help)                                                    \
	extern const struct skep_map_ops skep_map_##name##_ops;
#include <skep/map_types.def>
#undef SKEP_MAP_TYPE

#endif
