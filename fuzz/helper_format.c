/*
 * Any bytes as the format and arguments of bpf_snprintf(): refused, or written within the
 * buffer with a NUL; and the length is the same whatever room there is.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "helper/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t args[FORMAT_MOST_ARGS];
	char out[128];

	if (size < sizeof(args) + 2)
		return 0;
	memcpy(args, data, sizeof(args));
	/* no number is by chance an address of this process: what lies there can change meanwhile
	 */
	for (int i = 0; i < FORMAT_MOST_ARGS; i++)
		if (args[i] >> 16 && !(args[i] >> 47))
			args[i] |= (uint64_t)1 << 62;
	uint32_t n_args = data[sizeof(args)] % (FORMAT_MOST_ARGS + 1);
	size_t cap = data[sizeof(args) + 1] % sizeof(out), len = size - sizeof(args) - 2;
	_cleanup_free_ char *fmt = malloc(len + 1);
	if (!fmt)
		return 0;
	memcpy(fmt, data + sizeof(args) + 2, len);
	fmt[len] = 0;
	/* the last argument is an address that is there */
	args[FORMAT_MOST_ARGS - 1] = (uintptr_t)fmt;
	memset(out, '#', sizeof(out));
	long ret = format_text(out, cap, fmt, (uint32_t)len + 1, args, n_args);
	if (ret >= 0 && cap && !memchr(out, 0, cap))
		abort();
	if (out[cap] != '#' || format_text(NULL, 0, fmt, (uint32_t)len + 1, args, n_args) != ret)
		abort();
	return 0;
}
