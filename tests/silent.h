/* Processes part of whose memory never comes: nobody gives it, or a file system does not answer. */
#ifndef TESTS_SILENT_H
#define TESTS_SILENT_H

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096u

/* --- A child whose memory never comes --------------------------------------------------------- */

static inline bool leave_to_nobody(void *page)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register range = {.range = {(uint64_t)(uintptr_t)page, PAGE},
					.mode = UFFDIO_REGISTER_MODE_MISSING};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	return fd >= 0 && !ioctl(fd, UFFDIO_API, &api) && !ioctl(fd, UFFDIO_REGISTER, &range);
}

static inline bool leave_to_file(void *page, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && mmap(page, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0) != MAP_FAILED;
}

#define CHANGED 7 /* the exit status of a child that could */

/* Nobody who reads its memory may keep a process from changing what is mapped. */
static inline void change_mappings(int signal)
{
	void *page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	_exit(page != MAP_FAILED && !munmap(page, PAGE) ? CHANGED : 1);
}

/* At @page it is that of the file @path, NULL: of nobody. 0: that is not allowed. On SIGUSR1 it
 * changes its mappings, and ends. */
static inline pid_t fork_silent(void *page, const char *path)
{
	int ends[2];
	char is_silent = 0;

	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	if (!pid) {
		signal(SIGUSR1, change_mappings);
		is_silent = path ? leave_to_file(page, path) : leave_to_nobody(page);
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

/* Can it, now? It has ended then. */
static inline bool may_change_mappings(pid_t pid)
{
	int status = 0;

	kill(pid, SIGUSR1);
	for (int i = 0; i < 1000; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) && WEXITSTATUS(status) == CHANGED;
		usleep(10000);
	}
	return false;
}

/* --- A file system that tells what it has, and gives nothing of it ---------------------------- */

struct silent_files {
	char folder[64], path[80]; /* of its one file, of a page */
	pid_t pid;                 /* who answers */
};

struct silent_answer {
	struct fuse_out_header head;
	union {
		struct fuse_init_out init;
		struct fuse_entry_out entry;
		struct fuse_attr_out attr;
		struct fuse_open_out open;
	};
};

static inline struct fuse_attr silent_attr(uint64_t node)
{
	return (struct fuse_attr){.ino = node,
				  .size = PAGE,
				  .mode = node == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0755,
				  .nlink = 1};
}

/* Return bytes of the answer; 0: none is ever given */
static inline uint32_t silent_answer(const struct fuse_in_header *in, struct silent_answer *ret)
{
	const uint32_t head = sizeof(ret->head);

	switch (in->opcode) {
	case FUSE_INIT:
		ret->init = (struct fuse_init_out){.major = FUSE_KERNEL_VERSION,
						   .minor = FUSE_KERNEL_MINOR_VERSION,
						   .max_write = PAGE};
		return head + sizeof(ret->init);
	case FUSE_LOOKUP:
		ret->entry = (struct fuse_entry_out){
			.nodeid = 2, .attr_valid = 60, .entry_valid = 60, .attr = silent_attr(2)};
		return head + sizeof(ret->entry);
	case FUSE_GETATTR:
		ret->attr =
			(struct fuse_attr_out){.attr_valid = 60, .attr = silent_attr(in->nodeid)};
		return head + sizeof(ret->attr);
	case FUSE_OPEN: ret->open = (struct fuse_open_out){0}; return head + sizeof(ret->open);
	case FUSE_READ:
	case FUSE_INTERRUPT:
	case FUSE_FORGET: return 0;
	default: ret->head.error = -ENOSYS; return head;
	}
}

static inline void silent_serve(int fd)
{
	static _Alignas(8) char request[FUSE_MIN_READ_BUFFER + PAGE];
	const struct fuse_in_header *in = (const struct fuse_in_header *)request;

	while (read(fd, request, sizeof(request)) >= (ssize_t)sizeof(*in) || errno == EINTR) {
		struct silent_answer answer = {.head.unique = in->unique};
		answer.head.len = silent_answer(in, &answer);
		if (answer.head.len && write(fd, &answer, answer.head.len) < 0)
			continue;
	}
	_exit(0);
}

/* False: not allowed. */
static inline bool silent_files_begin(struct silent_files *ret)
{
	char options[128];
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	strcpy(ret->folder, "/tmp/skep-silent-XXXXXX");
	if (fd < 0 || !mkdtemp(ret->folder))
		return false;
	snprintf(ret->path, sizeof(ret->path), "%s/file", ret->folder);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	if (mount("skep-test", ret->folder, "fuse", MS_NOSUID | MS_NODEV, options)) {
		rmdir(ret->folder);
		close(fd);
		return false;
	}
	ret->pid = fork();
	if (!ret->pid)
		silent_serve(fd);
	close(fd);
	return true;
}

/* Who waits for it gets an error now. */
static inline void silent_files_end(const struct silent_files *files)
{
	kill(files->pid, SIGKILL);
	waitpid(files->pid, NULL, 0);
	umount2(files->folder, MNT_DETACH);
	assert_int_equal(rmdir(files->folder), 0);
}

#endif
