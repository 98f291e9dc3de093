/* /proc/PID/maps: made-up texts, and our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "linux/maps.h"

static const char sample[] =
	"00400000-00401000 r--p 00000000 08:01 77                 /bin/a b (deleted)\n"
	"00401000-00402000 r-xp 00001000 08:01 77                 /bin/a b (deleted)\n"
	"00402000-00403000 rw-p 00000000 00:00 0 \n"
	"00500000-00501000 r-xp 00000000 00:00 0                  [vdso]\n"
	"00600000-00602000 r-xp 00003000 fe:102 4294967297        /tmp/new\\012line\n"
	"00601000-00603000 r-xp 00003000 fe:02 5                  /overlaps\n"
	"nonsense\n"
	"00700000-00700000 r-xp 00000000 00:00 0\n"
	"00800000-00801000 --xp 00000000 00:00 0";

static void test_parse(void **state)
{
	struct skep_maps maps;

	skep_maps_parse(sample, sizeof(sample) - 1, &maps);
	assert_int_equal(maps.n, 6);
	assert_string_equal(maps.paths + maps.data[0].path, "/bin/a b");
	assert_int_equal(maps.data[0].path, maps.data[1].path);
	assert_true(maps.data[1].deleted && maps.data[1].exec && !maps.data[0].exec);
	assert_int_equal(maps.data[1].off, 0x1000);
	assert_int_equal(maps.data[1].inode, 77);
	assert_string_equal(maps.paths + maps.data[2].path, "");
	assert_string_equal(maps.paths + maps.data[3].path, "[vdso]");
	assert_string_equal(maps.paths + maps.data[4].path, "/tmp/new\nline");
	assert_int_equal(maps.data[4].inode, 4294967297);
	assert_int_equal(maps.data[4].dev, 0xfe << 20 | 0x102);
	assert_true(maps.data[5].exec);
	skep_maps_done(&maps);
}

static void test_find(void **state)
{
	struct skep_maps maps;

	skep_maps_parse(sample, sizeof(sample) - 1, &maps);
	assert_null(skep_maps_find(&maps, 0));
	assert_null(skep_maps_find(&maps, 0x3fffff));
	assert_ptr_equal(skep_maps_find(&maps, 0x400000), &maps.data[0]);
	assert_ptr_equal(skep_maps_find(&maps, 0x401fff), &maps.data[1]);
	assert_null(skep_maps_find(&maps, 0x403000));
	assert_ptr_equal(skep_maps_find(&maps, 0x601fff), &maps.data[4]);
	assert_null(skep_maps_find(&maps, UINT64_MAX));
	skep_maps_done(&maps);
	skep_maps_parse("", 0, &maps);
	assert_null(skep_maps_find(&maps, 1));
	skep_maps_done(&maps);
}

static void test_own(void **state)
{
	struct skep_maps maps;
	const struct skep_mapping *m;

	assert_int_equal(skep_maps_read(getpid(), &maps), 0);
	m = skep_maps_find(&maps, (uintptr_t)test_own);
	assert_non_null(m);
	assert_true(m->exec && m->inode);
	assert_non_null(strstr(maps.paths + m->path, "test_linux"));
	m = skep_maps_find(&maps, (uintptr_t)&maps);
	assert_string_equal(maps.paths + m->path, "[stack]");
	skep_maps_done(&maps);
	assert_int_equal(skep_maps_read(0x3ffffff0, &maps), -ESRCH);
}

/* Every mapping that the text has is answered for as the text has it, either way of asking. */
static void check_asker(bool reads_all)
{
	struct skep_maps maps;
	struct skep_maps_asker asker;
	int n = 0;

	assert_int_equal(skep_maps_read(getpid(), &maps), 0);
	assert_int_equal(skep_maps_asker_init(&asker, getpid()), 0);
	asker.reads_all = reads_all;
	for (size_t i = 0; i < maps.n; i++) {
		const struct skep_mapping *m = &maps.data[i];
		struct skep_mapping got;
		char path[SKEP_MAPS_PATH_BYTES];
		if (!m->inode && strcmp(maps.paths + m->path, "[vdso]") != 0)
			continue; /* heap and stack grow meanwhile */
		assert_int_equal(skep_maps_ask(&asker, m->end - 1, &got, path), 0);
		assert_int_equal(got.start, m->start);
		assert_int_equal(got.end, m->end);
		assert_int_equal(got.off, m->off);
		assert_int_equal(got.inode, m->inode);
		assert_int_equal(got.dev, m->dev);
		assert_int_equal(got.exec, m->exec);
		assert_int_equal(got.deleted, m->deleted);
		assert_string_equal(path, maps.paths + m->path);
		n++;
	}
	assert_true(n > 5);
	skep_maps_asker_done(&asker);
	skep_maps_done(&maps);
}

static void test_asking(void **state)
{
	struct skep_maps_asker asker;
	struct skep_mapping got;
	char path[SKEP_MAPS_PATH_BYTES];

	check_asker(false);
	check_asker(true);
	assert_int_equal(skep_maps_asker_init(&asker, INT_MAX), -ESRCH);
	assert_int_equal(skep_maps_asker_init(&asker, getpid()), 0);
	assert_int_equal(skep_maps_ask(&asker, 0, &got, path), -ENOENT);
	asker.reads_all = true;
	assert_int_equal(skep_maps_ask(&asker, 0, &got, path), -ENOENT);
	skep_maps_asker_done(&asker);
}

/* A path may say itself that it is deleted. */
static void test_asking_for_deleted(void **state)
{
	char name[] = "/tmp/skep_maps_XXXXXX";
	struct skep_maps_asker asker;
	struct skep_mapping got;
	char path[SKEP_MAPS_PATH_BYTES];
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 4096), 0);
	void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(at, MAP_FAILED);
	unlink(name);
	for (int reads_all = 0; reads_all < 2; reads_all++) {
		assert_int_equal(skep_maps_asker_init(&asker, getpid()), 0);
		asker.reads_all = reads_all;
		assert_int_equal(skep_maps_ask(&asker, (uintptr_t)at, &got, path), 0);
		assert_true(got.deleted && got.exec);
		assert_string_equal(path, name);
		skep_maps_asker_done(&asker);
	}
	munmap(at, 4096);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asking), cmocka_unit_test(test_asking_for_deleted),
		cmocka_unit_test(test_parse),  cmocka_unit_test(test_find),
		cmocka_unit_test(test_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
