/* Parsers of the kernel's small texts: CPU lists, mounts, single numbers. See procfs.h. */
#include "linux/procfs.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"

enum { CPU_LIMIT = 1 << 16, FILE_LIMIT_BYTES = 64 * 1024 };

/* Digits at *text, which is moved behind them. */
static int parse_number(const char **text, unsigned *ret)
{
	unsigned value = 0;
	const char *at = *text;

	while (isdigit((unsigned char)*at) && value < CPU_LIMIT)
		value = value * 10 + (unsigned)(*at++ - '0');
	if (at == *text || value >= CPU_LIMIT)
		return -EINVAL;
	*text = at;
	*ret = value;
	return 0;
}

/* "N" or "N-M" */
static int parse_range(const char **text, unsigned *ret_first, unsigned *ret_last)
{
	unsigned first, last;

	if (parse_number(text, &first))
		return -EINVAL;
	last = first;
	if (**text == '-') {
		(*text)++;
		if (parse_number(text, &last))
			return -EINVAL;
	}
	if (last < first)
		return -EINVAL;
	*ret_first = first;
	*ret_last = last;
	return 0;
}

int skep_cpulist_parse(const char *text, unsigned *ret, unsigned max)
{
	unsigned n = 0, first, last;

	while (*text && *text != '\n') {
		if (n && *text++ != ',')
			return -EINVAL;
		if (parse_range(&text, &first, &last))
			return -EINVAL;
		for (unsigned cpu = first; cpu <= last; cpu++, n++) {
			if (n < max)
				ret[n] = cpu;
		}
		if (n > CPU_LIMIT)
			return -EINVAL;
	}
	return (int)n;
}

/* Length of the word at @text, which ends at a blank or the line's end. */
static size_t word_len(const char *text)
{
	return strcspn(text, " \n");
}

static bool octal(const char *at, size_t len)
{
	return len >= 4 && at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && at[2] >= '0' &&
	       at[2] <= '7' && at[3] >= '0' && at[3] <= '7';
}

/* The kernel writes blanks, tabs, newlines and backslashes in paths as \NNN. */
static int unescape(const char *word, size_t len, char *ret, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < len; n++) {
		if (n + 1 >= size)
			return -ENAMETOOLONG;
		if (octal(word + i, len - i)) {
			ret[n] = (char)((word[i + 1] - '0') << 6 | (word[i + 2] - '0') << 3 |
					(word[i + 3] - '0'));
			i += 4;
		} else {
			ret[n] = word[i++];
		}
	}
	ret[n] = '\0';
	return 0;
}

/* "DEVICE PATH TYPE OPTIONS 0 0": the path's word when the type is @fstype, else NULL. */
static const char *line_path(const char *line, const char *fstype, size_t *ret_len)
{
	const char *path = line + word_len(line);
	const char *type;

	if (*path != ' ')
		return NULL;
	path++;
	type = path + word_len(path);
	if (*type != ' ')
		return NULL;
	type++;
	if (word_len(type) != strlen(fstype) || strncmp(type, fstype, strlen(fstype)) != 0)
		return NULL;
	*ret_len = word_len(path);
	return path;
}

int skep_mounts_find(const char *mounts, const char *fstype, const char *prefer, char *ret,
		     size_t size)
{
	const char *found = NULL;
	size_t found_len = 0;

	while (*mounts) {
		size_t len;
		const char *path = line_path(mounts, fstype, &len);
		bool preferred = path && len == strlen(prefer) && strncmp(path, prefer, len) == 0;
		if (path && (!found || preferred)) {
			found = path;
			found_len = len;
		}
		mounts += strcspn(mounts, "\n");
		mounts += *mounts == '\n';
	}
	return found ? unescape(found, found_len, ret, size) : -ENOENT;
}

int skep_file_number(const char *path, int64_t *ret)
{
	_cleanup_buf_ struct skep_buf buf = {0};
	int err = skep_file_read(path, FILE_LIMIT_BYTES, &buf);
	char *end;

	if (err)
		return err;
	if (!buf.data)
		return -EINVAL;
	errno = 0;
	int64_t value = strtoll(buf.data, &end, 10);
	if (end == buf.data || errno)
		return -EINVAL;
	*ret = value;
	return 0;
}
