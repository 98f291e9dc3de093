/* Columns of row() and table(), cut from their text; see column.h. */
#include "trace/column.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH_MOST     4096
#define PRECISION_MOST 9
#define DIVISOR_MOST   1000000000000000000ull

/* "1024", "1e6": whole numbers only. */
static int take_divisor(const char **at, uint64_t *ret)
{
	uint64_t value = 1;
	char *end;

	if (**at == '/') {
		value = strtoull(*at + 1, &end, 10);
		if (!isdigit((unsigned char)(*at)[1]))
			return -EINVAL;
		unsigned long zeros = *end == 'e' ? strtoul(end + 1, &end, 10) : 0;
		for (; zeros && value <= DIVISOR_MOST; zeros--)
			value *= 10;
		*at = end;
	}
	*ret = value;
	return value && value <= DIVISOR_MOST ? 0 : -EINVAL;
}

/* Flags, width and precision are read again, for the heading. */
static int take_shape(struct skep_column *column)
{
	const char *at = column->conv.start + 1;
	char *end;

	for (; *at && strchr("-+ #0", *at); at++)
		column->is_left |= *at == '-';
	unsigned long width = strtoul(at, &end, 10), precision = 0;
	column->precision = -1;
	if (*end == '.') {
		precision = strtoul(end + 1, &end, 10);
		column->precision = (int)precision;
	}
	if (column->conv.star_width || column->conv.star_precision || width > WIDTH_MOST)
		return -EINVAL;
	if (column->conv.type == 'f' && precision > PRECISION_MOST)
		return -EINVAL;
	column->is_left |= !width && column->conv.type == 's';
	column->width = (uint32_t)(width > column->name_len ? width : column->name_len);
	return 0;
}

static int take_names(const char **at, struct skep_column *column)
{
	size_t len = strcspn(*at, "?: %");

	if ((*at)[len] == '?') {
		column->option = *at;
		column->option_len = len;
		*at += len + 1;
		len = strcspn(*at, ": ");
	} else {
		len = strcspn(*at, ": ");
	}
	column->name = *at;
	column->name_len = len;
	column->is_below = **at == '+';
	if (!len || (*at)[len] != ':' || (column->option && !column->option_len))
		return -EINVAL;
	*at += len + 1;
	return 0;
}

int skep_column_next(const char **at, struct skep_column *ret)
{
	const char *p = *at + strspn(*at, " ");
	struct skep_column column = {.start = p};

	*at = p;
	if (!*p)
		return 0;
	if (take_names(&p, &column) || *p != '%' || !skep_format_next(&p, &column.conv) ||
	    !column.conv.type || column.conv.type == '%' || take_divisor(&p, &column.div) ||
	    (*p && *p != ' ') || take_shape(&column))
		return -EINVAL;
	column.len = (size_t)(p - column.start);
	*ret = column;
	*at = p;
	return 1;
}
