/* Symbol tables of real files, against readelf; versions; files without section headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <skep/elf.h>

#include "base/buf.h"
#include "base/fd.h"

/* Every file that is there is compared. */
static const char *const files[] = {
	"/bin/bash",
	"/lib/x86_64-linux-gnu/libc.so.6",
	"/lib/x86_64-linux-gnu/libstdc++.so.6",
	"/lib64/ld-linux-x86-64.so.2",
	"/proc/self/exe",
};

struct set {
	char **lines; /* owned; "address name" */
	size_t n, cap;
};

static void set_add(struct set *set, char *line)
{
	if (set->n == set->cap) {
		set->cap = set->cap ? set->cap * 2 : 1024;
		set->lines = realloc(set->lines, set->cap * sizeof(char *));
		assert_non_null(set->lines);
	}
	set->lines[set->n++] = line;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void set_settle(struct set *set)
{
	size_t n = 0;

	qsort(set->lines, set->n, sizeof(char *), compare);
	for (size_t i = 0; i < set->n; i++) {
		if (n && strcmp(set->lines[n - 1], set->lines[i]) == 0)
			free(set->lines[i]);
		else
			set->lines[n++] = set->lines[i];
	}
	set->n = n;
}

static void set_done(struct set *set)
{
	for (size_t i = 0; i < set->n; i++)
		free(set->lines[i]);
	free(set->lines);
}

static int add_function(void *ctx, const struct skep_elf_sym *sym)
{
	char *line;

	if (sym->type != STT_FUNC && sym->type != STT_GNU_IFUNC)
		return 0;
	assert_true(asprintf(&line, "%016lx %.*s", (unsigned long)sym->addr,
			     (int)strcspn(sym->name, "@"), sym->name) > 0);
	set_add(ctx, line);
	return 0;
}

/* "number: address size FUNC GLOBAL DEFAULT section name[@version]" */
static void readelf_functions(const char *path, const char *option, struct set *set)
{
	char line[8192];
	FILE *out;

	snprintf(line, sizeof(line), "readelf -W %s $(readlink -f %s) 2>/dev/null", option, path);
	out = popen(line, "r");
	while (fgets(line, sizeof(line), out)) {
		char type[32], section[32], addr[32], *name = NULL, *copy;

		if (sscanf(line, " %*d: %31s %*s %31s %*s %*s %31s %ms", addr, type, section,
			   &name) == 4 &&
		    strcmp(section, "UND") != 0 &&
		    (strcmp(type, "FUNC") == 0 || strcmp(type, "IFUNC") == 0)) {
			name[strcspn(name, "@")] = '\0';
			assert_true(asprintf(&copy, "%s %s", addr, name) > 0);
			set_add(set, copy);
		}
		free(name);
	}
	pclose(out);
}

static void compare_file(const char *path)
{
	_cleanup_elf_ struct skep_elf *elf = NULL;
	struct set mine = {0}, theirs = {0};
	const char *real = path;
	char own[64];

	if (strncmp(path, "/proc/self", 10) == 0) { /* readelf's would be another one */
		snprintf(own, sizeof(own), "/proc/%d/exe", getpid());
		real = own;
	}
	assert_int_equal(skep_elf_open(real, &elf, NULL), 0);
	assert_int_equal(skep_elf_for_each_symbol(elf, add_function, &mine), 0);
	readelf_functions(real, "--syms", &theirs);
	set_settle(&mine);
	set_settle(&theirs);
	assert_true(theirs.n > 10);
	for (size_t i = 0; i < theirs.n && i < mine.n; i++)
		assert_string_equal(mine.lines[i], theirs.lines[i]);
	assert_int_equal(mine.n, theirs.n);
	print_message("%s: %zu functions\n", path, mine.n);
	set_done(&mine);
	set_done(&theirs);
}

static void test_like_readelf(void **state)
{
	if (access("/usr/bin/readelf", X_OK) < 0)
		skip();
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (access(files[i], R_OK) == 0)
			compare_file(files[i]);
}

__attribute__((used, noinline)) int skep_test_landmark(int n);
int skep_test_landmark(int n)
{
	return n * 3;
}
int skep_test_variable = 5;

static void test_find(void **state)
{
	_cleanup_elf_ struct skep_elf *elf = NULL;
	struct skep_elf_sym f, v;
	uint64_t off;

	assert_int_equal(skep_elf_open("/proc/self/exe", &elf, NULL), 0);
	assert_true(skep_elf_has_symtab(elf));
	assert_int_equal(skep_elf_find_symbol(elf, "skep_test_landmark", &f), 0);
	assert_int_equal(f.type, STT_FUNC);
	assert_int_equal(f.bind, STB_GLOBAL);
	assert_true(f.size > 0);
	assert_int_equal(skep_elf_addr_to_off(elf, f.addr, &off), 0);
	assert_int_equal(skep_elf_find_symbol(elf, "skep_test_variable", &v), -ENOENT);
	assert_int_equal(skep_elf_find_any_symbol(elf, "skep_test_variable", &v), 0);
	assert_int_equal(v.type, STT_OBJECT);
	/* Their distance in the file is their distance in memory. */
	assert_int_equal(v.addr - f.addr,
			 (uintptr_t)&skep_test_variable - (uintptr_t)skep_test_landmark);
	assert_int_equal(skep_elf_find_symbol(elf, "no such function", &f), -ENOENT);
}

/* glibc keeps pthread_cond_wait of before 2.3.2 beside the one that programs get. */
static void test_default_version(void **state)
{
	_cleanup_elf_ struct skep_elf *elf = NULL;
	struct skep_elf_sym sym;
	char line[256], *ends;
	unsigned long want = 0;
	FILE *out;

	if (access("/usr/bin/nm", X_OK) < 0 ||
	    skep_elf_open("/lib/x86_64-linux-gnu/libc.so.6", &elf, NULL) < 0)
		skip();
	out = popen("nm -D /lib/x86_64-linux-gnu/libc.so.6", "r");
	while (fgets(line, sizeof(line), out))
		if (strstr(line, " pthread_cond_wait@@"))
			want = strtoul(line, &ends, 16);
	pclose(out);
	assert_true(want != 0);
	assert_int_equal(skep_elf_find_symbol(elf, "pthread_cond_wait", &sym), 0);
	assert_int_equal(sym.addr, want);
	assert_false(sym.hidden);
}

/* Without section headers the dynamic segment still leads to the exported symbols. */
static void test_without_sections(void **state)
{
	_cleanup_elf_ struct skep_elf *whole = NULL, *bare = NULL;
	_cleanup_buf_ struct skep_buf file = {0};
	struct set mine = {0}, theirs = {0};

	if (skep_file_read("/lib/x86_64-linux-gnu/libc.so.6", 64 << 20, &file) < 0)
		skip();
	assert_int_equal(skep_elf_parse(file.data, file.len, &whole, NULL), 0);
	assert_int_equal(skep_elf_for_each_symbol(whole, add_function, &theirs), 0);
	((Elf64_Ehdr *)file.data)->e_shoff = 0;
	assert_int_equal(skep_elf_parse(file.data, file.len, &bare, NULL), 0);
	assert_int_equal(skep_elf_n_sections(bare), 0);
	assert_int_equal(skep_elf_for_each_symbol(bare, add_function, &mine), 0);
	set_settle(&mine);
	set_settle(&theirs);
	assert_true(mine.n > 2000);
	if (!skep_elf_has_symtab(whole))
		assert_int_equal(mine.n, theirs.n);
	set_done(&mine);
	set_done(&theirs);
}

/* A 32-bit program, made by the assembler and the linker alone. */
static void test_32_bit(void **state)
{
	_cleanup_elf_ struct skep_elf *elf = NULL;
	char folder[] = "/tmp/skep-elf32-XXXXXX", command[512];
	struct skep_elf_sym sym;
	uint64_t off, addr;
	int err;

	assert_non_null(mkdtemp(folder));
	snprintf(command, sizeof(command),
		 "cd %s && printf '.globl _start,f\\n.type f,@function\\n_start: nop\\nf: ret\\n"
		 ".size f,1\\n' | as --32 -o a.o - && ld -m elf_i386 -Ttext=0x8050000 -o a a.o",
		 folder);
	if (system(command) != 0)
		skip();
	snprintf(command, sizeof(command), "%s/a", folder);
	err = skep_elf_open(command, &elf, NULL);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	assert_int_equal(system(command), 0);
	assert_int_equal(err, 0);
	assert_int_equal(skep_elf_machine(elf), EM_386);
	assert_int_equal(skep_elf_find_symbol(elf, "f", &sym), 0);
	assert_int_equal(sym.addr, 0x8050001);
	assert_int_equal(sym.size, 1);
	assert_int_equal(skep_elf_addr_to_off(elf, sym.addr, &off), 0);
	assert_int_equal(skep_elf_off_to_addr(elf, off, &addr), 0);
	assert_int_equal(addr, sym.addr);
}

static int stop_at_third(void *ctx, const struct skep_elf_sym *sym)
{
	return ++*(int *)ctx == 3 ? 42 : 0;
}

static void test_stop(void **state)
{
	_cleanup_elf_ struct skep_elf *elf = NULL;
	int n = 0;

	assert_int_equal(skep_elf_open("/proc/self/exe", &elf, NULL), 0);
	assert_int_equal(skep_elf_for_each_symbol(elf, stop_at_third, &n), 42);
	assert_int_equal(n, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_like_readelf),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_default_version),
		cmocka_unit_test(test_without_sections),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_32_bit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
