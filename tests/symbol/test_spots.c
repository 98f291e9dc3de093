/*
 * Naming in memory that does not grow: the same names as those of skep_usyms, which is the oracle,
 * for ourselves, a child that ends, a file that is deleted and code made at run time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <skep/symbol.h>

#include "linux/maps.h"
#include "symbol/spots.h"

#define MOST 20000

static struct skep_spot spots[MOST];

static struct skep_spot ask(struct skep_spots *names, pid_t pid, uint64_t addr)
{
	struct skep_spot spot = {.pid = pid, .addr = addr};

	skep_spots_name(names, &spot, 1);
	assert_int_equal(spot.pid, pid);
	assert_int_equal(spot.addr, addr);
	return spot;
}

static void expect(struct skep_spots *names, pid_t pid, uint64_t addr, bool is_named,
		   const char *name)
{
	struct skep_spot spot = ask(names, pid, addr);

	assert_string_equal(spot.name, name);
	assert_int_equal(spot.is_named, is_named);
}

/* Cut as a spot's name is. */
static void expect_like(const struct skep_spot *spot, struct skep_usyms *oracle)
{
	struct skep_symbol symbol = {0};
	char wanted[SKEP_SPOT_BYTES];

	skep_usyms_lookup(oracle, spot->pid, spot->addr, &symbol);
	assert_int_equal(spot->is_named, symbol.name != NULL);
	if (!symbol.name)
		return;
	snprintf(wanted, sizeof(wanted), "%s", symbol.name);
	assert_string_equal(spot->name, wanted);
}

/* Places all over our code and that of our libraries. */
static size_t own_places(struct skep_spot *ret)
{
	struct skep_maps maps;
	size_t n = 0;

	assert_int_equal(skep_maps_read(getpid(), &maps), 0);
	for (size_t i = 0; i < maps.n; i++) {
		const struct skep_mapping *m = &maps.data[i];
		for (uint64_t at = m->start; m->exec && at < m->end && n < MOST; at += 211)
			ret[n++] = (struct skep_spot){.pid = getpid(), .addr = at};
	}
	skep_maps_done(&maps);
	return n;
}

static void test_like_usyms(void **state)
{
	struct skep_spots *names = skep_spots_new(true);
	struct skep_usyms *oracle = skep_usyms_new(true);
	size_t n = own_places(spots), n_named = 0;

	assert_true(n > 5000);
	skep_spots_name(names, spots, n);
	for (size_t i = 0; i < n; i++) {
		expect_like(&spots[i], oracle);
		n_named += spots[i].is_named;
	}
	assert_true(n_named > n / 2);
	assert_int_equal(skep_spots_unread(names), 0);
	skep_usyms_free(oracle);
	skep_spots_free(names);
}

static void test_vdso(void **state)
{
	uint64_t base = getauxval(AT_SYSINFO_EHDR);
	struct skep_spots *names = skep_spots_new(true);
	struct skep_usyms *oracle = skep_usyms_new(true);
	int n = 0;

	if (!base)
		skip();
	for (int i = 0; i < 500; i++)
		spots[i] = (struct skep_spot){.pid = getpid(), .addr = base + 16 * (unsigned)i};
	skep_spots_name(names, spots, 500);
	for (int i = 0; i < 500; i++) {
		expect_like(&spots[i], oracle);
		n += spots[i].is_named;
		if (!spots[i].is_named)
			assert_string_equal(spots[i].name, "[vdso]");
	}
	assert_true(n > 10);
	skep_usyms_free(oracle);
	skep_spots_free(names);
}

static void test_nothing(void **state)
{
	struct skep_spots *names = skep_spots_new(true);

	skep_spots_name(names, NULL, 0);
	expect(names, getpid(), 0, false, "");
	expect(names, getpid(), 1ull << 63, false, "");
	expect(names, 0x7fffffff, (uintptr_t)test_nothing, false, "");
	skep_spots_free(names);
	skep_spots_free(NULL);
}

/* A file is not read again at once: what was not asked for is named by the file, and counted. */
static void test_pace(void **state)
{
	struct skep_spots *names = skep_spots_new(true);
	struct skep_spot spot;

	expect(names, getpid(), (uintptr_t)test_pace, true, "test_pace");
	assert_int_equal(skep_spots_unread(names), 0);
	spot = ask(names, getpid(), (uintptr_t)test_nothing);
	if (!spot.is_named) { /* unless the machine stood still in between */
		assert_string_equal(spot.name, "test_symbol_spots");
		assert_int_equal(skep_spots_unread(names), 1);
	}
	expect(names, getpid(), (uintptr_t)test_pace + 1, true, "test_pace");
	while (!spot.is_named) { /* a hundred times what a pass takes */
		usleep(10000);
		spot = ask(names, getpid(), (uintptr_t)test_nothing);
	}
	assert_string_equal(spot.name, "test_nothing");
	skep_spots_free(names);
}

static pid_t start_child(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	assert_true(pid > 0);
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* What was asked while it was there is known afterwards, and so is the file of what was not. */
static void test_ended(void **state)
{
	struct skep_spots *names = skep_spots_new(true);
	pid_t pid = start_child(), other = start_child();

	expect(names, pid, (uintptr_t)test_ended, true, "test_ended");
	end_child(pid);
	end_child(other);
	expect(names, pid, (uintptr_t)test_ended, true, "test_ended");
	expect(names, pid, (uintptr_t)test_vdso, false, "test_symbol_spots");
	expect(names, other, (uintptr_t)test_ended, false, "");
	skep_spots_free(names);
}

/* --- Files and code made at run time --------------------------------------------------------- */

static void *map_copy_of_self(char *path, size_t *ret_bytes)
{
	char buf[65536];
	int fd = mkstemp(path), from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	assert_true(fd >= 0 && from >= 0);
	for (*ret_bytes = 0; (n = read(from, buf, sizeof(buf))) > 0; *ret_bytes += (size_t)n)
		assert_int_equal(write(fd, buf, (size_t)n), n);
	void *at = mmap(NULL, *ret_bytes, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(at, MAP_FAILED);
	close(fd);
	close(from);
	return at;
}

static void test_deleted(void **state)
{
	char path[] = "/tmp/skep_spots_XXXXXX";
	size_t bytes;
	uint8_t *at = map_copy_of_self(path, &bytes);
	struct skep_spots *names = skep_spots_new(true);
	struct skep_usyms *oracle = skep_usyms_new(true);
	int n = 0;

	unlink(path);
	for (unsigned i = 0; i < 4096; i++)
		spots[i] = (struct skep_spot){.pid = getpid(),
					      .addr = (uintptr_t)at + bytes / 4096 * i};
	skep_spots_name(names, spots, 4096);
	for (int i = 0; i < 4096; i++) {
		expect_like(&spots[i], oracle);
		n += spots[i].is_named;
		if (!spots[i].is_named)
			assert_string_equal(spots[i].name, strrchr(path, '/') + 1);
	}
	assert_true(n > 100);
	munmap(at, bytes);
	skep_usyms_free(oracle);
	skep_spots_free(names);
}

static void write_perfmap(const char *text, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void remove_perfmap(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	unlink(path);
}

/* Until the file, which has grown, may be read again. */
static void expect_soon(struct skep_spots *names, uint64_t addr, const char *name)
{
	struct skep_spot spot;

	do {
		usleep(1000);
		spot = ask(names, getpid(), addr);
	} while (!spot.is_named || strcmp(spot.name, name) != 0);
}

static void test_made_code(void **state)
{
	struct skep_spots *names = skep_spots_new(true);
	uint64_t at = (uintptr_t)mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE | PROT_EXEC,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char text[512], line[128];

	expect(names, getpid(), at, false, "");
	snprintf(text, sizeof(text),
		 "%lx 1000 large\n%lx 10 small one\nnonsense\n%lx 10 _Z3foov\n%lx 8 bell\a\n"
		 "%lx 10 not yet whole",
		 (long)at, (long)at + 0x100, (long)at + 0x200, (long)at + 0x300, (long)at + 0x400);
	write_perfmap(text, O_TRUNC);
	for (unsigned i = 0; i < 0x500; i++)
		spots[i] = (struct skep_spot){.pid = getpid(), .addr = at + i};
	skep_spots_name(names, spots, 0x500);
	assert_string_equal(spots[0].name, "large");
	assert_string_equal(spots[0xff].name, "large");
	assert_string_equal(spots[0x100].name, "small one");
	assert_string_equal(spots[0x10f].name, "small one");
	assert_string_equal(spots[0x110].name, "large");
	assert_string_equal(spots[0x200].name, "_Z3foov");
	assert_string_equal(spots[0x307].name, "bell?");
	assert_string_equal(spots[0x400].name, "large");
	for (unsigned i = 0; i < 0x500; i++)
		assert_true(spots[i].is_named);
	/* newer code takes an address over, and the line that was being written is whole now */
	snprintf(line, sizeof(line), "\n%lx 10 newer\n", (long)at + 0x108);
	write_perfmap(line, O_APPEND);
	expect_soon(names, at + 0x108, "newer");
	expect_soon(names, at + 0x40f, "not yet whole");
	expect_soon(names, at + 0x107, "small one");
	remove_perfmap();
	munmap((void *)at, 1 << 16);
	skep_spots_free(names);
}

/* A line of more than is read at a time is none; the one behind it is. */
static void test_long_line(void **state)
{
	static char text[200000];
	struct skep_spots *names = skep_spots_new(true);
	uint64_t at = (uintptr_t)mmap(NULL, 4096, PROT_READ | PROT_EXEC,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int n = snprintf(text, sizeof(text), "%lx 10 ", (long)at);

	memset(text + n, 'x', 150000);
	snprintf(text + n + 150000, 1000, "\n%lx 10 after\n", (long)at + 16);
	write_perfmap(text, O_TRUNC);
	for (unsigned i = 0; i < 2; i++)
		spots[i] = (struct skep_spot){.pid = getpid(), .addr = at + 16 * i};
	skep_spots_name(names, spots, 2);
	assert_false(spots[0].is_named);
	assert_string_equal(spots[1].name, "after");
	remove_perfmap();
	munmap((void *)at, 4096);
	skep_spots_free(names);
}

/* --- What is remembered ---------------------------------------------------------------------- */

/* More processes than there are places for, again and again: not a byte more is in use. */
static void test_memory(void **state)
{
	struct skep_spots *names = skep_spots_new(true);
	size_t n = own_places(spots), used = 0;

	for (int round = 0; round < 3 * SPOTS_PROCESSES; round++) {
		pid_t pid = start_child();
		for (size_t i = 0; i < n; i++)
			spots[i].pid = pid;
		skep_spots_name(names, spots, round ? n / 20 : n);
		if (round == 0)
			used = mallinfo2().uordblks;
		assert_int_equal(mallinfo2().uordblks, used);
		end_child(pid);
	}
	assert_true(skep_spots_evicted(names) > SPOTS_PROCESSES);
	skep_spots_free(names);
}

static void test_sets(void **state)
{
	struct spots_memory *memory = calloc(1, sizeof(*memory));
	char name[SKEP_SPOT_BYTES];

	for (uint64_t i = 0; i < 100; i++) { /* of one block: one set */
		snprintf(name, sizeof(name), "f%d", (int)i);
		spots_put_name(memory, 77, 10 * i, 10 * i, 10 * i + 5, name);
		assert_non_null(spots_find_name(memory, 77, 0)); /* used: it stays */
	}
	assert_int_equal(memory->n_evicted, 100 - SPOTS_WAYS);
	assert_string_equal(spots_find_name(memory, 77, 994), "f99");
	assert_null(spots_find_name(memory, 77, 995));
	assert_null(spots_find_name(memory, 77, 12));
	assert_null(spots_find_name(memory, 78, 990));
	spots_put_name(memory, 77, 991, 990, 1000, NULL);
	assert_string_equal(spots_find_name(memory, 77, 994), "");
	assert_int_equal(memory->n_evicted, 100 - SPOTS_WAYS);
	free(memory);
}

static void test_cut(void **state)
{
	char text[8];

	spots_copy(text, sizeof(text), "abc\ndefghij", 11);
	assert_string_equal(text, "abc?def");
	spots_copy(text, sizeof(text), "abcdef\xc3\xa4", 8);
	assert_string_equal(text, "abcdef");
	spots_copy(text, sizeof(text), "abcde\xc3\xa4", 7);
	assert_string_equal(text, "abcde\xc3\xa4");
	spots_copy(text, sizeof(text), "", 0);
	assert_string_equal(text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_like_usyms), cmocka_unit_test(test_vdso),
		cmocka_unit_test(test_nothing),    cmocka_unit_test(test_pace),
		cmocka_unit_test(test_ended),      cmocka_unit_test(test_deleted),
		cmocka_unit_test(test_made_code),  cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_memory),     cmocka_unit_test(test_sets),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
