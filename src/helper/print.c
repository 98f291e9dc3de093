/* The helpers that print: to the trace, to memory, to an iterator's text. */
#include "helper/format.h"
#include "helper/helpers.h"

#define LINE_BYTES 1024 /* a line of the trace is cut here */

static int check_data(uint64_t data, uint32_t bytes)
{
	return bytes % 8 || bytes > FORMAT_MOST_ARGS * 8 || (bytes && !data) ? -EINVAL : 0;
}

static uint64_t trace(struct skep_run *run, const char *fmt, uint32_t fmt_size,
		      const uint64_t *args, uint32_t n_args)
{
	char line[LINE_BYTES];
	long len = format_text(line, sizeof(line), fmt, fmt_size, args, n_args);

	if (len >= 0 && run->world && run->world->trace)
		run->world->trace(run->world->trace_ctx, line,
				  len < LINE_BYTES ? (size_t)len : LINE_BYTES - 1);
	return (uint64_t)len;
}

DEFINE_HELPER(trace_printk)
{
	const uint64_t args[3] = {r3, r4, r5};

	return trace(run, ptr_of(r1), (uint32_t)r2, args, 3);
}

DEFINE_HELPER(trace_vprintk)
{
	int err = check_data(r3, (uint32_t)r4);

	return err ? as_r0(err)
		   : trace(run, ptr_of(r1), (uint32_t)r2, ptr_of(r3), (uint32_t)r4 / 8);
}

/* The NUL is counted. */
DEFINE_HELPER(snprintf)
{
	int err = check_data(r4, (uint32_t)r5);

	if (err)
		return as_r0(err);
	long len = format_text(ptr_of(r1), (uint32_t)r2, ptr_of(r3), INT32_MAX, ptr_of(r4),
			       (uint32_t)r5 / 8);
	return (uint64_t)(len < 0 ? len : len + 1);
}

static int seq_put(struct skep_run *run, const void *data, size_t len)
{
	if (!run->world || !run->world->seq_write)
		return -EOVERFLOW;
	return run->world->seq_write(run->world->seq_ctx, data, len);
}

DEFINE_HELPER(seq_write)
{
	return as_r0(seq_put(run, ptr_of(r2), (uint32_t)r3));
}

DEFINE_HELPER(seq_printf)
{
	char line[LINE_BYTES * 4];
	int err = check_data(r4, (uint32_t)r5);

	if (err)
		return as_r0(err);
	long len = format_text(line, sizeof(line), ptr_of(r2), (uint32_t)r3, ptr_of(r4),
			       (uint32_t)r5 / 8);
	if (len < 0)
		return (uint64_t)len;
	return as_r0(len < (long)sizeof(line) ? seq_put(run, line, (size_t)len) : -EOVERFLOW);
}
