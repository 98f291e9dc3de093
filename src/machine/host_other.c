/* Where there is no Linux, no descriptor is of an object that could be in a map. */
#include "machine/host.h"

int machine_host_name(uint32_t type, int fd, struct host_name *ret)
{
	return -EBADF;
}
