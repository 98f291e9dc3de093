/* The kernel's small texts: CPU lists, mounts, lockdown, numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those first */
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "linux/bpf.h"
#include "linux/privilege.h"
#include "linux/procfs.h"

static void cpu_lists(void **state)
{
	static const struct {
		const char *text;
		int n;
		unsigned last;
	} rows[] = {
		{"0\n", 1, 0},
		{"0-3\n", 4, 3},
		{"0-1,4,6-7", 5, 7},
		{"", 0, 0},
		{"\n", 0, 0},
		{"3-1", -EINVAL, 0},
		{"0-", -EINVAL, 0},
		{"x", -EINVAL, 0},
		{"0,,1", -EINVAL, 0},
		{"0 1", -EINVAL, 0},
		{"-1", -EINVAL, 0},
		{"99999", -EINVAL, 0},
		{"0-65535,0-65535", -EINVAL, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned got[8] = {0};
		int n = skep_cpulist_parse(rows[i].text, got, 8);
		assert_int_equal(n, rows[i].n);
		if (n > 0)
			assert_int_equal(got[n - 1], rows[i].last);
	}
	assert_int_equal(skep_cpulist_parse("0-100", NULL, 0), 101);
}

static const char mounts[] = "proc /proc proc rw 0 0\n"
			     "t /mnt/a\\040b\\134 tracefs rw 0 0\n"
			     "tracefs /sys/kernel/tracing tracefs rw 0 0\n"
			     "broken\n"
			     "x /tracefs\n"
			     "none /sys/fs/cgroup cgroup2 rw";

static void mounts_are_found_by_type(void **state)
{
	char path[64] = "";

	assert_int_equal(skep_mounts_find(mounts, "tracefs", "/sys/kernel/tracing", path, 64), 0);
	assert_string_equal(path, "/sys/kernel/tracing");
	assert_int_equal(skep_mounts_find(mounts, "tracefs", "/elsewhere", path, 64), 0);
	assert_string_equal(path, "/mnt/a b\\");
	assert_int_equal(skep_mounts_find(mounts, "cgroup2", "", path, 64), 0);
	assert_string_equal(path, "/sys/fs/cgroup");
	assert_int_equal(skep_mounts_find(mounts, "cgroup2", "", path, 5), -ENAMETOOLONG);
	assert_int_equal(skep_mounts_find(mounts, "debugfs", "", path, 64), -ENOENT);
	assert_int_equal(skep_mounts_find("", "tracefs", "", path, 64), -ENOENT);
}

static void lockdown_is_read(void **state)
{
	assert_int_equal(skep_lockdown_parse("[none] integrity confidentiality\n"),
			 SKEP_LOCKDOWN_NONE);
	assert_int_equal(skep_lockdown_parse("none [integrity] confidentiality\n"),
			 SKEP_LOCKDOWN_INTEGRITY);
	assert_int_equal(skep_lockdown_parse("none integrity [confidentiality]\n"),
			 SKEP_LOCKDOWN_CONFIDENTIALITY);
}

static void numbers_are_read_from_files(void **state)
{
	int64_t value = 0;

	assert_int_equal(skep_file_number("/proc/sys/kernel/pid_max", &value), 0);
	assert_true(value > 100);
	assert_int_equal(skep_file_number("/proc/version", &value), -EINVAL);
	assert_int_equal(skep_file_number("/no/such/file", &value), -ENOENT);
}

static void cpus_agree_with_the_c_library(void **state)
{
	unsigned cpus[4096];

	assert_true(skep_possible_cpus() >= (unsigned)sysconf(_SC_NPROCESSORS_CONF));
	assert_int_equal(skep_online_cpus(cpus, 4096), sysconf(_SC_NPROCESSORS_ONLN));
	assert_int_equal(skep_online_cpus(cpus, 1), 1);
	assert_int_equal(cpus[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cpu_lists),
		cmocka_unit_test(mounts_are_found_by_type),
		cmocka_unit_test(lockdown_is_read),
		cmocka_unit_test(numbers_are_read_from_files),
		cmocka_unit_test(cpus_agree_with_the_c_library),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
