/* The constants of constants.def as a table; their values are the C library's and the kernel's. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/param.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/if_ether.h>

#include "trace/parse.h"

/* Names one behind the other, a NUL before and behind each, and values in the same order: a pointer
 * to each name would take more room than most names. */
static const char names[] = "\0"
#define CONSTANT(name)      #name "\0"
#define VALUE(name, number) #name "\0"
#include "trace/parse/constants.def"
	;
#undef CONSTANT
#undef VALUE

static const int64_t values[] = {
#define CONSTANT(name)      (int64_t) name,
#define VALUE(name, number) number,
#include "trace/parse/constants.def"
#undef CONSTANT
#undef VALUE
};

/* __NR_openat, SYS_openat */
static bool is_syscall(const char *name, const char *prefix, int64_t *ret)
{
	size_t len = strlen(prefix);

	return !strncmp(name, prefix, len) && skep_syscall_find(name + len, ret);
}

/* How many names stand before the one that begins at @at. */
static size_t index_of(const char *at)
{
	size_t n = 0;

	for (const char *c = names + 1; c < at; c++)
		n += !*c;
	return n;
}

bool skep_constant_find(const char *name, int64_t *ret)
{
	char wanted[64] = "";
	size_t len = strlen(name);

	if (!len || len > sizeof(wanted) - 2)
		return false;
	snprintf(wanted + 1, sizeof(wanted) - 1, "%s", name);
	const char *at = memmem(names, sizeof(names), wanted, len + 2);
	if (!at)
		return is_syscall(name, "__NR_", ret) || is_syscall(name, "SYS_", ret);
	*ret = values[index_of(at + 1)];
	return true;
}
