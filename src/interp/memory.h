/* Memory of a process, read from outside: whatever is read may be garbage, or gone. */
#ifndef SKEP_INTERP_MEMORY_H
#define SKEP_INTERP_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct skep_interp_memory {
	/** Read all of @n bytes at @addr. Return 0 | -ESRCH the process is gone | -errno */
	int (*read)(void *ctx, uint64_t addr, void *ret, size_t n);
	void *ctx; /* borrowed */
};

/** That of a process; *@pid must stay where it is. */
struct skep_interp_memory skep_interp_memory_of(const pid_t *pid);

#endif
