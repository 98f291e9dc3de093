/*
 * What tables have told is kept without them: ranges against a plain map of addresses, and names of
 * a symbolizer that keeps no tables against those of one that does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <skep/symbol.h>

#include "symbol/found.h"
#include "symbol/usyms.h"

#define ADDRS 256

/* Whatever overlaps what is known is not put; each address has what was put first. */
static void test_ranges(void **state)
{
	struct skep_found found = {0};
	int owner[ADDRS] = {0}, n = 0;
	unsigned seed = 815;

	for (int i = 1; i < 2000; i++) {
		uint32_t from = (uint32_t)rand_r(&seed) % ADDRS;
		uint32_t bytes = 1 + (uint32_t)rand_r(&seed) % 9;
		bool is_free = true;
		for (uint32_t at = from; at < from + bytes && at < ADDRS; at++)
			is_free &= !owner[at];
		if (from + bytes > ADDRS)
			continue;
		const struct skep_found_entry entry = {from, bytes, (uint32_t)i, NULL};
		assert_int_equal(skep_found_put(&found, &entry), is_free);
		n += is_free;
		for (uint32_t at = from; is_free && at < from + bytes; at++)
			owner[at] = i;
	}
	assert_int_equal(found.entries.len, n);
	for (uint32_t at = 0; at < ADDRS; at++) {
		const struct skep_found_entry *entry = skep_found_get(&found, at);
		assert_int_equal(entry ? entry->behind : 0, owner[at]);
	}
	skep_found_done(&found);
}

static void test_the_last_address_there_is(void **state)
{
	struct skep_found found = {0};
	const struct skep_found_entry last = {UINT64_MAX - 3, 3, 0, "last"};

	assert_true(skep_found_put(&found, &last));
	assert_null(skep_found_get(&found, UINT64_MAX - 4));
	assert_string_equal(skep_found_get(&found, UINT64_MAX - 1)->name, "last");
	assert_null(skep_found_get(&found, UINT64_MAX));
	skep_found_done(&found);
}

/* --- Symbolizers ----------------------------------------------------------------------------- */

static void check_same(struct skep_usyms *all, struct skep_usyms *few, uint64_t addr)
{
	struct skep_symbol a = {0}, b = {0};

	assert_int_equal(skep_usyms_lookup(all, getpid(), addr, &a),
			 skep_usyms_lookup(few, getpid(), addr, &b));
	assert_int_equal(a.name != NULL, b.name != NULL);
	if (a.name)
		assert_string_equal(a.name, b.name);
	assert_int_equal(a.offset, b.offset);
	assert_string_equal(a.module, b.module);
}

static uint64_t addr_of(const char *name)
{
	void *libz = dlopen("libz.so.1", RTLD_NOW | RTLD_GLOBAL), *at = dlsym(RTLD_DEFAULT, name);

	assert_non_null(libz);

	assert_non_null(at);
	return (uint64_t)(uintptr_t)at;
}

/* A copy of libz, loaded; whose path is @ret. */
static void *copied(char *ret, size_t size)
{
	char command[256];
	Dl_info info;

	snprintf(ret, size, "/tmp/skep-found-%d.so", (int)getpid());
	assert_true(dladdr((void *)(uintptr_t)addr_of("deflate"), &info));
	snprintf(command, sizeof(command), "cp %s %s", info.dli_fname, ret);
	assert_int_equal(system(command), 0);
	void *at = dlopen(ret, RTLD_NOW | RTLD_LOCAL);
	assert_non_null(at);
	return at;
}

/* Half of them are expected; and twice, as what was found is found again without looking. */
static void test_names_are_the_same(void **state)
{
	struct skep_usyms *all = skep_usyms_new(true), *lean = skep_usyms_new(true);
	const uint64_t c = addr_of("qsort"), z = addr_of("deflate");

	skep_usyms_be_lean(lean);
	for (uint64_t off = 0; off < 20000; off += 74) {
		skep_usyms_expect(lean, getpid(), c + off);
		skep_usyms_expect(lean, getpid(), z + off);
	}
	assert_true(lean->expected.len > 100);
	skep_usyms_settle(lean);
	assert_int_equal(lean->expected.len, 0);
	for (int round = 0; round < 2; round++) {
		size_t n_found = lean->files.n_found;
		assert_int_equal(n_found > 0, true);
		for (uint64_t off = 0; off < 20000; off += 37) {
			check_same(all, lean, c + off);
			check_same(all, lean, z + off);
		}
		assert_int_equal(n_found == lean->files.n_found, round);
	}
	assert_true(all->files.memory > 50000 + lean->files.memory);
	for (uint32_t i = 0; i < lean->files.n_slots; i++)
		assert_true(!lean->files.slots[i].is_lean || !lean->files.slots[i].table.n);
	skep_usyms_free(all);
	skep_usyms_free(lean);
}

/* What is expected needs no looking for when it is asked: not even its file. */
static void test_expected_of_a_file_that_goes(void **state)
{
	struct skep_usyms *lean = skep_usyms_new(true);
	struct skep_symbol symbol = {0};
	char path[64];
	void *at = copied(path, sizeof(path));
	const uint64_t inflate = (uint64_t)(uintptr_t)dlsym(at, "inflate");
	const uint64_t deflate = (uint64_t)(uintptr_t)dlsym(at, "deflate");

	skep_usyms_be_lean(lean);
	skep_usyms_expect(lean, getpid(), inflate + 1);
	skep_usyms_settle(lean);
	unlink(path);
	assert_int_equal(skep_usyms_lookup(lean, getpid(), inflate + 1, &symbol), 0);
	assert_string_equal(symbol.name, "inflate");
	assert_int_equal(symbol.offset, 1);
	assert_int_equal(skep_usyms_lookup(lean, getpid(), deflate, &symbol), 0);
	assert_true(symbol.name ? !strcmp(symbol.name, "deflate") : symbol.file_missing);
	dlclose(at);
	skep_usyms_free(lean);
}

/* A file that was deleted before is read as a whole, as it cannot be opened again. */
static void test_what_is_deleted_has_its_table(void **state)
{
	struct skep_usyms *lean = skep_usyms_new(true);
	struct skep_symbol symbol = {0};
	char path[64];
	void *at = copied(path, sizeof(path));

	skep_usyms_be_lean(lean);
	skep_usyms_note_process(lean, getpid()); /* opens it */
	unlink(path);
	for (int i = 0; i < 2; i++) {
		const char *name = i ? "inflate" : "deflate";
		const uint64_t addr = (uint64_t)(uintptr_t)dlsym(at, name);
		assert_int_equal(skep_usyms_lookup(lean, getpid(), addr, &symbol), 0);
		assert_string_equal(symbol.name, name);
	}
	dlclose(at);
	skep_usyms_free(lean);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_the_last_address_there_is),
		cmocka_unit_test(test_names_are_the_same),
		cmocka_unit_test(test_expected_of_a_file_that_goes),
		cmocka_unit_test(test_what_is_deleted_has_its_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
