/* Interpreters in files: of this machine, and of bytes that may be any. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <skep/elf.h>

#include "base/buf.h"
#include "interp/describe.h"

#define PROGRAM      "/usr/bin/python3"
#define PERL_PROGRAM "/usr/bin/perl"
#define PERL_SAYS    " -MConfig -e 'print \"$Config{PERL_VERSION} \", 0 + !!$Config{useithreads}'"

static bool describe(const char *path, struct skep_interp_runtime *ret)
{
	_cleanup_elf_ struct skep_elf *elf = NULL;

	return !skep_elf_open(path, &elf, NULL) && skep_interp_describe(elf, path, ret);
}

/* Debian's programs of Python are the interpreter themselves, and called by their version. */
static void python(void **state)
{
	struct skep_interp_runtime runtime = {0};
	char path[PATH_MAX], name[32];
	bool is_known = false;

	if (!realpath(PROGRAM, path)) {
		print_message("not here: " PROGRAM "\n");
		skip();
	}
	static const struct {
		uint32_t major, minor, version;
	} rows[] = {
#define PYTHON(major, minor, ...) {major, minor, SKEP_INTERP_PYTHON_##major##_##minor},
#include "interp/pythons.def"
#undef PYTHON
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(name, sizeof(name), "/python%u.%u", rows[i].major, rows[i].minor);
		if (strcmp(strrchr(path, '/'), name))
			continue;
		is_known = true;
		assert_true(describe(path, &runtime));
		assert_int_equal(runtime.version, rows[i].version);
		assert_true(runtime.addr);
	}
	if (!is_known)
		assert_false(describe(path, &runtime));
}

/* Debian's program is the interpreter itself, with threads; one for debugging has other layouts. */
static void perl(void **state)
{
	static const uint32_t known[] = {
#define PERL(revision, version, ...) version,
#include "interp/perls.def"
#undef PERL
	};
	struct skep_interp_runtime runtime = {0};
	FILE *own = access(PERL_PROGRAM, X_OK) ? NULL : popen(PERL_PROGRAM PERL_SAYS, "r");
	uint32_t version = 0, has_threads = 0, is_known = 0;

	if (!own) {
		print_message("not here: " PERL_PROGRAM "\n");
		skip();
	}
	assert_int_equal(fscanf(own, "%u %u", &version, &has_threads), 2);
	pclose(own);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		is_known |= known[i] == version;
	assert_int_equal(describe(PERL_PROGRAM, &runtime), is_known && has_threads);
	if (is_known && has_threads) {
		assert_int_equal(runtime.way, SKEP_INTERP_PERLS);
		assert_true(runtime.addr);
	}
	assert_false(describe("/usr/bin/debugperl", &runtime));
}

static void others(void **state)
{
	struct skep_interp_runtime runtime = {0};

	assert_false(describe("/bin/sh", &runtime));
	assert_false(describe("/proc/self/exe", &runtime));
	assert_int_equal(runtime.version, SKEP_INTERP_NONE);
}

/* Of a file that says that it is Python: our own program, under another name. */
static void another_name(void **state)
{
	struct skep_interp_runtime runtime = {0};
	_cleanup_elf_ struct skep_elf *elf = NULL;

	assert_int_equal(skep_elf_open("/proc/self/exe", &elf, NULL), 0);
	assert_false(skep_interp_describe(elf, "/usr/bin/python3.11", &runtime));
	assert_false(skep_interp_describe(elf, "python", &runtime));
	assert_false(skep_interp_describe(elf, "", &runtime));
}

static void load(const char *path, struct skep_buf *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	while (fd >= 0 && (n = read(fd, skep_buf_reserve(ret, 1 << 20), 1 << 20)) > 0)
		ret->len += (size_t)n;
	if (fd >= 0)
		close(fd);
}

/* All that programs read by it is within what they read of a frame. */
static void check_sane(const struct skep_interp_runtime *runtime)
{
	const uint32_t words[] = {runtime->code, runtime->previous, runtime->instr};

	assert_in_range(runtime->version, SKEP_INTERP_NONE + 1, SKEP_INTERP_VERSION_CNT - 1);
	assert_in_range(runtime->bytes, 8, SKEP_INTERP_RAW_BYTES);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (words[i] != SKEP_INTERP_NO_OFF)
			assert_in_range(words[i], 0, runtime->bytes - 8);
	}
	if (runtime->entry_mask && runtime->entry != SKEP_INTERP_FLAGS_AT)
		assert_in_range(runtime->entry, 0, runtime->bytes - 1);
}

/* What is none leaves what there was. */
static void garbage(void **state)
{
	_cleanup_buf_ struct skep_buf file = {0};
	uint32_t n_known = 0, n_unknown = 0;
	char path[PATH_MAX];

	if (!realpath(PROGRAM, path))
		skip();
	load(PROGRAM, &file);
	assert_true(file.len > 4096);
	for (int round = 0; round < 400; round++) {
		struct skep_interp_runtime runtime, before;
		_cleanup_elf_ struct skep_elf *elf = NULL;
		size_t at[16], n = round % 2 ? 1 : 16;
		char was[16];
		for (size_t i = 0; i < n; i++) { /* headers, or anywhere */
			at[i] = (size_t)rand() % (i % 2 ? 256 : file.len);
			was[i] = file.data[at[i]];
			file.data[at[i]] = (char)rand();
		}
		memset(&runtime, 0xa5, sizeof(runtime));
		before = runtime;
		if (!skep_elf_parse(file.data, file.len, &elf, NULL) &&
		    skep_interp_describe(elf, path, &runtime)) {
			check_sane(&runtime);
			n_known++;
		} else {
			assert_memory_equal(&runtime, &before, sizeof(before));
			n_unknown++;
		}
		for (size_t i = n; i--;)
			file.data[at[i]] = was[i];
	}
	assert_true(n_known > 20);
	assert_true(n_unknown > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(python),       cmocka_unit_test(perl),    cmocka_unit_test(others),
		cmocka_unit_test(another_name), cmocka_unit_test(garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
