/* Mapping the kernel's own BTF: see open.c. */
#include "btf/reader.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/vfs.h>

#define SYSFS_FILE_TYPE 0x62656572

int btf_map(struct skep_btf *btf, int fd, size_t size)
{
	struct statfs fs;
	void *bytes;

	if (!size || fstatfs(fd, &fs) < 0 || fs.f_type != SYSFS_FILE_TYPE)
		return -ENODEV;
	bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return -ENODEV;
	btf->bytes = bytes;
	btf->mapped_size = size;
	return 0;
}

void btf_unmap(struct skep_btf *btf)
{
	munmap(btf->bytes, btf->mapped_size);
}
