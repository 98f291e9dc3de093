/* Formats of printf() and its kin, cut into conversions. */
#ifndef SKEP_TRACE_FORMAT_H
#define SKEP_TRACE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

/** One conversion: "%-*.8llx". */
struct skep_conversion {
	const char *start; /* the '%', within the format */
	size_t len;
	char type;      /* d i u x X o p c s r g (for gr), f (in columns), % ; '\0': none that
			 * there is */
	char style;     /* of r: 'h' (0a fe), 'x' (\x0a), or '\0' */
	char length[3]; /* "hh", "h", "l", "ll", "j", "z", "t", or "" */
	bool star_width, star_precision; /* taken from arguments before the value */
};

/**
 * The next conversion at or behind *@at; *@at moves behind it.
 * Return false at the end of the text.
 */
bool skep_format_next(const char **at, struct skep_conversion *ret);

#endif
