/*
 * Times: strftime() of the language, which knows three conversions more than
 * the C library (%f, %k, %l: micro-, nano- and milliseconds), and time().
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "trace/run/output_impl.h"

#define NS_PER_S  1000000000u
#define TEXT_MOST 8192

/* Copy @format with the fractions of a second put in. */
static void put_fractions(const char *format, uint32_t ns, struct skep_buf *ret)
{
	for (; *format; format++) {
		if (format[0] == '%' && format[1] == 'f')
			skep_buf_printf(ret, "%06u", ns / 1000);
		else if (format[0] == '%' && format[1] == 'k')
			skep_buf_printf(ret, "%09u", ns);
		else if (format[0] == '%' && format[1] == 'l')
			skep_buf_printf(ret, "%03u", ns / 1000000);
		else
			skep_buf_addc(ret, *format);
		if (format[0] != '%' || !format[1])
			continue;
		if (!strchr("fkl", format[1]))
			skep_buf_addc(ret, format[1]);
		format++;
	}
}

static bool add_time(time_t seconds, const char *format, struct skep_buf *buf)
{
	struct tm tm;

	if (!*format)
		return true;
	if (!localtime_r(&seconds, &tm))
		return false;
	size_t len = strftime(skep_buf_reserve(buf, TEXT_MOST), TEXT_MOST, format, &tm);
	buf->len += len;
	buf->data[buf->len] = '\0';
	return len;
}

void skep_text_timestamp(struct skep_printer *p, const struct skep_view *view)
{
	const struct skep_trace_program *program = p->out->program;
	_cleanup_buf_ struct skep_buf format = {0};
	uint64_t ns;
	uint32_t at[2]; /* of the format; is wall clock */

	if (view->len < 16)
		return;
	memcpy(&ns, view->at, 8);
	memcpy(at, view->at + 8, 8);
	if (at[0] >= program->n_strings)
		return;
	if (!at[1])
		ns += p->out->boot_to_wall_ns;
	put_fractions(program->strings[at[0]], (uint32_t)(ns % NS_PER_S), &format);
	time_t seconds = (time_t)(ns / NS_PER_S);
	if (!seconds || !add_time(seconds, format.data ? format.data : "", p->buf))
		skep_buf_puts(p->buf, "(?)");
}

void skep_text_now(const char *format, struct skep_buf *buf)
{
	add_time(time(NULL), format, buf);
}
