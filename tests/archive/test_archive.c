/* The archive: what is put in comes out, of any window; limits, a reader beside a writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "archive_test.h"

#define LARGE (1ull << 30)

static void test_windows(void **state)
{
	char *dir = folder_new();
	static const uint32_t windows[][2] = {{0, 60},  {0, 1},  {59, 60},
					      {13, 14}, {7, 31}, {29, 47}};

	/* Three writers: three segments. */
	for (uint32_t i = 0; i < 60; i += 20) {
		struct skep_archive_writer *writer = writer_new(dir, LARGE, NULL);
		for (uint32_t k = i; k < i + 20; k++)
			assert_int_equal(append(writer, k), 0);
		skep_archive_close(writer);
	}
	for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++)
		assert_window(dir, windows[i][0], windows[i][1], NULL);
	folder_free(dir);
}

static void test_filters(void **state)
{
	char *dir = folder_new();
	struct skep_archive_writer *writer = writer_new(dir, LARGE, NULL);
	const uint32_t pids[] = {1, 3};
	const struct skep_profile_filter filters[] = {
		{.pids = pids, .n_pids = 2}, {.tid = 2},      {.comm = "nginx"}, {.cgroup = "/a"},
		{.cgroup = "/a/b/"},         {.cgroup = "/"},
	};

	for (uint32_t i = 0; i < 30; i++)
		assert_int_equal(append(writer, i), 0);
	skep_archive_close(writer);
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
		assert_window(dir, 3, 25, &filters[i]);
	folder_free(dir);
}

static void test_filter_of_groups(void **state)
{
	_cleanup_profile_ struct skep_profile profile = {0};
	const struct skep_profile_filter a = {.cgroup = "/a"};
	struct skep_profile_sample sample = {0};

	skep_profile_init(&profile);
	sample.cgroup = skep_profile_text(&profile, "/ab");
	assert_false(skep_profile_is_wanted(&a, &profile, &sample));
	sample.cgroup = skep_profile_text(&profile, "/a/b");
	assert_true(skep_profile_is_wanted(&a, &profile, &sample));
	sample.cgroup = skep_profile_text(&profile, "/a");
	assert_true(skep_profile_is_wanted(&a, &profile, &sample));
	sample.cgroup = 0;
	assert_false(skep_profile_is_wanted(&a, &profile, &sample));
}

static void test_index(void **state)
{
	char *dir = folder_new();
	struct skep_archive_writer *writer = writer_new(dir, LARGE, NULL);
	struct skep_archive archive;

	assert_int_equal(append(writer, 5), 0);
	assert_int_equal(skep_archive_open(dir, &archive, NULL), 0);
	assert_true(archive.has_writer);
	assert_int_equal(archive.intervals.len, 1);
	/* Beside the writer: what is appended is seen, the rest stays. */
	for (uint32_t i = 6; i < 20; i++) {
		assert_int_equal(append(writer, i), 0);
		assert_int_equal(skep_archive_refresh(&archive, NULL), 0);
		assert_int_equal(archive.intervals.len, i - 4);
		const struct skep_archive_interval *last = skep_vec_last(&archive.intervals);
		_cleanup_profile_ struct skep_profile interval = {0};
		interval_make(i, &interval);
		assert_int_equal(last->note.own_ns, i);
		assert_int_equal(last->note.whole, i % 12);
		assert_int_equal(last->note.begin_ns, BEGIN + i * EVERY);
		assert_int_equal(last->lost, i % 3);
		assert_int_equal(last->samples, interval.n_samples);
		assert_int_equal(last->totals[1], skep_profile_total(&interval, 1));
	}
	skep_archive_close(writer);
	assert_int_equal(skep_archive_refresh(&archive, NULL), 0);
	assert_false(archive.has_writer);
	assert_int_equal(archive.segments.len, 1);
	assert_int_equal(archive.segments.data[0].torn_bytes, 0);
	skep_archive_done(&archive);
	folder_free(dir);
}

static void test_nothing(void **state)
{
	char *dir = folder_new();
	struct skep_archive archive;
	struct skep_diag diag = {0};

	assert_int_equal(skep_archive_open(dir, &archive, &diag), -ENOENT);
	assert_int_equal(diag.items[0].id, SKEP_DIAG_ARCHIVE_NONE);
	skep_diag_done(&diag);
	/* One that was begun a moment ago is one. */
	struct skep_archive_writer *writer = writer_new(dir, LARGE, NULL);
	assert_int_equal(skep_archive_open(dir, &archive, NULL), 0);
	assert_int_equal(archive.intervals.len, 0);
	skep_archive_done(&archive);
	skep_archive_close(writer);
	folder_free(dir);
}

static void test_lock(void **state)
{
	char *dir = folder_new();
	struct skep_archive_writer *writer = writer_new(dir, LARGE, NULL), *other = NULL;
	const struct skep_archive_limits limits = {.keep_bytes = LARGE};
	struct skep_diag diag = {0};
	uint64_t cut;

	assert_int_equal(skep_archive_create(dir, &limits, &other, &cut, &diag), -EWOULDBLOCK);
	assert_int_equal(diag.items[0].id, SKEP_DIAG_ARCHIVE_LOCKED);
	skep_archive_close(writer);
	skep_archive_close(writer_new(dir, LARGE, NULL));
	folder_free(dir);
	skep_diag_done(&diag);
	assert_int_equal(skep_archive_create("/proc/none/x", &limits, &other, &cut, &diag),
			 -ENOENT);
	assert_int_equal(diag.items[0].id, SKEP_DIAG_ARCHIVE_DIR);
	skep_diag_done(&diag);
}

static uint64_t bytes_in(const char *dir)
{
	struct skep_archive archive;
	uint64_t bytes = 0;

	assert_int_equal(skep_archive_open(dir, &archive, NULL), 0);
	skep_vec_foreach (struct skep_archive_segment, segment, &archive.segments)
		bytes += segment->bytes;
	skep_archive_done(&archive);
	return bytes;
}

/* Never larger than allowed; what is left is the newest, and most of what is allowed is used. */
static void test_size(void **state)
{
	char *dir = folder_new();
	struct skep_archive_writer *writer = writer_new(dir, SKEP_ARCHIVE_LEAST_BYTES, NULL);
	struct skep_archive archive;
	uint32_t n = 24000;

	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(append(writer, i), 0);
		if (i % 2000 == 1999)
			assert_in_range(bytes_in(dir), 1, SKEP_ARCHIVE_LEAST_BYTES);
	}
	assert_in_range(bytes_in(dir), SKEP_ARCHIVE_LEAST_BYTES / 2, SKEP_ARCHIVE_LEAST_BYTES);
	skep_archive_close(writer);
	assert_int_equal(skep_archive_open(dir, &archive, NULL), 0);
	assert_int_equal(skep_vec_last(&archive.intervals)->note.own_ns, n - 1);
	uint32_t first = (uint32_t)archive.intervals.data[0].note.own_ns;
	assert_int_equal(archive.intervals.len, n - first);
	assert_true(first > 0);
	assert_true(archive.segments.len >= 4);
	skep_archive_done(&archive);
	assert_window(dir, first, n, NULL);
	folder_free(dir);
}

/* A segment's age is when it was last written to. */
static void test_age(void **state)
{
	char *dir = folder_new(), path[128];
	const struct skep_archive_limits day = {.keep_ns = 86400 * SECOND, .keep_bytes = LARGE};
	struct timespec old[2] = {{.tv_sec = time(NULL) - 86400 - 60},
				  {.tv_sec = time(NULL) - 86400 - 60}};
	struct skep_archive_writer *writer;
	struct skep_archive archive;
	uint64_t cut;

	for (uint32_t i = 0; i < 3; i++) {
		writer = writer_new(dir, LARGE, NULL);
		assert_int_equal(append(writer, i), 0);
		skep_archive_close(writer);
	}
	snprintf(path, sizeof(path), "%s/00000001.seg", dir);
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	assert_int_equal(skep_archive_create(dir, &day, &writer, &cut, NULL), 0);
	assert_int_equal(append(writer, 3), 0);
	skep_archive_close(writer);
	assert_int_equal(skep_archive_open(dir, &archive, NULL), 0);
	assert_int_equal(archive.segments.len, 3);
	assert_int_equal(archive.segments.data[0].number, 2);
	assert_int_equal(archive.segments.data[2].number, 4);
	skep_archive_done(&archive);
	assert_window(dir, 1, 4, NULL);
	folder_free(dir);
}

/* Intervals whose clock was set back overlap those before: each is in the window it says. */
static void test_clock_set_back(void **state)
{
	char *dir = folder_new();
	struct skep_archive_writer *writer = writer_new(dir, LARGE, NULL);
	_cleanup_profile_ struct skep_profile profile = {0};
	const struct skep_archive_window window = {BEGIN + 4 * EVERY, BEGIN + 6 * EVERY};
	static const uint32_t order[] = {3, 4, 5, 6, 3, 4, 5};
	struct skep_archive archive;
	int64_t want = 0;

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		assert_int_equal(append(writer, order[i]), 0);
	skep_archive_close(writer);
	for (uint32_t i = 4; i < 6; i++) {
		_cleanup_profile_ struct skep_profile interval = {0};
		interval_make(i, &interval);
		want += 2 * skep_profile_total(&interval, 0);
	}
	assert_int_equal(skep_archive_open(dir, &archive, NULL), 0);
	skep_archive_read(&archive, &window, NULL, &profile);
	assert_int_equal(skep_profile_total(&profile, 0), want);
	assert_int_equal(profile.start_ns, window.from_ns);
	assert_int_equal(profile.duration_ns, 4 * EVERY);
	skep_archive_done(&archive);
	folder_free(dir);
}

/* Another kind of profile in the same archive: the newest kind is shown, the other counted. */
static void test_other_types(void **state)
{
	char *dir = folder_new();
	struct skep_archive_writer *writer = writer_new(dir, LARGE, NULL);
	_cleanup_profile_ struct skep_profile waits = {0}, profile = {0};
	const struct skep_archive_note note = note_of(2);
	const struct skep_archive_window all = {0, UINT64_MAX};
	struct skep_archive archive;

	skep_profile_init(&waits);
	assert_int_equal(skep_profile_add_type(&waits, "waits", "count"), 0);
	assert_int_equal(append(writer, 0), 0);
	assert_int_equal(append(writer, 1), 0);
	assert_int_equal(skep_archive_append(writer, &waits, &note), 0);
	skep_archive_close(writer);
	assert_int_equal(skep_archive_open(dir, &archive, NULL), 0);
	assert_int_equal(archive.segments.len, 2);
	skep_archive_read(&archive, &all, NULL, &profile);
	assert_int_equal(profile.n_types, 1);
	assert_string_equal(profile.strings[profile.types[0].name], "waits");
	assert_int_equal(profile.n_losses, 1);
	assert_int_equal(profile.losses[0].n, 2);
	skep_archive_done(&archive);
	folder_free(dir);
}

static void append_each(struct skep_archive_writer *writer, int64_t period, const char *of)
{
	_cleanup_profile_ struct skep_profile interval = {0};
	const struct skep_archive_note note = note_of(1);

	skep_profile_init(&interval);
	assert_int_equal(skep_profile_add_type(&interval, "events", "count"), 0);
	interval.period = period;
	interval.period_type.name = skep_profile_text(&interval, of);
	skep_profile_add(&interval, &(struct skep_profile_sample){.pid = 1, .values = {period}});
	assert_int_equal(skep_archive_append(writer, &interval, &note), 0);
}

/* Values of the same name that are of other events, or so often, are not added up. Each can be
 * chosen. */
static void test_kinds(void **state)
{
	char *dir = folder_new();
	struct skep_archive_writer *writer = writer_new(dir, LARGE, NULL);
	struct skep_archive_window window = {0, UINT64_MAX};
	struct skep_archive archive;
	static const struct {
		int64_t period;
		const char *of;
	} kinds[] = {{1, "write"}, {1, "read"}, {10, "cpu"}, {20, "cpu"}};

	for (size_t i = 0; i < 12; i++)
		append_each(writer, kinds[i % 4].period, kinds[i % 4].of);
	skep_archive_close(writer);
	assert_int_equal(skep_archive_open(dir, &archive, NULL), 0);
	assert_int_equal(archive.intervals.len, 12);
	for (size_t i = 0; i <= 4; i++) {
		_cleanup_profile_ struct skep_profile profile = {0};
		/* Last: none was chosen, which is the newest. */
		const size_t want = i < 4 ? i : 3;
		window.kind = i < 4 ? archive.intervals.data[i].kind : 0;
		skep_archive_read(&archive, &window, NULL, &profile);
		assert_int_equal(skep_profile_total(&profile, 0), 3 * kinds[want].period);
		assert_string_equal(profile.strings[profile.period_type.name], kinds[want].of);
		assert_int_equal(profile.n_losses, 1);
		assert_int_equal(profile.losses[0].n, 9);
		assert_non_null(strstr(profile.strings[profile.losses[0].what], "--event"));
	}
	skep_archive_done(&archive);
	folder_free(dir);
}

static void assert_same_index(const struct skep_archive *one, const struct skep_archive *other)
{
	assert_int_equal(one->segments.len, other->segments.len);
	assert_int_equal(one->intervals.len, other->intervals.len);
	if (one->segments.len)
		assert_memory_equal(one->segments.data, other->segments.data,
				    one->segments.len * sizeof(*one->segments.data));
	if (one->intervals.len)
		assert_memory_equal(one->intervals.data, other->intervals.data,
				    one->intervals.len * sizeof(*one->intervals.data));
}

/* Whatever came and went, it is as if it had been opened now. */
static void test_refresh(void **state)
{
	char *dir = folder_new(), path[128];
	struct skep_archive archive;
	uint64_t seed = 5;

	skep_archive_close(writer_new(dir, LARGE, NULL));
	assert_int_equal(skep_archive_open(dir, &archive, NULL), 0);
	for (uint32_t i = 0; i < 200; i++) {
		struct skep_archive now;
		struct skep_archive_writer *writer = writer_new(dir, LARGE, NULL);
		for (uint32_t k = random_below(&seed, 4); k; k--)
			assert_int_equal(append(writer, random_below(&seed, 90)), 0);
		skep_archive_close(writer);
		/* Any of them, and sometimes all: then numbers begin anew. */
		for (uint32_t n = 1; n < 300; n++) {
			snprintf(path, sizeof(path), "%s/%08u.seg", dir, n);
			if (i % 31 == 30 || !random_below(&seed, 16))
				unlink(path);
		}
		assert_int_equal(skep_archive_refresh(&archive, NULL), 0);
		assert_int_equal(skep_archive_open(dir, &now, NULL), 0);
		assert_same_index(&archive, &now);
		skep_archive_done(&now);
	}
	skep_archive_done(&archive);
	folder_free(dir);
}

/* What lies behind a place, and what lies before one. */
static void test_places(void **state)
{
	char *dir = folder_new();
	struct skep_archive_place places[21];
	struct skep_archive archive;

	skep_archive_close(writer_new(dir, LARGE, NULL));
	assert_int_equal(skep_archive_open(dir, &archive, NULL), 0);
	places[0] = skep_archive_end(&archive);
	for (uint32_t i = 0; i < 20; i += 5) {
		struct skep_archive_writer *writer = writer_new(dir, LARGE, NULL);
		for (uint32_t k = i; k < i + 5; k++) {
			assert_int_equal(append(writer, 3), 0);
			assert_int_equal(skep_archive_refresh(&archive, NULL), 0);
			places[k + 1] = skep_archive_end(&archive);
		}
		skep_archive_close(writer);
	}
	for (uint32_t from = 0; from <= 20; from++) {
		for (uint32_t to = from; to <= 20; to += 4) {
			_cleanup_profile_ struct skep_profile profile = {0};
			const struct skep_archive_window window = {
				.to_ns = UINT64_MAX, .first = places[from], .end = places[to]};
			skep_archive_read(&archive, &window, NULL, &profile);
			assert_int_equal(profile.duration_ns / EVERY, to ? to - from : 20 - from);
		}
	}
	skep_archive_done(&archive);
	folder_free(dir);
}

/* Another file of the same number is not taken for the one that the index is of. */
static void test_another_of_its_name(void **state)
{
	char *dir = folder_new(), path[128];
	const struct skep_archive_window all = {0, UINT64_MAX};
	_cleanup_profile_ struct skep_profile profile = {0};
	struct skep_archive archive;

	for (uint32_t i = 0; i < 2; i++) {
		struct skep_archive_writer *writer = writer_new(dir, LARGE, NULL);
		assert_int_equal(append(writer, i), 0);
		assert_int_equal(append(writer, i), 0);
		skep_archive_close(writer);
		snprintf(path, sizeof(path), "%s/00000001.seg", dir);
		if (!i) {
			assert_int_equal(skep_archive_open(dir, &archive, NULL), 0);
			assert_int_equal(unlink(path), 0);
		}
	}
	skep_archive_read(&archive, &all, NULL, &profile);
	assert_int_equal(profile.duration_ns, 0);
	assert_int_equal(profile.n_losses, 1);
	assert_int_equal(profile.losses[0].n, 2);
	skep_archive_done(&archive);
	folder_free(dir);
}

/* Of a writer that came to nothing nothing is left; what was there before is. */
static void test_undo(void **state)
{
	char *dir = folder_new(), inner[160], lock[192];

	snprintf(inner, sizeof(inner), "%s/new", dir);
	skep_archive_undo(writer_new(inner, LARGE, NULL));
	assert_int_equal(access(inner, F_OK), -1);
	assert_int_equal(mkdir(inner, 0700), 0);
	skep_archive_undo(writer_new(inner, LARGE, NULL));
	assert_int_equal(rmdir(inner), 0); /* it was empty */
	snprintf(lock, sizeof(lock), "%s/skep.lock", dir);
	skep_archive_close(writer_new(dir, LARGE, NULL));
	skep_archive_undo(writer_new(dir, LARGE, NULL));
	assert_int_equal(access(lock, F_OK), 0);
	folder_free(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_filter_of_groups),
		cmocka_unit_test(test_index),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_clock_set_back),
		cmocka_unit_test(test_other_types),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_refresh),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_another_of_its_name),
		cmocka_unit_test(test_undo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
