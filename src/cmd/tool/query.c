/* What skep tool tells of its catalogue: list, search, show, help. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/vec.h"
#include "cmd/tool/tool.h"
#include "sink/jsonw.h"

static int needs(struct tool_query *query, const char *what)
{
	skep_diag_add(&query->diag, SKEP_DIAG_ARGS_MISSING, SKEP_NOWHERE, "tool", what);
	skep_diag_try(&query->diag, "skep tool --help");
	return 2;
}

static int extra(struct tool_query *query, const char *word)
{
	skep_diag_add(&query->diag, SKEP_DIAG_ARGS_EXTRA, SKEP_NOWHERE, "tool", word);
	skep_diag_try(&query->diag, "skep tool --help");
	return 2;
}

int tool_unknown(struct tool_query *query, const char *name)
{
	SKEP_VEC(const char *) names = {0};

	for (size_t i = 0; i < query->catalogue.n_tools; i++) {
		const struct skep_tool_header *header = &query->catalogue.tools[i].header;
		skep_vec_push(&names, header->name);
		for (uint32_t n = 0; n < header->n_aliases; n++)
			skep_vec_push(&names, header->aliases[n].name);
	}
#define VERB(verb, ...) skep_vec_push(&names, #verb);
#include "cmd/tool/verbs.def"
#undef VERB
	skep_diag_add(&query->diag, SKEP_DIAG_TOOL_UNKNOWN, SKEP_NOWHERE, name);
	skep_diag_did_you_mean(&query->diag, name, names.data, names.len);
	skep_vec_done(&names);
	return 2;
}

/* --- Lists ----------------------------------------------------------------------------------- */

static void print_text(struct skep_tool_entry entry)
{
	printf("  %-16s %s", skep_tool_entry_name(entry), skep_tool_entry_summary(entry));
	if (entry.alias)
		printf(" (%s %s)", entry.tool->header.name, entry.alias->words);
	putchar('\n');
}

static void json_member(struct skep_jsonw *w, const char *name, const char *value)
{
	skep_jsonw_key(w, name);
	skep_jsonw_string(w, value);
}

static void print_json(struct skep_tool_entry entry)
{
	_cleanup_buf_ struct skep_buf line = {0};
	struct skep_jsonw w = {.buf = &line};

	skep_jsonw_open(&w, '{');
	json_member(&w, "name", skep_tool_entry_name(entry));
	json_member(&w, "group", skep_tool_group_name(entry.tool->group));
	json_member(&w, "summary", skep_tool_entry_summary(entry));
	if (entry.alias) {
		json_member(&w, "tool", entry.tool->header.name);
		json_member(&w, "options", entry.alias->words);
	}
	skep_jsonw_close(&w);
	puts(line.data);
}

/* A tool and its other names. */
static void print_tool(const struct skep_tool *tool, bool json)
{
	void (*print)(struct skep_tool_entry entry) = json ? print_json : print_text;

	print((struct skep_tool_entry){tool, NULL});
	for (uint32_t i = 0; i < tool->header.n_aliases; i++)
		print((struct skep_tool_entry){tool, &tool->header.aliases[i]});
}

static void print_group(struct tool_query *query, int group, bool *ret_any)
{
	bool is_first = true;

	for (size_t i = 0; i < query->catalogue.n_tools; i++) {
		const struct skep_tool *tool = &query->catalogue.tools[i];
		if ((int)tool->group != group)
			continue;
		if (is_first && !query->json)
			printf("%s%s: %s\n", *ret_any ? "\n" : "", skep_tool_group_name(group),
			       skep_tool_group_summary(group));
		print_tool(tool, query->json);
		*ret_any = true;
		is_first = false;
	}
}

static int unknown_group(struct tool_query *query, const char *word)
{
	const char *names[SKEP_TOOL_GROUP_CNT];
	_cleanup_buf_ struct skep_buf all = {0};

	for (int i = 0; i < SKEP_TOOL_GROUP_CNT; i++) {
		names[i] = skep_tool_group_name(i);
		skep_buf_printf(&all, "%s%s", i ? ", " : "", names[i]);
	}
	skep_diag_add(&query->diag, SKEP_DIAG_TOOL_GROUP, SKEP_NOWHERE, word);
	skep_diag_try(&query->diag, "groups: %s", all.data);
	skep_diag_did_you_mean(&query->diag, word, names, SKEP_TOOL_GROUP_CNT);
	return 2;
}

int tool_verb_list(struct tool_query *query)
{
	bool any = false;
	int only = -1;

	if (query->n_words > 1)
		return extra(query, query->words[1]);
	for (int i = 0; query->n_words && i < SKEP_TOOL_GROUP_CNT; i++) {
		if (!strcmp(skep_tool_group_name(i), query->words[0]))
			only = i;
	}
	if (query->n_words && only < 0)
		return unknown_group(query, query->words[0]);
	for (int i = 0; i < SKEP_TOOL_GROUP_CNT; i++) {
		if (only < 0 || only == i)
			print_group(query, i, &any);
	}
	return 0;
}

int tool_verb_search(struct tool_query *query)
{
	bool any = false;

	if (!query->n_words)
		return needs(query, "words to search for");
	for (size_t i = 0; i < query->catalogue.n_tools; i++) {
		const struct skep_tool *tool = &query->catalogue.tools[i];
		if (!skep_tool_speaks_of(tool, query->words, (size_t)query->n_words))
			continue;
		print_tool(tool, query->json);
		any = true;
	}
	if (any)
		return 0;
	skep_diag_add(&query->diag, SKEP_DIAG_TOOL_SEARCH, SKEP_NOWHERE);
	return 1;
}

/* --- One tool -------------------------------------------------------------------------------- */

/* Return 0 | 2 */
static int find_one(struct tool_query *query, struct skep_tool_entry *ret)
{
	if (!query->n_words)
		return needs(query, "the name of a tool");
	if (query->n_words > 1)
		return extra(query, query->words[1]);
	if (!skep_catalogue_find(&query->catalogue, query->words[0], ret))
		return tool_unknown(query, query->words[0]);
	return 0;
}

int tool_verb_show(struct tool_query *query)
{
	struct skep_tool_entry entry;
	int status = find_one(query, &entry);

	if (!status)
		fwrite(entry.tool->source.text, 1, entry.tool->source.len, stdout);
	return status;
}

int tool_verb_help(struct tool_query *query)
{
	struct skep_tool_entry entry;
	struct skep_tool_command command = {0};
	int status = find_one(query, &entry);

	if (status)
		return status;
	if (skep_tool_command_make(&query->catalogue.arena, &entry.tool->header, query->words[0],
				   &command, &query->diag))
		return 1;
	skep_options_help(&command.command, stdout);
	return 0;
}
