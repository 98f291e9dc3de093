/* Any bytes as folded stacks, or what perf script prints; every format is made of what was read, in
 * one of its shapes; folded stacks and pprof are read again. */
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "profile/format.h"

static void write_one(const struct skep_profile *profile, enum skep_profile_format format,
		      const struct skep_profile_options *options)
{
	const struct skep_profile_format_info *info = skep_profile_format_info(format);
	_cleanup_profile_ struct skep_profile again = {0};
	_cleanup_buf_ struct skep_buf buf = {0};

	if (!info->is_written)
		return;
	if (skep_profile_write(profile, format, options, &buf, NULL))
		abort();
	if (!info->is_read || !buf.len)
		return;
	if (skep_profile_read(buf.data, buf.len, "fuzz", &again, NULL))
		abort();
	if (again.is_diff != profile->is_diff)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_profile_ struct skep_profile profile = {0}, diff = {0};
	struct skep_profile_options options = {.width = 60, .rows = 5};

	if (skep_profile_read(data, size, "fuzz", &profile, NULL))
		return 0;
	options.root = (enum skep_profile_root)(size % 4);
	options.is_inverted = size & 4;
	options.has_addresses = options.has_color = size & 8;
	options.marks = size & 16 ? SKEP_PROFILE_MARKS_ALL : 0;
	for (unsigned i = 0; i < SKEP_PROFILE_FORMAT_CNT; i++)
		write_one(&profile, (enum skep_profile_format)i, &options);
	if (skep_profile_diff(&profile, &profile, NULL, &diff, NULL))
		abort();
	for (unsigned i = 0; i < SKEP_PROFILE_FORMAT_CNT; i++)
		write_one(&diff, (enum skep_profile_format)i, &options);
	return 0;
}
