/*
 * The header of a tool: the first comment of its script, which says what the tool is called, what
 * it takes and what it shows. Options, help, manual page and documentation are made of it.
 *
 *	opensnoop: files that are opened, by whom, and what came of it
 *
 *	unsafe: what it changes on the machine: the tool then takes --unsafe
 *	filter: pid comm
 *	option: -m --least=MS     only what took longer than MS milliseconds
 *	argument: INTERVAL=1      seconds between two tables
 *	alias: ext4dist --type=ext4   time of ext4's operations
 *	example: opensnoop -n nginx
 *	  what nginx opens
 *	shows: A paragraph, that goes on
 *	  in lines indented by two more blanks.
 *	how: … overhead: … caveats: …
 */
#ifndef SKEP_TOOL_HEADER_H
#define SKEP_TOOL_HEADER_H

#include <stdbool.h>
#include <stdint.h>

#include <skep/diag.h>

#include "base/arena.h"

#define SKEP_TOOL_OPTIONS_MOST   40
#define SKEP_TOOL_ARGUMENTS_MOST 16
#define SKEP_TOOL_ALIASES_MOST   32
#define SKEP_TOOL_EXAMPLES_MOST  16

/** What a tool can filter tasks by: rows of filters.def. */
enum skep_tool_filter {
#define FILTER(id, ...) SKEP_TOOL_FILTER_##id,
#include "tool/filters.def"
#undef FILTER
	SKEP_TOOL_FILTER_CNT
};

enum skep_tool_paragraph {
	SKEP_TOOL_SHOWS,
	SKEP_TOOL_HOW,
	SKEP_TOOL_OVERHEAD,
	SKEP_TOOL_CAVEATS,
	SKEP_TOOL_PARAGRAPH_CNT
};

struct skep_tool_option {
	char short_name;     /* 0: none */
	const char *name;    /* long, without dashes */
	const char *arg;     /* placeholder of its value; NULL: takes none */
	const char *choices; /* "ext4|xfs": the values there are; NULL: any */
	const char *help;
};

/** What a script knows as $1, $2, …, in their order. */
struct skep_tool_argument {
	const char *name;
	const char *fallback; /* NULL: it must be given */
	bool takes_rest;      /* it and all that follow */
	const char *help;
};

/** Another name of the tool: with these options given. */
struct skep_tool_alias {
	const char *name;
	const char *words; /* "--type=ext4", blanks between */
	const char *summary;
};

struct skep_tool_example {
	const char *command; /* "opensnoop -x" */
	const char *words;   /* what it does */
};

struct skep_tool_header {
	const char *name, *summary;
	const char *unsafe; /* what it does to the machine, for which it takes --unsafe; or NULL */
	bool has_script;    /* behind it; else the tool is a function of the program's */
	uint32_t filters;   /* 1 << SKEP_TOOL_FILTER_PID, … */
	uint32_t n_options, n_arguments, n_aliases, n_examples;
	struct skep_tool_option options[SKEP_TOOL_OPTIONS_MOST];
	struct skep_tool_argument arguments[SKEP_TOOL_ARGUMENTS_MOST];
	struct skep_tool_alias aliases[SKEP_TOOL_ALIASES_MOST];
	struct skep_tool_example examples[SKEP_TOOL_EXAMPLES_MOST];
	const char *paragraphs[SKEP_TOOL_PARAGRAPH_CNT]; /* NULL: not there */
};

/**
 * Read the header of @source. Nothing but the title must be there.
 *
 * @ret    its texts, without control characters, are on @arena; untouched on error
 * Return  0 | -EINVAL (see @diag)
 * Cost    O(length of the first comment), which may have 64 KiB
 */
int skep_tool_header_read(struct skep_arena *arena, const struct skep_source *source,
			  struct skep_tool_header *ret, struct skep_diag *diag);

/** "shows", "how", … */
const char *skep_tool_paragraph_name(enum skep_tool_paragraph paragraph);

#endif
