/* Memory files and places for them; see pages.h. */
#include "map/pages.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef __linux__

#include <fcntl.h>
#include <sys/mman.h>

size_t skep_pages_bytes(void)
{
#if defined(__x86_64__)
	return 4096;
#else
	static size_t bytes; /* every thread writes the same */
	size_t b = __atomic_load_n(&bytes, __ATOMIC_RELAXED);

	if (!b) {
		b = (size_t)sysconf(_SC_PAGESIZE);
		__atomic_store_n(&bytes, b, __ATOMIC_RELAXED);
	}
	return b;
#endif
}

static void *map_or_null(size_t bytes, int prot)
{
	void *at = mmap(NULL, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

void *skep_pages_zeroed(size_t bytes)
{
	return map_or_null(bytes, PROT_READ | PROT_WRITE);
}

void *skep_pages_reserve(size_t bytes)
{
	return map_or_null(bytes, PROT_NONE);
}

void skep_pages_release(void *at, size_t bytes)
{
	if (at)
		munmap(at, bytes);
}

int skep_pages_file(const char *name, uint64_t bytes)
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

int skep_pages_place(void *at, size_t bytes, int prot, int fd, uint64_t off)
{
	void *got = mmap(at, bytes, prot, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd, (off_t)off);

	return got == MAP_FAILED ? -errno : 0;
}

int skep_pages_clear(int fd, uint64_t off, uint64_t bytes, void *at)
{
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	return fallocate(fd, mode, (off_t)off, (off_t)bytes) ? -errno : 0;
}

uint64_t skep_pages_next_used(int fd, uint64_t off)
{
	off_t at = lseek(fd, (off_t)off, SEEK_DATA);

	return at < 0 ? UINT64_MAX : (uint64_t)at;
}

#else

size_t skep_pages_bytes(void)
{
	return 4096;
}

void *skep_pages_zeroed(size_t bytes)
{
	return calloc(1, bytes);
}

void *skep_pages_reserve(size_t bytes)
{
	return NULL;
}

void skep_pages_release(void *at, size_t bytes)
{
	free(at);
}

int skep_pages_file(const char *name, uint64_t bytes)
{
	return -ENOSYS;
}

int skep_pages_place(void *at, size_t bytes, int prot, int fd, uint64_t off)
{
	return -ENOSYS;
}

int skep_pages_clear(int fd, uint64_t off, uint64_t bytes, void *at)
{
	return -ENOSYS;
}

uint64_t skep_pages_next_used(int fd, uint64_t off)
{
	return UINT64_MAX;
}

#endif
