/*
 * The log that PROG_LOAD and BTF_LOAD write: how much of it the caller gets, and what they are told
 * of the rest.
 *
 * The whole text is kept until the end. A caller whose buffer is too small gets its last bytes, or
 * with LOG_FIXED its first, always with a NUL, and -ENOSPC. A caller without a buffer learns the
 * size a buffer needs: for what the text was at its longest, also if some of it was taken back.
 *
 * Source  behaviour of Linux 6.18, kernel/bpf/log.c
 */
#include "machine/machine.h"

#include <stdarg.h>

#define LOG_MASK (LOG_LEVEL | LOG_STATS | LOG_FIXED)

int machine_log_init(struct log *log, uint32_t level, uint64_t user, uint32_t size)
{
	if (!user != !size || (user && !level) || level & ~LOG_MASK || size > UINT32_MAX >> 2)
		return -EINVAL;
	*log = (struct log){.level = level, .user = user, .size = size};
	return 0;
}

void machine_log_done(struct log *log)
{
	skep_buf_done(&log->text);
}

void machine_log_printf(struct log *log, const char *fmt, ...)
{
	va_list ap;

	if (!log->level)
		return;
	va_start(ap, fmt);
	skep_buf_vprintf(&log->text, fmt, ap);
	va_end(ap);
}

/* The NUL counts. */
static int hand_over(const struct log *log, const char *text, uint32_t len)
{
	uint32_t fits = len < log->size ? len : log->size - 1;
	const char *from = log->level & LOG_FIXED ? text : text + (len - fits);

	if (machine_user_write(log->user, from, fits) ||
	    machine_user_write(log->user + fits, "", 1))
		return -EFAULT;
	return fits < len ? -ENOSPC : 0;
}

int machine_log_finish(struct log *log, uint32_t *ret_true_size)
{
	const char *text = log->text.data ? log->text.data : "";
	uint32_t len = log->text.len < UINT32_MAX ? (uint32_t)log->text.len : UINT32_MAX - 1;
	uint32_t most = len;
	int err = 0;

	*ret_true_size = 0;
	if (!log->level || !len)
		return 0;
	if (log->most > len)
		most = log->most < UINT32_MAX ? (uint32_t)log->most : UINT32_MAX - 1;
	*ret_true_size = most + 1;
	if (log->user)
		err = hand_over(log, text, len);
	return err || !log->user || most < log->size ? err : -ENOSPC;
}
