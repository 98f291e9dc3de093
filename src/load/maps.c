/*
 * The object's maps: created with their BTF where the kernel takes it, filled
 * with their first value, frozen where the object says so. A struct_ops map's
 * value holds programs, and is attach_struct_ops.c's.
 */
#include "load/session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <skep/btf.h>

#include "base/fd.h"
#include "linux/bpf.h"
#include "linux/privilege.h"
#include "linux/feature.h"

static int create(const struct skep_object_map *map, uint32_t flags, int btf_fd)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = map->type;
	attr.key_size = map->key_size;
	attr.value_size = map->value_size;
	attr.max_entries = map->max_entries;
	attr.map_flags = flags;
	memcpy(attr.map_name, map->name, sizeof(attr.map_name) - 1);
	if (btf_fd >= 0) {
		attr.btf_fd = (uint32_t)btf_fd;
		attr.btf_vmlinux_value_type_id = map->btf_vmlinux_value;
		attr.btf_key_type_id = map->btf_key;
		attr.btf_value_type_id = map->btf_value;
	}
	return skep_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
}

static uint32_t map_flags(const struct skep_object_map *map)
{
	uint32_t flags = map->flags;

	if (map->freeze)
		flags |= BPF_F_RDONLY_PROG;
	if (map->prefer_no_prealloc && skep_has_feature(SKEP_FEATURE_NO_PREALLOC))
		flags |= BPF_F_NO_PREALLOC;
	return flags;
}

/* The value's type is the kernel's, and yet a BTF must be named: any will do. */
static int least_btf(void)
{
	struct skep_btf_writer *writer = skep_btf_writer_new();
	_cleanup_free_ void *data = NULL;
	size_t size;

	skep_btf_add_int(writer, "int", 4, true);
	skep_btf_finish(writer, &data, &size);
	skep_btf_writer_free(writer);
	return skep_bpf_btf_load(data, size);
}

static int create_struct_ops(const struct skep_object_map *map, int btf_fd)
{
	_cleanup_close_ int own = btf_fd < 0 ? least_btf() : -1;

	if (btf_fd < 0 && own < 0)
		return own;
	return create(map, map->flags, btf_fd < 0 ? own : btf_fd);
}

/* Some map types take no BTF, and which ones do has grown; it only adorns the rest. */
static int create_with_btf(const struct skep_object_map *map, int btf_fd)
{
	if (map->btf_vmlinux_value)
		return create_struct_ops(map, btf_fd);
	uint32_t flags = map_flags(map);
	bool has_btf = btf_fd >= 0 && (map->btf_key || map->btf_value);
	int fd = has_btf ? create(map, flags, btf_fd) : -ENOTSUP;

	return fd >= 0 || fd == -EPERM ? fd : create(map, flags, -1);
}

static bool is_percpu(const struct skep_object_map *map)
{
	return map->type == BPF_MAP_TYPE_PERCPU_ARRAY;
}

/* A per-CPU array's value is one copy for each possible CPU, each rounded up to 8 bytes. */
static void *percpu_value(const struct skep_object_map *map)
{
	size_t step = (map->value_size + 7u) & ~7u;
	char *copies = skep_xcalloc(skep_possible_cpus(), step);

	for (unsigned i = 0; i < skep_possible_cpus(); i++)
		memcpy(copies + i * step, map->init, map->value_size);
	return copies;
}

static int fill(const struct skep_object_map *map, int fd)
{
	_cleanup_free_ void *copies = NULL;
	const uint32_t key = 0;
	int err = 0;

	if (map->btf_vmlinux_value)
		return 0;
	if (map->init && is_percpu(map))
		copies = percpu_value(map);
	if (map->init)
		err = skep_bpf_map_update(fd, &key, copies ? copies : map->init, BPF_ANY);
	if (!err && map->freeze)
		err = skep_bpf_map_freeze(fd);
	return err;
}

static int report_create(const struct skep_object_map *map, int err, struct skep_diag *diag)
{
	if (err == -EPERM)
		return skep_privilege_fail(diag, err, SKEP_PRIVILEGE_BPF, SKEP_NOWHERE,
					   "create BPF maps");
	skep_diag_add(diag, SKEP_DIAG_MAP_CREATE, SKEP_NOWHERE, map->name, strerror(-err));
	skep_diag_why(diag,
		      "map type %u, key of %u bytes, value of %u bytes, %u entries, flags 0x%x",
		      map->type, map->key_size, map->value_size, map->max_entries, map->flags);
	if (err == -ENOMEM || err == -E2BIG)
		skep_diag_try(diag, "a smaller map (fewer entries or smaller values)");
	else if (err == -EINVAL)
		skep_diag_try(diag, "skep doctor shows which map types this kernel has");
	return err;
}

static int load_map(struct skep_session *session, size_t i, struct skep_diag *diag)
{
	const struct skep_object_map *map = &session->object->maps[i];
	int fd = create_with_btf(map, session->btf_fd);
	int err;

	if (fd < 0)
		return report_create(map, fd, diag);
	session->map_fds[i] = fd;
	err = fill(map, fd);
	if (err)
		return skep_diag_fail(diag, err, SKEP_DIAG_MAP_INIT, SKEP_NOWHERE, map->name,
				      strerror(-err));
	return 0;
}

int load_maps(struct skep_session *session, struct skep_diag *diag)
{
	int err = 0;

	for (size_t i = 0; i < session->object->n_maps && !err; i++)
		err = load_map(session, i, diag);
	return err;
}
