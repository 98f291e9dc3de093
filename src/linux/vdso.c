/* Reads the vdso, which no file holds, from the memory of a process. */
#include "linux/vdso.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/fd.h"

#define VDSO_MAX_BYTES (256 * 1024)

static int read_memory(pid_t pid, uint64_t start, size_t len, struct skep_buf *ret)
{
	_cleanup_close_ int fd = -1;
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -ENOENT;
	n = pread(fd, skep_buf_reserve(ret, len), len, (off_t)start);
	if (n != (ssize_t)len)
		return -ENOENT;
	ret->len += len;
	return 0;
}

static bool is_elf(const struct skep_buf *image)
{
	return image->len > SELFMAG && memcmp(image->data, ELFMAG, SELFMAG) == 0;
}

static const struct skep_mapping *own_vdso(const struct skep_maps *maps)
{
	unsigned long start = getauxval(AT_SYSINFO_EHDR);

	return start ? skep_maps_find(maps, start) : NULL;
}

int skep_vdso_read_own(size_t len, struct skep_buf *ret)
{
	const struct skep_mapping *m;
	struct skep_maps maps;
	int err = -ENOENT;

	if (skep_maps_read(getpid(), &maps) < 0)
		return err;
	m = own_vdso(&maps);
	if (m && m->end - m->start == len)
		err = read_memory(getpid(), m->start, len, ret);
	skep_maps_done(&maps);
	return err;
}

int skep_vdso_read(pid_t pid, const struct skep_mapping *m, struct skep_buf *ret)
{
	size_t len = m->end - m->start;

	if (len > VDSO_MAX_BYTES)
		return -ENOENT;
	if (!skep_vdso_read_own(len, ret))
		return 0;
	skep_buf_clear(ret);
	/* A pid may have been given to another process, which has something else there. */
	if (read_memory(pid, m->start, len, ret) == 0 && is_elf(ret))
		return 0;
	skep_buf_clear(ret);
	return -ENOENT;
}
