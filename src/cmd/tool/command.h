/* A tool's header as a command: options, usage and help like those of skep's own. */
#ifndef SKEP_CMD_TOOL_COMMAND_H
#define SKEP_CMD_TOOL_COMMAND_H

#include "base/arena.h"
#include "cmd/options.h"
#include "tool/header.h"

/** Where a value is among those parsed: of the filters, of all tools, then the tool's own. */
enum {
#define FILTER(id, ...) TOOL_FILTER_##id,
#include "tool/filters.def"
#undef FILTER
#define OPTION(id, ...) TOOL_OPT_##id,
#include "cmd/tool/standard.def"
#undef OPTION
	TOOL_OPT_OWN
};

struct skep_tool_command {
	struct skep_command command;
	struct skep_option options[SKEP_OPTIONS_MOST];
	struct skep_help_section sections[SKEP_TOOL_PARAGRAPH_CNT];
};

/**
 * Make the command that @header describes.
 *
 * @name    what users call it: "opensnoop", "./mine.bt"
 * @ret     points into @header and @arena
 * Return   0 | -EINVAL an option of its own is called as one that every tool has (see @diag)
 */
int skep_tool_command_make(struct skep_arena *arena, const struct skep_tool_header *header,
			   const char *name, struct skep_tool_command *ret, struct skep_diag *diag);

#endif
