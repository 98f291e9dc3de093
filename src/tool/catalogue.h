/*
 * The tools that are part of the program: those of tools/, by name, alias, group and words.
 */
#ifndef SKEP_TOOL_CATALOGUE_H
#define SKEP_TOOL_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>

#include <skep/diag.h>

#include "base/arena.h"
#include "tool/header.h"

/** Rows of groups.def, in the order in which they are shown. */
enum skep_tool_group {
#define GROUP(name, summary) SKEP_TOOL_GROUP_##name,
#include "tool/groups.def"
#undef GROUP
	SKEP_TOOL_GROUP_CNT
};

struct skep_tool {
	enum skep_tool_group group;
	struct skep_source source; /* its name is the tool's */
	struct skep_tool_header header;
};

struct skep_catalogue {
	struct skep_arena arena; /* of all below */
	struct skep_tool *tools; /* by group, then name */
	size_t n_tools;
};

/** A tool, or another name of one. */
struct skep_tool_entry {
	const struct skep_tool *tool;
	const struct skep_tool_alias *alias; /* NULL: the tool itself */
};

/** Is a tool, or an alias, called so? Nothing is unpacked for that. */
bool skep_catalogue_has(const char *name);
/**
 * Unpack the tools and read their headers.
 *
 * @name   only the tool that is, or has an alias, called so; NULL, or no such name: all of them
 * @diag   not NULL
 * Return  0 | -EINVAL the header of one is wrong, which the tests do not let happen (see @diag)
 * Cost    a few milliseconds for all; a tenth of that for one
 */
int skep_catalogue_open(struct skep_catalogue *ret, const char *name, struct skep_diag *diag);
void skep_catalogue_done(struct skep_catalogue *catalogue);

/** By a tool's or an alias's name. Return whether there is one; @ret untouched if not. */
bool skep_catalogue_find(const struct skep_catalogue *catalogue, const char *name,
			 struct skep_tool_entry *ret);
/** Are all of @words in its names, summary or paragraphs, in any case of letters? */
bool skep_tool_speaks_of(const struct skep_tool *tool, char *const *words, size_t n_words);

const char *skep_tool_group_name(enum skep_tool_group group);
const char *skep_tool_group_summary(enum skep_tool_group group);

static inline const char *skep_tool_entry_name(struct skep_tool_entry entry)
{
	return entry.alias ? entry.alias->name : entry.tool->header.name;
}

static inline const char *skep_tool_entry_summary(struct skep_tool_entry entry)
{
	return entry.alias ? entry.alias->summary : entry.tool->header.summary;
}

#endif
