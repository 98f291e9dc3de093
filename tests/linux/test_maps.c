/* /proc/PID/maps: made-up texts, and our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
