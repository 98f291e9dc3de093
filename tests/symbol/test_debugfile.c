/* Separate debug files: by build-id, by link, and ones that do not belong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <skep/elf.h>

#include "symbol/debugfile.h"

static char folder[64];

static bool run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static bool run(const char *fmt, ...)
{
	char command[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	return system(command) == 0;
}

/* folder/a: stripped, with a link to a.debug beside it. */
static bool make(const char *link_options)
{
	return run("cd %s && rm -rf a .debug *.debug && printf 'int hidden(void){return 1;}"
		   "int main(void){return hidden();}' > a.c && gcc -O0 %s -o a a.c && "
		   "objcopy --only-keep-debug a a.debug && strip a && "
		   "objcopy --add-gnu-debuglink=a.debug a",
		   folder, link_options);
}

static int find(struct skep_elf **ret)
{
	_cleanup_elf_ struct skep_elf *elf = NULL;
	char path[128];

	snprintf(path, sizeof(path), "%s/a", folder);
	assert_int_equal(skep_elf_open(path, &elf, NULL), 0);
	assert_false(skep_elf_has_symtab(elf));
	return skep_debugfile_open(elf, path, -1, NULL, ret);
}

static void expect_found(void)
{
	_cleanup_elf_ struct skep_elf *debug = NULL;
	struct skep_elf_sym sym;

	assert_int_equal(find(&debug), 0);
	assert_int_equal(skep_elf_find_symbol(debug, "hidden", &sym), 0);
}

static void expect_none(void)
{
	struct skep_elf *debug = (void *)1;

	assert_int_equal(find(&debug), -ENOENT);
	assert_ptr_equal(debug, (void *)1);
}

static void test_link(void **state)
{
	if (!make("-Wl,--build-id=none"))
		skip();
	expect_found();
	assert_true(run("cd %s && mkdir .debug && mv a.debug .debug/", folder));
	expect_found();
	assert_true(run("rm -rf %s/.debug", folder));
	expect_none();
}

static void test_global_folder(void **state)
{
	if (getuid() != 0 || !make("-Wl,--build-id=none"))
		skip();
	assert_true(run("mkdir -p /usr/lib/debug%s && mv %s/a.debug /usr/lib/debug%s/", folder,
			folder, folder));
	expect_found();
	assert_true(
		run("rm -rf /usr/lib/debug%s; rmdir /usr/lib/debug/tmp 2>/dev/null; true", folder));
	expect_none();
}

static void test_wrong_crc(void **state)
{
	if (!make("-Wl,--build-id=none"))
		skip();
	assert_true(run("printf x >> %s/a.debug", folder));
	expect_none();
}

static void build_id_path(char path[PATH_MAX])
{
	_cleanup_elf_ struct skep_elf *elf = NULL;
	const uint8_t *id;
	char file[128];
	size_t n, len;

	snprintf(file, sizeof(file), "%s/a", folder);
	assert_int_equal(skep_elf_open(file, &elf, NULL), 0);
	n = skep_elf_build_id(elf, &id);
	assert_int_equal(n, 20);
	len = (size_t)sprintf(path, "/usr/lib/debug/.build-id/%02x/", id[0]);
	for (size_t i = 1; i < n; i++)
		len += (size_t)sprintf(path + len, "%02x", id[i]);
	strcpy(path + len, ".debug");
}

static void test_build_id(void **state)
{
	char path[PATH_MAX];

	if (getuid() != 0 || !make("-Wl,--build-id=sha1"))
		skip();
	build_id_path(path);
	assert_true(run("mkdir -p $(dirname %s) && mv %s/a.debug %s", path, folder, path));
	expect_found();
	/* Another file under that name is not believed. */
	assert_true(run("cp /bin/true %s", path));
	expect_none();
	assert_true(
		run("rm -f %s && rmdir -p --ignore-fail-on-non-empty $(dirname %s)", path, path));
	expect_none();
}

static void test_crc(void **state)
{
	char path[] = "/tmp/skep-crc-XXXXXX";
	uint32_t crc = 1;
	int fd = mkstemp(path);

	assert_int_equal(skep_debugfile_crc(fd, &crc), 0);
	assert_int_equal(crc, 0);
	assert_int_equal(write(fd, "123456789", 9), 9);
	assert_int_equal(skep_debugfile_crc(fd, &crc), 0);
	assert_int_equal(crc, 0xcbf43926); /* the check value of CRC-32 */
	close(fd);
	unlink(path);
}

static int setup(void **state)
{
	strcpy(folder, "/tmp/skep-debug-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	return run("rm -rf %s", folder) ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_link),      cmocka_unit_test(test_global_folder),
		cmocka_unit_test(test_wrong_crc), cmocka_unit_test(test_build_id),
		cmocka_unit_test(test_crc),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
