/* Profiles that are kept: which window is meant, and reading it. See profile.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fd.h"
#include "cmd/options.h"
#include "cmd/profile/profile.h"

#define SECOND_NS  1000000000ull
#define EVERY_NS   (10 * SECOND_NS)
#define KEEP_NS    (7 * 86400 * SECOND_NS)
#define KEEP_BYTES (1ull << 30)

/* --- Options --------------------------------------------------------------------------------- */

/* "500M", "1G", "1.5GiB"; plain numbers are bytes. */
static bool take_size(const char *text, uint64_t *ret)
{
	static const char units[] = "KMGT";
	char *end;
	double n = strtod(text, &end);

	if (end == text || !(n > 0))
		return false;
	const char *unit = *end ? strchr(units, *end) : NULL;
	if (unit)
		end += strcmp(end + 1, "iB") && strcmp(end + 1, "B") ? 1 : strlen(end);
	for (const char *at = units; unit && at <= unit; at++)
		n *= 1024;
	if (*end || n > 9e18)
		return false;
	*ret = (uint64_t)n;
	return true;
}

int skep_profile_kept_take(const struct skep_profile_kept_words *words,
			   struct skep_profile_kept *ret)
{
	*ret = (struct skep_profile_kept){
		.store = words->store,
		.every_ns = EVERY_NS,
		.limits = {.keep_ns = KEEP_NS, .keep_bytes = KEEP_BYTES},
	};
	if (words->every && (!skep_option_time(words->every, &ret->every_ns) ||
			     ret->every_ns < SECOND_NS || ret->every_ns > 3600 * SECOND_NS))
		return skep_option_wrong("--every", "a time from 1s to 1h", words->every);
	if (words->keep && !skep_option_time(words->keep, &ret->limits.keep_ns))
		return skep_option_wrong("--keep", "a time like 7d or 12h", words->keep);
	if (words->keep_size && (!take_size(words->keep_size, &ret->limits.keep_bytes) ||
				 ret->limits.keep_bytes < SKEP_ARCHIVE_LEAST_BYTES))
		return skep_option_wrong("--keep-size", "a size like 500M or 1G, at least 1M",
					 words->keep_size);
	return 0;
}

/* --- Moments --------------------------------------------------------------------------------- */

static bool is_date(const char *text, const char *format, struct tm *ret)
{
	const char *end = strptime(text, format, ret);

	return end && !*end;
}

static bool moment_of_day(const char *text, uint64_t now, uint64_t *ret)
{
	static const char *const formats[] = {"%Y-%m-%dT%H:%M:%S",
					      "%Y-%m-%dT%H:%M",
					      "%Y-%m-%d %H:%M:%S",
					      "%Y-%m-%d %H:%M",
					      "%Y-%m-%d",
					      "%H:%M:%S",
					      "%H:%M"};

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		time_t today = (time_t)(now / SECOND_NS);
		struct tm when;
		localtime_r(&today, &when);
		when.tm_hour = when.tm_min = when.tm_sec = 0;
		when.tm_isdst = -1;
		if (!is_date(text, formats[i], &when))
			continue;
		time_t seconds = mktime(&when);
		return seconds >= 0 && !__builtin_mul_overflow((uint64_t)seconds, SECOND_NS, ret);
	}
	return false;
}

bool skep_profile_moment(const char *text, uint64_t now, uint64_t *ret_ns)
{
	uint64_t before;

	if (!strcmp(text, "now")) {
		*ret_ns = now;
		return true;
	}
	if (text[0] == '@')
		return skep_option_time(text + 1, ret_ns);
	if (text[0] != '-')
		return moment_of_day(text, now, ret_ns);
	if (!skep_option_time(text + 1, &before))
		return false;
	*ret_ns = before < now ? now - before : 0;
	return true;
}

/* --- Windows --------------------------------------------------------------------------------- */

static bool is_folder(const char *path)
{
	struct stat info;

	return !stat(path, &info) && S_ISDIR(info.st_mode);
}

/* The folder of "DIR@FROM..TO", for free(); NULL: it is none. @ret_window: "FROM..TO" | "" */
static char *folder_of(const char *name, const char **ret_window)
{
	const char *at = strrchr(name, '@');

	*ret_window = "";
	if (is_folder(name))
		return skep_xstrdup(name);
	/* "@" may be in moments, too. */
	for (; at; at = at > name ? memrchr(name, '@', (size_t)(at - name)) : NULL) {
		_cleanup_free_ char *folder = strndup(name, (size_t)(at - name));
		if (!folder || !is_folder(folder))
			continue;
		*ret_window = at + 1;
		return TAKE_PTR(folder);
	}
	return NULL;
}

bool skep_profile_is_kept(const char *name)
{
	const char *window;
	_cleanup_free_ char *folder = folder_of(name, &window);

	return folder;
}

static int wrong(const char *option, const char *text, struct skep_diag *diag)
{
	skep_diag_add(diag, SKEP_DIAG_OPTION_VALUE, SKEP_NOWHERE, option, "a moment", text);
	skep_diag_try(diag, "now, -1h, 14:30, 2026-01-31T14:30, or @SECONDS since 1970");
	return -EINVAL;
}

/* From @from, or what is before ".." in @window if that is there; to the other. */
static int take_window(const struct skep_profile_pick *pick, const char *window,
		       struct skep_archive_window *ret, struct skep_diag *diag)
{
	const char *dots = strstr(window, "..");
	_cleanup_free_ char *first =
		strndup(window, dots ? (size_t)(dots - window) : strlen(window));
	const char *from = first && first[0] ? first : pick->from;
	const char *to = dots && dots[2] ? dots + 2 : pick->to;

	*ret = (struct skep_archive_window){.to_ns = UINT64_MAX, .kind = pick->kind};
	if (from && !skep_profile_moment(from, pick->now_ns, &ret->from_ns))
		return wrong("--from", from, diag);
	if (to && strcmp(to, "now") != 0 && !skep_profile_moment(to, pick->now_ns, &ret->to_ns))
		return wrong("--to", to, diag);
	if (ret->from_ns < ret->to_ns)
		return 0;
	skep_diag_add(diag, SKEP_DIAG_ARCHIVE_WINDOW, SKEP_NOWHERE, from ? from : "", to);
	return -EINVAL;
}

int skep_profile_kept_check(const char *name, const struct skep_profile_pick *pick,
			    struct skep_diag *diag)
{
	const char *words;
	_cleanup_free_ char *folder = folder_of(name, &words);
	struct skep_archive_window window;
	const char *dots = strstr(words, "..");

	if ((pick->from && words[0] && dots != words) || (pick->to && dots && dots[2])) {
		skep_diag_add(diag, SKEP_DIAG_OPTION_BOTH, SKEP_NOWHERE,
			      pick->from ? "--from" : "--to", name);
		return -EINVAL;
	}
	return folder ? take_window(pick, words, &window, diag) : 0;
}

int skep_profile_kept_read(const char *name, const struct skep_profile_pick *pick,
			   struct skep_profile *ret, struct skep_diag *diag)
{
	const char *words;
	_cleanup_free_ char *folder = folder_of(name, &words);
	struct skep_archive_window window;
	struct skep_archive archive;
	int err = folder ? take_window(pick, words, &window, diag) : -ENOENT;

	if (!err)
		err = skep_archive_open(folder, &archive, diag);
	if (err)
		return err;
	skep_archive_read(&archive, &window, &pick->filter, ret);
	skep_archive_done(&archive);
	/* Of nothing nothing can be shown, not even which values there are none of. */
	if (!ret->n_types)
		skep_profile_add_type(ret, "samples", "count");
	return 0;
}
