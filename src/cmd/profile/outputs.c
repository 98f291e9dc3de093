/* Where a profile goes: files by their suffixes, or standard output. See profile.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "cmd/profile/profile.h"

#define TOP_ROWS      12
#define TREE_ROWS     60
#define LEAST_COLUMNS 40
#define MOMENT_MS     50

/* --- Which format ---------------------------------------------------------------------------- */

static void list_formats(bool by_suffix, struct skep_buf *out)
{
	for (int i = 0; i < SKEP_PROFILE_FORMAT_CNT; i++) {
		const struct skep_profile_format_info *info = skep_profile_format_info(i);
		if (info->is_written)
			skep_buf_printf(out, "%s%s", out->len ? ", " : "",
					by_suffix ? info->suffixes : info->name);
	}
}

static int unknown_suffix(const char *path, struct skep_diag *diag)
{
	_cleanup_buf_ struct skep_buf suffixes = {0};

	list_formats(true, &suffixes);
	skep_diag_add(diag, SKEP_DIAG_OPTION_VALUE, SKEP_NOWHERE, "-o",
		      "a file whose suffix says the format", path);
	skep_diag_try(diag, "-f FORMAT, or one of %s", suffixes.data);
	return -EINVAL;
}

static int unknown_format(const char *name, struct skep_diag *diag)
{
	_cleanup_buf_ struct skep_buf names = {0};

	list_formats(false, &names);
	skep_diag_add(diag, SKEP_DIAG_OPTION_VALUE, SKEP_NOWHERE, "-f", names.data, name);
	return -EINVAL;
}

static int find_named(const char *format, enum skep_profile_format *ret, struct skep_diag *diag)
{
	if (skep_profile_format_by_name(format, ret) || !skep_profile_format_info(*ret)->is_written)
		return unknown_format(format, diag);
	return 0;
}

static int find_format(const char *path, const char *format, enum skep_profile_format *ret,
		       struct skep_diag *diag)
{
	if (strcmp(path, "-") != 0 && skep_profile_format_by_path(path, ret) == 0 &&
	    skep_profile_format_info(*ret)->is_written)
		return 0;
	if (!format)
		return unknown_suffix(path, diag);
	return find_named(format, ret, diag);
}

int skep_profile_outputs_check(const char *format, struct skep_diag *diag)
{
	enum skep_profile_format found;

	return find_named(format, &found, diag);
}

int skep_profile_outputs_add(struct skep_profile_outputs *outputs, const char *path,
			     const char *format, struct skep_diag *diag)
{
	struct skep_profile_output file = {.path = path, .fd = -1};

	/* As without -o, but beside files. */
	if (!strcmp(path, "-") && !format) {
		outputs->for_people = true;
		return 0;
	}
	int err = find_format(path, format, &file.format, diag);

	if (!err)
		skep_vec_push(&outputs->files, file);
	return err;
}

/* --- Files ----------------------------------------------------------------------------------- */

static int cannot_write(const char *path, int err, struct skep_diag *diag)
{
	if (err == -EPIPE)
		return err;
	return skep_diag_fail(diag, err, SKEP_DIAG_FILE_WRITE, SKEP_NOWHERE,
			      strcmp(path, "-") ? path : "standard output",
			      err == -ECANCELED ? "nobody reads it" : strerror(-err));
}

/* Wait for @fd to take more (-1: for a moment). Return 0 | -ECANCELED a signal came meanwhile */
static int wait_for_reader(const struct skep_profile_outputs *outputs, int fd)
{
	struct pollfd fds[] = {
		{.fd = fd, .events = POLLOUT},
		{.fd = outputs->signal_fd, .events = POLLIN},
	};

	poll(fds, 2, fd < 0 ? MOMENT_MS : -1);
	return fds[1].revents && !fds[0].revents ? -ECANCELED : 0;
}

/* Return the descriptor | -ENXIO it is a pipe that nobody reads | -errno */
static int open_there(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fcntl(fd, F_SETFL, 0) == 0)
		return fd < 0 ? -errno : fd;
	int err = -errno;
	close(fd);
	return err;
}

static bool is_pipe(const char *path)
{
	struct stat info;

	return stat(path, &info) == 0 && S_ISFIFO(info.st_mode);
}

/* What is in a file stays there until there is something to take its place. */
static int open_file(const struct skep_profile_outputs *outputs, struct skep_profile_output *file)
{
	int fd = open(file->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644), err = 0;

	file->is_new = fd >= 0;
	if (fd < 0)
		fd = errno == EEXIST ? open_there(file->path) : -errno;
	while (!err && fd == -ENXIO && is_pipe(file->path)) {
		err = wait_for_reader(outputs, -1);
		fd = err ? err : open_there(file->path);
	}
	file->fd = fd < 0 ? -1 : fd;
	return fd < 0 ? fd : 0;
}

int skep_profile_outputs_open(struct skep_profile_outputs *outputs, int signal_fd,
			      struct skep_diag *diag)
{
	outputs->signal_fd = signal_fd;
	skep_vec_foreach (struct skep_profile_output, file, &outputs->files) {
		int err = strcmp(file->path, "-") ? open_file(outputs, file) : 0;
		if (err)
			return cannot_write(file->path, err, diag);
	}
	return 0;
}

void skep_profile_outputs_done(struct skep_profile_outputs *outputs)
{
	skep_vec_foreach (struct skep_profile_output, file, &outputs->files) {
		if (file->fd >= 0 && file->is_new)
			unlink(file->path);
		skep_close(&file->fd);
	}
	skep_vec_done(&outputs->files);
}

/* To a pipe, or a terminal: as much at a time as is sure not to block, or nobody could end it. */
static int write_stream(const struct skep_profile_outputs *outputs, int fd,
			const struct skep_buf *text)
{
	int err = 0;

	for (size_t at = 0, n; !err && at < text->len; at += n) {
		n = text->len - at < PIPE_BUF ? text->len - at : PIPE_BUF;
		err = wait_for_reader(outputs, fd);
		if (!err)
			err = skep_fd_write(fd, text->data + at, n);
	}
	return err;
}

/* Have the disk's room for @text before what was there is written over. Some file systems cannot
 * promise that. */
static int make_room(int fd, const struct skep_buf *text, off_t before)
{
	if (!text->len || fallocate(fd, 0, 0, (off_t)text->len) == 0)
		return 0;
	int err = errno;
	if (err != ENOSPC && err != EDQUOT && err != EFBIG)
		return 0;
	return ftruncate(fd, before) ? -errno : -err;
}

static bool is_regular(int fd, struct stat *ret)
{
	return fstat(fd, ret) == 0 && S_ISREG(ret->st_mode);
}

static int write_text(const struct skep_profile_outputs *outputs, int fd,
		      const struct skep_buf *text)
{
	struct stat info;

	return is_regular(fd, &info) ? skep_fd_write(fd, text->data, text->len)
				     : write_stream(outputs, fd, text);
}

/* A device or a pipe has no length. */
static int replace(const struct skep_profile_outputs *outputs, struct skep_profile_output *file,
		   const struct skep_buf *text)
{
	struct stat info;
	bool is_file = is_regular(file->fd, &info);
	int err = is_file ? make_room(file->fd, text, info.st_size) : 0;

	if (!err)
		err = write_text(outputs, file->fd, text);
	if (!err && is_file && ftruncate(file->fd, (off_t)text->len))
		err = -errno;
	if (!err)
		skep_close(&file->fd);
	return err;
}

/* --- Standard output ------------------------------------------------------------------------- */

static uint32_t columns_of_terminal(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_col < LEAST_COLUMNS)
		return 0;
	return size.ws_col;
}

static void for_terminal(struct skep_profile_options *options)
{
	const char *no_color = getenv("NO_COLOR");

	options->has_color = isatty(STDOUT_FILENO) && !(no_color && no_color[0]);
	options->width = columns_of_terminal();
}

/* The functions first, then who calls them; what was lost once. */
static int write_for_people(const struct skep_profile_outputs *outputs,
			    const struct skep_profile *profile, struct skep_diag *diag)
{
	struct skep_profile_options options = outputs->options;
	struct skep_profile first = *profile;
	_cleanup_buf_ struct skep_buf text = {0};

	for_terminal(&options);
	options.rows = TOP_ROWS;
	first.n_losses = 0;
	int err = skep_profile_write(&first, SKEP_PROFILE_TOP, &options, &text, diag);
	if (err)
		return err;
	skep_buf_addc(&text, '\n');
	options.rows = TREE_ROWS;
	err = skep_profile_write(profile, SKEP_PROFILE_TREE, &options, &text, diag);
	if (err)
		return err;
	err = write_text(outputs, STDOUT_FILENO, &text);
	return err ? cannot_write("-", err, diag) : 0;
}

static int write_one(const struct skep_profile_outputs *outputs, struct skep_profile_output *file,
		     const struct skep_profile *profile, struct skep_diag *diag)
{
	struct skep_profile_options options = outputs->options;
	_cleanup_buf_ struct skep_buf text = {0};
	bool is_stdout = !strcmp(file->path, "-");

	if (is_stdout)
		for_terminal(&options);
	int err = skep_profile_write(profile, file->format, &options, &text, diag);
	if (err)
		return err;
	err = is_stdout ? write_text(outputs, STDOUT_FILENO, &text) : replace(outputs, file, &text);
	return err ? cannot_write(file->path, err, diag) : 0;
}

int skep_profile_outputs_write(struct skep_profile_outputs *outputs,
			       const struct skep_profile *profile, struct skep_diag *diag)
{
	bool for_people = outputs->for_people || !outputs->files.len;
	int err = for_people ? write_for_people(outputs, profile, diag) : 0;

	skep_vec_foreach (struct skep_profile_output, file, &outputs->files) {
		int failed = write_one(outputs, file, profile, diag);
		err = err ? err : failed;
	}
	return err;
}
