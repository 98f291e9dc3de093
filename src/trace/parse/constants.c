/* The constants of constants.def as a table; their values are the C library's and the kernel's. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
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

static const struct {
	const char *name;
	int64_t value;
} constants[] = {
#define CONSTANT(name)      {#name, (int64_t)name},
#define VALUE(name, number) {#name, number},
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

bool skep_constant_find(const char *name, int64_t *ret)
{
	for (size_t i = 0; i < sizeof(constants) / sizeof(*constants); i++) {
		if (strcmp(constants[i].name, name))
			continue;
		*ret = constants[i].value;
		return true;
	}
	return is_syscall(name, "__NR_", ret) || is_syscall(name, "SYS_", ret);
}
