/*
 * struct_ops: a table of functions that the kernel calls (a congestion
 * control, a scheduler), each a program. The table is the one value of a map
 * whose layout the kernel's BTF gives:
 *
 *	struct bpf_struct_ops_NAME { common: the kernel's own; struct NAME data; }
 *
 * In the value that is put there, a function is its program's descriptor. On a
 * map without MAP_LINK that also registers the table, until the element is
 * deleted; with it the table only is checked, and a link registers it.
 */
#include "load/attach.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <skep/object.h>

#include "base/fd.h"

static int put_programs(const struct skep_session *session, const struct skep_object_map *map,
			char *value)
{
	for (uint32_t i = 0; i < map->n_ops; i++) {
		const struct skep_object_op *op = &map->ops[i];
		if (op->prog >= session->object->n_progs || map->value_size < sizeof(uint64_t) ||
		    op->off > map->value_size - sizeof(uint64_t))
			return -EINVAL;
		const uint64_t fd = (uint64_t)session->prog_fds[op->prog];
		memcpy(value + op->off, &fd, sizeof(fd));
	}
	return 0;
}

static int put_table(const struct skep_session *session, const struct skep_object_map *map,
		     int map_fd)
{
	_cleanup_free_ char *value = skep_xcalloc(1, map->value_size);
	const uint32_t key = 0;

	if (map->init)
		memcpy(value, map->init, map->value_size);
	int err = put_programs(session, map, value);
	return err ?: skep_bpf_map_update(map_fd, &key, value, BPF_ANY);
}

/* The map's descriptor is the session's, which takes attachments back before it closes maps. */
static void unregister(void *state)
{
	const uint32_t key = 0;
	int *map_fd = state;

	skep_bpf_map_delete(*map_fd, &key);
	free(map_fd);
}

static void unregister_later(struct skep_session *session, int map_fd)
{
	int *state = skep_xmalloc(sizeof(*state));

	*state = map_fd;
	load_undo_add(session, unregister, state);
}

static int link_table(struct skep_session *session, int map_fd)
{
	struct link_create_attr attr = {.fd = (uint32_t)map_fd, .attach_type = ATTACH_STRUCT_OPS};
	int fd = skep_bpf(BPF_LINK_CREATE, (union bpf_attr *)&attr, sizeof(attr));

	if (fd < 0)
		return fd;
	load_link_add(session, fd);
	return 0;
}

static int report(const struct skep_attach *at, int err, struct skep_diag *diag)
{
	load_attach_failed(at, err, diag);
	if (err == -EEXIST)
		skep_diag_why(diag, "the kernel has one of this name already");
	else if (err == -EBUSY)
		skep_diag_why(diag, "another one is at work, or this one is registered already");
	else if (err == -EINVAL)
		skep_diag_why(diag, "the kernel refuses the table: a function it needs is missing, "
				    "or a field has a value it does not take");
	return err;
}

int load_attach_struct_ops(struct skep_session *session, const struct skep_attach *at,
			   struct skep_diag *diag)
{
	if (at->struct_ops.map >= session->object->n_maps)
		return -EINVAL;
	const struct skep_object_map *map = &session->object->maps[at->struct_ops.map];
	int fd = session->map_fds[at->struct_ops.map];
	int err = put_table(session, map, fd);

	if (!err && map->flags & MAP_LINK)
		err = link_table(session, fd);
	else if (!err)
		unregister_later(session, fd);
	return err ? report(at, err, diag) : 0;
}
