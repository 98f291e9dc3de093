/*
 * File descriptors and files: closing on scope exit, reading a whole file with
 * a limit, writing all of something. -1 is the only "no descriptor".
 */
#ifndef SKEP_BASE_FD_H
#define SKEP_BASE_FD_H

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"

/** Close *fd if it is open and set it to -1; errno is kept. */
void skep_close(int *fd);

/** Is @err (-errno) one for want of descriptors? */
static inline bool skep_fd_is_short(int err)
{
	return err == -EMFILE || err == -ENFILE;
}

static inline void skep_freep(void *ptr)
{
	free(*(void **)ptr);
}

#define _cleanup_close_ __attribute__((cleanup(skep_close)))
#define _cleanup_free_  __attribute__((cleanup(skep_freep)))

/** Hand *(ptr) over to the caller, leaving NULL. */
#define TAKE_PTR(ptr)                                                                              \
	({                                                                                         \
		typeof(ptr) taken_ = (ptr);                                                        \
		(ptr) = NULL;                                                                      \
		taken_;                                                                            \
	})
#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int taken_ = (fd);                                                                 \
		(fd) = -1;                                                                         \
		taken_;                                                                            \
	})

/**
 * Append the whole of @path to @buf.
 *
 * Works for /proc and tracefs files, whose size is not known before.
 * Return  0 | -EFBIG longer than @limit_bytes | -errno of open() or read()
 */
int skep_file_read(const char *path, size_t limit_bytes, struct skep_buf *buf);
/** The same from an open descriptor, from its current position. */
int skep_fd_read(int fd, size_t limit_bytes, struct skep_buf *buf);
/** Write all of it, in as many goes as it takes. Return 0 | -errno of write() */
int skep_fd_write(int fd, const void *data, size_t len);

#endif
