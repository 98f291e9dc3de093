/* The format strings of bpf_snprintf(), bpf_trace_printk() and their kin. */
#ifndef SKEP_HELPER_FORMAT_H
#define SKEP_HELPER_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define FORMAT_MOST_ARGS  12
#define FORMAT_TEXT_BYTES 512 /* for all arguments together, as the kernel has */

/**
 * @fmt with @args into @out, of which no more than @cap bytes are written, the
 * last of them a NUL (nothing with @cap 0).
 *
 * @fmt_size  the NUL is within it
 * Return     length of the whole text, without NUL | -EINVAL not a format, or more specifiers
 *            than @n_args | -ENOSPC the arguments' texts do not fit
 * Source     Linux, bpf_bprintf_prepare() and bstr_printf()
 */
long format_text(char *out, size_t cap, const char *fmt, uint32_t fmt_size, const uint64_t *args,
		 uint32_t n_args);

#endif
