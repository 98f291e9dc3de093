/* Names of JavaScript's functions, as V8 writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "interp/v8.h"

static void check(const char *name, const char *function, const char *file, uint32_t line)
{
	struct skep_v8_name found;

	assert_true(skep_v8_parse(name, &found));
	assert_int_equal(found.function_len, strlen(function));
	assert_memory_equal(found.function, function, found.function_len);
	assert_int_equal(found.file_len, strlen(file));
	assert_memory_equal(found.file ? found.file : "", file, found.file_len);
	assert_int_equal(found.line, line);
}

static void functions(void **state)
{
	check("JS:*leaf /tmp/n.js:1:14", "leaf", "/tmp/n.js", 1);
	check("JS:~leaf file:///tmp/n.mjs:12:3", "leaf", "file:///tmp/n.mjs", 12);
	check("JS:^Module._compile node:internal/modules/cjs/loader:1310:37", "Module._compile",
	      "node:internal/modules/cjs/loader", 1310);
	check("JS:+get value /srv/my app/a b.js:3:4", "get value", "/srv/my app/a b.js", 3);
	check("LazyCompile:~old /x.js:7", "old", "/x.js", 7);
	check("JS:* /x.js:7:1", "", "/x.js", 7);
	check("JS:leaf", "leaf", "", 0);
	check("JS:*leaf x.js", "leaf", "x.js", 0);
	check("JS:", "", "", 0);
	check("JS:* ", "", "", 0);
	check("JS:*f :1:2", "f", "", 1);
	check("JS:*f 99999999999999999999:1", "f", "99999999999999999999", 1);
}

static void others(void **state)
{
	struct skep_v8_name found;

	assert_false(skep_v8_parse("Builtin:InterpreterEntryTrampoline", &found));
	assert_false(skep_v8_parse("py::main:/tmp/x.py", &found));
	assert_false(skep_v8_parse("", &found));
}

static void garbage(void **state)
{
	static const char some[] = "*~^+: /123JS:file:node:";
	char name[32] = "JS:";

	for (int round = 0; round < 200000; round++) {
		struct skep_v8_name found;
		size_t n = 3 + (size_t)rand() % (sizeof(name) - 4);
		for (size_t i = 3; i < n; i++)
			name[i] = some[(size_t)rand() % (sizeof(some) - 1)];
		name[n] = 0;
		assert_true(skep_v8_parse(name, &found));
		assert_true(found.function + found.function_len <= name + n);
		assert_true(!found.file || found.file + found.file_len <= name + n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions),
		cmocka_unit_test(others),
		cmocka_unit_test(garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
