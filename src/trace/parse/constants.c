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

bool skep_constant_find(const char *name, int64_t *ret)
{
	for (size_t i = 0; i < sizeof(constants) / sizeof(*constants); i++) {
		if (strcmp(constants[i].name, name))
			continue;
		*ret = constants[i].value;
		return true;
	}
	return false;
}
