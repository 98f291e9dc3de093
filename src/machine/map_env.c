/*
 * What maps ask of the machine: the objects behind descriptors that are put into them, and to wake
 * who waits for a ring buffer.
 *
 * A prog_array keeps struct skep_program *, a map of maps struct skep_map *. Either has a reference
 * to the machine's object as long as it is in the map. What is the host's is in host.c.
 */
#include "machine/host.h"
#include "machine/machine.h"
#include "machine/map.h"
#include "machine/run.h"

#include <string.h>

static bool is_of_maps(const struct skep_map *map)
{
	return map->type == SKEP_MAP_ARRAY_OF_MAPS || map->type == SKEP_MAP_HASH_OF_MAPS;
}

static void *get_map(struct map_object *outer, int fd, int *ret_err)
{
	struct map_object *object;

	*ret_err = machine_map_object_get(outer->object.machine, fd, &object, NULL);
	return *ret_err ? NULL : object->map;
}

static void *get_prog(struct map_object *array, int fd, int *ret_err)
{
	struct prog_object *prog;

	*ret_err = machine_prog_object_get(array->object.machine, fd, &prog);
	return *ret_err ? NULL : &prog->program;
}

static bool holds_programs(const struct skep_map *map)
{
	return map->type == SKEP_MAP_PROG_ARRAY || map->type == SKEP_MAP_DEVMAP ||
	       map->type == SKEP_MAP_DEVMAP_HASH || map->type == SKEP_MAP_CPUMAP;
}

static void *env_get(struct skep_map *map, int fd, int *ret_err)
{
	const struct map_object *object = map->env_ctx;

	if (is_of_maps(map))
		return get_map(map->env_ctx, fd, ret_err);
	if (holds_programs(map))
		return get_prog(map->env_ctx, fd, ret_err);
	return machine_host_get(object->object.machine, map, fd, ret_err);
}

static struct object *object_behind(const struct skep_map *map, void *element)
{
	if (is_of_maps(map))
		return &((struct map_object *)((struct skep_map *)element)->owner)->object;
	return &((struct prog_object *)element)->object;
}

static uint32_t env_id(struct skep_map *map, void *element)
{
	return object_behind(map, element)->id;
}

/* The host's objects have no references: see host.c. */
static void env_ref(struct skep_map *map, void *element)
{
	if (!machine_host_suits(map->type))
		machine_object_ref(object_behind(map, element));
}

static void env_put(struct skep_map *map, void *element)
{
	if (!machine_host_suits(map->type))
		machine_object_put(object_behind(map, element));
}

static uint64_t env_cookie(struct skep_map *map, void *socket)
{
	const struct map_object *object = map->env_ctx;

	return machine_host_cookie(object->object.machine, socket);
}

static bool env_device(struct skep_map *map, uint32_t ifindex)
{
	return skep_device_exists(ifindex);
}

static void env_wake(struct skep_map *map, bool force)
{
	const struct map_object *object = map->env_ctx;

	machine_event_wake(__atomic_load_n(&object->event_fd, __ATOMIC_ACQUIRE));
}

const struct skep_map_env machine_map_env = {
	.get = env_get,
	.id = env_id,
	.ref = env_ref,
	.put = env_put,
	.cookie = env_cookie,
	.release_fields = skep_kept_release,
	.fill = machine_struct_ops_fill,
	.unfill = machine_struct_ops_unfill,
	.wake = env_wake,
	.device = env_device,
};

/* Programs and arrays of programs refer to each other in circles; the circle is broken when users
 * can not reach the array any more. */
void machine_map_object_unused(struct object *at)
{
	const struct map_object *object = object_of(map_object, at);

	if (object->map->type == SKEP_MAP_PROG_ARRAY)
		skep_map_clear_objects(object->map);
	if (object->map->type == SKEP_MAP_SOCKMAP || object->map->type == SKEP_MAP_SOCKHASH)
		machine_attach_drop_map(object);
}

int machine_map_identity_fd(const struct skep_map *map)
{
	return map->flags & MAP_F_MMAPABLE ? map->memory_fd : -1;
}
