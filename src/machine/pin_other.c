/*
 * Where files have no inodes that can be relied on, a pin is a name that the machine remembers: no
 * file is made, and nothing but the machine's end removes it. Folders are not known.
 */
#include "machine/machine.h"

#include <string.h>

int machine_pin_place_new(int folder_fd, const char *path, struct pin_place *ret)
{
	return machine_pin_place_at(folder_fd, path, ret);
}

int machine_pin_place_at(int folder_fd, const char *path, struct pin_place *ret)
{
	char *name;

	if (folder_fd != PIN_NO_FOLDER)
		return -EINVAL;
	name = strdup(path);
	if (!name)
		return -ENOMEM;
	*ret = (struct pin_place){.fd = -1, .name = name};
	return 0;
}

bool machine_pin_place_is(const struct pin_place *place, const struct pin_place *other)
{
	return !strcmp(place->name, other->name);
}

bool machine_pin_place_is_gone(const struct pin_place *place)
{
	return false;
}

void machine_pin_place_done(struct pin_place *place)
{
	free(place->name);
	place->name = NULL;
}
