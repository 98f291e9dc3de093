/* The kernel's code in another process, whose memory may be anything, or never come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "../silent.h"
#include "linux/vdso.h"

/* A mapping of another size than ours has: it is read from the process. */
static struct skep_mapping mapping_at(const void *page)
{
	uint64_t start = (uint64_t)(uintptr_t)page;

	return (struct skep_mapping){.start = start, .end = start + PAGE, .exec = true};
}

static void *map_page(void)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(page, MAP_FAILED);
	return page;
}

static void test_other_memory(void **state)
{
	char *elf = map_page(), *other = map_page();
	const struct skep_mapping m = mapping_at(elf), no_elf = mapping_at(other);
	_cleanup_buf_ struct skep_buf image = {0};
	struct skep_keeper keeper;

	memcpy(elf, ELFMAG, SELFMAG);
	elf[PAGE - 1] = 'x';
	skep_vdso_reading_init(&keeper);
	assert_int_equal(skep_vdso_read(&keeper, getpid(), &m, &image), 0);
	assert_int_equal(image.len, PAGE);
	assert_memory_equal(image.data, elf, PAGE);
	skep_buf_clear(&image);
	assert_int_equal(skep_vdso_read(&keeper, getpid(), &no_elf, &image), -ENOENT);
	assert_int_equal(image.len, 0);
	munmap(other, PAGE);
	assert_int_equal(skep_vdso_read(&keeper, getpid(), &no_elf, &image), -ENOENT);
	assert_int_equal(skep_vdso_read(&keeper, getpid(), &m, &image), 0);
	munmap(elf, PAGE);
	skep_keeper_done(&keeper);
	assert_int_equal(waitpid(-1, NULL, 0), -1);
}

static void test_never_answers(void **state)
{
	char *page = map_page(), *elf = map_page();
	const struct skep_mapping silent = mapping_at(page), m = mapping_at(elf);
	_cleanup_buf_ struct skep_buf image = {0};
	struct silent_files files;
	struct skep_keeper keeper;

	if (!silent_files_begin(&files))
		skip(); /* no FUSE */
	pid_t pid = fork_silent(page, files.path);
	assert_int_not_equal(pid, 0);
	memcpy(elf, ELFMAG, SELFMAG);
	skep_vdso_reading_init(&keeper);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(skep_vdso_read(&keeper, pid, &silent, &image), -ENOENT);
		assert_int_equal(image.len, 0);
	}
	assert_int_equal(keeper.n_slow, 1);
	assert_int_equal(skep_vdso_read(&keeper, getpid(), &m, &image), 0);
	bool may_change = may_change_mappings(pid);
	skep_keeper_done(&keeper);
	kill(pid, SIGKILL);
	silent_files_end(&files);
	assert_true(may_change);
	while (waitpid(-1, NULL, 0) > 0)
		;
	munmap(page, PAGE);
	munmap(elf, PAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_other_memory),
		cmocka_unit_test(test_never_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
