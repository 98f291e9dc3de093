/*
 * Preloaded into programs that insist on raising RLIMIT_MEMLOCK, which a container
 * may forbid though the kernel (since 5.11) has no use for it: says that it worked.
 */
#include <sys/resource.h>

int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
	(void)resource;
	(void)limit;
	return 0;
}

int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *limit)
{
	(void)resource;
	(void)limit;
	return 0;
}
