/*
 * A command's options, out of its table: OPT_ID for each row, and `options`.
 *
 *	#define OPTIONS_DEF "cmd/doctor/options.def"
 *	#include "cmd/options_table.h"
 */
#include "cmd/options.h"

enum {
#define OPTION(id, ...) OPT_##id,
#include OPTIONS_DEF
#undef OPTION
	OPT_CNT
};

static const struct skep_option options[] = {
#define OPTION(id, short_name, name, arg, choices, help)                                           \
	{OPT_##id, short_name, name, arg, choices, help},
#include OPTIONS_DEF
#undef OPTION
};
