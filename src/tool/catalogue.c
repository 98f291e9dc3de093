/* The embedded tools, unpacked by groups; see embed.py. */
#include "tool/catalogue.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "tool/embedded.h"

static const struct {
	const char *name, *summary;
} groups[] = {
#define GROUP(name, summary) {#name, summary},
#include "tool/groups.def"
#undef GROUP
};

const char *skep_tool_group_name(enum skep_tool_group group)
{
	return groups[group].name;
}

const char *skep_tool_group_summary(enum skep_tool_group group)
{
	return groups[group].summary;
}

/* --- Opening --------------------------------------------------------------------------------- */

static int compare_names(const void *name, const void *row)
{
	return strcmp(name, ((const struct skep_embedded_name *)row)->name);
}

/* NULL: nothing is called so. */
static const struct skep_embedded_tool *find_embedded(const char *name)
{
	const struct skep_embedded_name *row =
		bsearch(name, skep_embedded_names, skep_embedded_names_cnt,
			sizeof(*skep_embedded_names), compare_names);

	return row ? &skep_embedded_tools[row->tool] : NULL;
}

bool skep_catalogue_has(const char *name)
{
	return find_embedded(name);
}

static const char *unpack(struct skep_arena *arena, enum skep_tool_group group)
{
	const struct skep_embedded_group *row = &skep_embedded_groups[group];
	uLongf len = row->text_bytes;
	char *text = skep_arena_alloc(arena, len + 1);

	if (row->packed)
		uncompress((Bytef *)text, &len, row->packed, row->packed_bytes);
	return text;
}

static int add_tool(struct skep_catalogue *catalogue, const struct skep_embedded_tool *row,
		    const char *text, struct skep_diag *diag)
{
	struct skep_tool *tool = &catalogue->tools[catalogue->n_tools++];

	tool->group = row->group;
	tool->source = (struct skep_source){row->name, text + row->off, row->len};
	diag->source = &tool->source;
	return skep_tool_header_read(&catalogue->arena, &tool->source, &tool->header, diag);
}

/* The order of groups.def is not that of their folders' names. */
static int add_all(struct skep_catalogue *catalogue, struct skep_diag *diag)
{
	int err = 0;

	for (int group = 0; group < SKEP_TOOL_GROUP_CNT; group++) {
		const char *text = unpack(&catalogue->arena, group);
		for (size_t i = 0; i < skep_embedded_cnt && !err; i++) {
			if ((int)skep_embedded_tools[i].group == group)
				err = add_tool(catalogue, &skep_embedded_tools[i], text, diag);
		}
	}
	return err;
}

int skep_catalogue_open(struct skep_catalogue *ret, const char *name, struct skep_diag *diag)
{
	const struct skep_embedded_tool *only = name ? find_embedded(name) : NULL;
	const struct skep_source *outer = diag->source;

	*ret = (struct skep_catalogue){0};
	skep_arena_init(&ret->arena);
	ret->tools =
		skep_arena_array(&ret->arena, struct skep_tool, only ? 1 : skep_embedded_cnt + 1);
	int err = only ? add_tool(ret, only, unpack(&ret->arena, only->group), diag)
		       : add_all(ret, diag);
	if (!err)
		diag->source = outer;
	return err;
}

void skep_catalogue_done(struct skep_catalogue *catalogue)
{
	skep_arena_done(&catalogue->arena);
}

/* --- Finding --------------------------------------------------------------------------------- */

static const struct skep_tool_alias *find_alias(const struct skep_tool *tool, const char *name)
{
	for (uint32_t i = 0; i < tool->header.n_aliases; i++) {
		if (!strcmp(tool->header.aliases[i].name, name))
			return &tool->header.aliases[i];
	}
	return NULL;
}

bool skep_catalogue_find(const struct skep_catalogue *catalogue, const char *name,
			 struct skep_tool_entry *ret)
{
	for (size_t i = 0; i < catalogue->n_tools; i++) {
		const struct skep_tool *tool = &catalogue->tools[i];
		const struct skep_tool_alias *alias = find_alias(tool, name);
		if (!alias && strcmp(tool->header.name, name) != 0)
			continue;
		*ret = (struct skep_tool_entry){tool, alias};
		return true;
	}
	return false;
}

static bool speaks_of(const struct skep_tool_header *header, const char *word)
{
	bool found = strcasestr(header->name, word) || strcasestr(header->summary, word);

	for (uint32_t i = 0; !found && i < header->n_aliases; i++)
		found = strcasestr(header->aliases[i].name, word) ||
			strcasestr(header->aliases[i].summary, word);
	for (int i = 0; !found && i < SKEP_TOOL_PARAGRAPH_CNT; i++)
		found = header->paragraphs[i] && strcasestr(header->paragraphs[i], word);
	return found;
}

bool skep_tool_speaks_of(const struct skep_tool *tool, char *const *words, size_t n_words)
{
	for (size_t i = 0; i < n_words; i++) {
		if (!speaks_of(&tool->header, words[i]))
			return false;
	}
	return true;
}
