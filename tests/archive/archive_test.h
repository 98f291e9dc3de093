/* What the tests of src/archive share: a folder of their own, and intervals made at random. */
#ifndef SKEP_TESTS_ARCHIVE_TEST_H
#define SKEP_TESTS_ARCHIVE_TEST_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <skep/diag.h>

#include "../profile/profile_test.h"
#include "archive/archive.h"
#include "archive/segment.h"

#define SECOND 1000000000ull
#define BEGIN  (1700000000 * SECOND)
#define EVERY  (10 * SECOND)

static inline char *folder_new(void)
{
	char path[] = "/tmp/skep-archive-XXXXXX";

	assert_non_null(mkdtemp(path));
	return strdup(path);
}

static inline void folder_free(char *path)
{
	DIR *dir = opendir(path);
	char name[512];

	for (const struct dirent *entry; dir && (entry = readdir(dir));) {
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (entry->d_name[0] != '.')
			assert_int_equal(unlink(name), 0);
	}
	closedir(dir);
	assert_int_equal(rmdir(path), 0);
	free(path);
}

/* The @i-th interval: always the same. Some stacks come again and again, some are new. */
static inline void interval_make(uint32_t i, struct skep_profile *ret)
{
	uint64_t seed = i % 7 + 1;

	random_profile(ret, seed, 20);
	seed = 1000 + i;
	random_sample(ret, &seed);
	skep_profile_clear(ret);
	for (seed = i; seed < i + 12; seed++) {
		uint64_t own = seed % 9;
		random_sample(ret, &own);
	}
	for (uint32_t k = 0; k < ret->n_samples; k++)
		ret->samples[k].cgroup = skep_profile_text(ret, k & 1 ? "/a/b" : "/ab");
	skep_profile_lose(ret, "stack maps full", i % 3);
}

static inline struct skep_archive_note note_of(uint32_t i)
{
	return (struct skep_archive_note){.begin_ns = BEGIN + i * EVERY,
					  .duration_ns = EVERY,
					  .own_ns = i,
					  .kernel_ns = UINT64_MAX,
					  .stacks = 12,
					  .whole = i % 12};
}

static inline int append(struct skep_archive_writer *writer, uint32_t i)
{
	_cleanup_profile_ struct skep_profile interval = {0};
	const struct skep_archive_note note = note_of(i);

	interval_make(i, &interval);
	return skep_archive_append(writer, &interval, &note);
}

static inline struct skep_archive_writer *writer_new(const char *dir, uint64_t keep_bytes,
						     uint64_t *ret_cut)
{
	const struct skep_archive_limits limits = {.keep_bytes = keep_bytes};
	struct skep_archive_writer *writer = NULL;
	uint64_t cut = 0;
	struct skep_diag diag = {0};

	assert_int_equal(
		skep_archive_create(dir, &limits, &writer, ret_cut ? ret_cut : &cut, &diag), 0);
	skep_diag_done(&diag);
	return writer;
}

static inline int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What a profile says, whatever the order of its samples: samples as lines, sorted. */
static inline void profile_text(const struct skep_profile *profile, struct skep_buf *out)
{
	_cleanup_buf_ struct skep_buf dump = {0};
	SKEP_VEC(char *) lines = {0};
	char *at;

	profile_dump(profile, &dump);
	/* A sample's frames belong to its line. */
	for (size_t i = 0; i + 1 < dump.len; i++) {
		if (dump.data[i] == '\n' && dump.data[i + 1] == ' ')
			dump.data[i] = '|';
	}
	at = dump.data;
	for (char *line; (line = strsep(&at, "\n"));)
		skep_vec_push(&lines, line);
	qsort(lines.data, lines.len, sizeof(*lines.data), compare_lines);
	skep_vec_foreach (char *, line, &lines)
		skep_buf_printf(out, "%s\n", *line);
	skep_vec_done(&lines);
}

/* Intervals @first to before @end, added up without an archive, as text. */
static inline void expected_text(uint32_t first, uint32_t end,
				 const struct skep_profile_filter *filter, struct skep_buf *out)
{
	_cleanup_profile_ struct skep_profile sum = {0};

	skep_profile_init(&sum);
	for (uint32_t i = first; i < end; i++) {
		_cleanup_profile_ struct skep_profile interval = {0};
		struct skep_profile_merger merger;
		interval_make(i, &interval);
		skep_profile_merger_init(&merger, &interval, &sum);
		assert_int_equal(skep_profile_merge_head(&merger), 0);
		skep_profile_merge(&merger, filter);
		skep_profile_merger_done(&merger);
	}
	sum.start_ns = BEGIN + first * EVERY;
	sum.duration_ns = (end - first) * EVERY;
	profile_text(&sum, out);
}

static inline void read_text(const struct skep_archive *archive, uint32_t first, uint32_t end,
			     const struct skep_profile_filter *filter, struct skep_buf *out)
{
	_cleanup_profile_ struct skep_profile profile = {0};
	const struct skep_archive_window window = {BEGIN + first * EVERY, BEGIN + end * EVERY};

	skep_archive_read(archive, &window, filter, &profile);
	profile_text(&profile, out);
}

static inline void assert_window(const char *dir, uint32_t first, uint32_t end,
				 const struct skep_profile_filter *filter)
{
	struct skep_archive archive;
	_cleanup_buf_ struct skep_buf got = {0}, want = {0};

	assert_int_equal(skep_archive_open(dir, &archive, NULL), 0);
	read_text(&archive, first, end, filter, &got);
	expected_text(first, end, filter, &want);
	assert_string_equal(got.data, want.data);
	skep_archive_done(&archive);
}

#endif
