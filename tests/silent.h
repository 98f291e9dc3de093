/* A process part of whose memory never comes, as if a file system did not answer. */
#ifndef TESTS_SILENT_H
#define TESTS_SILENT_H

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096u

/* A child whose memory at @page nobody gives; it says so when that is so. 0: not allowed */
static inline pid_t fork_silent(void *page)
{
	int ends[2];
	char is_silent = 0;

	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	if (!pid) {
		struct uffdio_api api = {.api = UFFD_API};
		struct uffdio_register range = {.range = {(uint64_t)(uintptr_t)page, PAGE},
						.mode = UFFDIO_REGISTER_MODE_MISSING};
		int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
		is_silent = fd >= 0 && !ioctl(fd, UFFDIO_API, &api) &&
			    !ioctl(fd, UFFDIO_REGISTER, &range);
		if (write(ends[1], &is_silent, 1) == 1 && is_silent)
			pause();
		_exit(0);
	}
	assert_int_equal(read(ends[0], &is_silent, 1), 1);
	close(ends[0]);
	close(ends[1]);
	if (is_silent)
		return pid;
	waitpid(pid, NULL, 0);
	return 0;
}

#endif
