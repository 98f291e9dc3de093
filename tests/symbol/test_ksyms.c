/* Kernel symbols: the running kernel's, and made-up files for what it does not show. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <skep/diag.h>
#include <skep/symbol.h>

#include "symbol/kallsyms.h"

static char fake_path[64];

static struct skep_ksyms *from_text(const char *text)
{
	int fd;

	strcpy(fake_path, "/tmp/skep-ksyms-XXXXXX");
	fd = mkstemp(fake_path);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	return skep_ksyms_new_from(fake_path);
}

static void done(struct skep_ksyms *syms)
{
	skep_ksyms_free(syms);
	unlink(fake_path);
}

static void expect(struct skep_ksyms *syms, uint64_t addr, const char *name, const char *module,
		   uint64_t offset)
{
	struct skep_symbol sym = {0};

	assert_int_equal(skep_ksyms_lookup(syms, addr, &sym), 0);
	assert_string_equal(sym.name, name);
	assert_int_equal(sym.offset, offset);
	if (module)
		assert_string_equal(sym.module, module);
	else
		assert_null(sym.module);
}

static void expect_none(struct skep_ksyms *syms, uint64_t addr)
{
	struct skep_symbol sym = {.name = "untouched"};

	assert_int_equal(skep_ksyms_lookup(syms, addr, &sym), -ENOENT);
	assert_string_equal(sym.name, "untouched");
}

/* The names of a function and of the padding before it are kept as one text. */
static void test_padding(void **state)
{
	struct skep_ksyms *syms = from_text("ffffffff81000000 T __pfx_first\n"
					    "ffffffff81000010 T first\n"
					    "ffffffff81000100 t __pfx_second\n"
					    "ffffffff81000110 t third\n"
					    "ffffffff81000200 t __pfx_long_name\n"
					    "ffffffff81000210 t name\n"
					    "ffffffff81000220 d data\n"
					    "ffffffff81000300 t __pfx_\n"
					    "ffffffff81000310 t x__pfx_\n"
					    "ffffffff81000320 t __pfx___pfx_twice\n"
					    "ffffffff81000330 t __pfx_twice\n"
					    "ffffffff81000340 t twice\n");

	expect(syms, 0xffffffff8100000f, "__pfx_first", NULL, 0xf);
	expect(syms, 0xffffffff81000011, "first", NULL, 1);
	expect(syms, 0xffffffff81000100, "__pfx_second", NULL, 0);
	expect(syms, 0xffffffff81000110, "third", NULL, 0);
	expect(syms, 0xffffffff81000200, "__pfx_long_name", NULL, 0);
	expect(syms, 0xffffffff81000210, "name", NULL, 0);
	expect(syms, 0xffffffff81000300, "__pfx_", NULL, 0);
	expect(syms, 0xffffffff81000310, "x__pfx_", NULL, 0);
	expect(syms, 0xffffffff81000320, "__pfx___pfx_twice", NULL, 0);
	expect(syms, 0xffffffff81000330, "__pfx_twice", NULL, 0);
	expect(syms, 0xffffffff81000340, "twice", NULL, 0);
	done(syms);
}

static void test_lookup(void **state)
{
	struct skep_ksyms *syms = from_text("0000000000000000 A fixed_percpu_data\n"
					    "ffffffff81000000 T _text\n"
					    "ffffffff81000000 T startup\n"
					    "ffffffff81000100 t second\n"
					    "ffffffff81000200 W third\n"
					    "ffffffff81000300 T _etext\n"
					    "ffffffff82000000 D data\n"
					    "ffffffffc0002000 t mod_two\t[beta]\n"
					    "ffffffffc0001000 t mod_one\t[alpha]\n"
					    "ffffffffc0001800 d mod_data\t[alpha]\n"
					    "ffffffffc0001900 t mod_last\t[alpha]\n");

	expect(syms, 0xffffffff81000000, "_text", NULL, 0);
	expect(syms, 0xffffffff810000ff, "_text", NULL, 0xff);
	expect(syms, 0xffffffff81000100, "second", NULL, 0);
	expect(syms, 0xffffffff810002ff, "third", NULL, 0xff);
	expect(syms, 0xffffffffc0001010, "mod_one", "alpha", 0x10);
	expect(syms, 0xffffffffc0001999, "mod_last", "alpha", 0x99);
	expect(syms, 0xffffffffc0002001, "mod_two", "beta", 1);
	expect_none(syms, 0);
	expect_none(syms, 0xffffffff80ffffff);
	expect_none(syms, 0xffffffff81000300); /* behind the code */
	expect_none(syms, 0xffffffff82000000); /* data */
	expect_none(syms, 0xffffffffc0001850);
	expect_none(syms, UINT64_MAX);
	done(syms);
}

static void test_find(void **state)
{
	struct skep_ksyms *syms = from_text("0000000000000000 A fixed_percpu_data\n"
					    "ffffffff81000000 T _text\n"
					    "ffffffff82000000 D jiffies\n"
					    "ffffffffc0001000 t mod_one\t[alpha]");
	uint64_t addr = 7;

	assert_int_equal(skep_ksyms_find(syms, "jiffies", &addr), 0);
	assert_int_equal(addr, 0xffffffff82000000);
	assert_int_equal(skep_ksyms_find(syms, "mod_one", &addr), 0);
	assert_int_equal(addr, 0xffffffffc0001000);
	assert_int_equal(skep_ksyms_find(syms, "fixed_percpu_data", &addr), 0);
	assert_int_equal(addr, 0);
	addr = 7;
	assert_int_equal(skep_ksyms_find(syms, "jiff", &addr), -ENOENT);
	assert_int_equal(addr, 7);
	done(syms);
}

static void test_hidden(void **state)
{
	struct skep_ksyms *syms =
		from_text("0000000000000000 T _text\n0000000000000000 T second\n");
	_cleanup_diag_ struct skep_diag diag = {0};
	struct skep_symbol sym;
	uint64_t addr;

	assert_int_equal(skep_ksyms_lookup(syms, 1, &sym), -EPERM);
	assert_int_equal(skep_ksyms_lookup(syms, 1, &sym), -EPERM);
	assert_int_equal(skep_ksyms_find(syms, "second", &addr), -EPERM);
	assert_int_equal(skep_ksyms_explain(-EPERM, &diag), -EPERM);
	assert_string_equal(skep_diag_code(diag.items[0].id), "S0001");
	assert_non_null(strstr(diag.items[0].what, "kptr_restrict is "));
	assert_null(strstr(diag.items[0].what, "is -1"));
	done(syms);
}

static void test_absent(void **state)
{
	struct skep_ksyms *syms = skep_ksyms_new_from("/nonexistent");
	_cleanup_diag_ struct skep_diag diag = {0};
	struct skep_symbol sym;
	uint64_t addr;

	assert_int_equal(skep_ksyms_lookup(syms, 1, &sym), -ENOENT);
	assert_int_equal(skep_ksyms_find(syms, "x", &addr), -ENOENT);
	assert_int_equal(skep_ksyms_explain(-EACCES, &diag), -EACCES);
	assert_string_equal(skep_diag_code(diag.items[0].id), "B0001");
	skep_ksyms_free(syms);
	skep_ksyms_free(NULL);
}

static void test_bad_lines(void **state)
{
	static const char *const lines[] = {"",
					    "x",
					    "ffff",
					    "ffff T",
					    "ffff T ",
					    "ffff TT name",
					    "fffffffffffffffff T name",
					    " T name",
					    "ffff T \t[m]"};
	struct skep_kallsyms_line line;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (skep_kallsyms_parse(lines[i], lines[i] + strlen(lines[i]), &line) != -EINVAL)
			fail_msg("accepted: %s", lines[i]);
}

/* A line longer than the reader's buffer is left out, the next one is not. */
static void test_long_line(void **state)
{
	size_t len = 200000;
	char *text = malloc(len + 100);
	struct skep_ksyms *syms;
	uint64_t addr;

	memset(text, 'x', len);
	memcpy(text, "ffffffff81000000 T ", 19);
	strcpy(text + len, "\nffffffff81000100 T after\n");
	syms = from_text(text);
	assert_int_equal(skep_ksyms_find(syms, "after", &addr), 0);
	assert_int_equal(addr, 0xffffffff81000100);
	done(syms);
	free(text);
}

/*
 * Every code symbol of the kernel itself is found again by its address, first
 * name first. Not modules: BPF programs are listed as one, and come and go.
 */
static void check_line(struct skep_ksyms *syms, const char *line, uint64_t *last, size_t *n)
{
	struct skep_symbol sym;
	char name[512], type;
	unsigned long addr;

	if (strchr(line, '[') || sscanf(line, "%lx %c %511s", &addr, &type, name) < 3 || !addr ||
	    !strchr("tTwW", type) || addr == *last || strstr(name, "_etext") ||
	    strstr(name, "_einittext"))
		return;
	*last = addr;
	if (skep_ksyms_lookup(syms, addr, &sym) < 0)
		fail_msg("%s not found", line);
	assert_int_equal(sym.offset, 0);
	if (strcmp(sym.name, name) != 0)
		fail_msg("%s: %s", line, sym.name);
	++*n;
}

static void test_running_kernel(void **state)
{
	struct skep_ksyms *syms = skep_ksyms_new();
	uint64_t addr = 0, last = 0;
	char line[1024];
	size_t n = 0;
	FILE *f;

	if (skep_ksyms_find(syms, "_text", &addr) == -EPERM) {
		skep_ksyms_free(syms);
		skip();
	}
	f = fopen("/proc/kallsyms", "r");
	while (fgets(line, sizeof(line), f))
		check_line(syms, line, &last, &n);
	fclose(f);
	print_message("%zu symbols, %zu bytes\n", n, skep_ksyms_memory(syms));
	assert_true(n > 1000);
	assert_true(skep_ksyms_memory(syms) / n < 100);
	skep_ksyms_free(syms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookup),         cmocka_unit_test(test_find),
		cmocka_unit_test(test_hidden),         cmocka_unit_test(test_absent),
		cmocka_unit_test(test_bad_lines),      cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_running_kernel), cmocka_unit_test(test_padding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
