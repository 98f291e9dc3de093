/* Profiles that were written before: skep profile show, skep profile diff. See profile.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "cmd/profile/profile.h"

static int read_profile(const char *path, const struct skep_profile_pick *pick,
			struct skep_profile *ret, struct skep_diag *diag)
{
	_cleanup_buf_ struct skep_buf bytes = {0};
	bool is_stdin = !strcmp(path, "-");

	if (skep_profile_is_kept(path))
		return skep_profile_kept_read(path, pick, ret, diag);
	int err = is_stdin ? skep_fd_read(STDIN_FILENO, SKEP_PROFILE_FILE_MOST_BYTES, &bytes)
			   : skep_file_read(path, SKEP_PROFILE_FILE_MOST_BYTES, &bytes);

	if (err)
		return skep_diag_fail(diag, err, SKEP_DIAG_FILE_READ, SKEP_NOWHERE, path,
				      strerror(-err));
	return skep_profile_read(bytes.data ? bytes.data : "", bytes.len, path, ret, diag);
}

static int write_profile(const struct skep_profile *profile, struct skep_profile_outputs *outputs,
			 struct skep_diag *diag)
{
	int err = skep_profile_outputs_open(outputs, -1, diag);

	if (!err)
		err = skep_profile_outputs_write(outputs, profile, diag);
	return err == -EPIPE ? 0 : err;
}

int skep_profile_show(const char *path, const struct skep_profile_pick *pick, bool with_health,
		      struct skep_profile_outputs *outputs, struct skep_diag *diag)
{
	_cleanup_profile_ struct skep_profile profile = {0};
	_cleanup_buf_ struct skep_buf text = {0};
	int err = read_profile(path, pick, &profile, diag);
	if (!err)
		err = write_profile(&profile, outputs, diag);
	if (err)
		return err;
	fflush(stdout);
	skep_profile_say(&profile, outputs->files.len, &text);
	if (with_health)
		skep_profile_say_health(&profile, &text);
	fwrite(text.data, 1, text.len, stderr);
	return 0;
}

int skep_profile_show_diff(const char *before, const char *now,
			   const struct skep_profile_pick *pick,
			   struct skep_profile_outputs *outputs, struct skep_diag *diag)
{
	_cleanup_profile_ struct skep_profile one = {0}, other = {0}, diff = {0};
	int err = read_profile(before, pick, &one, diag);
	if (!err)
		err = read_profile(now, pick, &other, diag);
	if (!err)
		err = skep_profile_diff(&one, &other, outputs->options.value, &diff, diag);
	outputs->options.value = NULL; /* what is left are the two sides of it */
	if (!err)
		err = write_profile(&diff, outputs, diag);
	return err;
}
