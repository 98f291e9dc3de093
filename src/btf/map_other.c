/* Where there is no sysfs, files are read: see open.c. */
#include "btf/reader.h"

#include <errno.h>

int btf_map(struct skep_btf *btf, int fd, size_t size)
{
	return -ENODEV;
}

void btf_unmap(struct skep_btf *btf)
{
}
