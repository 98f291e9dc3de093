/* Settings: defaults, names in all their spellings, ranges. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "trace/config.h"

static void defaults_are_those_of_the_table(void **state)
{
	struct skep_config config;

	(void)state;
	skep_config_init(&config);
	assert_int_equal(config.max_strlen, 1024);
	assert_int_equal(config.max_map_keys, 4096);
	assert_true(config.print_maps_on_exit);
	assert_int_equal(config.stack_mode, SKEP_STACK_BPFTRACE);
	assert_string_equal(config.missing_probes, "warn");
	assert_string_equal(config.str_trunc_trailer, "..");
}

static void names_come_in_any_case_and_with_prefixes(void **state)
{
	struct skep_config config;

	(void)state;
	skep_config_init(&config);
	assert_int_equal(skep_config_set(&config, "max_strlen", "64"), 0);
	assert_int_equal(config.max_strlen, 64);
	assert_int_equal(skep_config_set(&config, "BPFTRACE_MAX_STRLEN", "65"), 0);
	assert_int_equal(config.max_strlen, 65);
	assert_int_equal(skep_config_set(&config, "SKEP_MAX_STRLEN", "0x42"), 0);
	assert_int_equal(config.max_strlen, 66);
	assert_int_equal(skep_config_set(&config, "STACK_MODE", "perf"), 0);
	assert_int_equal(config.stack_mode, SKEP_STACK_PERF);
	assert_int_equal(skep_config_set(&config, "BPFTRACE_STRLEN", "67"), 0);
	assert_int_equal(config.max_strlen, 67);
}

static void wrong_values_change_nothing(void **state)
{
	static const struct {
		const char *name, *value;
		int err;
	} rows[] = {
		{"max_strlenn", "64", -ENOENT},
		{"", "1", -ENOENT},
		{"max_strlen", "0", -EINVAL},
		{"max_strlen", "16385", -EINVAL},
		{"max_strlen", "-1", -EINVAL},
		{"max_strlen", "12x", -EINVAL},
		{"max_strlen", "", -EINVAL},
		{"max_strlen", " 12", -EINVAL},
		{"max_strlen", "99999999999999999999", -EINVAL},
		{"cpp_demangle", "perhaps", -EINVAL},
		{"stack_mode", "bpf", -EINVAL},
		{"missing_probes", "warning", -EINVAL},
		{"missing_probes", "", -EINVAL},
		{"missing_probes", "warn|error", -EINVAL},
	};
	struct skep_config config, before;

	(void)state;
	skep_config_init(&config);
	before = config;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(skep_config_set(&config, rows[i].name, rows[i].value),
				 rows[i].err);
	assert_int_equal(config.max_strlen, before.max_strlen);
	assert_int_equal(config.cpp_demangle, before.cpp_demangle);
	assert_string_equal(config.missing_probes, before.missing_probes);
}

static void words_stand_for_booleans(void **state)
{
	struct skep_config config;

	(void)state;
	skep_config_init(&config);
	assert_int_equal(skep_config_set(&config, "print_maps_on_exit", "false"), 0);
	assert_false(config.print_maps_on_exit);
	assert_int_equal(skep_config_set(&config, "print_maps_on_exit", "1"), 0);
	assert_true(config.print_maps_on_exit);
	assert_int_equal(skep_config_set(&config, "cache_user_symbols", "NONE"), 0);
	assert_false(config.cache_user_symbols);
	assert_int_equal(skep_config_set(&config, "missing_probes", "error"), 0);
	assert_string_equal(config.missing_probes, "error");
	assert_int_equal(skep_config_set(&config, "missing_probes", "some"), 0);
	assert_string_equal(config.missing_probes, "some");
	assert_int_equal(skep_config_set(&config, "str_trunc_trailer", "~"), 0);
	assert_string_equal(config.str_trunc_trailer, "~");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_the_table),
		cmocka_unit_test(names_come_in_any_case_and_with_prefixes),
		cmocka_unit_test(wrong_values_change_nothing),
		cmocka_unit_test(words_stand_for_booleans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
