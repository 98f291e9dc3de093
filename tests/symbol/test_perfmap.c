/* perf-PID.map files: what is taken, what is not, growing, whose they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <skep/symbol.h>

#include "symbol/perfmap.h"

static void expect(struct skep_perfmap *map, uint64_t addr, const char *name, uint64_t start)
{
	uint64_t found = 0;
	const char *text = skep_perfmap_find(map, addr, &found);

	assert_non_null(text);
	assert_string_equal(text, name);
	assert_int_equal(found, start);
}

static void expect_none(struct skep_perfmap *map, uint64_t addr)
{
	uint64_t start;

	assert_null(skep_perfmap_find(map, addr, &start));
}

static void test_parse(void **state)
{
	static const char text[] = "2000 100 LazyCompile:*f /a b.js:1\n"
				   "0x1000 0x80 first\n"
				   "1080 10 second\n"
				   "zzz 10 bad\n"
				   "3000 0 empty\n"
				   "4000 10\n"
				   "4000 10 \n"
				   "ffffffffffffffff 10 wraps\n"
				   "11111111111111111 10 too long\n"
				   "5000 10 unfinished";
	struct skep_perfmap map = {0};

	assert_int_equal(skep_perfmap_parse(&map, text, strlen(text)),
			 strlen(text) - strlen("5000 10 unfinished"));
	assert_int_equal(map.entries.len, 3);
	expect(&map, 0x1000, "first", 0x1000);
	expect(&map, 0x107f, "first", 0x1000);
	expect(&map, 0x1080, "second", 0x1080);
	expect_none(&map, 0x1090);
	expect_none(&map, 0xfff);
	expect(&map, 0x20ff, "LazyCompile:*f /a b.js:1", 0x2000);
	expect_none(&map, 0x5000);
	skep_perfmap_done(&map);
}

/* A compiler writes anew where it threw code away: the newest counts. */
static void test_replaced(void **state)
{
	static const char text[] = "1000 100 old\n1000 80 new\n1040 10 inner\n0f00 110 cover\n";
	struct skep_perfmap map = {0};

	skep_perfmap_parse(&map, text, strlen(text));
	expect(&map, 0x1000, "cover", 0xf00);
	expect(&map, 0x1020, "new", 0x1000);
	expect(&map, 0x1044, "inner", 0x1040);
	expect(&map, 0x1090, "old", 0x1000);
	skep_perfmap_done(&map);
}

static void test_growing(void **state)
{
	char path[] = "/tmp/skep-perfmap-XXXXXX";
	struct skep_perfmap map = {0};
	int fd = mkstemp(path);

	assert_int_equal(write(fd, "1000 10 one\n2000 1", 18), 18);
	assert_true(skep_perfmap_update(&map, fd, getuid()));
	assert_false(skep_perfmap_update(&map, fd, getuid()));
	expect(&map, 0x1000, "one", 0x1000);
	expect_none(&map, 0x2000);
	assert_int_equal(write(fd, "0 two\n", 6), 6);
	assert_true(skep_perfmap_update(&map, fd, getuid()));
	expect(&map, 0x200f, "two", 0x2000);
	/* Written from the start again: what it said before is void. */
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, "3000 10 three\n", 14, 0), 14);
	assert_true(skep_perfmap_update(&map, fd, getuid()));
	expect_none(&map, 0x1000);
	expect(&map, 0x3000, "three", 0x3000);
	skep_perfmap_done(&map);
	close(fd);
	unlink(path);
}

static void test_owner(void **state)
{
	char path[] = "/tmp/skep-perfmap-XXXXXX";
	struct skep_perfmap map = {0};
	int fd = mkstemp(path);

	if (getuid() != 0) {
		close(fd);
		unlink(path);
		skip();
	}
	assert_int_equal(write(fd, "1000 10 one\n", 12), 12);
	assert_int_equal(fchown(fd, 12345, 12345), 0);
	assert_false(skep_perfmap_update(&map, fd, 0));
	assert_false(skep_perfmap_update(&map, fd, 54321));
	assert_true(skep_perfmap_update(&map, fd, 12345));
	skep_perfmap_done(&map);
	close(fd);
	unlink(path);
}

static void test_hostile_text(void **state)
{
	size_t len = 3 << 20;
	char *text = malloc(len);
	struct skep_perfmap map = {0};

	memset(text, 'a', len);
	assert_int_equal(skep_perfmap_parse(&map, text, len), 0);
	memcpy(text, "1000 10 ", 8);
	text[len - 1] = '\n';
	assert_int_equal(skep_perfmap_parse(&map, text, len), len);
	assert_true(map.names.len <= SKEP_PERFMAP_NAME_MAX + 1);
	skep_perfmap_done(&map);
	free(text);
}

/* Through the whole symbolizer: our own code made at run time, with an escape sequence in its name.
 */
static void test_lookup(void **state)
{
	void *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct skep_usyms *syms = skep_usyms_new(true);
	struct skep_symbol sym = {0};
	char path[64];
	FILE *f;

	assert_int_equal(skep_usyms_lookup(syms, getpid(), (uintptr_t)code, &sym), -ENOENT);
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	f = fopen(path, "w");
	fprintf(f, "%lx 40 jit \033[31m\n", (unsigned long)code);
	fclose(f);
	usleep(60000); /* it is not looked at more often than every 50 ms */
	assert_int_equal(skep_usyms_lookup(syms, getpid(), (uintptr_t)code + 8, &sym), 0);
	assert_string_equal(sym.name, "jit ?[31m");
	assert_int_equal(sym.offset, 8);
	skep_usyms_free(syms);
	unlink(path);
	munmap(code, 4096);
}

static void write_map(const char *path, const void *code, const char *name)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fprintf(f, "%lx 40 %s\n", (unsigned long)code, name);
	fclose(f);
}

/* A process in another root has its map there; one made in our /tmp by its pid is not asked. */
static void test_other_root(void **state)
{
	void *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char folder[] = "/tmp/skep-root-XXXXXX", inner[96], outer[64];
	struct skep_usyms *syms = skep_usyms_new(true);
	struct skep_symbol sym = {0};
	int ready[2];
	pid_t pid;
	char c;

	if (getuid() != 0)
		skip();
	assert_non_null(mkdtemp(folder));
	snprintf(inner, sizeof(inner), "%s/tmp", folder);
	assert_int_equal(mkdir(inner, 0755), 0);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		if (chroot(folder) == 0 && write(ready[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	snprintf(inner, sizeof(inner), "%s/tmp/perf-%d.map", folder, pid);
	snprintf(outer, sizeof(outer), "/tmp/perf-%d.map", pid);
	write_map(inner, code, "inside");
	write_map(outer, code, "outside");
	assert_int_equal(skep_usyms_lookup(syms, pid, (uintptr_t)code, &sym), 0);
	assert_string_equal(sym.name, "inside");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	unlink(inner);
	unlink(outer);
	snprintf(inner, sizeof(inner), "%s/tmp", folder);
	rmdir(inner);
	rmdir(folder);
	close(ready[0]);
	close(ready[1]);
	skep_usyms_free(syms);
	munmap(code, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),        cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_growing),      cmocka_unit_test(test_owner),
		cmocka_unit_test(test_hostile_text), cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_other_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
