/* The cache of files: its bounds, and files that come back after they left it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "symbol/files.h"

#define N_FILES (SKEP_FILES_MAX + 40)

static char folder[64];

static void file_path(char path[96], size_t i)
{
	snprintf(path, 96, "%s/%zu", folder, i);
}

/* As if we had mapped them all: a text of mappings, one page each. */
static void make_files(struct skep_maps *maps)
{
	_cleanup_buf_ struct skep_buf text = {0};
	char path[96];
	struct stat st;

	for (size_t i = 0; i < N_FILES; i++) {
		FILE *f;

		file_path(path, i);
		f = fopen(path, "w");
		fprintf(f, "no ELF file %zu", i);
		fclose(f);
		assert_int_equal(stat(path, &st), 0);
		skep_buf_printf(&text, "%zx-%zx r-xp 00000000 00:00 %lu %s\n", (i + 1) * 4096,
				(i + 2) * 4096, (unsigned long)st.st_ino, path);
	}
	skep_maps_parse(text.data, text.len, maps);
	assert_int_equal(maps->n, N_FILES);
}

static size_t count_open(const struct skep_files *files)
{
	size_t n = 0;

	for (size_t i = 0; i < files->n_slots; i++)
		n += files->slots[i].fd >= 0;
	return n;
}

static void test_bounds(void **state)
{
	struct skep_files *files = skep_xcalloc(1, sizeof(*files));
	struct skep_maps maps;
	uint32_t gen;

	memset(files, 0xff, sizeof(*files)); /* slots are nobody's until they are taken */
	skep_files_init(files);
	make_files(&maps);
	for (size_t i = 0; i < N_FILES; i++) {
		assert_true(skep_files_pin(files, getpid(), &maps, &maps.data[i]));
		assert_int_equal(files->n_open, count_open(files));
		assert_true(files->n_open <= SKEP_FILES_MAX_OPEN);
	}
	/* The first ones have left; asked again, they come back under a new generation. */
	gen = maps.data[0].file_gen;
	assert_non_null(skep_files_table(files, getpid(), &maps, &maps.data[0]));
	assert_int_not_equal(maps.data[0].file_gen, gen);
	gen = maps.data[0].file_gen;
	assert_non_null(skep_files_table(files, getpid(), &maps, &maps.data[0]));
	assert_int_equal(maps.data[0].file_gen, gen);
	skep_files_done(files);
	assert_int_equal(files->memory, 0);
	assert_int_equal(files->n_open, 0);
	skep_maps_done(&maps);
	free(files);
}

/* Another file under the same path is not the one that was mapped. */
static void test_replaced(void **state)
{
	struct skep_files *files = skep_xcalloc(1, sizeof(*files));
	struct skep_maps maps;
	char path[96], other[112];

	skep_files_init(files);
	make_files(&maps);
	file_path(path, 3);
	snprintf(other, sizeof(other), "%s.new", path);
	assert_int_equal(fclose(fopen(other, "w")), 0);
	assert_int_equal(rename(other, path), 0);
	assert_false(skep_files_pin(files, getpid(), &maps, &maps.data[3]));
	assert_null(skep_files_table(files, getpid(), &maps, &maps.data[3]));
	skep_files_done(files);
	skep_maps_done(&maps);
	free(files);
}

static int setup(void **state)
{
	strcpy(folder, "/tmp/skep-files-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	char path[96];

	for (size_t i = 0; i < N_FILES; i++) {
		file_path(path, i);
		unlink(path);
	}
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_replaced),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
