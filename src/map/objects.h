/*
 * Elements that are somebody else's objects: programs, maps, sockets, cgroups.
 *
 * A table of pointers that the map's environment gave and takes back. It lies
 * in private memory: in a child of fork() it is the child's own, since a
 * pointer means nothing in another process.
 */
#ifndef SKEP_MAP_OBJECTS_H
#define SKEP_MAP_OBJECTS_H

#include "map/ops.h"

struct skep_objects {
	struct skep_map map;
	void **slots;    /* max_entries; atomic */
	uint32_t n_used; /* 1 + the highest index ever set; atomic */
};

/** What is wrong with flags of BPF_MAP_UPDATE_ELEM, given whether there is an element. */
int skep_objects_check_flags(bool there, uint64_t flags);

/** create() checks of arrays of descriptors. */
int skep_objects_check(const struct skep_map_attr *attr);
/** @bytes: of the type's own struct, which begins with a struct skep_objects. */
int skep_objects_create_in(const struct skep_map_attr *attr, size_t bytes, struct skep_map **ret);
int skep_objects_create(const struct skep_map_attr *attr, struct skep_map **ret);
void skep_objects_free(struct skep_map *map);

/** NULL: no such index, or empty. */
void *skep_objects_at(const struct skep_map *map, uint32_t index);
/** The object behind @fd or NULL and *@ret_err. */
void *skep_objects_get(struct skep_map *map, int fd, int *ret_err);
/** Give back an object that was never in @map, or that no program can be looking at. */
void skep_objects_put(struct skep_map *map, void *object);
/** Give back an object that was in @map until now, once programs have done with it (grace.h). No
 *  lock is held. */
void skep_objects_retire(struct skep_map *map, void *object);
/** Give @index another object (NULL: none). Return the former, for the caller to retire. */
void *skep_objects_swap(struct skep_map *map, uint32_t index, void *object);
/** The same, and retire the former. Return whether there was one. */
bool skep_objects_exchange(struct skep_map *map, uint32_t index, void *object);

/* Operations that several types have as they are. */
void *skep_objects_object(struct skep_map *map, const void *key);
int skep_objects_delete(struct skep_map *map, const void *key);
int skep_objects_sys_lookup(struct skep_map *map, const void *key, void *value, uint64_t flags);
int skep_objects_next_key(struct skep_map *map, const void *key, void *next_key);

/** What user space sees of the object that @look finds: its id, and of a socket the cookie, if
 *  values are 8 bytes. Return 0 | -ENOENT | -ENOSPC. */
typedef void *skep_objects_look(struct skep_map *map, const void *key);
int skep_objects_id(struct skep_map *map, skep_objects_look *look, const void *key, void *value);
int skep_objects_cookie(struct skep_map *map, skep_objects_look *look, const void *key,
			void *value);
/** A descriptor in a value of 4 or 8 bytes. Return it | -EINVAL. */
int skep_objects_fd(const struct skep_map *map, const void *value);

static inline uint32_t skep_map_up_to_power(uint32_t n)
{
	return n <= 1 ? 1 : (UINT32_MAX >> __builtin_clz(n - 1)) + 1;
}

static inline uint32_t skep_objects_index(const void *key)
{
	uint32_t index;

	__builtin_memcpy(&index, key, sizeof(index));
	return index;
}

#endif
