/*
 * OBJ_PIN and OBJ_GET: objects that are kept by a path.
 *
 * There is no bpffs. What stands for a pin at its path is the system's business (pin_linux.c,
 * pin_other.c); OBJ_GET of a path where one is gives the object back, any other that exists is
 * -EPERM, as a file outside bpffs is. A pin is not reached by another machine and ends with this
 * one; children of fork() have it.
 *
 * Source  behaviour of Linux 6.18, kernel/bpf/inode.c
 */
#include "machine/machine.h"
#include "machine/map.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define PATH_BYTES  4096
#define PIN_F_PATH  (1u << 14)
#define PIN_F_KNOWN (MAP_F_RDONLY | MAP_F_WRONLY | PIN_F_PATH)

static int folder_of(const struct attr_pin *attr)
{
	return attr->flags & PIN_F_PATH ? attr->path_fd : PIN_NO_FOLDER;
}

static int get_path(const struct attr_pin *attr, char path[PATH_BYTES])
{
	int n = machine_user_string(attr->path, path, PATH_BYTES);

	if (n < 0)
		return n;
	return n ? 0 : -ENOENT;
}

/* The pin at @place; NULL: none. The lock is held. */
static struct pin *find(struct skep_machine *machine, const struct pin_place *place)
{
	skep_vec_foreach (struct pin, pin, &machine->pins)
		if (machine_pin_place_is(&pin->place, place))
			return pin;
	return NULL;
}

/* Takes @place over. Return 0 | -EEXIST */
static int remember(struct object *object, struct pin_place *place)
{
	struct skep_machine *machine = object->machine;
	int err = 0;

	machine_object_ref_user(object);
	pthread_mutex_lock(&machine->lock);
	if (find(machine, place)) {
		err = -EEXIST;
	} else {
		skep_vec_push(&machine->pins, ((struct pin){object, *place}));
		*place = (struct pin_place){.fd = -1};
	}
	pthread_mutex_unlock(&machine->lock);
	if (err)
		machine_object_put_user(object);
	return err;
}

/* A pin that is over, taken out; its object is NULL if there is none. */
static struct pin take_one(struct skep_machine *machine, bool all)
{
	struct pin pin = {0};

	pthread_mutex_lock(&machine->lock);
	for (size_t i = 0; i < machine->pins.len && !pin.object; i++) {
		if (!all && !machine_pin_place_is_gone(&machine->pins.data[i].place))
			continue;
		pin = machine->pins.data[i];
		machine->pins.data[i] = machine->pins.data[--machine->pins.len];
	}
	pthread_mutex_unlock(&machine->lock);
	return pin;
}

static void drop_pins(struct skep_machine *machine, bool all)
{
	struct pin pin;

	while (machine->pins.len && (pin = take_one(machine, all)).object) {
		machine_pin_place_done(&pin.place);
		machine_object_put_user(pin.object);
	}
}

void machine_pin_sweep(struct skep_machine *machine)
{
	drop_pins(machine, false);
}

void machine_pin_drop_all(struct skep_machine *machine)
{
	drop_pins(machine, true);
}

int machine_cmd_obj_pin(struct skep_machine *machine, struct request *req)
{
	const struct attr_pin *attr = &req->attr.pin;
	_cleanup_object_ struct object *object = NULL;
	_cleanup_place_ struct pin_place place = {.fd = -1};
	char path[PATH_BYTES];
	int err;

	if (attr->flags & ~PIN_F_PATH || (!(attr->flags & PIN_F_PATH) && attr->path_fd))
		return -EINVAL;
	err = machine_object_get(machine, (int)attr->fd, OBJECT_KINDS, &object, NULL);
	if (err)
		return err;
	if (object->kind == OBJECT_BTF || object->kind == OBJECT_STATS)
		return -EINVAL;
	err = get_path(attr, path);
	if (err)
		return err;
	err = machine_pin_place_new(folder_of(attr), path, &place);
	return err ? err : remember(object, &place);
}

/* The object that is pinned there, with a reference; NULL: none. */
static struct object *pinned(struct skep_machine *machine, const struct pin_place *place)
{
	struct object *object = NULL;
	const struct pin *pin;

	pthread_mutex_lock(&machine->lock);
	pin = find(machine, place);
	if (pin) {
		object = pin->object;
		object->refs++;
	}
	pthread_mutex_unlock(&machine->lock);
	return object;
}

int machine_cmd_obj_get(struct skep_machine *machine, struct request *req)
{
	const struct attr_pin *attr = &req->attr.pin;
	_cleanup_object_ struct object *object = NULL;
	_cleanup_place_ struct pin_place place = {.fd = -1};
	char path[PATH_BYTES];
	int access, err;

	if (attr->fd || attr->flags & ~PIN_F_KNOWN ||
	    (!(attr->flags & PIN_F_PATH) && attr->path_fd))
		return -EINVAL;
	access = machine_map_access(attr->flags);
	if (access < 0)
		return access;
	err = get_path(attr, path);
	if (err)
		return err;
	err = machine_pin_place_at(folder_of(attr), path, &place);
	if (err)
		return err;
	object = pinned(machine, &place);
	if (!object)
		return -EPERM;
	if (object->kind != OBJECT_MAP && access != O_RDWR)
		return -EINVAL;
	return machine_object_open(object, access);
}
