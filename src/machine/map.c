/*
 * Commands on maps: create, elements, batches, freeze. What a map does is src/map's; here is what
 * bpf(2) adds: descriptors with access modes, BTF of keys and values, the caller's memory.
 *
 * Keys and values are used where the caller has them, once machine_user_span() has said that they
 * are there.
 *
 * Source  behaviour of Linux 6.18, kernel/bpf/syscall.c
 */
#include "machine/map.h"
#include "machine/machine.h"

#include <fcntl.h>
#include <string.h>

#define NUMA_NO_NODE (-1)

int machine_name_check(const char name[16])
{
	size_t len = strnlen(name, 16);

	if (len == 16)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		char c = name[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (!letter && !(c >= '0' && c <= '9') && c != '_' && c != '.')
			return -EINVAL;
	}
	return 0;
}

int machine_map_access(uint32_t flags)
{
	if ((flags & MAP_F_RDONLY) && (flags & MAP_F_WRONLY))
		return -EINVAL;
	if (flags & MAP_F_RDONLY)
		return O_RDONLY;
	return flags & MAP_F_WRONLY ? O_WRONLY : O_RDWR;
}

int machine_map_object_get(struct skep_machine *machine, int fd, struct map_object **ret,
			   int *ret_mode)
{
	struct object *object;
	int err = machine_object_get(machine, fd, OBJECT_MAP, &object, ret_mode);

	if (!err)
		*ret = object_of(map_object, object);
	return err;
}

/* --- Creating ------------------------------------------------------------------------------- */

/* Their keys are owners, which BTF has to say. */
static bool is_local_storage(uint32_t type)
{
	return type == SKEP_MAP_SK_STORAGE || type == SKEP_MAP_TASK_STORAGE ||
	       type == SKEP_MAP_INODE_STORAGE || type == SKEP_MAP_CGRP_STORAGE;
}

static int check_create(const struct attr_map_create *attr)
{
	int access;

	if (attr->btf_vmlinux_value_type_id) {
		if (attr->type != SKEP_MAP_STRUCT_OPS || attr->btf_key_type_id ||
		    attr->btf_value_type_id)
			return -EINVAL;
	} else if (attr->btf_key_type_id && !attr->btf_value_type_id) {
		return -EINVAL;
	}
	if (attr->flags & MAP_F_TOKEN_FD)
		return machine_handle_no_token(attr->token_fd);
	if (attr->type != SKEP_MAP_BLOOM_FILTER && attr->type != SKEP_MAP_ARENA && attr->extra)
		return -EINVAL;
	access = machine_map_access(attr->flags);
	if (access < 0)
		return access;
	if (attr->flags & MAP_F_NUMA_NODE && attr->numa_node != (uint32_t)NUMA_NO_NODE &&
	    attr->numa_node)
		return -EINVAL;
	if (!attr->type || attr->type >= SKEP_MAP_TYPE_CNT)
		return -EINVAL;
	return is_local_storage(attr->type) && (!attr->btf_key_type_id || !attr->btf_value_type_id)
		       ? -EINVAL
		       : 0;
}

/* What BTF says of the map. Fills in @object's part, and the fields. */
static int read_btf(struct skep_machine *machine, const struct attr_map_create *attr,
		    struct map_object *object, struct skep_map_field *ret_fields)
{
	int err;

	if (!attr->btf_key_type_id && !attr->btf_value_type_id && !attr->btf_vmlinux_value_type_id)
		return 0;
	err = machine_btf_object_get(machine, (int)attr->btf_fd, &object->btf);
	if (err)
		return err;
	object->btf_key_type_id = attr->btf_key_type_id;
	object->btf_value_type_id = attr->btf_value_type_id;
	object->btf_vmlinux_value_type_id = attr->btf_vmlinux_value_type_id;
	if (object->btf->is_kernel)
		return -EACCES;
	if (!attr->btf_value_type_id)
		return 0;
	err = machine_map_check_btf(object->btf->btf, attr);
	if (err)
		return err;
	return machine_map_fields_find(object->btf->btf, attr->btf_value_type_id, attr->value_size,
				       ret_fields);
}

/* The template of a map of maps, with a reference; it is only looked at. */
static int get_inner(struct skep_machine *machine, const struct attr_map_create *attr,
		     struct map_object **ret)
{
	if (attr->type != SKEP_MAP_ARRAY_OF_MAPS && attr->type != SKEP_MAP_HASH_OF_MAPS)
		return 0;
	return machine_map_object_get(machine, (int)attr->inner_map_fd, ret, NULL);
}

static void map_object_drop(struct map_object **object)
{
	if (*object)
		machine_map_object_free(&(*object)->object);
}

static int make_map(struct skep_machine *machine, const struct attr_map_create *attr,
		    struct map_object *object, const struct skep_map_field *fields, int n_fields)
{
	struct map_object *inner = NULL;
	struct skep_map_attr make = {
		.type = attr->type,
		.key_size = attr->key_size,
		.value_size = attr->value_size,
		.max_entries = attr->max_entries,
		.flags = attr->flags,
		.numa_node = attr->numa_node,
		.extra = attr->extra,
		.env = &machine_map_env,
		.env_ctx = object,
		.fields = fields,
		.n_fields = (uint32_t)n_fields,
	};
	int err = get_inner(machine, attr, &inner);

	if (err)
		return err;
	make.inner = inner ? inner->map : NULL;
	memcpy(make.name, attr->name, sizeof(make.name));
	err = attr->type == SKEP_MAP_STRUCT_OPS ? machine_struct_ops_check(machine, attr) : 0;
	if (!err)
		err = skep_map_create(&make, &object->map);
	if (inner)
		machine_object_put(&inner->object);
	return err;
}

/* Count the memory; refuse what is more than the machine may have. */
static int claim_memory(struct skep_machine *machine, struct map_object *object)
{
	uint64_t most = machine->opts.most_memory, bytes = object->map->memory_bytes;
	int err = 0;

	pthread_mutex_lock(&machine->lock);
	if (most && machine->memory_bytes + bytes > most)
		err = -ENOMEM;
	else
		machine->memory_bytes += bytes;
	pthread_mutex_unlock(&machine->lock);
	return err;
}

static int check_exclusive(const struct attr_map_create *attr)
{
	if (!attr->excl_prog_hash)
		return attr->excl_prog_hash_size ? -EINVAL : 0;
	return attr->excl_prog_hash_size == 32 ? -EOPNOTSUPP : -EINVAL;
}

int machine_cmd_map_create(struct skep_machine *machine, struct request *req)
{
	const struct attr_map_create *attr = &req->attr.map_create;
	struct skep_map_field fields[SKEP_MAP_MOST_FIELDS];
	struct map_object *object __attribute__((cleanup(map_object_drop))) = NULL;
	int fd, n_fields, err = check_create(attr);

	if (!err)
		err = machine_object_check_room(machine, OBJECT_MAP);
	if (err)
		return err;
	object = skep_xcalloc(1, sizeof(*object));
	object->object = (struct object){.machine = machine, .handle.watch_fd = -1};
	object->event_fd = -1;
	n_fields = read_btf(machine, attr, object, fields);
	/* What is wrong with the map itself comes before what is wrong with its BTF. */
	err = make_map(machine, attr, object, fields, n_fields < 0 ? 0 : n_fields);
	if (!err && attr->ifindex) /* no device keeps maps */
		err = attr->type == SKEP_MAP_ARRAY || attr->type == SKEP_MAP_HASH ? -EOPNOTSUPP
										  : -EINVAL;
	if (!err && n_fields < 0)
		err = n_fields;
	if (!err)
		err = check_exclusive(attr);
	if (!err)
		err = claim_memory(machine, object);
	if (err)
		return err;
	object->map->owner = object;
	object->map->btf = object->btf ? object->btf->btf : NULL;
	fd = machine_object_publish(&object->object, machine_map_identity_fd(object->map),
				    machine_map_access(attr->flags));
	if (fd >= 0)
		object = NULL;
	return fd;
}

void machine_map_object_free(struct object *at)
{
	struct map_object *object = object_of(map_object, at);
	struct skep_machine *machine = at->machine;

	if (object->map) {
		machine_map_object_unused(at);
		pthread_mutex_lock(&machine->lock);
		if (object->map->owner)
			machine->memory_bytes -= object->map->memory_bytes;
		pthread_mutex_unlock(&machine->lock);
		skep_map_unref(object->map);
	}
	if (object->btf)
		machine_object_put(&object->btf->object);
	skep_close(&object->event_fd);
	free(object);
}

/* --- Elements ------------------------------------------------------------------------------- */

/* A map for one call: who has it, and what they may do. */
struct use {
	struct map_object *object;
	struct skep_map *map;
	int mode;
	bool writes;
};

static void use_done(struct use *use)
{
	if (!use->object)
		return;
	if (use->writes)
		__atomic_fetch_sub(&use->object->writers, 1, __ATOMIC_SEQ_CST);
	machine_object_put(&use->object->object);
}
#define _cleanup_use_ __attribute__((cleanup(use_done)))

static bool may_read(const struct use *use)
{
	return use->mode != O_WRONLY;
}

static bool may_write(const struct use *use)
{
	return use->mode != O_RDONLY && !__atomic_load_n(&use->map->frozen, __ATOMIC_SEQ_CST);
}

static int use_init(struct skep_machine *machine, int fd, bool reads, bool writes, struct use *use)
{
	int err = machine_map_object_get(machine, fd, &use->object, &use->mode);

	if (err)
		return err;
	use->map = use->object->map;
	use->writes = writes;
	if (writes)
		__atomic_fetch_add(&use->object->writers, 1, __ATOMIC_SEQ_CST);
	if ((reads && !may_read(use)) || (writes && !may_write(use)))
		return -EPERM;
	return 0;
}

static bool has_lock(const struct skep_map *map)
{
	for (uint32_t i = 0; i < map->n_fields; i++)
		if (map->fields[i].kind == SKEP_FIELD_SPIN_LOCK)
			return true;
	return false;
}

/* The address of @n bytes of the caller's, to read or (@write) to write. */
static int at_user(uint64_t at, size_t n, bool write, void **ret)
{
	if (machine_user_span(at, n, write) < n)
		return -EFAULT;
	*ret = (void *)(uintptr_t)at;
	return 0;
}

static int at_key(const struct skep_map *map, uint64_t at, void **ret)
{
	if (map->key_size)
		return at_user(at, map->key_size, false, ret);
	*ret = NULL;
	return at ? -EINVAL : 0;
}

typedef int lookup_function(struct skep_map *map, const void *key, void *value, uint64_t flags);

/* To where nothing can be written: what is wrong with the key comes first. */
static int look_up_nowhere(struct skep_map *map, lookup_function *function, const void *key,
			   uint64_t flags)
{
	_cleanup_free_ void *value = malloc(skep_map_sys_value_size(map) + 1);
	int err;

	if (!value)
		return -ENOMEM;
	if (map->type == SKEP_MAP_BLOOM_FILTER)
		return -EFAULT;
	err = function(map, key, value, flags);
	return err ? err : -EFAULT;
}

static int look_up(struct skep_map *map, lookup_function *function, const struct attr_elem *attr)
{
	void *key, *value;
	int err = at_key(map, attr->key, &key);

	if (err)
		return err;
	if (at_user(attr->value, skep_map_sys_value_size(map), true, &value))
		return look_up_nowhere(map, function, key, attr->flags);
	return function(map, key, value, attr->flags);
}

int machine_cmd_map_lookup(struct skep_machine *machine, struct request *req)
{
	const struct attr_elem *attr = &req->attr.elem;
	_cleanup_use_ struct use use = {0};
	int err;

	if (attr->flags & ~ELEM_F_LOCK)
		return -EINVAL;
	err = use_init(machine, (int)attr->map_fd, true, false, &use);
	if (err)
		return err;
	if (attr->flags & ELEM_F_LOCK && !has_lock(use.map))
		return -EINVAL;
	return look_up(use.map, skep_map_sys_lookup, attr);
}

int machine_cmd_map_update(struct skep_machine *machine, struct request *req)
{
	const struct attr_elem *attr = &req->attr.elem;
	_cleanup_use_ struct use use = {0};
	void *key, *value;
	int err = use_init(machine, (int)attr->map_fd, false, true, &use);

	if (err)
		return err;
	if (attr->flags & ELEM_F_LOCK && !has_lock(use.map))
		return -EINVAL;
	err = at_key(use.map, attr->key, &key);
	if (!err)
		err = at_user(attr->value, skep_map_sys_value_size(use.map), false, &value);
	return err ? err : skep_map_sys_update(use.map, key, value, attr->flags);
}

int machine_cmd_map_delete(struct skep_machine *machine, struct request *req)
{
	const struct attr_elem *attr = &req->attr.elem;
	_cleanup_use_ struct use use = {0};
	void *key;
	int err = use_init(machine, (int)attr->map_fd, false, true, &use);

	if (!err)
		err = at_key(use.map, attr->key, &key);
	return err ? err : skep_map_sys_delete(use.map, key);
}

/* As look_up_nowhere(): that there is no next key comes first. */
static int next_key_nowhere(struct skep_map *map, const void *key)
{
	_cleanup_free_ void *next = malloc(map->key_size + 1);
	int err;

	if (!next)
		return -ENOMEM;
	err = skep_map_sys_next_key(map, key, next);
	return err ? err : -EFAULT;
}

int machine_cmd_map_next_key(struct skep_machine *machine, struct request *req)
{
	const struct attr_elem *attr = &req->attr.elem;
	_cleanup_use_ struct use use = {0};
	void *key = NULL, *next;
	int err = use_init(machine, (int)attr->map_fd, true, false, &use);

	if (!err && attr->key)
		err = at_key(use.map, attr->key, &key);
	if (err)
		return err;
	if (at_user(attr->value, use.map->key_size, true, &next))
		return next_key_nowhere(use.map, key);
	return skep_map_sys_next_key(use.map, key, next);
}

int machine_cmd_map_lookup_and_delete(struct skep_machine *machine, struct request *req)
{
	const struct attr_elem *attr = &req->attr.elem;
	_cleanup_use_ struct use use = {0};
	int err;

	if (attr->flags & ~ELEM_F_LOCK)
		return -EINVAL;
	err = use_init(machine, (int)attr->map_fd, true, true, &use);
	if (err)
		return err;
	if (attr->flags && (use.map->type == SKEP_MAP_QUEUE || use.map->type == SKEP_MAP_STACK))
		return -EINVAL;
	if (attr->flags & ELEM_F_LOCK && !has_lock(use.map))
		return -EINVAL;
	return look_up(use.map, skep_map_sys_lookup_and_delete, attr);
}

int machine_cmd_map_freeze(struct skep_machine *machine, struct request *req)
{
	_cleanup_use_ struct use use = {0};
	int err = use_init(machine, (int)req->attr.word, false, false, &use);

	if (err)
		return err;
	if (use.map->type == SKEP_MAP_STRUCT_OPS || use.map->n_fields)
		return -SKEP_ENOTSUPP;
	if (use.mode == O_RDONLY)
		return -EPERM;
	if (use.map->frozen)
		return -EPERM; /* a frozen map is not writable any more */
	if (__atomic_load_n(&use.object->writers, __ATOMIC_SEQ_CST))
		return -EBUSY;
	return skep_map_sys_freeze(use.map);
}

/* --- Batches -------------------------------------------------------------------------------- */

typedef int batch_function(struct skep_map *map, struct skep_map_batch *batch);

struct batch_kind {
	batch_function *function;
	bool reads, writes;   /* the map */
	bool fills, no_value; /* keys and values come from the map; there are none */
};

/* Whether a batch goes on at a bucket (by its number), or behind a key. */
static bool is_by_bucket(const struct skep_map *map)
{
	return map->type == SKEP_MAP_HASH || map->type == SKEP_MAP_PERCPU_HASH ||
	       map->type == SKEP_MAP_LRU_HASH || map->type == SKEP_MAP_LRU_PERCPU_HASH;
}

static uint32_t elems_at(uint64_t at, uint32_t n, size_t size, bool write)
{
	return size ? (uint32_t)(machine_user_span(at, n * size, write) / size) : n;
}

/* The kernel finds out element by element where memory ends; this is how many there are before. */
static uint32_t reach(const struct skep_map *map, const struct attr_batch *attr,
		      const struct batch_kind *kind, uint32_t n)
{
	uint32_t keys = elems_at(attr->keys, n, map->key_size, kind->fills), values = n;

	if (!kind->no_value)
		values = elems_at(attr->values, n, skep_map_sys_value_size(map), kind->fills);
	return keys < values ? keys : values;
}

/* On as much of the batch as there is memory for. */
static int run_clipped(struct skep_map *map, const struct attr_batch *attr,
		       const struct batch_kind *kind, struct skep_map_batch *batch)
{
	uint32_t wanted = attr->count;
	int err;

	if (kind->fills && wanted > map->max_entries)
		wanted = map->max_entries;
	uint32_t there = reach(map, attr, kind, wanted);
	if (there < wanted)
		batch->count = there;
	err = kind->function(map, batch);
	if (there == wanted || (err && err != -ENOSPC) || batch->count < there)
		return err;
	batch->count = kind->fills ? 0 : there;
	return -EFAULT;
}

/* Where a batch ended is written last: what came before has happened even where it cannot be, and
 * is counted if it went by keys. */
static int run_batch(struct skep_map *map, const struct attr_batch *attr,
		     const struct batch_kind *kind, struct skep_map_batch *batch)
{
	size_t cursor = is_by_bucket(map) ? sizeof(uint32_t) : map->key_size;
	bool is_read = kind->fills && attr->in_batch, is_written = kind->fills;
	_cleanup_free_ void *nowhere = NULL;

	if (is_read && machine_user_span(attr->in_batch, cursor, false) < cursor)
		return -EFAULT;
	if (!is_written || machine_user_span(attr->out_batch, cursor, true) == cursor)
		return run_clipped(map, attr, kind, batch);
	nowhere = malloc(cursor + 1);
	if (!nowhere)
		return -ENOMEM;
	batch->out_batch = nowhere;
	int err = run_clipped(map, attr, kind, batch);
	if ((err && err != -ENOENT) || !batch->count)
		return err;
	if (is_by_bucket(map))
		batch->count = 0;
	return -EFAULT;
}

static int do_batch(struct skep_machine *machine, struct request *req,
		    const struct batch_kind *kind)
{
	const struct attr_batch *attr = &req->attr.batch;
	_cleanup_use_ struct use use = {0};
	struct skep_map_batch batch = {
		.in_batch = (const void *)(uintptr_t)attr->in_batch,
		.out_batch = (void *)(uintptr_t)attr->out_batch,
		.keys = (void *)(uintptr_t)attr->keys,
		.values = (void *)(uintptr_t)attr->values,
		.count = attr->count,
		.elem_flags = attr->elem_flags,
		.flags = attr->flags,
	};
	int err = use_init(machine, (int)attr->map_fd, kind->reads, kind->writes, &use);

	if (err)
		return err;
	err = run_batch(use.map, attr, kind, &batch);
	if (err == -EINVAL || err == -SKEP_ENOTSUPP)
		return err;
	return request_put(req, batch.count, batch.count) ? -EFAULT : err;
}

int machine_cmd_map_lookup_batch(struct skep_machine *machine, struct request *req)
{
	static const struct batch_kind kind = {skep_map_sys_lookup_batch, .reads = true,
					       .fills = true};

	return do_batch(machine, req, &kind);
}

int machine_cmd_map_lookup_and_delete_batch(struct skep_machine *machine, struct request *req)
{
	static const struct batch_kind kind = {skep_map_sys_lookup_and_delete_batch, .reads = true,
					       .writes = true, .fills = true};

	return do_batch(machine, req, &kind);
}

int machine_cmd_map_update_batch(struct skep_machine *machine, struct request *req)
{
	static const struct batch_kind kind = {skep_map_sys_update_batch, .writes = true};

	return do_batch(machine, req, &kind);
}

int machine_cmd_map_delete_batch(struct skep_machine *machine, struct request *req)
{
	static const struct batch_kind kind = {skep_map_sys_delete_batch, .writes = true,
					       .no_value = true};

	return do_batch(machine, req, &kind);
}
