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

static size_t find_own_bytes(void)
{
	const unsigned long start = getauxval(AT_SYSINFO_EHDR);
	struct skep_maps maps;
	size_t bytes = 0;

	if (!start || skep_maps_read(getpid(), &maps) < 0)
		return 0;
	const struct skep_mapping *m = skep_maps_find(&maps, start);
	if (m && m->start == start)
		bytes = m->end - m->start;
	skep_maps_done(&maps);
	return bytes;
}

/* The kernel put it there, and it stays: looked for once, as whoever follows processes asks for
 * each that begins. 0: there is none. */
static size_t own_bytes(void)
{
	static _Atomic size_t found; /* + 1; two threads that look find the same */

	if (!found)
		found = find_own_bytes() + 1;
	return found - 1;
}

int skep_vdso_read_own(size_t len, struct skep_buf *ret)
{
	if (!len || own_bytes() != len)
		return -ENOENT;
	skep_buf_add(ret, (const void *)getauxval(AT_SYSINFO_EHDR), len);
	return 0;
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
