/*
 * An archive whose writer dies at any byte, whose disk is full, or whose files are damaged: what
 * was whole is read, what was not is counted, and the next writer goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "archive_test.h"
#include "base/fd.h"

#define LARGE     (1ull << 30)
#define INTERVALS 12
#define KILLS     100

static void segment_file(const char *dir, uint32_t number, char *ret, size_t size)
{
	snprintf(ret, size, "%s/%08u.seg", dir, number);
}

static uint64_t size_of(const char *path)
{
	struct stat info;

	return stat(path, &info) ? 0 : (uint64_t)info.st_size;
}

/* The kernel kills whoever writes over the limit, after what was still within it. */
static int append_until_killed(const char *dir, uint64_t bytes)
{
	const struct rlimit limit = {bytes, bytes};
	pid_t child = fork();
	int status;

	if (!child) {
		struct skep_archive_writer *writer = writer_new(dir, LARGE, NULL);
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		setrlimit(RLIMIT_FSIZE, &limit);
		signal(SIGXFSZ, SIG_DFL);
		for (uint32_t i = 0; i < INTERVALS; i++)
			append(writer, i);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

/* All but the last interval that was begun is there, to the byte; the next writer goes on. */
static void check_after(const char *dir, uint64_t killed_at)
{
	struct skep_archive archive;
	char path[128];
	uint64_t cut = 0;

	segment_file(dir, 1, path, sizeof(path));
	assert_int_equal(size_of(path), killed_at);
	assert_int_equal(skep_archive_open(dir, &archive, NULL), 0);
	assert_false(archive.has_writer);
	uint32_t n = (uint32_t)archive.intervals.len;
	uint64_t torn = archive.segments.len ? archive.segments.data[0].torn_bytes : 0;
	if (n) {
		_cleanup_profile_ struct skep_profile all = {0};
		const struct skep_archive_window window = {0, UINT64_MAX};
		skep_archive_read(&archive, &window, NULL, &all);
		bool is_said = false;
		for (uint32_t i = 0; i < all.n_losses; i++)
			is_said |= strstr(all.strings[all.losses[i].what], "cut short") != NULL;
		assert_int_equal(is_said, torn > 0);
	}
	skep_archive_done(&archive);
	struct skep_archive_writer *writer = writer_new(dir, LARGE, &cut);
	assert_int_equal(cut, torn);
	for (uint32_t i = n; i < INTERVALS; i++)
		assert_int_equal(append(writer, i), 0);
	skep_archive_close(writer);
	assert_window(dir, 0, INTERVALS, NULL);
}

static void test_killed(void **state)
{
	uint64_t seed = 7, bytes;
	char *dir = folder_new(), path[128];
	uint32_t killed = 0;

	assert_int_equal(append_until_killed(dir, LARGE), 0);
	segment_file(dir, 1, path, sizeof(path));
	bytes = size_of(path);
	folder_free(dir);
	for (uint32_t i = 0; i < KILLS; i++) {
		uint64_t at = i < 40 ? i : random_below(&seed, (uint32_t)bytes);
		dir = folder_new();
		int status = append_until_killed(dir, at);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
		killed++;
		check_after(dir, at);
		folder_free(dir);
	}
	assert_int_equal(killed, KILLS);
}

/* kill -9 at any time. */
static void test_killed_by_others(void **state)
{
	uint64_t seed = 3;
	char *dir = folder_new();
	uint32_t before = 0;

	/* Until some have got far. Each has more time than the one before: on a slow machine a
	 * writer is longer at what it finds there than it has for going on. */
	for (uint32_t i = 0; i < 20 || (before <= 20 && i < 2000); i++) {
		struct skep_archive archive;
		pid_t child = fork();
		if (!child) {
			struct skep_archive_writer *writer = writer_new(dir, LARGE, NULL);
			for (uint32_t k = before;; k++)
				append(writer, k);
		}
		usleep(2000 + random_below(&seed, 8000) + i * 100);
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, NULL, 0), child);
		/* Before there was so much as its lock? */
		if (skep_archive_open(dir, &archive, NULL) == -ENOENT)
			continue;
		for (uint32_t k = 0; k < archive.intervals.len; k++)
			assert_int_equal(archive.intervals.data[k].note.own_ns, k);
		before = (uint32_t)archive.intervals.len;
		skep_archive_done(&archive);
		skep_archive_close(writer_new(dir, LARGE, NULL));
	}
	assert_true(before > 20);
	assert_window(dir, 0, before, NULL);
	folder_free(dir);
}

/* A byte that changes anywhere: what comes before is there, what does not is counted. */
static void test_damaged(void **state)
{
	uint64_t seed = 11, bytes;
	char *dir = folder_new(), path[128];
	struct skep_archive_writer *writer = writer_new(dir, LARGE, NULL);
	const struct skep_archive_window all = {0, UINT64_MAX};

	for (uint32_t i = 0; i < INTERVALS; i++)
		assert_int_equal(append(writer, i), 0);
	skep_archive_close(writer);
	segment_file(dir, 1, path, sizeof(path));
	bytes = size_of(path);
	for (uint32_t i = 0; i < 200; i++) {
		_cleanup_profile_ struct skep_profile profile = {0};
		_cleanup_close_ int fd = open(path, O_RDWR);
		off_t at = random_below(&seed, (uint32_t)bytes);
		struct skep_archive archive;
		char was, now;
		assert_int_equal(pread(fd, &was, 1, at), 1);
		now = (char)(was ^ (1 << random_below(&seed, 8)));
		assert_int_equal(pwrite(fd, &now, 1, at), 1);
		assert_int_equal(skep_archive_open(dir, &archive, NULL), 0);
		skep_archive_read(&archive, &all, NULL, &profile);
		uint64_t whole = profile.duration_ns / EVERY, lost = 0;
		for (uint32_t k = 0; k < profile.n_losses; k++) {
			const char *what = profile.strings[profile.losses[k].what];
			if (!strncmp(what, "intervals", 9) || !strncmp(what, "files", 5))
				lost += profile.losses[k].n;
		}
		assert_true(whole < INTERVALS);
		/* A head that is damaged hides how many come behind it. */
		assert_true(lost >= 1 && whole + lost <= INTERVALS);
		assert_true(whole + lost == INTERVALS || archive.segments.data[0].torn_bytes ||
			    archive.segments.data[0].is_none);
		skep_archive_done(&archive);
		assert_int_equal(pwrite(fd, &was, 1, at), 1);
	}
	assert_window(dir, 0, INTERVALS, NULL);
	folder_free(dir);
}

/* In a child, as it has mounts of its own. */
static void fill_disk(const char *dir)
{
	struct skep_archive_writer *writer;
	_cleanup_profile_ struct skep_profile profile = {0};
	const struct skep_archive_window all = {0, UINT64_MAX};
	struct skep_archive archive;
	uint32_t failed = 0, i = 0;
	char path[128];

	snprintf(path, sizeof(path), "%s/filler", dir);
	writer = writer_new(dir, LARGE, NULL);
	for (; i < 1000 && !failed; i++)
		failed += append(writer, i) == -ENOSPC;
	assert_int_equal(failed, 1);
	/* It goes on for a while without room, then there is some. */
	for (uint32_t k = 0; k < 5; k++)
		failed += append(writer, i++) != 0;
	assert_int_equal(skep_archive_lost(writer), failed);
	assert_int_equal(skep_archive_open(dir, &archive, NULL), 0);
	assert_int_equal(archive.intervals.len, i - failed);
	assert_int_equal(archive.segments.data[0].torn_bytes, 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(append(writer, i++), 0);
	assert_int_equal(skep_archive_refresh(&archive, NULL), 0);
	assert_int_equal(archive.intervals.len, i - failed);
	skep_archive_read(&archive, &all, NULL, &profile);
	assert_int_equal(profile.duration_ns, (i - failed) * EVERY);
	bool is_said = false;
	for (uint32_t k = 0; k < profile.n_losses; k++)
		is_said |= profile.losses[k].n == failed &&
			   !strcmp(profile.strings[profile.losses[k].what],
				   "intervals that could not be written");
	assert_true(is_said);
	skep_archive_done(&archive);
	skep_archive_close(writer);
}

static void test_disk_full(void **state)
{
	char *dir = folder_new();
	pid_t child = fork();
	int status;

	if (!child) {
		char path[128];
		_cleanup_free_ char *zeroes = calloc(1, 64 << 10);
		if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		    mount("none", dir, "tmpfs", 0, "size=128k"))
			_exit(77);
		snprintf(path, sizeof(path), "%s/filler", dir);
		int fd = open(path, O_WRONLY | O_CREAT, 0600);
		assert_int_equal(write(fd, zeroes, 64 << 10), 64 << 10);
		close(fd);
		fill_disk(dir);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	folder_free(dir);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip(); /* who may not mount has no disk to fill */
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_killed_by_others),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_disk_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
