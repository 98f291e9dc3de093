/*
 * OBJ_PIN and OBJ_GET: objects that are kept by a path.
 *
 * There is no bpffs. A pin is an empty file that the machine makes where the caller says, in any
 * folder they may write to (the kernel wants bpffs and says EPERM elsewhere); the machine remembers
 * its device and inode. OBJ_GET of a path whose file was made so gives the object back; any other
 * file is -EPERM, as a file outside bpffs is. Removing the file ends the pin: the next look at it,
 * or at ids, finds that it is gone. A file is not reached by another machine, and the pin ends with
 * this one; children of fork() have it.
 *
 * Source  behaviour of Linux 6.18, kernel/bpf/inode.c
 */
#include "machine/machine.h"
#include "machine/map.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_BYTES  4096
#define PIN_F_PATH  (1u << 14)
#define PIN_F_KNOWN (MAP_F_RDONLY | MAP_F_WRONLY | PIN_F_PATH)

#ifdef __linux__

static int open_folder(const struct attr_pin *attr)
{
	return attr->flags & PIN_F_PATH ? attr->path_fd : AT_FDCWD;
}

static int get_path(const struct attr_pin *attr, char path[PATH_BYTES])
{
	int n = machine_user_string(attr->path, path, PATH_BYTES);

	if (n < 0)
		return n;
	return n ? 0 : -ENOENT;
}

static void remember(struct object *object, int fd, const struct stat *st)
{
	struct skep_machine *machine = object->machine;

	machine_object_ref_user(object);
	pthread_mutex_lock(&machine->lock);
	skep_vec_push(&machine->pins, ((struct pin){object, fd, st->st_dev, st->st_ino}));
	pthread_mutex_unlock(&machine->lock);
}

/* A pin that is over, taken out; its object is NULL if there is none. */
static struct pin take_one(struct skep_machine *machine, bool all)
{
	struct pin pin = {0};
	struct stat st;

	pthread_mutex_lock(&machine->lock);
	for (size_t i = 0; i < machine->pins.len && !pin.object; i++) {
		if (!all && (fstat(machine->pins.data[i].fd, &st) < 0 || st.st_nlink))
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
		close(pin.fd);
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
	_cleanup_close_ int fd = -1;
	char path[PATH_BYTES];
	struct stat st;
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
	fd = openat(open_folder(attr), path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	remember(object, TAKE_FD(fd), &st);
	return 0;
}

/* The object that the file stands for, with a reference; NULL: none. */
static struct object *pinned(struct skep_machine *machine, const struct stat *st)
{
	struct object *object = NULL;

	pthread_mutex_lock(&machine->lock);
	skep_vec_foreach (struct pin, pin, &machine->pins)
		if (pin->dev == st->st_dev && pin->inode == st->st_ino)
			object = pin->object;
	if (object)
		object->refs++;
	pthread_mutex_unlock(&machine->lock);
	return object;
}

int machine_cmd_obj_get(struct skep_machine *machine, struct request *req)
{
	const struct attr_pin *attr = &req->attr.pin;
	_cleanup_object_ struct object *object = NULL;
	char path[PATH_BYTES];
	struct stat st;
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
	if (fstatat(open_folder(attr), path, &st, 0) < 0)
		return -errno;
	object = pinned(machine, &st);
	if (!object)
		return -EPERM;
	if (object->kind != OBJECT_MAP && access != O_RDWR)
		return -EINVAL;
	return machine_object_open(object, access);
}

#endif
