/*
 * The host's objects in maps; see host.h. What their names are the system knows: host_linux.c.
 *
 * A map of the kernel's keeps a socket or a cgroup in being, or is told when it goes. The machine
 * can do neither without getting in the way (a socket of which it had a descriptor would not be
 * closed when its owner closes it), so what it keeps is a name: a socket's cookie, a cgroup's id, a
 * file's device and inode, none of which is given out twice. Each name is kept once, until the
 * machine ends; an element stays in its map until it is taken out.
 */
#include "machine/host.h"

#define MOST_PER_MACHINE 16384

bool machine_host_suits(uint32_t type)
{
	return (HOST_SOCKETS | HOST_CGROUPS | HOST_OTHERS) >> type & 1;
}

/* --- Names ------------------------------------------------------------------------------------ */

struct host_object {
	struct host_name name;
	struct host_object *next;
};

static bool same_name(const struct host_name *a, const struct host_name *b)
{
	return a->kind == b->kind && a->a == b->a && a->b == b->b;
}

static struct host_object **bucket_of(struct skep_machine *machine, const struct host_name *name)
{
	return &machine->hosts[(name->a * 31 + name->b + name->kind) % HOST_BUCKETS];
}

/* The lock is held. NULL: there are too many. */
static struct host_object *add(struct skep_machine *machine, const struct host_name *name)
{
	struct host_object *object, **bucket = bucket_of(machine, name);

	if (machine->n_hosts >= MOST_PER_MACHINE)
		return NULL;
	object = skep_xcalloc(1, sizeof(*object));
	*object = (struct host_object){*name, *bucket};
	*bucket = object;
	machine->n_hosts++;
	return object;
}

static void *keep(struct skep_machine *machine, const struct host_name *name, int *ret_err)
{
	struct host_object *object;

	pthread_mutex_lock(&machine->lock);
	object = *bucket_of(machine, name);
	while (object && !same_name(&object->name, name))
		object = object->next;
	if (!object)
		object = add(machine, name);
	pthread_mutex_unlock(&machine->lock);
	*ret_err = object ? 0 : -ENOMEM;
	return object;
}

/* As programs see it; NULL: they do not. */
static void *seen_by_programs(const struct host_name *name)
{
	if (name->kind == HOST_CGROUP)
		return skep_cgroup_by_id(name->a);
	if (name->kind != HOST_TASK)
		return NULL;
	skep_task_current(); /* its leader is there then */
	return skep_task_by_pid((uint32_t)name->a);
}

void *machine_host_get(struct skep_machine *machine, const struct skep_map *map, int fd,
		       int *ret_err)
{
	struct host_name name = {0};
	void *seen;

	*ret_err = machine_host_name(map->type, fd, &name);
	if (*ret_err)
		return NULL;
	seen = seen_by_programs(&name);
	return seen ? seen : keep(machine, &name, ret_err);
}

uint64_t machine_host_cookie(struct skep_machine *machine, const void *object)
{
	uint64_t cookie = 0;

	pthread_mutex_lock(&machine->lock);
	for (int i = 0; i < HOST_BUCKETS && !cookie; i++)
		for (const struct host_object *at = machine->hosts[i]; at; at = at->next)
			if (at == object && at->name.kind == HOST_SOCKET)
				cookie = at->name.a;
	pthread_mutex_unlock(&machine->lock);
	return cookie;
}

void machine_host_free_all(struct skep_machine *machine)
{
	for (int i = 0; i < HOST_BUCKETS; i++)
		while (machine->hosts[i]) {
			struct host_object *object = machine->hosts[i];

			machine->hosts[i] = object->next;
			free(object);
		}
}
