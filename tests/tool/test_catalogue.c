/* The catalogue in the program, and finding in one made by hand, with aliases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tool/catalogue.h"

static void the_program_has_tools(void **state)
{
	struct skep_catalogue catalogue;
	struct skep_tool_entry entry;
	struct skep_diag diag = {0};

	assert_int_equal(skep_catalogue_open(&catalogue, NULL, &diag), 0);
	assert_int_equal(diag.n_items, 0);
	assert_true(skep_catalogue_find(&catalogue, "opensnoop", &entry));
	assert_null(entry.alias);
	assert_int_equal(entry.tool->group, SKEP_TOOL_GROUP_file);
	assert_memory_equal(entry.tool->source.text, "/*\n * opensnoop:", 16);
	for (size_t i = 1; i < catalogue.n_tools; i++)
		assert_true(catalogue.tools[i - 1].group <= catalogue.tools[i].group);
	skep_catalogue_done(&catalogue);
}

/* Whatever is in the catalogue is found without it, and alone in one of its own. */
static void one_tool_is_opened_alone(void **state)
{
	struct skep_catalogue all, one;
	struct skep_tool_entry entry;
	struct skep_diag diag = {0};

	assert_int_equal(skep_catalogue_open(&all, NULL, &diag), 0);
	for (size_t i = 0; i < all.n_tools; i++) {
		const struct skep_tool_header *header = &all.tools[i].header;
		for (uint32_t n = 0; n <= header->n_aliases; n++) {
			const char *name = n ? header->aliases[n - 1].name : header->name;
			assert_true(skep_catalogue_has(name));
			assert_int_equal(skep_catalogue_open(&one, name, &diag), 0);
			assert_int_equal(one.n_tools, 1);
			assert_true(skep_catalogue_find(&one, name, &entry));
			assert_string_equal(skep_tool_entry_name(entry), name);
			assert_int_equal(entry.tool->source.len, all.tools[i].source.len);
			assert_memory_equal(entry.tool->source.text, all.tools[i].source.text,
					    all.tools[i].source.len);
			skep_catalogue_done(&one);
		}
	}
	assert_false(skep_catalogue_has("no such tool"));
	assert_int_equal(skep_catalogue_open(&one, "no such tool", &diag), 0);
	assert_int_equal(one.n_tools, all.n_tools);
	skep_catalogue_done(&one);
	skep_catalogue_done(&all);
}

/* Two tools, one with another name. */
static void fill(struct skep_catalogue *catalogue, struct skep_tool tools[2])
{
	static const char *const texts[] = {
		"/* fsdist: how long operations take\n"
		" * alias: ext4dist --type=ext4  those of ext4\n"
		" * how: by kprobes */",
		"/* mountsnoop: what is mounted */",
	};
	struct skep_diag diag = {0};

	*catalogue = (struct skep_catalogue){.tools = tools, .n_tools = 2};
	skep_arena_init(&catalogue->arena);
	for (int i = 0; i < 2; i++) {
		tools[i].source = (struct skep_source){"x", texts[i], strlen(texts[i])};
		assert_int_equal(skep_tool_header_read(&catalogue->arena, &tools[i].source,
						       &tools[i].header, &diag),
				 0);
	}
}

static void tools_and_aliases_are_found(void **state)
{
	struct skep_tool tools[2] = {0};
	struct skep_catalogue catalogue;
	struct skep_tool_entry entry = {0};

	fill(&catalogue, tools);
	assert_true(skep_catalogue_find(&catalogue, "mountsnoop", &entry));
	assert_ptr_equal(entry.tool, &tools[1]);
	assert_null(entry.alias);
	assert_string_equal(skep_tool_entry_summary(entry), "what is mounted");
	assert_true(skep_catalogue_find(&catalogue, "ext4dist", &entry));
	assert_ptr_equal(entry.tool, &tools[0]);
	assert_string_equal(entry.alias->words, "--type=ext4");
	assert_string_equal(skep_tool_entry_name(entry), "ext4dist");
	assert_string_equal(skep_tool_entry_summary(entry), "those of ext4");
	assert_false(skep_catalogue_find(&catalogue, "ext4dis", &entry));
	skep_catalogue_done(&catalogue);
}

static void words_are_searched_everywhere(void **state)
{
	const struct {
		char *words[2];
		size_t n;
		bool first, second;
	} cases[] = {
		{{(char[]){"HOW LONG"}}, 1, true, false},
		{{(char[]){"Mount"}}, 1, false, true},
		{{(char[]){"ext4"}, (char[]){"kprobe"}}, 2, true, false},
		{{(char[]){"ext4"}, (char[]){"mounted"}}, 2, false, false},
		{{NULL}, 0, true, true},
	};
	struct skep_tool tools[2] = {0};
	struct skep_catalogue catalogue;

	fill(&catalogue, tools);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(skep_tool_speaks_of(&tools[0], cases[i].words, cases[i].n),
				 cases[i].first);
		assert_int_equal(skep_tool_speaks_of(&tools[1], cases[i].words, cases[i].n),
				 cases[i].second);
	}
	skep_catalogue_done(&catalogue);
}

static void every_group_says_what_it_is(void **state)
{
	for (int i = 0; i < SKEP_TOOL_GROUP_CNT; i++) {
		assert_true(strlen(skep_tool_group_name(i)) > 1);
		assert_true(strlen(skep_tool_group_summary(i)) > 10);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_program_has_tools),
		cmocka_unit_test(one_tool_is_opened_alone),
		cmocka_unit_test(tools_and_aliases_are_found),
		cmocka_unit_test(words_are_searched_everywhere),
		cmocka_unit_test(every_group_says_what_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
