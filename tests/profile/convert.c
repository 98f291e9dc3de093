/*
 * Reads a profile from a file and writes it to standard output, for peers.py:
 *
 *	convert FORMAT [OPTION=VALUE]... FILE [BEFORE]
 *
 * With BEFORE the difference between the two. Options: root=comm|pid|thread|none,
 * marks=BITS, inverted=1, addresses=1, value=NAME, title=TEXT, width=N, rows=N.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <skep/diag.h>

#include "base/buf.h"
#include "profile/format.h"

static enum skep_profile_root root_of(const char *name)
{
	static const char *const names[] = {"comm", "pid", "thread", "none"};

	for (unsigned i = 0; i < 4; i++) {
		if (!strcmp(name, names[i]))
			return (enum skep_profile_root)i;
	}
	fprintf(stderr, "no root %s\n", name);
	exit(2);
}

static void set(struct skep_profile_options *options, const char *name, const char *value)
{
	unsigned number = (unsigned)strtoul(value, NULL, 0);

	if (!strcmp(name, "root"))
		options->root = root_of(value);
	else if (!strcmp(name, "marks"))
		options->marks = number;
	else if (!strcmp(name, "inverted"))
		options->is_inverted = number;
	else if (!strcmp(name, "addresses"))
		options->has_addresses = number;
	else if (!strcmp(name, "value"))
		options->value = value;
	else if (!strcmp(name, "title"))
		options->title = value;
	else if (!strcmp(name, "width"))
		options->width = number;
	else if (!strcmp(name, "rows"))
		options->rows = number;
}

/* Take the options off @argv from @at on; returns where files begin. */
static int take_options(char **argv, int at, struct skep_profile_options *options)
{
	for (; argv[at] && strchr(argv[at], '=') && *argv[at] != '/'; at++) {
		char *value = strchr(argv[at], '=');
		*value++ = '\0';
		set(options, argv[at], value);
	}
	return at;
}

static int say(const struct skep_diag *diag, int status)
{
	_cleanup_buf_ struct skep_buf text = {0};

	skep_diag_render(diag, false, &text);
	fputs(text.data ? text.data : "", stderr);
	return status;
}

static int read_file(const char *path, struct skep_profile *ret, struct skep_diag *diag)
{
	_cleanup_buf_ struct skep_buf bytes = {0};
	FILE *file = fopen(path, "re");
	size_t n;

	if (!file)
		return -errno;
	do {
		n = fread(skep_buf_reserve(&bytes, 65536), 1, 65536, file);
		bytes.len += n;
	} while (n);
	fclose(file);
	return skep_profile_read(bytes.data, bytes.len, path, ret, diag);
}

static int run(enum skep_profile_format format, struct skep_profile_options *options, char **files,
	       struct skep_diag *diag)
{
	_cleanup_profile_ struct skep_profile now = {0}, before = {0}, diff = {0};
	_cleanup_buf_ struct skep_buf out = {0};
	int err = read_file(files[0], &now, diag);

	if (!err && files[1])
		err = read_file(files[1], &before, diag);
	if (!err && files[1])
		err = skep_profile_diff(&before, &now, options->value, &diff, diag);
	if (files[1])
		options->value = NULL;
	if (!err)
		err = skep_profile_write(files[1] ? &diff : &now, format, options, &out, diag);
	if (!err)
		fwrite(out.data, 1, out.len, stdout);
	return err;
}

int main(int argc, char **argv)
{
	_cleanup_diag_ struct skep_diag diag = {0};
	struct skep_profile_options options = {0};
	enum skep_profile_format format;

	if (argc < 3 || skep_profile_format_by_name(argv[1], &format))
		return 2;
	int at = take_options(argv, 2, &options);
	return run(format, &options, argv + at, &diag) ? say(&diag, 1) : 0;
}
