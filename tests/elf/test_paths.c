/* Names to paths, and the linker's cache, real and made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <skep/elf.h>

#include "base/buf.h"
#include "base/fd.h"
#include "elf/ldcache.h"

static void test_matches(void **state)
{
	assert_true(skep_elf_library_matches("libc.so.6", "c"));
	assert_true(skep_elf_library_matches("libc.so.6", "libc"));
	assert_true(skep_elf_library_matches("libc.so.6", "libc.so"));
	assert_true(skep_elf_library_matches("libc.so.6", "libc.so.6"));
	assert_true(skep_elf_library_matches("ld-linux-x86-64.so.2", "ld-linux-x86-64.so.2"));
	assert_false(skep_elf_library_matches("libcap.so.2", "c"));
	assert_false(skep_elf_library_matches("libc.so.6", "libc.so.5"));
	assert_false(skep_elf_library_matches("libc.solid", "c"));
	assert_false(skep_elf_library_matches("libc.a", "c"));
	assert_false(skep_elf_library_matches("xlibc.so.6", "c"));
}

/* All four names of the C library are the file that this program runs with, or none is found. */
static void test_libc(void **state)
{
	static const char *const names[] = {"c", "libc", "libc.so", "libc.so.6"};
	char first[PATH_MAX], path[PATH_MAX];
	struct stat a, b;

	assert_int_equal(skep_elf_resolve_path("libc.so.6", first, sizeof(first)), 0);
	assert_int_equal(stat(first, &a), 0);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(skep_elf_resolve_path(names[i], path, sizeof(path)), 0);
		assert_int_equal(stat(path, &b), 0);
		assert_int_equal(a.st_ino, b.st_ino);
	}
}

static void test_command(void **state)
{
	char path[PATH_MAX];

	setenv("PATH", "/nonexistent::/usr/bin:/bin", 1);
	assert_int_equal(skep_elf_resolve_path("sh", path, sizeof(path)), 0);
	assert_string_equal(path, "/usr/bin/sh");
	assert_int_equal(skep_elf_resolve_path("sh", path, 5), -ENAMETOOLONG);
	assert_int_equal(skep_elf_resolve_path("no-such-command", path, sizeof(path)), -ENOENT);
	assert_int_equal(skep_elf_resolve_path("", path, sizeof(path)), -ENOENT);
}

static void test_with_slash(void **state)
{
	char path[PATH_MAX];

	assert_int_equal(skep_elf_resolve_path("/bin/sh", path, sizeof(path)), 0);
	assert_string_equal(path, "/bin/sh");
	assert_int_equal(skep_elf_resolve_path("/bin/none", path, sizeof(path)), -ENOENT);
	assert_int_equal(skep_elf_resolve_path("/tmp", path, sizeof(path)), -ENOENT);
}

static void test_library_path(void **state)
{
	char folder[] = "/tmp/skep-libs-XXXXXX", file[64], path[PATH_MAX];
	FILE *f;

	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/libskeptest.so.1", folder);
	f = fopen(file, "w");
	fputs("\177ELF", f);
	fclose(f);
	setenv("LD_LIBRARY_PATH", folder, 1);
	assert_int_equal(skep_elf_resolve_path("skeptest", path, sizeof(path)), 0);
	assert_string_equal(path, file);
	/* A linker script under that name is not a library. */
	f = fopen(file, "w");
	fputs("GROUP ( x )", f);
	fclose(f);
	assert_int_equal(skep_elf_resolve_path("skeptest", path, sizeof(path)), -ENOENT);
	unsetenv("LD_LIBRARY_PATH");
	unlink(file);
	rmdir(folder);
}

/* Every entry that ldconfig lists for this machine is found under its own name. */
static void test_cache_like_ldconfig(void **state)
{
	_cleanup_buf_ struct skep_buf cache = {0};
	char line[4096], name[1024], path[2048];
	size_t n = 0;
	FILE *out;

	if (skep_file_read("/etc/ld.so.cache", 16 << 20, &cache) < 0)
		skip();
	out = popen("/sbin/ldconfig -p", "r");
	while (fgets(line, sizeof(line), out)) {
		const char *found;

		if (!strstr(line, "x86-64") || strstr(line, "hwcap") ||
		    sscanf(line, " %1023s %*[^>]> %2047s", name, path) != 2)
			continue;
		found = skep_elf_ldcache_find(cache.data, cache.len, name);
		assert_non_null(found);
		n++;
	}
	pclose(out);
	print_message("%zu libraries\n", n);
}

static void test_damaged_cache(void **state)
{
	_cleanup_buf_ struct skep_buf cache = {0};

	if (skep_file_read("/etc/ld.so.cache", 16 << 20, &cache) < 0)
		skip();
	for (size_t len = 0; len < cache.len; len += len < 256 ? 1 : 997) {
		char *cut = malloc(len + 1);

		memcpy(cut, cache.data, len);
		skep_elf_ldcache_find(cut, len, "libc.so.6");
		free(cut);
	}
	memset(cache.data + 48, 0xff, cache.len - 48);
	assert_null(skep_elf_ldcache_find(cache.data, cache.len, "libc.so.6"));
	assert_null(skep_elf_ldcache_find("ld.so-1.7.0\0\xff\xff\xff\xff", 16, "c"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matches),       cmocka_unit_test(test_libc),
		cmocka_unit_test(test_command),       cmocka_unit_test(test_with_slash),
		cmocka_unit_test(test_library_path),  cmocka_unit_test(test_cache_like_ldconfig),
		cmocka_unit_test(test_damaged_cache),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
