/* C++ and Rust names, c++filt's answers, and names made to explode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <skep/elf.h>
#include <skep/symbol.h>

static void expect(const char *raw, const char *want)
{
	char *got = skep_demangle(raw);

	assert_non_null(got);
	assert_string_equal(got, want);
	free(got);
}

static void test_names(void **state)
{
	expect("_ZN3foo3barEi", "foo::bar(int)");
	expect("_Z3addii", "add(int, int)");
	expect("_ZNSt6vectorIiSaIiEE9push_backERKi",
	       "std::vector<int, std::allocator<int> >::push_back(int const&)");
	expect("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE", "core::fmt::Write::write_fmt");
	expect("_RNvC6_123foo3bar", "123foo::bar");
	expect("_RNvNtCs1234_7mycrate3mod4func", "mycrate::mod::func");
}

static void test_not_mangled(void **state)
{
	assert_null(skep_demangle("main"));
	assert_null(skep_demangle(""));
	assert_null(skep_demangle("_"));
	assert_null(skep_demangle("_Zzzz"));
	assert_null(skep_demangle("_R"));
	assert_null(skep_demangle("_start"));
}

/* Each pair doubles the one before: 2^60 names, were it written out. */
static void test_explosion(void **state)
{
	char name[1024] = "_Z1fSt4pairIiiE";
	char *got;

	for (int i = 0; i < 60; i++) {
		char part[32], seq[8] = "S0_";
		int k = i + 1; /* the number of the pair before, base 36 */

		if (k < 36)
			snprintf(seq, sizeof(seq), "S%c_", k < 10 ? '0' + k : 'A' + k - 10);
		else
			snprintf(seq, sizeof(seq), "S1%c_",
				 k - 36 < 10 ? '0' + k - 36 : 'A' + k - 46);
		snprintf(part, sizeof(part), "S_I%s%sE", seq, seq);
		strcat(name, part);
	}
	got = skep_demangle(name);
	assert_true(!got || strlen(got) <= 64 * 1024);
	free(got);
}

static void test_deep_and_long(void **state)
{
	size_t len = 100000;
	char *name = malloc(len + 1);

	memset(name, 'P', len);
	memcpy(name, "_Z1f", 4);
	name[len] = '\0';
	assert_null(skep_demangle(name));
	name[4000] = '\0';
	name[3999] = 'i';
	assert_null(skep_demangle(name));
	free(name);
}

struct tally {
	FILE *filter_in;
	size_t n;
};

static int compare_one(void *ctx, const struct skep_elf_sym *sym)
{
	struct tally *tally = ctx;

	/* c++filt cuts what follows '@' off and adds it again. */
	if (tally->n < 2000 && strncmp(sym->name, "_Z", 2) == 0 && !strchr(sym->name, '@')) {
		fprintf(tally->filter_in, "%s\n", sym->name);
		tally->n++;
	}
	return 0;
}

static size_t check_answers(const char *raw_path)
{
	char raw[8192], want[65536], command[128];
	FILE *in = fopen(raw_path, "r"), *out;
	size_t n = 0;

	snprintf(command, sizeof(command), "c++filt --no-verbose < %s", raw_path);
	out = popen(command, "r");
	while (fgets(raw, sizeof(raw), in) && fgets(want, sizeof(want), out)) {
		char *got;

		raw[strcspn(raw, "\n")] = want[strcspn(want, "\n")] = '\0';
		got = skep_demangle(raw);
		assert_string_equal(got ? got : raw, want);
		free(got);
		n++;
	}
	fclose(in);
	pclose(out);
	return n;
}

static void test_like_cxxfilt(void **state)
{
	_cleanup_elf_ struct skep_elf *elf = NULL;
	char path[] = "/tmp/skep-names-XXXXXX";
	struct tally tally = {0};

	if (access("/usr/bin/c++filt", X_OK) < 0 ||
	    skep_elf_open("/lib/x86_64-linux-gnu/libstdc++.so.6", &elf, NULL) < 0)
		skip();
	tally.filter_in = fdopen(mkstemp(path), "w");
	skep_elf_for_each_symbol(elf, compare_one, &tally);
	fclose(tally.filter_in);
	assert_int_equal(check_answers(path), tally.n);
	assert_true(tally.n > 1000);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),        cmocka_unit_test(test_not_mangled),
		cmocka_unit_test(test_explosion),    cmocka_unit_test(test_deep_and_long),
		cmocka_unit_test(test_like_cxxfilt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
