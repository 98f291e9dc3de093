#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>

void skep_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

int skep_fd_read(int fd, size_t limit_bytes, struct skep_buf *buf)
{
	size_t total = 0;

	for (;;) {
		char *at = skep_buf_reserve(buf, 64 * 1024);
		ssize_t n = read(fd, at, 64 * 1024);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at[n] = '\0';
		buf->len += (size_t)n;
		total += (size_t)n;
		if (n == 0)
			return 0;
		if (total > limit_bytes)
			return -EFBIG;
	}
}

int skep_file_read(const char *path, size_t limit_bytes, struct skep_buf *buf)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return skep_fd_read(fd, limit_bytes, buf);
}

int skep_fd_write(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len) {
		ssize_t n = write(fd, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}
