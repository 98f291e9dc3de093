/* Patterns against names; a pattern of many stars must not take long. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "trace/probe.h"
#include "trace/provider/provider.h"
#include "trace/provider/symbols.h"

static void matches(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool want;
	} cases[] = {
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"*", "anything", true},
		{"sys_enter_*", "sys_enter_openat", true},
		{"sys_enter_*", "sys_exit_openat", false},
		{"*sleep", "nanosleep", true},
		{"*sleep", "sleeper", false},
		{"*slee*", "clock_nanosleep", true},
		{"a*b*c", "aXbYbZc", true},
		{"a*b*c", "aXbYbZ", false},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"v[fg]s_*", "vfs_read", true},
		{"v[a-e]s_*", "vfs_read", false},
		{"v[!a-e]s_*", "vfs_read", true},
		{"operator[]", "operator[]", true},
		{"x[", "x[", true},
		{"x[a", "x[a", true},
		{"[]]", "]", false},
		{"a*", "", false},
		{"*a", "a", true},
		{"**", "x", true},
		{"a**b", "ab", true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (skep_wildcard_match(cases[i].pattern, cases[i].text) != cases[i].want)
			fail_msg("%s against %s", cases[i].pattern, cases[i].text);
	}
}

/* With backtracking into every star this would not end. */
static void many_stars(void **state)
{
	char pattern[201], text[2001];

	for (size_t i = 0; i < 200; i += 2)
		memcpy(pattern + i, "*a", 2);
	pattern[199] = 'b';
	pattern[200] = '\0';
	memset(text, 'a', 2000);
	text[2000] = '\0';
	assert_false(skep_wildcard_match(pattern, text));
	text[1999] = 'b';
	assert_true(skep_wildcard_match(pattern, text));
}

static void has_wildcard(void **state)
{
	assert_true(skep_has_wildcard("sys_*"));
	assert_true(skep_has_wildcard("a[bc]"));
	assert_false(skep_has_wildcard("plain"));
	assert_false(skep_has_wildcard("operator[]"));
	assert_false(skep_has_wildcard("open["));
}

static void numbers(void **state)
{
	static const struct {
		const char *text;
		int err;
		uint64_t want;
	} cases[] = {
		{"0", 0, 0},
		{"42", 0, 42},
		{"0x2a", 0, 42},
		{"0b101", 0, 5},
		{"010", 0, 8},
		{"1_000", 0, 1000},
		{"1e6", 0, 1000000},
		{"12e6", -EINVAL, 0},
		{"9e19", -ERANGE, 0},
		{"18446744073709551615", 0, UINT64_MAX},
		{"18446744073709551616", -ERANGE, 0},
		{"1s", 0, 1000000000},
		{"500ms", 0, 500000000},
		{"2us", 0, 2000},
		{"1d", 0, 86400000000000},
		{"5u", 0, 5},
		{"5000000000u", -ERANGE, 0},
		{"", -EINVAL, 0},
		{"-1", -EINVAL, 0},
		{" 1", -EINVAL, 0},
		{"0x", -EINVAL, 0},
		{"0x-1", -EINVAL, 0},
		{"1q", -EINVAL, 0},
		{"malloc", -EINVAL, 0},
		{"dead", -EINVAL, 0},
		{"99999999999999d", -ERANGE, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t got = 12345;
		int err = skep_parse_uint(cases[i].text, &got);
		if (err != cases[i].err || got != (err ? 12345 : cases[i].want))
			fail_msg("%s: %d, %llu", cases[i].text, err, (unsigned long long)got);
	}
}

static void demangled(void **state)
{
	assert_true(skep_demangled_match("ns::f", "ns::f(int)"));
	assert_true(skep_demangled_match("ns::f(int)", "ns::f(int)"));
	assert_false(skep_demangled_match("ns::f(double)", "ns::f(int)"));
	assert_true(skep_demangled_match("ns::C::get", "ns::C::get() const"));
	assert_true(skep_demangled_match("ns::operator()", "ns::operator()(int, char)"));
	assert_true(skep_demangled_match("ns::*", "ns::g(std::vector<int (*)(char)>&)"));
	assert_true(skep_demangled_match("ns::g", "ns::g(void (*)(int))"));
	assert_true(skep_demangled_match("(anonymous namespace)::h", "(anonymous namespace)::h()"));
	assert_true(
		skep_demangled_match("a::b::{{closure}}", "a::b::{{closure}}::h0123456789abcdef"));
	assert_false(skep_demangled_match("ns::f", "ns::ff(int)"));
}

static void providers(void **state)
{
	const struct skep_provider *const *all;
	size_t n = skep_providers(&all);

	assert_true(n >= 19);
	for (size_t i = 0; i < n; i++) {
		assert_ptr_equal(skep_provider_find(all[i]->name), all[i]);
		assert_true(!i || strcmp(all[i - 1]->name, all[i]->name) < 0);
		for (const char *const *alias = all[i]->aliases; *alias; alias++)
			assert_ptr_equal(skep_provider_find(*alias), all[i]);
	}
	assert_string_equal(skep_provider_find("BEGIN")->name, "begin");
	assert_string_equal(skep_provider_find("U")->name, "usdt");
	assert_string_equal(skep_provider_find("u")->name, "uprobe");
	assert_string_equal(skep_provider_find("kfunc")->name, "fentry");
	assert_null(skep_provider_find("nosuch"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches),      cmocka_unit_test(many_stars),
		cmocka_unit_test(has_wildcard), cmocka_unit_test(numbers),
		cmocka_unit_test(demangled),    cmocka_unit_test(providers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
