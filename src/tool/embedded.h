/* The scripts of tools/ as embed.py puts them into the program: tables, and a deflated text for
 * each group. */
#ifndef SKEP_TOOL_EMBEDDED_H
#define SKEP_TOOL_EMBEDDED_H

#include <stddef.h>

#include "tool/catalogue.h"

struct skep_embedded_tool {
	enum skep_tool_group group;
	const char *name;
	size_t off, len; /* in its group's text */
};

/** A name of a tool, or of an alias. */
struct skep_embedded_name {
	const char *name;
	size_t tool; /* index */
};

struct skep_embedded_group {
	const unsigned char *packed;
	size_t packed_bytes, text_bytes;
};

extern const struct skep_embedded_tool skep_embedded_tools[];
extern const size_t skep_embedded_cnt;
/** In the order of strcmp(). */
extern const struct skep_embedded_name skep_embedded_names[];
extern const size_t skep_embedded_names_cnt;
extern const struct skep_embedded_group skep_embedded_groups[SKEP_TOOL_GROUP_CNT];

#endif
