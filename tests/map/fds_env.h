/*
 * Elements by real descriptors, for both sides: the kernel takes them as they
 * are, and this environment tells our maps what the kernel would find behind
 * them.
 */
#ifndef TESTS_MAP_FDS_ENV_H
#define TESTS_MAP_FDS_ENV_H

#include "kernel_map.h"

#include <net/if.h>
#include <stdbool.h>
#include <sys/socket.h>

#include <skep/map.h>

enum fd_kind { FD_CLOSED, FD_FILE, FD_PROG, FD_MAP, FD_SOCKET, FD_XSK, FD_PERF, FD_CGROUP, FD_PID };

/* An object behind a descriptor; `map` is ours where the kernel has the one behind `fd`. */
struct fd_object {
	int fd;
	enum fd_kind kind;
	uint32_t type, attach; /* programs: enum bpf_prog_type and expected_attach_type */
	bool suits;            /* sockets: the map under test takes it */
	uint32_t id;
	struct skep_map *map;
	int refs;
};

#define MOST_FDS 16
static struct fd_object fds[MOST_FDS];
static unsigned n_fds;

static inline uint32_t fds_id(int fd, uint32_t off)
{
	uint8_t info[512] = {0};
	union bpf_attr attr = {.info.bpf_fd = (uint32_t)fd,
			       .info.info_len = sizeof(info),
			       .info.info = (uintptr_t)info};
	uint32_t id;

	assert_int_equal(kernel_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr), 0);
	memcpy(&id, info + off, sizeof(id));
	return id;
}

static KERNEL_UNUSED struct fd_object *fds_add(int fd, enum fd_kind kind)
{
	struct fd_object *object = &fds[n_fds++];

	assert_true(n_fds <= MOST_FDS);
	*object = (struct fd_object){.fd = fd, .kind = kind, .suits = true};
	/* struct bpf_prog_info and bpf_map_info both begin with the type and the id. */
	if (kind == FD_PROG || kind == FD_MAP)
		object->id = fds_id(fd, 4);
	return object;
}

static KERNEL_UNUSED void fds_close(void)
{
	for (unsigned i = 0; i < n_fds; i++) {
		assert_int_equal(fds[i].refs, 0); /* every reference came back */
		if (fds[i].kind != FD_CLOSED)
			close(fds[i].fd);
		if (fds[i].map)
			skep_map_unref(fds[i].map);
	}
	n_fds = 0;
}

static inline struct fd_object *fds_find(int fd)
{
	for (unsigned i = 0; i < n_fds; i++)
		if (fds[i].fd == fd)
			return &fds[i];
	return NULL;
}

static inline bool prog_fits(const struct skep_map *map, const struct fd_object *object)
{
	if (map->type == SKEP_MAP_DEVMAP || map->type == SKEP_MAP_DEVMAP_HASH)
		return object->attach == BPF_XDP_DEVMAP;
	if (map->type == SKEP_MAP_CPUMAP)
		return object->attach == BPF_XDP_CPUMAP;
	return true;
}

/* What the kernel says of a descriptor of another kind. */
static inline int wrong_kind(const struct skep_map *map)
{
	switch (map->type) {
	case SKEP_MAP_SOCKMAP:
	case SKEP_MAP_SOCKHASH:
	case SKEP_MAP_XSKMAP:
	case SKEP_MAP_REUSEPORT_SOCKARRAY:
	case SKEP_MAP_SK_STORAGE: return -ENOTSOCK;
	case SKEP_MAP_PERF_EVENT_ARRAY:
	case SKEP_MAP_CGROUP_ARRAY:
	case SKEP_MAP_CGRP_STORAGE:
	case SKEP_MAP_TASK_STORAGE: return -EBADF;
	default: return -EINVAL;
	}
}

static inline enum fd_kind kind_for(const struct skep_map *map)
{
	switch (map->type) {
	case SKEP_MAP_ARRAY_OF_MAPS:
	case SKEP_MAP_HASH_OF_MAPS: return FD_MAP;
	case SKEP_MAP_SOCKMAP:
	case SKEP_MAP_SOCKHASH:
	case SKEP_MAP_REUSEPORT_SOCKARRAY:
	case SKEP_MAP_SK_STORAGE: return FD_SOCKET;
	case SKEP_MAP_XSKMAP: return FD_XSK;
	case SKEP_MAP_PERF_EVENT_ARRAY: return FD_PERF;
	case SKEP_MAP_CGROUP_ARRAY:
	case SKEP_MAP_CGRP_STORAGE: return FD_CGROUP;
	case SKEP_MAP_INODE_STORAGE: return FD_FILE;
	case SKEP_MAP_TASK_STORAGE: return FD_PID;
	default: return FD_PROG;
	}
}

static inline bool is_socket(const struct fd_object *object)
{
	return object->kind == FD_SOCKET || object->kind == FD_XSK;
}

/* Maps of maps hold struct skep_map; the others hold our struct fd_object. */
static inline bool holds_maps(const struct skep_map *map)
{
	return kind_for(map) == FD_MAP;
}

static inline void *fds_get(struct skep_map *map, int fd, int *ret_err)
{
	struct fd_object *object = fds_find(fd);
	enum fd_kind want = kind_for(map);

	if (!object || object->kind == FD_CLOSED) {
		*ret_err = -EBADF;
		return NULL;
	}
	if (object->kind != want) {
		*ret_err = is_socket(object) && (want == FD_SOCKET || want == FD_XSK)
				   ? -EOPNOTSUPP
				   : wrong_kind(map);
		return NULL;
	}
	if (want == FD_PROG && !prog_fits(map, object)) {
		*ret_err = -EINVAL;
		return NULL;
	}
	if (!object->suits) {
		*ret_err = -EOPNOTSUPP;
		return NULL;
	}
	object->refs++;
	return holds_maps(map) ? (void *)object->map : object;
}

static inline struct fd_object *fds_object(struct skep_map *map, void *held)
{
	if (!holds_maps(map))
		return held;
	for (unsigned i = 0; i < n_fds; i++)
		if (fds[i].map == held)
			return &fds[i];
	return NULL;
}

static inline void fds_put(struct skep_map *map, void *held)
{
	fds_object(map, held)->refs--;
}

static inline void fds_ref(struct skep_map *map, void *held)
{
	fds_object(map, held)->refs++;
}

static inline uint32_t fds_id_of(struct skep_map *map, void *held)
{
	return fds_object(map, held)->id;
}

static inline uint64_t fds_cookie(struct skep_map *map, void *held)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	getsockopt(fds_object(map, held)->fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
	return cookie;
}

static inline bool fds_device(struct skep_map *map, uint32_t ifindex)
{
	char name[IF_NAMESIZE];

	return if_indextoname(ifindex, name);
}

static const struct skep_map_env fds_env = {
	.get = fds_get,
	.put = fds_put,
	.id = fds_id_of,
	.ref = fds_ref,
	.cookie = fds_cookie,
	.device = fds_device,
};

#endif
