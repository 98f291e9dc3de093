/*
 * Columns of row() and table(): "PID:%-7d option?LAT(ms):%8.3f/1e6 PATH:%s".
 *
 *	columns = column { blanks column }
 *	column  = [ option "?" ] name ":" conversion [ "/" divisor ]
 *
 * A column with an option is there only if the script is given that option. One
 * whose name begins with '+' stands below its row, in lines of its own.
 * %f prints an integer, divided, as a fraction.
 */
#ifndef SKEP_TRACE_COLUMN_H
#define SKEP_TRACE_COLUMN_H

#include <stdint.h>

#include "trace/types/format.h"

#define SKEP_TABLE_COLUMNS_MAX 32

struct skep_column {
	const char *start; /* all of it, within the text; len bytes */
	size_t len;
	const char *option, *name; /* within the text, without a NUL; option: option_len 0: none */
	size_t option_len, name_len;
	struct skep_conversion conv;
	uint64_t div; /* at least 1 */
	uint32_t width;
	int precision; /* -1: none */
	bool is_left, is_below;
};

/**
 * The next column at or behind *@at; *@at moves behind it.
 * Return 1 | 0 there is no other | -EINVAL: what stands at *@at is no column
 */
int skep_column_next(const char **at, struct skep_column *ret);

#endif
