/*
 * For the static program only: functions of the C library that lie in the overlay, where the C library
 * itself calls them from outside of it. The linker leads those calls here (--wrap).
 */
#include <ctype.h>
#include <printf.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/overlay.h"

int __wrap___printf_fp(FILE *to, const struct printf_info *how, const void *const *number);
int __real___printf_fp(FILE *to, const struct printf_info *how, const void *const *number);
int __wrap___isoc99_sscanf(const char *text, const char *format, ...);
int __isoc99_vsscanf(const char *text, const char *format, va_list ap);

/* A number with a point, of printf(): nothing that prints events has any. */
int __wrap___printf_fp(FILE *to, const struct printf_info *how, const void *const *number)
{
	return skep_overlay_load() ? -1 : __real___printf_fp(to, how, number);
}

static bool is_known(const char *conversion)
{
	return *conversion == 'd' || *conversion == 'n' || !strncmp(conversion, "hu", 2);
}

static bool are_known(const char *format)
{
	const char *percent = strchr(format, '%');

	while (percent && is_known(percent + 1))
		percent = strchr(percent + 1, '%');
	return !percent;
}

/* A conversion: %d, %hu or %n. Return how many numbers it has taken | -1 there is none */
static int convert(const char **text, const char **format, const char *start, va_list *ap)
{
	char *end = (char *)*text;

	if (**format == 'n') {
		*va_arg(*ap, int *) = (int)(*text - start);
		*format += 1;
		return 0;
	}
	long number = strtol(*text, &end, 10);
	if (end == *text)
		return -1;
	if (**format == 'd')
		*va_arg(*ap, int *) = (int)number;
	else
		*va_arg(*ap, unsigned short *) = (unsigned short)number;
	*format += **format == 'd' ? 1 : 2;
	*text = end;
	return 1;
}

static int scan_numbers(const char *text, const char *format, va_list *ap)
{
	const char *start = text;
	int n = 0, taken = 0;

	for (; *format && taken >= 0; n += taken > 0) {
		char wanted = *format++;
		taken = 0;
		if (wanted == '%')
			taken = convert(&text, &format, start, ap);
		else if (isspace((unsigned char)wanted))
			text += strspn(text, " \t\n");
		else if (*text++ != wanted)
			taken = -1;
	}
	return n;
}

/* The rules of a time zone, and the two numbers behind a mount, are read without the overlay. */
int __wrap___isoc99_sscanf(const char *text, const char *format, ...)
{
	int n = EOF;
	va_list ap;

	va_start(ap, format);
	if (are_known(format))
		n = scan_numbers(text, format, &ap);
	else if (skep_overlay_load() == 0)
		n = __isoc99_vsscanf(text, format, ap);
	va_end(ap);
	return n;
}
