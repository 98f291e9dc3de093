/* Linux: the files behind maps are memfds; see memory.h. */
#include "map/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

int skep_memory_file(const char *name, uint64_t bytes)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)bytes)) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

void *skep_memory_reserve_fd(const char *name, size_t bytes, int *ret_fd)
{
	int fd = skep_memory_file(name, skep_memory_round_page(bytes));
	void *at;

	if (fd < 0)
		return NULL;
	at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (at == MAP_FAILED) {
		close(fd);
		return NULL;
	}
	*ret_fd = fd;
	return at;
}

intptr_t skep_memory_show(int fd, const struct skep_memory_view *view)
{
	void *at = mmap(view->addr, view->len, view->prot, view->flags, fd, (off_t)view->off);

	return at == MAP_FAILED ? -errno : (intptr_t)at;
}

int skep_memory_place(void *at, size_t bytes, int prot, int fd, uint64_t off)
{
	void *got = mmap(at, bytes, prot, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd, (off_t)off);

	return got == MAP_FAILED ? -errno : 0;
}

int skep_memory_clear(int fd, uint64_t off, uint64_t bytes, void *at)
{
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	return fallocate(fd, mode, (off_t)off, (off_t)bytes) ? -errno : 0;
}

uint64_t skep_memory_next_used(int fd, uint64_t off)
{
	off_t at = lseek(fd, (off_t)off, SEEK_DATA);

	return at < 0 ? UINT64_MAX : (uint64_t)at;
}
